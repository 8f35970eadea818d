"""What was written and released is never rewritten: by right, by trigger, and by migration."""

import asyncpg
import pytest

from service import publishing, resources
from service.policy import rulesets
from service.store import Conn, Pool, migrations, releases
from tests.conftest import Api
from tests.rulesets import add, publish, source

CHANGES = (
    "UPDATE ruleset_versions SET content = '{}'",
    "UPDATE ruleset_versions SET prompt = 'x'",
    "UPDATE ruleset_versions SET note = 'x'",
    "UPDATE ruleset_versions SET author = 'x'",
    "DELETE FROM ruleset_versions",
    "TRUNCATE ruleset_versions CASCADE",
    "UPDATE releases SET actor = 'x'",
    "UPDATE releases SET at = now()",
    "DELETE FROM releases",
    "TRUNCATE releases",
)


async def sqlstate(conn: "Pool | Conn", statement: str) -> str | None:
    """Tell how a statement is refused: 42501 no right, 23001 by a trigger."""
    try:
        await conn.execute(statement)
    except asyncpg.PostgresError as error:
        return error.sqlstate
    return None


async def test_the_application_may_not_rewrite_a_version(api: Api, pool: Pool) -> None:
    """Postgres refuses it to the application's role, whatever the code would do."""
    await add(api.policy, source())
    await publish(api.policy, 1)
    for statement in (*CHANGES, "UPDATE rulesets SET name = 'x'", "DELETE FROM rulesets"):
        assert await sqlstate(pool, statement) == "42501", statement


async def test_not_even_the_owner_rewrites_a_version(api: Api, owner: Conn) -> None:
    """A trigger holds those who have every right."""
    await add(api.policy, source())
    await publish(api.policy, 1)
    for statement in CHANGES:
        assert await sqlstate(owner, statement) == "23001", statement


@pytest.mark.parametrize(
    ("values", "constraint"),
    [
        ("1, 'publish', 'x', NULL, true, NULL", "override_has_reason"),
        ("1, 'publish', 'x', 'y', false, 1", "released_anew"),
        ("1, 'promote', 'x', 'y', false, NULL", "releases_kind_check"),
        ("2, 'publish', 'x', 'y', false, NULL", "releases_ruleset_version_fkey"),
        ("1, 'publish', 'x', 'y', false, 2", "releases_ruleset_previous_version_fkey"),
    ],
)
async def test_a_release_must_make_sense(pool: Pool, values: str, constraint: str) -> None:
    """No override without a reason, nothing in place of itself, and no version that is not."""
    columns = "ruleset, version, kind, actor, reason, override, previous_version"
    with pytest.raises(asyncpg.IntegrityConstraintViolationError, match=constraint):
        await pool.execute(f"INSERT INTO releases ({columns}) VALUES ('privacy', {values})")


async def test_earlier_releases_are_read_from_the_audit_trail(
    empty: "asyncpg.Connection[asyncpg.Record]",
) -> None:
    """A database of before has its history afterwards, without what changed nothing."""
    ours = migrations.read(resources.folder("migrations"))
    await migrations.apply(empty, [one for one in ours if one.version < 5])
    await empty.execute("INSERT INTO rulesets (name) VALUES ('shop')")
    for version in (1, 2):
        await empty.execute(
            """
            INSERT INTO ruleset_versions (ruleset, version, sha256, source, content, prompt,
                                          prompt_sha256, schema, author)
            VALUES ('shop', $1, sha256($2), '', '{}', '', sha256(''), '{}', 'x')
            """,
            version,
            str(version).encode(),
        )
    for actor, version in (("a", 1), ("b", 2), ("b", 2), ("c", 1)):
        await empty.execute(
            "INSERT INTO audit (actor, action, subject) VALUES ($1, 'ruleset.publish', $2)",
            actor,
            f"shop/{version}",
        )
    await migrations.apply(empty, ours)
    found = await releases.listed(empty, "shop")
    assert [(one.actor, one.version, one.previous_version) for one in found] == [
        ("a", 1, None),
        ("b", 2, 1),
        ("c", 1, 2),
    ]
    assert {(one.kind, one.override, one.reason) for one in found} == {("publish", False, None)}


async def test_all_shipped_rulesets_are_released_once(pool: Pool) -> None:
    """The first start enters each as a release, and the content kept is that of the file."""
    async with pool.acquire() as conn:
        for shipped in publishing.read([resources.folder("rulesets")]):
            (one,) = await releases.listed(conn, shipped.ruleset.name)
            assert (one.version, one.previous_version, one.actor) == (1, None, publishing.SHIPPED)
            sha256 = await conn.fetchval(
                "SELECT encode(sha256, 'hex') FROM ruleset_versions WHERE ruleset = $1",
                shipped.ruleset.name,
            )
            assert sha256 == rulesets.digest(shipped.ruleset)
