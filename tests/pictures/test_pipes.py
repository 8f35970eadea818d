"""How pictures are handed over to a decode child and back."""

import fcntl
import os
import sys

from service.pictures.child import PIPE_BYTES
from service.pictures.process import DecoderProcess


async def test_a_whole_picture_fits_the_pipes() -> None:
    """On Linux both pipes of a started child hold what everybody may have, not the usual 64 kB."""
    child = await DecoderProcess.start()
    try:
        if sys.platform == "linux":
            for number in (0, 1):
                pipe = os.open(f"/proc/{child.pid}/fd/{number}", os.O_RDWR | os.O_NONBLOCK)
                assert fcntl.fcntl(pipe, fcntl.F_GETPIPE_SZ) == PIPE_BYTES
                os.close(pipe)
    finally:
        await child.end()
