"""What the pool of decode children does with good files, bad files, deaths and cancellation."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from service.errors import LocalFault, Unreadable
from service.pictures.canonical import canonical
from service.pictures.pool import Decoders
from service.pictures.wire import MAX_PAYLOAD, PICTURES_PER_CHILD
from tests.pictures import samples

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="Looks into /proc.")

SMALL = samples.encoded(samples.gradient("RGB", (60, 40)), "PNG")
# About half a second of work, so that it can be interrupted.
LARGE = samples.encoded(samples.gradient("RGB", (7_000, 5_000)), "JPEG")


@pytest.fixture
async def pool() -> AsyncIterator[Decoders]:
    decoders = Decoders(1)
    await decoders.start()
    yield decoders
    await decoders.stop()


async def until(condition: Callable[[], bool]) -> None:
    """Wait until it holds; fails after 20 s."""
    async with asyncio.timeout(20):
        while not condition():
            await asyncio.sleep(0.002)


def pid(pool: Decoders) -> int:
    (child,) = pool._children
    return child.pid


def about(process: int, name: str) -> str:
    """Read a file that the kernel keeps about a process."""
    return Path(f"/proc/{process}/{name}").read_text()


def gone(process: int) -> bool:
    """Whether a process has ended and was reaped."""
    return not Path(f"/proc/{process}").exists()


def user_ticks(process: int) -> int:
    """Give the twelfth field of the state behind the name: CPU time in hundredths of a second."""
    return int(about(process, "stat").rpartition(")")[2].split()[11])


async def working(pool: Decoders, other_than: int | None = None) -> int:
    """Wait until a child works on a picture; gives its pid."""
    await until(lambda: len(pool._children) == 1 and pid(pool) != other_than)
    process = pid(pool)
    before = user_ticks(process)
    await until(lambda: user_ticks(process) > before + 5)
    return process


async def test_pictures_come_back_as_they_are_made(pool: Decoders) -> None:
    """The child gives exactly what ``pictures.canonical`` gives, for every format."""
    for kind in ("JPEG", "PNG", "GIF", "WEBP", "AVIF", "MPO"):
        first, *rest = samples.frames(2, (90, 70))
        options = {} if kind == "JPEG" else {"save_all": True, "append_images": rest}
        data = samples.encoded(first, kind, **options)
        assert await pool.canonical(data, thumbnail_side=32) == canonical(data, thumbnail_side=32)
    assert await pool.canonical(SMALL) == canonical(SMALL)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA", "I;16"])
async def test_every_mode_works_below_the_limits(pool: Decoders, mode: str) -> None:
    """Nothing that a mode needs is loaded only after files can no longer be opened."""
    image = samples.gradient("L") if mode == "I;16" else samples.gradient()
    exif = b"MM\0*\0\0\0\x08\0\1\1\x12\0\3\0\0\0\1\0\6\0\0\0\0\0\0"
    data = samples.encoded(image.convert(mode), "PNG", exif=exif)
    assert await pool.canonical(data) == canonical(data)


async def test_a_bad_file_leaves_the_child_as_it_was(pool: Decoders) -> None:
    """A bad file is Unreadable and the same child answers the next picture."""
    child = pid(pool)
    for bad in (b"", b"hello", SMALL[: len(SMALL) // 2], bytes(MAX_PAYLOAD + 1)):
        with pytest.raises(Unreadable):
            await pool.canonical(bad)
    assert (await pool.canonical(SMALL)).width == 60
    assert pid(pool) == child


async def test_more_callers_than_children() -> None:
    """Pictures queue for two children and each caller gets its own."""
    pool = Decoders(2)
    await pool.start()
    files = [samples.encoded(samples.gradient("RGB", (20 + n, 30)), "PNG") for n in range(12)]
    pictures = await asyncio.gather(*(pool.canonical(data) for data in files))
    assert [picture.width for picture in pictures] == [20 + n for n in range(12)]
    assert len(pool._children) == 2
    await pool.stop()


async def test_the_environment_holds_no_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the parent's environment nothing of the service reaches a child."""
    monkeypatch.setenv("MODERATION_UPSTREAM_KEY", "very-secret")
    pool = Decoders(1)
    await pool.start()
    environment = about(pid(pool), "environ")
    await pool.stop()
    names = {entry.partition("=")[0] for entry in environment.split("\0") if entry}
    assert names <= {"PYTHONPATH", "PYTHONHOME", "LD_LIBRARY_PATH", "OPENBLAS_NUM_THREADS"}
    assert "very-secret" not in environment


