"""How much of the memory that a process has freed it keeps, where the C library is glibc."""

import ctypes
from collections.abc import Callable
from typing import Final

_M_TRIM_THRESHOLD: Final = -1
_M_MMAP_THRESHOLD: Final = -3


def keep_freed(size: int, *, block: int) -> None:
    """
    Keep freed memory for what comes next; blocks of ``block`` bytes go back to the system at once.

    Of what is free at the end of a heap at most ``size`` bytes are kept; what is free below blocks
    that are in use stays until ``give_back``, up to what smaller blocks once took together.

    Taken anew from the kernel, page by page, memory costs more than all else that is done with the
    bytes of a picture.  By itself glibc keeps twice the largest block that was freed, so one huge
    picture would leave its memory with the process.

    Source: mallopt(3), M_MMAP_THRESHOLD and M_TRIM_THRESHOLD; set by hand, they stay.
    """
    set_option = _function("mallopt")
    if set_option is not None:
        set_option(_M_MMAP_THRESHOLD, block)
        set_option(_M_TRIM_THRESHOLD, size)


def give_back() -> None:
    """
    Give all pages that are free back to the system, wherever they lie.

    Source: malloc_trim(3).
    """
    trim = _function("malloc_trim")
    if trim is not None:
        trim(0)


def _function(name: str) -> Callable[..., object] | None:
    """Find a function of the C library; None where it has none of that name."""
    found: Callable[..., object] | None = getattr(ctypes.CDLL(None), name, None)
    return found
