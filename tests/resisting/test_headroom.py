"""Intake ends before anything is full, says so with Retry-After, and goes on when there is room."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import aiohttp
import pytest

from service import administering
from service.errors import Overloaded
from service.store import Pool
from service.store.database import Database
from service.web.headroom import Bounds, Headroom
from tests import draw
from tests.flows import driving, processes
from tests.flows.driving import Owner


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of one megabyte; mounting one needs root."""
    folder = tmp_path / "small"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)],
        capture_output=True,
        text=True,
        check=False,
    )
    if mounted.returncode:
        pytest.skip(f"no small disk: {mounted.stderr.strip()}")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


async def test_nearly_full_disk_is_refused_until_there_is_room(
    pool: Pool, small_disk: Path
) -> None:
    """At 85 % nothing more is taken, whichever of the two disks it is; below it is."""
    await Headroom(pool, small_disk, Bounds()).check()
    filler = small_disk / "filler"
    filler.write_bytes(bytes(920 << 10))
    for folder in (small_disk, _beside(small_disk)):
        with pytest.raises(Overloaded, match="85% full"):
            await Headroom(pool, folder, Bounds()).check()
    filler.unlink()
    await Headroom(pool, small_disk, Bounds()).check()


@pytest.mark.parametrize(
    ("bounds", "said"),
    [(Bounds(backlog=2), "2 uploads are not finished"), (Bounds(database_bytes=1000), "1000 are")],
)
async def test_bounds_are_kept(pool: Pool, tmp_path: Path, bounds: Bounds, said: str) -> None:
    """Two unfinished uploads, or a database of some megabytes, are as many as may be."""
    for side in (8, 9):
        await driving.queued(pool, draw.png(side, 8, "red"))
    with pytest.raises(Overloaded, match=said) as refused:
        await Headroom(pool, tmp_path, bounds).check()
    assert refused.value.retry_after_s > 0
    await Headroom(pool, tmp_path, Bounds(backlog=3)).check()


async def test_uploads_and_hooks_are_refused_and_reading_goes_on(
    where: Database, owner: Owner, tmp_path: Path
) -> None:
    """503 `overloaded` with Retry-After for what would come on top, before its body is read."""
    tokens = await administering.first_tokens(owner, tmp_path / "tokens.json")
    sent = {"Authorization": f"Bearer {tokens['platform']}", "Content-Type": "image/png"}
    async with (
        processes.serve(where, max_database_gb=0.000_001) as (_, address),
        aiohttp.ClientSession(address, headers=sent) as session,
    ):
        for path in ("/v1/uploads", "/v1/hooks/generic"):
            async with session.post(path, data=draw.png(8, 8, "red")) as answer:
                assert (answer.status, (await answer.json())["code"]) == (503, "overloaded")
                assert int(answer.headers["Retry-After"]) > 0
        async with session.get("/v1/uploads/00000000-0000-7000-8000-000000000000") as answer:
            assert answer.status == 404
    assert await owner.fetchval("SELECT count(*) FROM uploads") == 0


def _beside(disk: Path) -> Path:
    """Make a data folder on another disk whose database is on this one."""
    folder = disk.parent / "data"
    folder.mkdir()
    (folder / "postgres").symlink_to(disk)
    return folder
