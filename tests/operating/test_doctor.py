"""The doctor says what is broken, by breaking each thing for real."""

import dataclasses
from dataclasses import dataclass

import pytest

from service.doctoring import Status, Subject, examining
from tests.flows.driving import Owner
from tests.operating.examined import line
from tests.upstream import Upstream

LONG_AGO = "now() - interval '1 hour'"
# A function of ours stands before the server's own of the same name.
SHADOW = (
    "CREATE SCHEMA shadow; CREATE FUNCTION shadow.{name}() RETURNS {type} LANGUAGE sql VOLATILE"
    " AS $$ SELECT {value} $$; GRANT USAGE ON SCHEMA shadow TO PUBLIC;"
    " DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET search_path = shadow, pg_catalog, public',"
    " current_database()); END $$"
)
SET = "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET {setting}', current_database()); END $$"
UPLOAD = (
    "INSERT INTO images (sha256, mime, width, height, data)"
    " VALUES (sha256('x'), 'image/png', 1, 1, 'x'); INSERT INTO uploads"
    " (id, platform, image_sha256, ruleset, version, state, due_at) VALUES"
    " (gen_random_uuid(), 'default', sha256('x'), 'privacy', 1, '{state}', now() - interval '1 h')"
)


@dataclass(frozen=True, slots=True)
class Break:
    """What somebody with every right does to the database, and the line that tells of it."""

    sql: str
    check: str
    status: Status
    says: str


BREAKS = {
    "an old schema": Break(
        "DELETE FROM schema_migrations WHERE version > 10", "migrations", "fail", "migration 0010"
    ),
    "a newer schema": Break(
        "INSERT INTO schema_migrations VALUES (9999, 'x', 'x')", "migrations", "warn", "9999"
    ),
    "an edited migration": Break(
        "UPDATE schema_migrations SET sha256 = 'x' WHERE version = 3",
        "migrations",
        "fail",
        "0003_add_upstreams.sql",
    ),
    "commits that are lost": Break(
        SET.format(setting="synchronous_commit = off"), "durability", "fail", "commit is off"
    ),
    "a standby": Break(
        SET.format(setting="default_transaction_read_only = on"), "database", "fail", "takes writes"
    ),
    "history that can be rewritten": Break(
        "GRANT UPDATE ON audit TO moderation_app", "rights", "fail", "audit: UPDATE"
    ),
    "a right that is missing": Break(
        "REVOKE INSERT ON uploads FROM moderation_app", "rights", "fail", "lacks uploads: INSERT"
    ),
    "tables of our own": Break(
        "ALTER TABLE comments OWNER TO moderation_app", "rights", "fail", "owns "
    ),
    "a wrong clock": Break(
        SHADOW.format(
            name="clock_timestamp",
            type="timestamptz",
            value="pg_catalog.clock_timestamp() + interval ''1 hour''".replace("''", "'"),
        ),
        "clock",
        "fail",
        "3600.0 s",
    ),
    "a pooler": Break(
        SHADOW.format(name="pg_backend_pid", type="integer", value="(random() * 1e6)::integer"),
        "pooler",
        "warn",
        "transaction mode",
    ),
    "nobody who works": Break(UPLOAD.format(state="queued"), "queue", "warn", "since 60 min"),
    "a dead worker": Break(UPLOAD.format(state="working"), "queue", "warn", "1 leases have run"),
    "a paused upstream": Break(
        "INSERT INTO upstreams (name, failures, down_since, down_reason, probe_at)"
        " VALUES ('fast', 1, now(), 'unauthorised', now())",
        "paused",
        "warn",
        "unauthorised",
    ),
    "a receiver that fails": Break(
        "INSERT INTO endpoints (id, platform, url, events, secrets, failing_since) VALUES"
        " (gen_random_uuid(), 'default', 'https://example.org', '{a}', '{b}', now())",
        "callbacks",
        "warn",
        "1 failing",
    ),
    "a spent budget": Break(
        "INSERT INTO budgets (scope, period, limit_microusd) VALUES ('global', 'day', 0)",
        "budgets",
        "warn",
        "spent: global a day",
    ),
    "a trail with a hole": Break(
        "SET session_replication_role = replica; DELETE FROM audit WHERE id ="
        " (SELECT min(id) FROM audit)",
        "audit trail",
        "fail",
        "missing from the trail",
    ),
    "no ruleset": Break(
        "UPDATE rulesets SET live_version = NULL WHERE name = 'privacy'",
        "ruleset",
        "fail",
        "no live version",
    ),
    "nobody who sends": Break("DELETE FROM tokens", "tokens", "warn", "no platform has a token"),
}
TOKEN = (
    "INSERT INTO platforms (name) VALUES ('default') ON CONFLICT DO NOTHING;"
    " INSERT INTO tokens (id, sha256, role, platform)"
    " VALUES (gen_random_uuid(), sha256('t'), 'platform', 'default');"
    " INSERT INTO audit (actor, action, subject) VALUES ('test', 'test', 'test')"
)


async def test_a_service_in_order_has_no_complaints(
    subject: Subject, superuser: Owner, upstream: Upstream
) -> None:
    """
    Every check of the table says ok and has nothing to do, and nothing was paid for.

    But for one: the server of the tests may forget everything in a crash.
    """
    await superuser.execute("SET session_replication_role = origin;" + TOKEN)

    lines = await examining.examine(subject)

    complaints = [one for one in lines if one.status != "ok" or one.todo]
    assert [(one.check, "fsync off" in one.found) for one in complaints] == [("durability", True)]
    checks = [*examining.HERE, "database", *examining.THERE, *examining.MIGRATED]
    assert [one.check for one in lines] == checks
    assert upstream.calls == []


@pytest.mark.parametrize("name", BREAKS)
async def test_what_is_broken_in_the_database_is_told(
    subject: Subject, superuser: Owner, name: str
) -> None:
    """The one line of what was broken says so, and what to do; all others stay ok."""
    broken = BREAKS[name]
    await superuser.execute("SET session_replication_role = origin;" + TOKEN)
    await superuser.execute(broken.sql)

    lines = await examining.examine(subject)

    found = line(lines, broken.check)
    assert (found.status, broken.says in found.found) == (broken.status, True), found
    assert found.todo
    others = {one.check for one in lines if one.status != "ok"} - {"durability"}
    assert others == {broken.check} - {"durability"}


async def test_settings_are_weighed_against_the_database(subject: Subject) -> None:
    """More processes than connections, and a ruleset that is not there, are told."""
    asked = dataclasses.replace(subject, connections=100_000, ruleset="nonsense")

    lines = await examining.examine(asked)

    assert line(lines, "connections").status == "warn"
    assert line(lines, "ruleset").status == "fail"
