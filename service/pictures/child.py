"""
The decode child, started by ``service.pictures.pool`` as ``python -m service.pictures.child``.
It speaks ``service.pictures.wire`` on stdin and stdout, and limits itself before the first request.
"""

import contextlib
import ctypes
import fcntl
import io
import json
import os
import resource
import signal
import sys
from typing import Any, BinaryIO, TypeAlias

# Pillow loads these for the first file that needs them, when the child can open none any more, or
# to find one of them its formats all together, which takes long.
from PIL import (
    AvifImagePlugin,
    Image,
    MpoImagePlugin,  # noqa: F401
    WebPImagePlugin,  # noqa: F401
)

from service import allocator
from service.errors import Unreadable
from service.pictures import wire
from service.pictures.canonical import OutOfMemory, canonical
from service.pictures.finishing import finish
from service.proof import Region

Answer: TypeAlias = tuple[dict[str, object], list[bytes]]

MEMORY_BYTES = 1 << 30
CPU_S = 10
# The planes of pixels of a large picture.
_KEPT_BYTES = 64 << 20
_LARGEST_BLOCK = 32 << 20
PIPE_BYTES = 1 << 20  # what Linux allows everybody; usual are 64 kB
_PR_SET_PDEATHSIG = 1
_WARM_UP = ("JPEG", "PNG", "GIF", "WEBP", "AVIF")


def main() -> None:
    """Warm up, give up every right that decoding does not need, then answer until the end."""
    # A terminal's Ctrl-C is for the parent, which decides when this process ends.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    allocator.keep_freed(_KEPT_BYTES, block=_LARGEST_BLOCK)
    _widen_pipes()
    _warm_up()
    give_up_rights()
    serve(sys.stdin.buffer, sys.stdout.buffer)


def serve(requests: BinaryIO, answers: BinaryIO) -> None:
    """Answer one request after another until the end of input or ``PICTURES_PER_CHILD``."""
    _say(answers, {"ready": True})
    for _ in range(wire.PICTURES_PER_CHILD):
        prefix = requests.read(wire.LENGTH_BYTES)
        if not prefix:
            return
        head, lengths = wire.read_head(requests.read(wire.head_length(prefix)))
        payloads = [requests.read(length) for length in lengths]
        allow_cpu(CPU_S)
        try:
            answer = _finished(head, payloads) if "confined" in head else _canonical(head, payloads)
        except OutOfMemory as error:
            # What is left of the memory may be in pieces, so the next picture needs a new process.
            _say(answers, {"out_of_memory": str(error)})
            return
        except Unreadable as error:
            _say(answers, {"unreadable": str(error)})
            continue
        _say(answers, *answer)


def _canonical(head: dict[str, Any], payloads: list[bytes]) -> Answer:
    picture = canonical(payloads[0], thumbnail_side=head["thumbnail_side"])
    return _fields(picture), _files(picture)


def _finished(head: dict[str, Any], payloads: list[bytes]) -> Answer:
    original, edited, listed = payloads
    regions = [
        Region(box and tuple(box), edit, rule, tuple(seen))
        for box, edit, rule, seen in json.loads(listed)
    ]
    done = finish(
        original,
        edited,
        regions,
        confined=head["confined"],
        thumbnail_side=head["thumbnail_side"],
    )
    proof = [json.dumps(done.facts).encode(), done.heat or b""]
    if done.picture is None:
        return {}, proof
    return _fields(done.picture), [*proof, *_files(done.picture)]


def _fields(picture: wire.Picture) -> dict[str, object]:
    return {
        "mime": picture.mime,
        "width": picture.width,
        "height": picture.height,
        "frames": picture.frames,
    }


def _files(picture: wire.Picture) -> list[bytes]:
    return [file for file in (picture.data, picture.thumbnail) if file is not None]


def give_up_rights() -> None:
    """
    Limit this process for good: memory, no new descriptors (so no file and no socket), no file
    growth, no core, no new processes; and let it die with its parent.
    """
    # Whatever a decoder prints must not reach the service's log; faults until here did.
    silence = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silence, 2)
    os.close(silence)
    if sys.platform == "linux":
        # Only Linux keeps an address space limit and tells of a parent's death.
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    # Linux does not hold root to this one; without descriptors a new process could do nothing.
    resource.setrlimit(resource.RLIMIT_NPROC, (0, 0))
    # Open descriptors go on working below a limit of 0; nothing new can be opened.
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, 0))


def allow_cpu(seconds: int) -> None:
    """Let this process use so many more seconds of CPU; then SIGXCPU ends it."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    soft = int(used.ru_utime + used.ru_stime) + 1 + seconds
    resource.setrlimit(resource.RLIMIT_CPU, (soft, resource.RLIM_INFINITY))


def _widen_pipes() -> None:
    """Let a picture be handed over at once: parent and child would wake each other per 64 kB."""
    if sys.platform == "linux":
        for pipe in (sys.stdin, sys.stdout):
            # A user with very many pipes is held to small ones, which only take longer.
            with contextlib.suppress(OSError):
                fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, PIPE_BYTES)


def _warm_up() -> None:
    """Load everything that Pillow loads on first use, since no file can be opened later."""
    # AVIF would start a thread for each core, which RLIMIT_NPROC forbids.
    AvifImagePlugin.DEFAULT_MAX_THREADS = 1
    for name in _WARM_UP:
        file = io.BytesIO()
        Image.new("RGB", (16, 16)).save(file, name)
        picture = canonical(file.getvalue(), thumbnail_side=8)
    finish(picture.data, picture.data, [], confined=True, thumbnail_side=8)


def _say(answers: BinaryIO, head: dict[str, object], payloads: list[bytes] | None = None) -> None:
    answers.write(wire.frame(head, payloads or []))
    answers.writelines(payloads or [])
    answers.flush()


if __name__ == "__main__":
    main()
