"""The chain of the audit trail: it holds, and whatever is done to it is named."""

import asyncio
import hashlib
import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import asyncpg
import pytest
from click.testing import CliRunner

from service import auditing
from service.chaining import BEGIN, Entry, Link, digest
from service.cli import commands
from service.errors import WorkFailed
from service.store import Conn, Pool, audit, migrations
from service.store.database import Database
from tests.conftest import Api
from tests.web import sending

OFF = ("ALTER TABLE audit DISABLE TRIGGER USER", "ALTER TABLE audit_links DISABLE TRIGGER USER")
ENTRIES = 9
SHIFT = "(SELECT max(id) FROM audit) - 5"
HOSTILE = ["", "ü\n", "1:a,", '"', "\\u0000", "x" * 3000, "'; DROP TABLE audit; --", "\u202e"]
# What is done as the owner with triggers off, and which entry (counted from the last) is named.
TAMPERING = {
    "another actor": (f"UPDATE audit SET actor = 'b' WHERE id = {SHIFT}", 5),
    "another detail": (f"UPDATE audit SET detail = '{{\"n\": 1.0}}' WHERE id = {SHIFT}", 5),
    "another time": (f"UPDATE audit SET at = at - interval '1 us' WHERE id = {SHIFT}", 5),
    "a part moved over": (
        f"UPDATE audit SET actor = actor || action, action = '' WHERE id = {SHIFT}",
        5,
    ),
    "an entry removed": (f"DELETE FROM audit WHERE id = {SHIFT}", 5),
    "a link removed": (f"DELETE FROM audit_links WHERE audit_id = {SHIFT}", 4),
    "both removed": (
        f"DELETE FROM audit_links WHERE audit_id = {SHIFT}; DELETE FROM audit WHERE id = {SHIFT}",
        4,
    ),
    "the last removed": (
        """
        DELETE FROM audit_links WHERE audit_id = (SELECT max(id) FROM audit);
        DELETE FROM audit WHERE id = (SELECT max(id) FROM audit)
        """,
        1,
    ),
    "two swapped": (
        f"""
        UPDATE audit AS a SET subject = b.subject, actor = b.actor, action = b.action,
               detail = b.detail, at = b.at
          FROM audit AS b
         WHERE (a.id, b.id) IN (({SHIFT}, {SHIFT} + 1), ({SHIFT} + 1, {SHIFT}))
        """,
        5,
    ),
    "an entry slipped in": (
        "INSERT INTO audit (actor, action, subject) VALUES ('a', 'b', 'c')",
        -1,
    ),
    "another digest": (
        f"UPDATE audit_links SET sha256 = sha256('x') WHERE audit_id = {SHIFT}",
        5,
    ),
    "another digest before": (
        f"UPDATE audit_links SET previous = sha256('x') WHERE audit_id = {SHIFT}",
        5,
    ),
    "digested anew": (
        f"""
        UPDATE audit SET actor = 'b' WHERE id = {SHIFT};
        UPDATE audit_links AS l SET sha256 = audit_sha256(l.previous, l.day, l.number, a)
          FROM audit AS a WHERE a.id = l.audit_id AND a.id = {SHIFT}
        """,
        4,
    ),
    "another number": (
        f"UPDATE audit_links SET number = number + 1000 WHERE audit_id = {SHIFT}",
        4,
    ),
    "another day": (f"UPDATE audit_links SET day = day + 1 WHERE audit_id = {SHIFT}", 4),
}


async def enter(conn: Conn, number: int = ENTRIES) -> None:
    """Enter acts whose texts try to be something else."""
    for one in range(number):
        text = HOSTILE[one % len(HOSTILE)]
        await audit.add(conn, f"a{text}", f"b{text}", f"c{text}", n=one, text=text, deep={"x": [1]})


async def test_python_and_the_database_digest_the_same_bytes(pool: Pool) -> None:
    """Every entry's link is what chaining.digest makes of it, whatever it says."""
    async with pool.acquire() as conn:
        await enter(conn, 2 * len(HOSTILE))
        pairs = await audit.linked(conn, None, None, 1000)
    assert len(pairs) >= 2 * len(HOSTILE)
    for entry, link in pairs:
        assert entry is not None
        assert digest(entry, link) == link.sha256


