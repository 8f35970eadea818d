"""The pool of detector processes as a worker uses it: warming up, dying, being left and stopped."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable

import pytest
import pytest_asyncio

from service.local import DetectorFailed, Look, RequestRefused, missing_packages
from service.local.pool import DetectorPool, PoolUnavailable
from tests.local.processes import DEADLINE_S, children, ended, in_flight, running

pytestmark = pytest.mark.asyncio(loop_scope="session")

WORKER = """
import asyncio, signal, sys
from service.local.pool import DetectorPool

async def main():
    pool, stop = DetectorPool(1), asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    pool.start()
    print("started", flush=True)
    await stop.wait()
    await pool.stop()

asyncio.run(main())
"""


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def detectors() -> AsyncIterator[DetectorPool]:
    """One child, that is being loaded when the first test asks."""
    pool = DetectorPool(1)
    pool.start()
    yield pool
    await pool.stop()


@pytest.fixture
def page(photo: Callable[[str], bytes]) -> Look:
    return Look(photo("page.png"), text=True, things=True)


def only_child(pool: DetectorPool) -> int:
    """The pool's own process; other fixtures of this one may have pools with children too."""
    assert pool._executor is not None
    (pid,) = pool._executor._processes
    return int(pid)


async def test_a_caller_waits_while_the_models_are_loaded(page: Look) -> None:
    """A look and a short patience fail before; one who leaves stops nothing; then it answers."""
    pool = DetectorPool(1)
    pool.start()
    try:
        with pytest.raises(PoolUnavailable, match="ask again"):
            await pool.look(page)
        with pytest.raises(PoolUnavailable, match=r"within 0\.05 s"):
            await pool.ready(0.05)
        leaving = asyncio.create_task(pool.ready(DEADLINE_S))
        await asyncio.wait((leaving,), timeout=0.05)
        leaving.cancel()
        assert not pool.warm

        await pool.ready(DEADLINE_S)

        assert pool.warm
        assert (await pool.look(page)).width == 384
    finally:
        await pool.stop()


async def test_a_killed_child_is_told_and_replaced(detectors: DetectorPool, page: Look) -> None:
    """The look under way fails as unavailable; who waits gets a new child and the same answer."""
    await detectors.ready(DEADLINE_S)
    before = await detectors.look(page)
    child = only_child(detectors)
    looking = asyncio.create_task(detectors.look(page))
    await in_flight(child)

    os.kill(child, signal.SIGKILL)

    with pytest.raises(PoolUnavailable, match="died"):
        await looking
    await detectors.ready(DEADLINE_S)
    assert await detectors.look(page) == before
    assert only_child(detectors) != child


@pytest.mark.slow
async def test_a_cancelled_look_breaks_nothing(detectors: DetectorPool, page: Look) -> None:
    """Callers that leave, at work or in the queue, leave the child to those who stay."""
    await detectors.ready(DEADLINE_S)
    child = only_child(detectors)
    looks = [asyncio.create_task(detectors.look(page)) for _ in range(4)]
    await in_flight(child)

    for look in looks[:3]:
        look.cancel()

    assert (await looks[3]).width == 384
    assert only_child(detectors) == child


async def test_ctrl_c_in_a_terminal_leaves_the_child_to_its_parent(
    detectors: DetectorPool, page: Look
) -> None:
    """A terminal sends SIGINT to the whole group; the look under way ends well."""
    await detectors.ready(DEADLINE_S)
    child = only_child(detectors)
    looking = asyncio.create_task(detectors.look(page))
    await in_flight(child)

    os.kill(child, signal.SIGINT)

    assert (await looking).width == 384
    assert running(child)


@pytest.mark.parametrize("data", [b"no picture", b""])
async def test_a_refusal_crosses_from_the_child(detectors: DetectorPool, data: bytes) -> None:
    """What is no picture is refused by its own error, and the child goes on."""
    await detectors.ready(DEADLINE_S)

    with pytest.raises(RequestRefused) as refused:
        await detectors.look(Look(data, text=True, things=True))

    assert (refused.value.code, refused.value.param) == ("invalid_image", "image")
    assert detectors.warm


async def test_a_detector_that_raises_has_failed(detectors: DetectorPool) -> None:
    """An error of any class in a child is a failed detector, not nothing seen."""
    await detectors.ready(DEADLINE_S)

    with pytest.raises(DetectorFailed, match="TypeError"):
        await detectors.look(Look("not bytes", text=True, things=True))  # type: ignore[arg-type]

    assert detectors.warm


async def test_stopping_while_loading_ends_the_child_and_who_waits() -> None:
    """The child is killed and need not load to its end; nobody waits on, nothing starts again."""
    pool = DetectorPool(1)
    before = set(children(os.getpid()))
    waiting = asyncio.create_task(pool.ready(DEADLINE_S))
    while not (loading := set(children(os.getpid())) - before):
        await asyncio.sleep(0.01)

    await pool.stop()

    for child in loading:
        await ended(child, within_s=1.0)
    for asked in (waiting, pool.ready(DEADLINE_S), pool.look(Look(b"", text=True, things=True))):
        with pytest.raises(PoolUnavailable, match="stopped"):
            await asked
    with pytest.raises(PoolUnavailable, match="stopped"):
        pool.start()
    assert set(children(os.getpid())) <= before


async def test_a_worker_told_to_stop_while_loading_ends_well() -> None:
    """SIGTERM while the models are loaded: exit 0, not a word of trouble, no child left."""
    worker = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", WORKER),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        assert worker.stdout
        await asyncio.wait_for(worker.stdout.readline(), DEADLINE_S)
        while not (loading := children(worker.pid)):
            await asyncio.sleep(0.01)

        worker.send_signal(signal.SIGTERM)

        _, said = await asyncio.wait_for(worker.communicate(), DEADLINE_S)
    finally:
        if worker.returncode is None:
            worker.kill()
            await worker.wait()
    assert (worker.returncode, said.decode()) == (0, "")
    for child in loading:
        await ended(child)


async def test_the_extra_is_installed_here() -> None:
    """Where these tests run nothing is missing."""
    assert missing_packages() == []
