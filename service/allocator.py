"""How much of the memory that a process has freed it keeps, where the C library is glibc."""

import ctypes
from typing import Final

_M_TRIM_THRESHOLD: Final = -1
_M_MMAP_THRESHOLD: Final = -3


def keep_freed(size: int, *, block: int) -> None:
    """
    Keep freed memory for what comes next; blocks of ``block`` bytes go back to the system at once.

    Of what is free at the end of a heap at most ``size`` bytes are kept; what is free below blocks
    that are in use stays, so a process keeps up to what its smaller blocks once took together.

    Taken anew from the kernel, page by page, memory costs more than all else that is done with the
    bytes of a picture.  By itself glibc keeps twice the largest block that was freed, so one huge
    picture would leave its memory with the process.

    Source: mallopt(3), M_MMAP_THRESHOLD and M_TRIM_THRESHOLD; set by hand, they stay.
    """
    set_option = getattr(ctypes.CDLL(None), "mallopt", None)
    if set_option is not None:
        set_option(_M_MMAP_THRESHOLD, block)
        set_option(_M_TRIM_THRESHOLD, size)