def test_the_serialisation_is_what_the_docstring_says() -> None:
    """A sample written out by hand, so that others can verify an export."""
    at = datetime(2026, 11, 22, 1, 2, 3, 4, UTC)
    entry = Entry(7, at, "token:x", "décide", "s", '{"n": 1}')
    link = Link(7, date(2026, 11, 22), 3, BEGIN, b"")
    spelt = (
        f"64:{'00' * 32},10:2026-11-22,1:3,1:7,27:2026-11-22T01:02:03.000004Z,"
        '7:token:x,7:décide,1:s,8:{"n": 1},'
    )

    assert digest(entry, link) == hashlib.sha256(spelt.encode()).digest()


@pytest.mark.parametrize("what", TAMPERING)
async def test_tampering_is_named_at_the_first_broken_link(
    pool: Pool, owner: Conn, what: str
) -> None:
    """Even by the owner, who turned every trigger off."""
    async with pool.acquire() as conn:
        await enter(conn)
        assert (await auditing.verify(conn)).broken is None
        last = await conn.fetchval("SELECT max(id) FROM audit")
    statements, named = TAMPERING[what]
    for statement in (*OFF, statements):
        await owner.execute(statement)

    async with pool.acquire() as conn:
        done = await auditing.verify(conn)

    assert done.broken is not None
    assert done.broken.id == last - named, done.broken
    first = await owner.fetchval("SELECT count(*) FROM audit_links WHERE audit_id < $1", last - 5)
    assert done.checked >= first


async def test_a_day_is_checked_by_itself(pool: Pool, owner: Conn) -> None:
    """Its first entry follows on the day before; another day's fault is not its own."""
    async with pool.acquire() as conn:
        await enter(conn)
        today = await conn.fetchval("SELECT day FROM audit_head")
    await owner.execute("UPDATE audit_head SET day = day - 1")
    await owner.execute(OFF[1])
    await owner.execute("DELETE FROM audit_links")
    await owner.execute(
        "UPDATE audit_head SET number = 0, sha256 = decode(repeat('00', 32), 'hex')"
    )
    await owner.execute("ALTER TABLE audit_links ENABLE TRIGGER USER")
    yesterday, tomorrow = today - timedelta(days=1), today + timedelta(days=1)
    await rebuild(owner, yesterday)
    async with pool.acquire() as conn:
        await enter(conn, 3)
        links = [link for _, link in await audit.linked(conn, today, None, 10)]
        assert [link.number for link in links] == [1, 2, 3]
        whole = await auditing.verify(conn)
        assert whole.broken is None, whole.broken
        assert (await auditing.verify(conn, today)).checked == 3
        assert (await auditing.verify(conn, yesterday)).checked == whole.checked - 3
        assert (await auditing.verify(conn, tomorrow)).checked == 0
    await owner.execute(OFF[0])
    await owner.execute("UPDATE audit SET actor = 'b' WHERE id = (SELECT min(id) FROM audit)")
    async with pool.acquire() as conn:
        assert (await auditing.verify(conn, today)).broken is None
        assert (await auditing.verify(conn, yesterday)).broken is not None


async def rebuild(owner: Conn, day: date) -> None:
    """Chain what there is as if it had been entered on an earlier day."""
    await owner.execute("ALTER TABLE audit DISABLE TRIGGER USER")
    await owner.execute("UPDATE audit SET at = $1::date + interval '1 hour'", day)
    await owner.execute("ALTER TABLE audit ENABLE TRIGGER USER")
    await owner.execute("SELECT link_audit((SELECT array_agg(a ORDER BY a.id) FROM audit AS a))")


async def test_eight_connections_at_once_keep_the_chain_whole(pool: Pool) -> None:
    """Each link follows on the one before, with no gap, though transactions end in any order."""

    async def add(number: int) -> None:
        for one in range(10):
            async with pool.acquire() as conn:
                transaction = conn.transaction()
                await transaction.start()
                await audit.add(conn, f"actor {number}", "act", str(one))
                # Some of what is entered never was.
                await (transaction.rollback() if one % 3 == 0 else transaction.commit())

    async with pool.acquire() as conn:
        before = (await auditing.verify(conn)).checked
    await asyncio.gather(*(add(number) for number in range(8)))
    async with pool.acquire() as conn:
        done = await auditing.verify(conn)
        assert (done.broken, done.checked) == (None, before + 8 * 6)
        numbers = await conn.fetch("SELECT number FROM audit_links ORDER BY day, number")
    assert [row["number"] for row in numbers] == list(range(1, len(numbers) + 1))


