import asyncio
import os
import shutil
import stat
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest

from service.embedded import binaries as embedded_binaries
from service.embedded.folder import SOCKET_PATH_BYTES
from service.embedded.leftovers import in_process_list, serving
from service.embedded.server import EmbeddedPostgres
from service.errors import StartRefused

QUICK = {"fsync": "off", "shared_buffers": "16MB"}


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a folder with a stopped cluster, to be copied."""
    folder = tmp_path_factory.mktemp("cluster") / "postgres"
    with EmbeddedPostgres(folder, settings=QUICK):
        pass
    return folder


@pytest.fixture
def short_path() -> Iterator[Path]:
    """Make a folder whose sockets fit inside it, however long the name of a test's own one is."""
    with tempfile.TemporaryDirectory(prefix="pg-") as path:
        yield Path(path)


@pytest.fixture
def folder(cluster: Path, tmp_path: Path) -> Path:
    """Copy the stopped cluster into a folder of the test's own."""
    return Path(shutil.copytree(cluster, tmp_path / "postgres", symlinks=True))


@pytest.fixture
def postgres(folder: Path) -> Iterator[EmbeddedPostgres]:
    with EmbeddedPostgres(folder, settings=QUICK) as postgres:
        yield postgres


async def ask(postgres: EmbeddedPostgres, query: str) -> object:
    conn = await asyncpg.connect(postgres.dsn("postgres", "postgres"))
    try:
        return await conn.fetchval(query)
    finally:
        await conn.close()


def parents(*places: Path) -> dict[Path, tuple[int, int, int]]:
    """Look up the mode and owner of every folder above."""
    above = {parent for place in places for parent in place.parents}
    return {at: (at.stat().st_mode, at.stat().st_uid, at.stat().st_gid) for at in above}


async def test_a_first_start_makes_a_durable_cluster_without_tcp(short_path: Path) -> None:
    """A fresh folder becomes a UTF-8 server with safe commits, a private socket and no TCP port."""
    folder = short_path / "not" / "there" / "yet"
    with EmbeddedPostgres(folder) as postgres:
        for name, value in {
            "listen_addresses": "",
            "fsync": "on",
            "synchronous_commit": "on",
            "jit": "off",
            "max_connections": "100",
            "shared_buffers": "128MB",
            "server_encoding": "UTF8",
            "data_checksums": "on",
            "TimeZone": "UTC",
        }.items():
            assert await ask(postgres, f"SELECT current_setting('{name}')") == value
        locale = "SELECT coalesce(datlocale, datcollate) FROM pg_database WHERE datname='template1'"
        assert await ask(postgres, locale) == "C.UTF-8"
        assert await ask(postgres, "SELECT rolsuper FROM pg_roles WHERE rolname = 'postgres'")
        assert stat.S_IMODE((folder / "sockets").stat().st_mode) == 0o700
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700


async def test_a_warm_start_keeps_the_data(folder: Path) -> None:
    """What was committed before a stop is there after the next start."""
    with EmbeddedPostgres(folder, settings=QUICK) as postgres:
        await ask(postgres, "CREATE TABLE kept AS SELECT 7 AS number")
    with EmbeddedPostgres(folder, settings=QUICK) as postgres:
        assert await ask(postgres, "SELECT number FROM kept") == 7


def test_psql_takes_the_dsn_whatever_the_environment_says(postgres: EmbeddedPostgres) -> None:
    """The address works for psql even where PGPORT names another port."""
    psql = embedded_binaries.find(None) / "psql"
    asked = subprocess.run(
        [psql, postgres.dsn("postgres", "postgres"), "-Atc", "SELECT 1 + 1"],
        capture_output=True,
        check=False,
        env={**os.environ, "PGPORT": "6543"},
        text=True,
    )
    assert (asked.stdout.strip(), asked.returncode) == ("2", 0), asked.stderr


def test_a_second_owner_is_refused_with_the_pid_of_the_first(
    folder: Path, postgres: EmbeddedPostgres
) -> None:
    """Two owners of one folder cannot be; the second learns which process and which folder."""
    with pytest.raises(StartRefused) as refused:
        EmbeddedPostgres(folder).start()
    assert f"process {os.getpid()}" in str(refused.value)
    assert str(folder) in str(refused.value)
    assert postgres.poll() is None


def test_stop_is_idempotent_and_a_stopped_server_starts_again(folder: Path) -> None:
    """Stopping never started, twice, or before another start is no error and leaves no process."""
    postgres = EmbeddedPostgres(folder, settings=QUICK)
    postgres.stop()
    postgres.start()
    postgres.stop()
    postgres.stop()
    assert (postgres.pid, postgres.poll()) == (None, None)
    assert serving([folder / "data"]) == []
    postgres.start()
    pid = postgres.pid
    postgres.start()
    assert postgres.pid == pid
    postgres.stop()


