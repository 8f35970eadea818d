"""What a probe sends: a drawn picture and a ruleset of two rules, one of which it breaks; pure."""

import struct
import zlib
from typing import Final

from service.policy import prompt, rulesets
from service.policy.rulesets import Rule, Ruleset, Version

SIDE: Final = 256  # pixels
_BLACK: Final = range(96, 160)  # rows and columns of the square, pixels
_SAND: Final = bytes((216, 201, 163))

# The edit that the picture calls for changes it plainly: black that is taken out is not black.
RULESET: Final = Ruleset(
    name="probe",
    title="Probe of an edits endpoint",
    goal="Show that one call edits a picture by a ruleset and describes what it did.",
    rules=[
        Rule(
            id="black-square",
            title="Black squares",
            policy="A black square stands for whatever must not be shown, and is taken out.",
            should_not=["a square filled with black"],
            can=["a plain background of one colour"],
            severity="low",
            edit="remove",
            verdict="allow_edited",
        ),
        Rule(
            id="legible-text",
            title="Legible text",
            policy="Text that can be read is made illegible.",
            should_not=["letters or digits that can be read"],
            severity="low",
            edit="blur",
            verdict="allow_edited",
        ),
    ],
)
PROMPT: Final = prompt.render(Version(RULESET, 1, rulesets.digest(RULESET)))


def picture() -> bytes:
    """Draw a PNG of one colour with a black square in its middle."""
    plain = b"\0" + _SAND * SIDE
    crossed = bytearray(plain)
    crossed[1 + 3 * _BLACK.start : 1 + 3 * _BLACK.stop] = bytes(3 * len(_BLACK))
    rows = b"".join(bytes(crossed) if row in _BLACK else plain for row in range(SIDE))
    head = struct.pack(">IIBBBBB", SIDE, SIDE, 8, 2, 0, 0, 0)
    chunks = ((b"IHDR", head), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, data) for kind, data in chunks)


def _chunk(kind: bytes, data: bytes) -> bytes:
    body = kind + data
    return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))
