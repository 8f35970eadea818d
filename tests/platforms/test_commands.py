"""The commands about platforms and tokens, as a person at a shell meets them."""

import asyncio
import json
from datetime import UTC, datetime

import pytest

from service.store import Pool
from service.store.database import Database
from tests.up import driving
from tests.up.driving import Ended


async def run(where: Database, *arguments: object) -> Ended:
    return await asyncio.to_thread(driving.run, *arguments, database_url=where.dsn)


async def test_platforms_are_set_and_listed(where: Database, pool: Pool) -> None:
    """An unknown one is added; what is not named stays; none takes back; each act is audited."""
    done = await run(
        where,
        *("platforms", "set", "club", "--max-requests-per-s", "2.5", "--no-reuse"),
        *("--default-ruleset", "marketplace", "--max-uploads-per-day", "1000"),
    )
    assert (done.code, done.out) == (
        0,
        (
            "club: default_ruleset marketplace, reuse off, max_requests_per_s 2.5, "
            "max_uploads_per_day 1000, max_bytes_per_day -, fetching -, hooks -\n"
        ),
    ), done.err
    done = await run(
        where, "platforms", "set", "club", "--default-ruleset", "none", "--max-bytes-per-day", "5"
    )
    assert done.code == 0, done.err

    lines = [line.split() for line in (await run(where, "platforms", "list")).out.splitlines()]
    assert ["club", "-", "off", "2.5", "1000", "0", "5", "0"] in lines
    items = json.loads((await run(where, "platforms", "list", "--json")).out)["items"]
    (club,) = [item for item in items if item["name"] == "club"]
    assert (club["default_ruleset"], club["reuse"], club["max_bytes_per_day"]) == (None, False, 5)
    told = await pool.fetch("SELECT actor, action FROM audit WHERE subject = 'club' ORDER BY id")
    assert [tuple(row) for row in told] == [
        ("command line", action) for action in ("platform.create", "platform.set", "platform.set")
    ]


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (("club", "--max-requests-per-s", "0"), "'0' is not allowed; allowed: 0.001 to 1000000"),
        (("club", "--max-bytes-per-day", "nan"), "'nan' is not allowed"),
        (("club", "--default-ruleset", "nothing"), "no live ruleset 'nothing'"),
        (("golden-examples", "--max-bytes-per-day", "1"), "the service's own platform"),
    ],
)
async def test_a_wrong_setting_is_refused_and_adds_nothing(
    arguments: tuple[str, ...], named: str, where: Database, pool: Pool
) -> None:
    """Exit code 2, and what was typed beside what is allowed."""
    done = await run(where, "platforms", "set", *arguments)
    assert (done.code, named in done.err) == (2, True), done.err
    assert await pool.fetchval("SELECT count(*) FROM platforms WHERE name ILIKE 'club'") == 0


async def test_tokens_are_made_with_an_end_and_rotated(where: Database, pool: Pool) -> None:
    """What was ordered is what is stored; rotating prints the new one and lets the old one end."""
    made = await run(
        where,
        *("tokens", "create", "--role", "admin", "--name", "bills", "--expires", "2096-12-31"),
        *("--scope", "costs:read", "--scope", "records:read"),
    )
    assert made.code == 0, made.err
    (old,) = json.loads((await run(where, "tokens", "list", "--json")).out)["items"]
    assert (old["name"], old["scopes"]) == ("bills", ["costs:read", "records:read"])
    assert datetime.fromisoformat(old["expires_at"]) == datetime(2096, 12, 31, tzinfo=UTC)

    rotated = await run(where, "tokens", "rotate", old["id"], "--hours", "0")
    assert rotated.code == 0, rotated.err
    assert rotated.out.startswith("mod_admin_")
    assert rotated.out != made.out
    again = await run(where, "tokens", "rotate", old["id"])
    assert (again.code, "has ended" in again.err) == (1, True)
    assert await pool.fetchval("SELECT count(*) FROM tokens WHERE expires_at > now()") == 1

    wrong = await run(where, "tokens", "create", "--role", "admin", "--scope", "costs:eat")
    assert (wrong.code, "costs:read" in wrong.err) == (2, True)
