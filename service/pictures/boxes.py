"""Size, frames and metadata of AVIF bytes, read from their boxes without decoding anything."""

import struct
from collections.abc import Iterator

from service.pictures.formats import MAX_PARTS, Header, Malformed

_AVIF = frozenset({b"avif", b"avis"})
_MAJOR = _AVIF | {b"mif1", b"msf1"}
_HEIC = frozenset({b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx"})
_TEXT_ITEMS = frozenset({b"Exif", b"mime"})


def media(data: bytes) -> str | None:
    """Name a file with an ``ftyp`` box: ``AVIF``, ``HEIC`` or ``video``; None without one."""
    if data[4:8] != b"ftyp":
        return None
    end = min(int.from_bytes(data[:4], "big"), len(data), 1024)
    brands = {data[8:12], *(data[at : at + 4] for at in range(16, end - 3, 4))}
    if data[8:12] in _MAJOR and brands & _AVIF:
        return "AVIF"
    return "HEIC" if brands & _HEIC else "video"


def avif(data: bytes) -> Header:
    """
    Take the largest picture that the boxes announce; a sequence has as many frames as samples.

    Source: ISO/IEC 14496-12 (boxes, iloc 8.11.3, stsz 8.7.3), 23008-12 (ispe 6.5.3), AV1 Image
    File Format 1.1.
    """
    boxes = _Boxes(data)
    everything = (0, len(data))
    sizes = [
        struct.unpack_from(">II", data, start + 4)
        for start, _ in boxes.at(everything, b"meta", b"iprp", b"ipco", b"ispe")
    ]
    frames = 1
    for track in boxes.at(everything, b"moov", b"trak"):
        for start, _ in boxes.at(track, b"tkhd"):
            # Width and height are 16.16 fixed point numbers; version 1 has longer times before.
            wide, high = struct.unpack_from(">II", data, start + (88 if data[start] else 76))
            sizes.append((wide >> 16, high >> 16))
        for start, _ in boxes.at(track, b"mdia", b"minf", b"stbl", b"stsz"):
            frames = max(frames, *struct.unpack_from(">I", data, start + 8))
    if not sizes:
        raise Malformed("no picture size in its boxes")
    width, height = max(sizes, key=lambda size: size[0] * size[1])
    return Header("image/avif", width, height, frames, False, _metadata(boxes, everything))


def _metadata(boxes: "_Boxes", everything: tuple[int, int]) -> int:
    """Count the bytes of colour profiles and of the items that hold EXIF and XMP."""
    profiles = boxes.at(everything, b"meta", b"iprp", b"ipco", b"colr")
    total = sum(end - start for start, end in profiles)
    texts: set[int] = set()
    for span in boxes.at(everything, b"meta", b"iinf"):
        texts |= boxes.text_items(span)
    for span in boxes.at(everything, b"meta", b"iloc"):
        total += sum(length for item, length in boxes.extents(span) if item in texts)
    return total


class _Boxes:
    """One file's boxes; all walks together take at most ``MAX_PARTS`` steps."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._steps = 0

    def at(self, span: tuple[int, int], *path: bytes) -> Iterator[tuple[int, int]]:
        """Give the insides (first byte, byte after the last) of the boxes on a path of types."""
        for kind, start, end in self._inside(*span):
            if kind != path[0]:
                continue
            # A meta box begins with a version, other boxes on our paths with their first child.
            inside = (start + 4, end) if kind == b"meta" else (start, end)
            if len(path) == 1:
                yield inside
            else:
                yield from self.at(inside, *path[1:])

    def _inside(self, position: int, end: int) -> Iterator[tuple[bytes, int, int]]:
        while position + 8 <= end:
            self._step()
            size, kind = struct.unpack_from(">I4s", self._data, position)
            start = position + 8
            if size == 1:
                (size,) = struct.unpack_from(">Q", self._data, start)
                start += 8
            elif size == 0:
                size = end - position
            if size < start - position:
                raise Malformed(f"a box of {size} bytes")
            position += size
            yield kind, start, min(position, end)

    def _step(self) -> None:
        self._steps += 1
        if self._steps > MAX_PARTS:
            raise Malformed(f"more than {MAX_PARTS} boxes")

    def text_items(self, span: tuple[int, int]) -> set[int]:
        """Give the ids of the items in an ``iinf`` box that hold EXIF or XMP."""
        start, end = span
        items = set()
        first = start + (8 if self._data[start] else 6)
        for kind, inside, _ in self._inside(first, end):
            if kind != b"infe":
                continue
            layout = ">IH4s" if self._data[inside] >= 3 else ">HH4s"
            item, _, item_kind = struct.unpack_from(layout, self._data, inside + 4)
            if item_kind in _TEXT_ITEMS:
                items.add(item)
        return items

    def extents(self, span: tuple[int, int]) -> Iterator[tuple[int, int]]:
        """Give the item id and byte length of every extent of an ``iloc`` box."""
        at, end = span
        version, sizes = self._data[at], struct.unpack_from(">H", self._data, at + 4)[0]
        offset_bytes, length_bytes = sizes >> 12, sizes >> 8 & 15
        base_bytes, index_bytes = sizes >> 4 & 15, (sizes & 15 if version else 0)
        id_bytes = 4 if version == 2 else 2
        items = int.from_bytes(self._data[at + 6 : at + 6 + id_bytes], "big")
        at += 6 + id_bytes
        for _ in range(items):
            self._step()
            item = int.from_bytes(self._data[at : at + id_bytes], "big")
            at += id_bytes + (4 if version else 2) + base_bytes
            (count,) = struct.unpack_from(">H", self._data, at)
            at += 2
            for _ in range(count):
                self._step()
                at += index_bytes + offset_bytes
                yield item, int.from_bytes(self._data[at : min(at + length_bytes, end)], "big")
                at += length_bytes