async def test_many_in_one_statement_are_chained_in_order(pool: Pool) -> None:
    """As bulk decisions enter them."""
    async with pool.acquire() as conn:
        await audit.add_each(conn, "act", [("a", str(n), {"n": n}) for n in range(50)])
        await audit.add_each(conn, "act", [])
        assert (await auditing.verify(conn)).broken is None
        rows = await conn.fetch(
            "SELECT subject FROM audit JOIN audit_links ON audit_id = id"
            " WHERE action = 'act' ORDER BY day, number"
        )
    assert [row["subject"] for row in rows] == [str(n) for n in range(50)]


async def test_what_was_entered_before_is_chained_by_the_migration(
    bare: "asyncpg.Connection[asyncpg.Record]", empty: Database
) -> None:
    """An old trail is not lost to the chain, and the code before goes on entering."""
    files = migrations.read(Path(__file__).parents[2] / "migrations")
    await migrations.apply(bare, [one for one in files if one.version < 13])
    for one in range(5):
        await bare.execute(
            "INSERT INTO audit (actor, action, subject) VALUES ('a', 'b', $1)", str(one)
        )
    await migrations.apply(bare, files)
    pool = await empty.pool(size=1, name="test")
    async with pool.acquire() as conn:
        await audit.add(conn, "a", "b", "c")
        done = await auditing.verify(conn)
    await pool.close()

    assert (done.broken, done.checked) == (None, 6)


def test_the_command_names_what_is_broken(monkeypatch: pytest.MonkeyPatch, where: Database) -> None:
    """It exits 0 with the last digest while all holds, and fails naming the entry once not."""
    monkeypatch.setenv("MODERATION_DATABASE_URL", where.dsn)
    ran = CliRunner().invoke(commands, ["audit", "verify", "--json"])
    assert ran.exit_code == 0, ran.output
    told = json.loads(ran.stdout)
    assert (told["broken"], len(told["last_sha256"])) == (None, 64)
    assert "entries hold" in CliRunner().invoke(commands, ["audit", "verify"]).stdout

    asyncio.run(_spoil(where))
    ran = CliRunner().invoke(commands, ["audit", "verify"])
    assert isinstance(ran.exception, WorkFailed)
    assert "broken at entry 1: what it says is not what was entered" in str(ran.exception)
    ran = CliRunner().invoke(commands, ["audit", "verify", "--day", "2020-01-01"])
    assert ran.exit_code == 0


async def _spoil(where: Database) -> None:
    conn = await where.connect_owner()
    for statement in (*OFF, "UPDATE audit SET actor = 'b' WHERE id = 1"):
        await conn.execute(statement)
    await conn.close()


async def test_the_trail_is_read_over_http_by_administrators(api: Api, pool: Pool) -> None:
    """Pages together are the trail, the newest first; filters narrow it; nobody else reads it."""
    async with pool.acquire() as conn:
        await enter(conn, 7)
        expected = [row["id"] for row in await conn.fetch("SELECT id FROM audit ORDER BY id DESC")]
    seen: list[int] = []
    cursor = ""
    while True:
        _, page, _ = await api.admin.ask("GET", f"/v1/audit?limit=3{cursor}")
        seen += [item["id"] for item in page["items"]]
        assert all(len(item["sha256"]) == 64 for item in page["items"])
        if page["next"] is None:
            break
        cursor = f"&cursor={page['next']}"
    assert seen == expected
    _, page, _ = await api.admin.ask("GET", "/v1/audit", params={"action": "b1:a,"})
    assert [item["subject"] for item in page["items"]] == ["c1:a,"]
    for role in (api.platform, api.moderator, api.policy):
        sending.check_problem(await role.ask("GET", "/v1/audit"), 403, "role_not_allowed")