async def test_a_child_is_limited(pool: Decoders) -> None:
    """The kernel holds a running child to its memory and to no further descriptor."""
    limits = about(pid(pool), "limits")
    found = {line[:26].strip(): line[26:].split()[:2] for line in limits.splitlines()}
    assert found["Max address space"] == [str(1 << 30)] * 2
    assert found["Max open files"] == ["0", "0"]
    assert found["Max file size"] == ["0", "0"]
    assert found["Max core file size"] == ["0", "0"]
    assert found["Max processes"] == ["0", "0"]
    await pool.canonical(SMALL)
    limits = about(pid(pool), "limits")
    cpu = next(line.split() for line in limits.splitlines() if line.startswith("Max cpu time"))
    assert 10 < int(cpu[3]) < 20


async def test_a_bomb_stays_below_the_memory_limit(pool: Decoders) -> None:
    """A 38 megapixel PNG of 150 kB is answered, and the peak of the child is below 1 GB."""
    rows = b"\0" + bytes(16_000 * 4)
    bomb = samples.png(16_000, 2_400, depth=8, colour=6, rows=rows * 2_400)
    assert len(bomb) < 300_000
    picture = await pool.canonical(bomb, thumbnail_side=256)
    assert (picture.width, picture.height) == (4_096, 614)
    status = about(pid(pool), "status")
    peak_kb = next(int(line.split()[1]) for line in status.splitlines() if "VmPeak" in line)
    assert peak_kb < 1 << 20


async def test_a_killed_child_costs_one_repetition(pool: Decoders) -> None:
    """A child killed in the middle of its work is replaced and the caller gets the picture."""
    answer = asyncio.create_task(pool.canonical(LARGE))
    first = await working(pool)
    os.kill(first, signal.SIGKILL)
    assert (await answer).width == 4_096
    assert pid(pool) != first


@pytest.mark.parametrize(
    ("ends", "expected"),
    [
        ([signal.SIGKILL, signal.SIGTERM], LocalFault),
        ([signal.SIGXCPU, signal.SIGSEGV], Unreadable),
        ([signal.SIGABRT, signal.SIGKILL, signal.SIGBUS], Unreadable),
        ([signal.SIGKILL, signal.SIGSEGV, signal.SIGKILL], LocalFault),
    ],
)
async def test_two_deaths_tell_the_picture_from_the_machine(
    pool: Decoders, ends: list[signal.Signals], expected: type[Exception]
) -> None:
    """Two crashes end the picture, two kills from outside do not; then the pool goes on."""
    answer = asyncio.create_task(pool.canonical(LARGE))
    process = None
    for end in ends:
        process = await working(pool, other_than=process)
        os.kill(process, end)
    with pytest.raises(expected):
        await answer
    assert (await pool.canonical(SMALL)).width == 60


async def test_a_child_killed_while_idle_is_replaced(pool: Decoders) -> None:
    """Nobody notices that an idle child was killed."""
    os.kill(pid(pool), signal.SIGKILL)
    assert (await pool.canonical(SMALL)).width == 60


async def test_no_answer_by_the_deadline_is_a_local_fault() -> None:
    """A child that stands still says nothing about the picture."""
    pool = Decoders(1, deadline_s=0.2)
    await pool.start()
    answer = asyncio.create_task(pool.canonical(LARGE))
    stopped: set[int] = set()
    for _ in range(2):
        await until(lambda: len(pool._children) == 1 and pid(pool) not in stopped)
        stopped.add(pid(pool))
        os.kill(pid(pool), signal.SIGSTOP)
    with pytest.raises(LocalFault):
        await answer
    await pool.stop()


