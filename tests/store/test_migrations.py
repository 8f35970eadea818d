"""Migrations: each applied once, in order, by whoever starts first; anything odd is refused."""

import asyncio
from pathlib import Path

import asyncpg
import pytest

from service import preparing, publishing, resources
from service.errors import StartRefused
from service.store import migrations
from service.store.database import Database
from tests.flows import driving
from tests.flows.driving import Owner

OURS = resources.folder("migrations")


def folder(tmp_path: Path, **files: str) -> Path:
    """Write migrations; ``_0001_make_a`` stands for ``0001_make_a.sql``."""
    for name, sql in files.items():
        (tmp_path / f"{name[1:]}.sql").write_text(sql)
    return tmp_path


async def test_empty_database_is_brought_up_to_date(bare: Owner) -> None:
    """Every file is applied once, in order, and a second run does nothing."""
    needed = migrations.read(OURS)
    assert await migrations.level(bare) == 0
    assert await migrations.apply(bare, needed) == [one.name for one in needed]
    assert await migrations.level(bare) == needed[-1].version
    assert await migrations.apply(bare, needed) == []
    await migrations.check_level(bare, needed)


async def test_new_file_is_applied_to_a_database_in_use(owner: Owner, tmp_path: Path) -> None:
    """Only what is new runs, and its number is noted."""
    new = migrations.read(folder(tmp_path, _0900_make_a="CREATE TABLE a ()"))
    assert await migrations.apply(owner, [*migrations.read(OURS), *new]) == ["0900_make_a.sql"]
    assert await migrations.level(owner) == 900


async def test_edited_file_is_refused(bare: Owner, tmp_path: Path) -> None:
    """A file that was changed after it was applied stops the start; nothing else is applied."""
    await migrations.apply(
        bare, migrations.read(folder(tmp_path, _0001_make_a="CREATE TABLE a ()"))
    )
    edited = folder(tmp_path, _0001_make_a="CREATE TABLE a (b int)", _0002_make_c="SELECT 1")
    with pytest.raises(StartRefused, match=r"0001_make_a\.sql was edited"):
        await migrations.apply(bare, migrations.read(edited))
    assert await migrations.level(bare) == 1


async def test_failed_file_leaves_nothing(bare: Owner, tmp_path: Path) -> None:
    """A file that breaks half way is undone whole, and the lock is free again."""
    broken = folder(tmp_path, _0001_make_a="CREATE TABLE a (); SELECT 1 / 0")
    with pytest.raises(asyncpg.DivisionByZeroError):
        await migrations.apply(bare, migrations.read(broken))
    assert await bare.fetchval("SELECT to_regclass('a')") is None
    mended = folder(tmp_path, _0001_make_a="CREATE TABLE a ()")
    assert await migrations.apply(bare, migrations.read(mended)) == ["0001_make_a.sql"]


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (["0001_make_a", "0001_make_b"], "numbered 0001"),
        (["1_make_a"], "1_make_a.sql must be named"),
        (["0001-make-a"], "must be named"),
        (["0001_Make_a"], "must be named"),
        (["make_a"], "must be named"),
        ([], "no migrations in"),
    ],
)
def test_odd_folder_is_refused(names: list[str], words: str, tmp_path: Path) -> None:
    """Numbers are unique and names speak; the message names the file."""
    with pytest.raises(StartRefused, match=words):
        migrations.read(folder(tmp_path, **{f"_{name}": "SELECT 1" for name in names}))


async def test_database_behind_the_code_is_refused(bare: Owner) -> None:
    """Without migrations a role does not start, and the message says what to run."""
    with pytest.raises(StartRefused, match=r"at migration 0000.*run `moderation migrate`"):
        await migrations.check_level(bare, migrations.read(OURS))


async def test_database_ahead_of_the_code_is_allowed(bare: Owner, tmp_path: Path) -> None:
    """While a fleet upgrades, the old code goes on with the newer database."""
    needed = migrations.read(OURS)
    later = migrations.read(folder(tmp_path, _0900_make_a="CREATE TABLE a ()"))
    await migrations.apply(bare, [*needed, *later])
    await migrations.check_level(bare, needed)
    assert await migrations.apply(bare, needed) == []


async def test_starters_at_once_apply_once(empty: Database, bare: Owner) -> None:
    """Of several processes that start together one migrates and seeds, and all succeed."""
    new = await asyncio.gather(*(preparing.prepare(empty) for _ in range(5)))
    names = [name for one in new for name in one]
    assert len(names) == len(set(names))
    files = [migration.name for migration in migrations.read(OURS)]
    sources = publishing.read([resources.folder("rulesets")])
    seeded = [f"ruleset {source.ruleset.name}/1" for source in sources]
    assert sorted(names) == sorted([*files, *seeded])
    assert await bare.fetchval("SELECT count(*) FROM ruleset_versions") == len(seeded)
    published = "SELECT count(*) FROM audit WHERE action = 'ruleset.publish'"
    assert await bare.fetchval(published) == len(seeded)
    assert await preparing.prepare(empty) == []


