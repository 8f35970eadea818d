"""What ``pictures.canonical`` does with bad files."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.errors import Unreadable
from service.pictures.canonical import canonical
from service.pictures.wire import Picture
from tests.pictures import samples

KINDS = ["JPEG", "PNG", "GIF", "WEBP", "AVIF"]
SMALL = {kind: samples.encoded(samples.gradient("RGB", (24, 16)), kind) for kind in KINDS}


@pytest.mark.parametrize("kind", KINDS)
def test_a_file_cut_in_half_is_unreadable(kind: str) -> None:
    """No part of a picture is taken for the picture."""
    data = samples.encoded(samples.noise((200, 150)), kind)
    with pytest.raises(Unreadable):
        canonical(data[: len(data) // 2])


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"hello",
        samples.png(50_000, 50_000, depth=8, colour=2, rows=b""),
        samples.png(20, 20, depth=8, colour=2, rows=b"\0"),
        samples.png(20, 20, depth=3, colour=2, rows=b"\0"),
    ],
)
def test_what_is_no_picture_is_unreadable(data: bytes) -> None:
    """A file that the header check refuses is refused here too, with a short reason."""
    with pytest.raises(Unreadable) as refused:
        canonical(data)
    assert 0 < len(str(refused.value)) < 300


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=60, deadline=None, database=None)
@given(changes=st.lists(st.tuples(st.integers(0, 10_000), st.binary(max_size=4)), max_size=6))
def test_random_changes(kind: str, changes: list[tuple[int, bytes]]) -> None:
    """Whatever is written into a file, it is decoded or Unreadable."""
    data = bytearray(SMALL[kind])
    for place, written in changes:
        at = place % len(data)
        data[at : at + len(written)] = written
    result: Picture | Unreadable
    try:
        result = canonical(bytes(data), thumbnail_side=8)
    except Unreadable as refused:
        result = refused
    assert isinstance(result, Unreadable) or result.data