async def test_a_cancelled_caller_leaves_the_pool_usable(pool: Decoders) -> None:
    """The child that was cancelled in its work is replaced; nobody gets the other's picture."""
    answer = asyncio.create_task(pool.canonical(LARGE))
    first = await working(pool)
    answer.cancel()
    with pytest.raises(asyncio.CancelledError):
        await answer
    assert (await pool.canonical(SMALL)).width == 60
    assert pid(pool) != first
    await until(lambda: gone(first))


async def test_a_cancelled_caller_in_the_queue_costs_nothing(pool: Decoders) -> None:
    """A caller that gives up before its turn leaves child and queue as they were."""
    first = pid(pool)
    under_way = asyncio.create_task(pool.canonical(LARGE))
    await working(pool)
    queued = asyncio.create_task(pool.canonical(SMALL))
    await asyncio.sleep(0)
    queued.cancel()
    assert (await under_way).width == 4_096
    assert (await pool.canonical(SMALL)).width == 60
    assert pid(pool) == first


async def test_a_child_is_replaced_after_its_share(pool: Decoders) -> None:
    """After its share of pictures a fresh child takes over, without a picture lost."""
    first = pid(pool)
    for _ in range(PICTURES_PER_CHILD):
        assert pid(pool) == first
        await pool.canonical(SMALL)
    assert (await pool.canonical(SMALL)).width == 60
    assert pid(pool) != first


async def test_stop_ends_everything() -> None:
    """Under way or queued, pictures end as LocalFault, and no process is left."""
    pool = Decoders(1)
    await pool.start()
    pending = [asyncio.create_task(pool.canonical(LARGE)) for _ in range(3)]
    process = await working(pool)
    await pool.stop()
    results = await asyncio.gather(*pending, return_exceptions=True)
    assert [type(result) for result in results] == [LocalFault] * 3
    assert gone(process)
    with pytest.raises(LocalFault):
        await pool.canonical(SMALL)
    await pool.stop()


async def test_stop_while_a_child_starts() -> None:
    """Stopping a pool that is just starting a child leaves no process."""
    pool = Decoders(1)
    await pool.start()
    os.kill(pid(pool), signal.SIGKILL)
    await until(lambda: not next(iter(pool._children)).usable)
    answer = asyncio.create_task(pool.canonical(SMALL))
    await asyncio.sleep(0)
    await pool.stop()
    with pytest.raises(LocalFault):
        await answer
    assert not pool._children


async def test_a_child_that_cannot_be_started_is_a_local_fault(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Without an interpreter the pool does not start, says so and leaves nothing."""
    monkeypatch.setattr(sys, "executable", "/nonexistent/python")
    with pytest.raises(LocalFault, match="could be started"):
        await Decoders(2).start()
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with pytest.raises(LocalFault, match="status 1"):
        await Decoders(2).start()


async def test_at_least_one_process() -> None:
    """A pool without children would never answer."""
    with pytest.raises(ValueError, match="0 decode processes"):
        Decoders(0)


def test_a_parent_that_dies_takes_its_children_along(tmp_path: Path) -> None:
    """Children of a parent killed by SIGKILL are gone soon after."""
    code = (
        "import asyncio, os, pathlib, sys\n"
        "from service.pictures.pool import Decoders\n"
        "async def main():\n"
        "    pool = Decoders(1)\n"
        "    await pool.start()\n"
        "    pathlib.Path(sys.argv[1]).write_text(str(next(iter(pool._children)).pid))\n"
        "    os.kill(os.getpid(), 9)\n"
        "asyncio.run(main())\n"
    )

    async def scenario() -> None:
        note = tmp_path / "pid"
        root = Path(__file__).parents[2]
        parent = await asyncio.create_subprocess_exec(
            sys.executable, "-c", code, str(note), cwd=root
        )
        assert await parent.wait() == -signal.SIGKILL
        child = Path(f"/proc/{note.read_text()}/stat")
        await until(lambda: not child.exists() or ") Z " in child.read_text())

    asyncio.run(scenario())
