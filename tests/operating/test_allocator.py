"""Freed memory is kept for the next picture, and that of a huge one is given back."""

import platform
import subprocess
import sys

import pytest

pytestmark = pytest.mark.skipif(
    platform.libc_ver()[0] != "glibc", reason="other C libraries have no such options"
)
_ROUNDS = 200
_TAKEN_ANEW = f"""
import resource, sys
from service import allocator
allocator.keep_freed(8 << 20, block=1 << 20)
def picture():
    bytearray(int(sys.argv[1])) + b"x"
for _ in range(20):
    picture()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range({_ROUNDS}):
    picture()
print((resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before) / {_ROUNDS})
"""


def _pages_a_picture(size: int) -> float:
    """Tell how many pages a process takes from the system for each picture of so many bytes."""
    ran = subprocess.run(
        [sys.executable, "-c", _TAKEN_ANEW, str(size)], capture_output=True, text=True, check=True
    )
    return float(ran.stdout)


@pytest.mark.parametrize(("size", "kept"), [(200_000, True), (900_000, True), (4 << 20, False)])
def test_blocks_up_to_the_bound_are_kept(size: int, kept: bool) -> None:  # noqa: FBT001
    """A picture in kept memory takes next to no page; a larger one takes all of its own anew."""
    assert (_pages_a_picture(size) < 5) is kept


_LEFT = """
import os
from pathlib import Path
from service import allocator
allocator.keep_freed(8 << 20, block=1 << 20)
def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
flood, pins = [], []
for _ in range(100):
    flood.append(b"x" * 900_000)
    pins.append(b"x" * 5_000)
del flood
left = resident()
allocator.give_back()
print(left - resident())
"""


def test_what_a_flood_has_left_is_given_back() -> None:
    """Pages that are free between blocks in use stay with the process until they are given back."""
    ran = subprocess.run([sys.executable, "-c", _LEFT], capture_output=True, text=True, check=True)
    assert int(ran.stdout) > 80 * 900_000
