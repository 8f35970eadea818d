"""
Damages good pictures and has them read and decoded.

``python -m tests.fuzz_pictures [COUNT [SEED]]`` prints how often each thing happened.

Whatever the bytes, reading a header answers or refuses, and the decode child gives a picture or
``Unreadable``; a child that dies is replaced.  It ends with 1 if anything else happened.
"""

import asyncio
import collections
import random
import sys
import zlib
from collections.abc import Callable, Iterator

from service import log
from service.errors import InputRefused, Unreadable
from service.pictures import formats
from service.pictures.headers import Limits, check_limits, read
from service.pictures.pool import Decoders
from service.pictures.wire import PICTURES_PER_CHILD
from tests.hostile import containers, damage, drawing, stills

COUNT, SEED = 2_000, 1
DEATHS = "decode children that died"
CRASHES = "crashes"

Damage = Callable[[bytearray, random.Random, bytes], None]


async def run(count: int, seed: int) -> collections.Counter[str]:
    """Damage so many pictures; gives how often each thing happened."""
    happened: collections.Counter[str] = collections.Counter()
    decoders = Decoders(1)
    await decoders.start()
    try:
        for data in damaged(count, seed):
            try:
                happened[await _answer(decoders, data, happened)] += 1
            except Exception as error:  # noqa: BLE001  Whatever it is, it is what we look for.
                happened[CRASHES] += 1
                happened[f"  {type(error).__name__}: {error}"[:100]] += 1
    finally:
        await decoders.stop()
    return happened


async def _answer(decoders: Decoders, data: bytes, happened: collections.Counter[str]) -> str:
    try:
        check_limits(read(data), Limits())
    except InputRefused as refused:
        return f"refused {refused.code}"
    (child,) = decoders._children
    try:
        await decoders.canonical(data, thumbnail_side=64)
    except Unreadable as error:
        happened[DEATHS] += 2 * str(error).startswith("two decoders died")
        return "unreadable"
    happened[DEATHS] += child not in decoders._children and child._asked < PICTURES_PER_CHILD
    return "decoded"


def damaged(count: int, seed: int) -> Iterator[bytes]:
    """Damage good files of every kind in every way, the same for the same seed."""
    chance = random.Random(seed)
    files = list(damage.good().values())
    files += [case.data for case in [*stills.cases()][::5]]
    small = drawing.scene((24, 16))
    files.append(drawing.avif(small, save_all=True, append_images=[drawing.decoy((24, 16))]))
    files.append(containers.multi_picture(drawing.photo(small), [drawing.photo(small)] * 2))
    for number in range(count):
        data = bytearray(files[number % len(files)])
        for _ in range(chance.choice((1, 1, 2, 4, 16))):
            chance.choice(_WAYS)(data, chance, chance.choice(files))
        yield summed(bytes(data)) if chance.random() < 0.7 else bytes(data)


def summed(data: bytes) -> bytes:
    """Make a PNG's checksums right again, so that what is damaged goes on to be read."""
    if not data.startswith(b"\x89PNG\r\n\x1a\n") or len(data) < 33:
        return data
    out = bytearray(data)
    out[29:33] = zlib.crc32(data[12:29]).to_bytes(4, "big")
    for _, start, length in formats.png_chunks(data):
        end = start + length
        if end + 4 <= len(data):
            out[end : end + 4] = zlib.crc32(data[start - 4 : end]).to_bytes(4, "big")
    return bytes(out)


def _flip(data: bytearray, chance: random.Random, _: bytes) -> None:
    if data:
        data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)


def _extreme(data: bytearray, chance: random.Random, _: bytes) -> None:
    at = chance.randrange(len(data) + 1)
    data[at : at + 4] = chance.choice((b"\0\0\0\0", b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff"))


def _cut(data: bytearray, chance: random.Random, _: bytes) -> None:
    at = chance.randrange(len(data) + 1)
    del data[at : at + chance.choice((1, 4, 64, 1_000_000))]


def _repeat(data: bytearray, chance: random.Random, _: bytes) -> None:
    at, length = chance.randrange(len(data) + 1), chance.choice((1, 12, 300))
    data[at:at] = data[at : at + length]


def _splice(data: bytearray, chance: random.Random, other: bytes) -> None:
    at, begin = chance.randrange(len(data) + 1), chance.randrange(len(other))
    data[at : at + 200] = other[begin : begin + 200]


_WAYS: tuple[Damage, ...] = (_flip, _flip, _extreme, _cut, _repeat, _splice)


def main() -> int:
    """Run, print what happened, and tell whether nothing did that must not."""
    log.configure("console")
    count, seed = ([int(word) for word in sys.argv[1:]] + [COUNT, SEED][len(sys.argv) - 1 :])[:2]
    happened = asyncio.run(run(count, seed))
    for name, times in sorted(happened.items()):
        print(f"{times:6} {name}")  # noqa: T201
    return 1 if happened[CRASHES] else 0


if __name__ == "__main__":
    sys.exit(main())