async def test_concurrent_index_is_built_while_another_starter_waits(
    empty: Database, bare: Owner, tmp_path: Path
) -> None:
    """The waiting process holds no snapshot, so CREATE INDEX CONCURRENTLY does not deadlock."""
    some = migrations.read(
        folder(
            tmp_path,
            _0001_make_a="CREATE TABLE a (b int)",
            _0002_index_a="-- no-transaction\nCREATE INDEX CONCURRENTLY a_b ON a (b)",
        )
    )
    others = [await empty.connect_owner() for _ in range(3)]
    try:
        applied = await asyncio.gather(*(migrations.apply(one, some) for one in [bare, *others]))
    finally:
        for one in others:
            await one.close()
    assert sorted(map(len, applied)) == [0, 0, 0, 2]
    assert await bare.fetchval("SELECT indisvalid FROM pg_index WHERE indexrelid = 'a_b'::regclass")


async def test_a_file_of_several_parts_goes_on_where_it_was_cut_off(
    bare: Owner, tmp_path: Path
) -> None:
    """Its first part is a transaction, each other runs by itself; it is noted when all have run."""
    first = "CREATE TABLE IF NOT EXISTS a (b int, c int)"
    index = "-- no-transaction\nCREATE INDEX CONCURRENTLY IF NOT EXISTS a_{0} ON a ({0})"
    broken = "\n".join([first, index.format("b"), "-- no-transaction\nSELECT 1 / 0"])
    with pytest.raises(asyncpg.DivisionByZeroError):
        await migrations.apply(bare, migrations.read(folder(tmp_path, _0001_make_a=broken)))
    assert await migrations.level(bare) == 0
    mended = "\n".join([first, index.format("b"), index.format("c")])
    applied = await migrations.apply(bare, migrations.read(folder(tmp_path, _0001_make_a=mended)))
    assert applied == ["0001_make_a.sql"]
    names = await bare.fetch("SELECT indexrelid::regclass::text FROM pg_index WHERE indisvalid")
    assert {"a_b", "a_c"} <= {row[0] for row in names}


@pytest.mark.parametrize("unless_there", ["", "IF NOT EXISTS "])
async def test_an_index_that_was_cut_off_is_built_anew(
    bare: Owner, tmp_path: Path, unless_there: str
) -> None:
    """What a failed build leaves, which no query uses, does not stand in the way of the next."""
    build = f"-- no-transaction\nCREATE UNIQUE INDEX CONCURRENTLY {unless_there}a_b ON a (b)"
    table = "CREATE TABLE a (b int); INSERT INTO a VALUES (1), (1)"
    some = migrations.read(folder(tmp_path, _0001_make_a=table, _0002_index_a=build))
    with pytest.raises(asyncpg.UniqueViolationError):
        await migrations.apply(bare, some)
    await bare.execute("DELETE FROM a")

    assert await migrations.apply(bare, some) == ["0002_index_a.sql"]

    assert await bare.fetchval("SELECT indisvalid FROM pg_index WHERE indexrelid = 'a_b'::regclass")


async def test_an_index_whose_file_was_not_noted_is_built_anew(bare: Owner, tmp_path: Path) -> None:
    """Whoever is killed between an index and its entry is followed by one who gets to the end."""
    build = "-- no-transaction\nCREATE INDEX CONCURRENTLY a_b ON a (b)"
    some = migrations.read(
        folder(tmp_path, _0001_make_a="CREATE TABLE a (b int)", _0002_index_a=build)
    )
    await migrations.apply(bare, some)
    await bare.execute("DELETE FROM schema_migrations WHERE version = 2")

    assert await migrations.apply(bare, some) == ["0002_index_a.sql"]


async def test_held_table_is_waited_for(
    empty: Database, bare: Owner, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A lock not got in time is let go and asked for again, so that a busy table is not held up."""
    await migrations.apply(
        bare, migrations.read(folder(tmp_path, _0001_make_a="CREATE TABLE a ()"))
    )
    busy = await empty.connect_owner()
    held = busy.transaction()
    await held.start()
    await busy.execute("LOCK TABLE a")
    files = folder(tmp_path, _0002_alter_a="ALTER TABLE a ADD b int")
    task = asyncio.create_task(migrations.apply(bare, migrations.read(files)))

    async def refused() -> bool:
        return "migration_waits_for_lock" in capsys.readouterr().err

    await driving.until(refused, "the first try was given up")
    await held.rollback()
    await busy.close()
    assert await task == ["0002_alter_a.sql"]


async def test_who_waits_in_a_circle_with_a_migration_goes_on(
    empty: Database, bare: Owner, tmp_path: Path
) -> None:
    """Of a transaction and a migration that wait for each other the migration lets go."""
    made = folder(tmp_path, _0001_make="CREATE TABLE a (n int); CREATE TABLE b (n int)")
    await migrations.apply(bare, migrations.read(made))
    busy, looking = await empty.connect_owner(), await empty.connect_owner()

    async def waited_for() -> bool:
        waits = "SELECT EXISTS (SELECT FROM pg_locks WHERE relation = $1::regclass AND NOT granted)"
        return bool(await looking.fetchval(waits, "a"))

    async with busy.transaction():
        await busy.execute("INSERT INTO a VALUES (1)")
        files = folder(tmp_path, _0002_alter="LOCK TABLE b; LOCK TABLE a; ALTER TABLE a ADD m int")
        task = asyncio.create_task(migrations.apply(bare, migrations.read(files)))
        await driving.until(waited_for, "the migration has one table and waits for the other")
        await busy.execute("INSERT INTO b VALUES (1)")
    assert await task == ["0002_alter.sql"]
    for one in (busy, looking):
        await one.close()
