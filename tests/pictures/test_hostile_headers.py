"""What ``headers`` does with bytes that were made to hurt or to lie."""

import struct
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.errors import InputRefused
from service.pictures.headers import Limits, check_limits, read
from tests.pictures import samples

FILES = {
    kind: samples.encoded(samples.frames(2, (24, 16))[0], kind, save_all=True, append_images=rest)
    for kind in ("PNG", "GIF", "WEBP", "AVIF", "MPO")
    for rest in [samples.frames(2, (24, 16))[1:]]
}
FOREIGN = [
    (b"", "empty"),
    (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "HEIC"),
    (b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom", "video"),
    (b"%PDF-1.7\n", "PDF"),
    (b"<?xml version='1.0'?>\n<svg xmlns='x'>", "SVG"),
    (b"BM\x46\0\0\0\0\0\0\0", "BMP"),
    (b"II*\0\x08\0\0\0", "TIFF"),
    (b"MM\0*\0\0\0\x08", "TIFF"),
    (b"<!DOCTYPE html><html>", "HTML"),
    (b"hello, world", "text"),
    (b"PK\3\4\x14\0", "ZIP"),
    (b"RIFF\x10\0\0\0WAVEfmt ", "AVI or WAV"),
    (b"\x7fELF\2\1\1\0", "unknown type"),
]


def answer(data: bytes) -> str:
    """Give the outcome of reading; any exception but InputRefused is the test's failure."""
    try:
        check_limits(read(data), Limits())
    except InputRefused as refused:
        return refused.code
    return "allowed"


@pytest.mark.parametrize(("data", "name"), FOREIGN)
def test_other_files_are_named(data: bytes, name: str) -> None:
    """A refusal says what the file looks like and which types are allowed."""
    with pytest.raises(InputRefused, match=name) as refused:
        read(data)
    assert refused.value.code == "not_an_image"
    assert "image/png" in str(refused.value)


@pytest.mark.parametrize("kind", sorted(FILES))
def test_truncated_at_every_byte(kind: str) -> None:
    """Whatever is left of a file, reading it answers or refuses."""
    data = FILES[kind]
    outcomes = [answer(data[:length]) for length in range(len(data))]
    assert outcomes[0] == "not_an_image"
    assert set(outcomes) == {"not_an_image", "allowed"}


@pytest.mark.parametrize("kind", sorted(FILES))
@settings(max_examples=150, deadline=None, database=None)
@given(changes=st.lists(st.tuples(st.integers(0, 10_000), st.binary(max_size=9)), max_size=8))
def test_random_changes(kind: str, changes: list[tuple[int, bytes]]) -> None:
    """Whatever is written into a file, reading it answers or refuses."""
    data = bytearray(FILES[kind])
    for place, written in changes:
        at = place % len(data)
        data[at : at + len(written)] = written
    assert answer(bytes(data)).isidentifier()


@settings(max_examples=150, deadline=None, database=None)
@given(
    start=st.sampled_from([data[:24] for data in FILES.values()]),
    rest=st.binary(max_size=400),
)
def test_random_rests(start: bytes, rest: bytes) -> None:
    """Whatever follows a good beginning, reading it answers or refuses."""
    assert answer(start + rest).isidentifier()


def test_a_huge_png_is_refused_by_its_header() -> None:
    """50,000 x 50,000 pixels cost nothing to refuse."""
    data = samples.png(50_000, 50_000, depth=8, colour=2, rows=b"")
    assert answer(data) == "picture_too_large"


@pytest.mark.parametrize("size", [(0, 5), (5, 0), (0, 0)])
def test_zero_sizes(size: tuple[int, int]) -> None:
    """A picture without pixels is none, in each format that can say so."""
    width, height = size
    lying_gif = b"GIF89a" + struct.pack("<HHBBB", width, height, 0, 0, 0) + b";"
    lying_jpeg = b"\xff\xd8\xff\xc0" + struct.pack(">HBHHB", 8, 8, height, width, 0)
    for data in (samples.png(width, height, depth=8, colour=2, rows=b""), lying_gif, lying_jpeg):
        assert answer(data) == "not_an_image"


def test_many_announced_frames_are_refused() -> None:
    """The number of frames is believed where it is too high, and counted where it is too low."""
    plain = samples.encoded(samples.gradient(), "PNG")
    announced = samples.chunk(b"acTL", struct.pack(">II", 4_000_000_000, 0))
    assert answer(plain[:33] + announced + plain[33:]) == "too_many_frames"
    few = samples.chunk(b"acTL", struct.pack(">II", 1, 0))
    controls = samples.chunk(b"fcTL", bytes(26)) * 101
    assert answer(plain[:33] + few + controls + plain[33:]) == "too_many_frames"


def test_two_frame_headers_in_a_jpeg_are_refused() -> None:
    """A second size would be believed by some decoders and not by others."""
    data = samples.encoded(samples.gradient(), "JPEG")
    at = data.index(b"\xff\xc0")
    segment = data[at : at + 2 + int.from_bytes(data[at + 2 : at + 4], "big")]
    assert answer(data[:at] + segment + data[at:]) == "not_an_image"


LONG = {
    "jpeg segments": b"\xff\xd8" + b"\xff\xe0\0\2" * 6_000_000,
    "jpeg fill": b"\xff\xd8" + b"\xff" * 24_000_000,
    "jpeg restarts": b"\xff\xd8" + b"\xff\xd0" * 12_000_000,
    "png chunks": FILES["PNG"][:33] + samples.chunk(b"IDAT", b"") * 2_000_000,
    "gif blocks": b"GIF89a\1\0\1\0\0\0\0" + b"!\xfe" + b"\1x" * 12_000_000,
    "gif extensions": b"GIF89a\1\0\1\0\0\0\0" + b"!\xfe\0" * 8_000_000,
    "webp chunks": b"RIFF\xf0\xff\xff\x7f" + FILES["WEBP"][8:30] + b"JUNK\0\0\0\0" * 3_000_000,
    "jpeg indexes": b"\xff\xd8"
    + b"\xff\xe2\0\x28MPF\0MM\0*\0\0\0\x08\0\1\xb0\2\0\7\0\x0f\xff\xff\0\0\0\0".ljust(42, b"\0")
    * 500_000,
    "avif references": FILES["AVIF"][:32]
    + struct.pack(">I4sII4s", 24_000_012, b"meta", 0, 24_000_000, b"iref")
    + bytes(4)
    + b"\0\0\0\x0edimg\0\1\xff\xff\0\2" * 1_700_000,
    "avif boxes": FILES["AVIF"][:32] + b"\0\0\0\x08free" * 3_000_000,
}


@pytest.mark.parametrize("name", sorted(LONG))
def test_25_megabytes_of_parts_cost_little_time(name: str) -> None:
    """The worst files that fit the byte limit are answered in well under a second of CPU."""
    before = time.process_time()
    assert answer(LONG[name]) == "not_an_image"
    assert time.process_time() - before < 0.5