async def test_a_server_outlives_the_thread_that_started_it(folder: Path) -> None:
    """A supervisor may start it from a pool thread: the end of that thread ends no query."""
    postgres = EmbeddedPostgres(folder, settings=QUICK)
    starter = threading.Thread(target=postgres.start)
    starter.start()
    starter.join()
    try:
        await ask(postgres, "SELECT pg_sleep(0.3)")
        assert postgres.poll() is None
    finally:
        postgres.stop()


def test_a_long_folder_path_gets_a_short_private_socket_folder(
    cluster: Path, tmp_path: Path
) -> None:
    """A path over the socket limit works through a 0700 folder, the same for each process."""
    folder = tmp_path / ("long-" * 20) / "with, comma"
    shutil.copytree(cluster, folder, symlinks=True)
    postgres = EmbeddedPostgres(folder, settings=QUICK)
    with postgres:
        place = str(asyncio.run(ask(postgres, "SHOW unix_socket_directories")))
        assert len(os.fsencode(place)) + len("/.s.PGSQL.5432") <= SOCKET_PATH_BYTES
        assert stat.S_IMODE(Path(place).stat().st_mode) == 0o700
        dsn = postgres.dsn("a", "b")
    assert not Path(place).exists()
    assert EmbeddedPostgres(folder).dsn("a", "b") == dsn


def test_a_socket_folder_that_others_can_enter_is_refused(cluster: Path, tmp_path: Path) -> None:
    """Somebody's folder in the place of the short socket folder is neither used nor changed."""
    folder = tmp_path / ("long-" * 20)
    shutil.copytree(cluster, folder, symlinks=True)
    postgres = EmbeddedPostgres(folder, settings=QUICK)
    place = postgres._layout.sockets("5432")
    place.mkdir()
    place.chmod(0o755)
    try:
        with pytest.raises(StartRefused, match=r"mode 0700, not of uid \d+ with mode 0755"):
            postgres.start()
        assert stat.S_IMODE(place.stat().st_mode) == 0o755
    finally:
        place.rmdir()


def test_nothing_outside_the_folder_changes(tmp_path: Path) -> None:
    """The folders above ours and above the programs keep their modes and owners."""
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    programs = embedded_binaries.find(None)
    before = parents(closed / "postgres", programs / "postgres")
    with EmbeddedPostgres(closed / "postgres", settings=QUICK):
        pass
    assert parents(closed / "postgres", programs / "postgres") == before


def test_another_major_version_is_refused(folder: Path) -> None:
    """A cluster of another major version is refused with both versions, and the folder let go."""
    mark = folder / "data" / "PG_VERSION"
    version = mark.read_text()
    mark.write_text("14\n")
    with pytest.raises(StartRefused, match=r"made by PostgreSQL 14 .* use programs of 14"):
        EmbeddedPostgres(folder).start()
    mark.write_text(version)
    with EmbeddedPostgres(folder, settings=QUICK) as postgres:
        assert postgres.poll() is None


def test_a_refused_start_tells_what_the_server_said(folder: Path) -> None:
    """A parameter that Postgres does not know is named by the error, from the server's log."""
    with pytest.raises(StartRefused, match='unrecognized configuration parameter "no_such"'):
        EmbeddedPostgres(folder, settings={"no_such": "1"}).start()


def test_a_start_that_takes_too_long_leaves_nothing_behind(tmp_path: Path) -> None:
    """Out of time means refused, with no process left, and the next start is a good one."""
    postgres = EmbeddedPostgres(tmp_path / "postgres", settings=QUICK)
    with pytest.raises(StartRefused, match="longer than"):
        postgres.start(timeout_s=0.05)
    assert postgres.pid is None
    postgres.start()
    postgres.stop()
    assert not list((tmp_path / "postgres").glob("data.new-*"))


def test_a_stale_pid_file_that_names_an_innocent_process_is_no_obstacle(folder: Path) -> None:
    """A pid file left by a crash may name a pid that is in use again; that process is not ours."""
    lines = [str(os.getpid()), str(folder / "data"), "1", "5432", "", "", "1 2", "ready"]
    (folder / "data" / "postmaster.pid").write_text("\n".join(lines))
    with EmbeddedPostgres(folder, settings=QUICK) as postgres:
        assert postgres.poll() is None


def test_the_process_list_finds_the_server_where_there_is_no_proc(
    folder: Path, postgres: EmbeddedPostgres
) -> None:
    """Only the server of this folder is found by command line, and nothing for another folder."""
    if not Path("/bin/ps").exists():
        pytest.skip("this machine has no ps")
    assert list(in_process_list([folder / "data"])) == [postgres.pid]
    assert list(in_process_list([folder / "dat"])) == []


def test_a_log_that_has_grown_makes_room(folder: Path) -> None:
    """Past 16 MB the log is kept once under another name, and a new one begins."""
    os.truncate(folder / "postgres.log", 17 * 1024 * 1024)
    with EmbeddedPostgres(folder, settings=QUICK):
        assert (folder / "postgres.log").stat().st_size < 1024 * 1024
        assert (folder / "postgres.log.1").stat().st_size == 17 * 1024 * 1024
