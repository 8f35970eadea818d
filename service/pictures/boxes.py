"""Size, frames and metadata of AVIF bytes, read from their boxes without decoding anything."""

import struct
from collections.abc import Iterator

from service.pictures.formats import MAX_PARTS, Header, Malformed

_AVIF = frozenset({b"avif", b"avis"})
_MAJOR = _AVIF | {b"mif1", b"msf1"}
_HEIC = frozenset({b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx"})
_TEXT_ITEMS = frozenset({b"Exif", b"mime"})
_PICTURE_ITEMS = frozenset({b"av01", b"grid", b"iovl", b"iden", b"hvc1", b"jpeg", b"unci"})


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
    Take the largest picture that the boxes announce; a sequence has as many frames as samples, and
    each further picture that is no part of another one (a collection) counts as a frame.

    Source: ISO/IEC 14496-12 (boxes, iloc 8.11.3, stsz 8.7.3), 23008-12 (ispe 6.5.3), AV1 Image
    File Format 1.1.
    """
    boxes = _Boxes(data)
    everything = (0, len(data))
    sizes = [
        struct.unpack_from(">II", data, start + 4)
        for start, _ in boxes.at(everything, b"meta", b"iprp", b"ipco", b"ispe")
    ]
    frames = max(1, boxes.pictures(everything))
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


def has_still(data: bytes) -> bool:
    """Tell whether a sequence also names a single picture, for viewers that play nothing."""
    return any(True for _ in _Boxes(data).at((0, len(data)), b"meta", b"pitm"))


def nclx(data: bytes) -> tuple[int, int] | None:
    """
    Give the colour primaries and transfer function (H.273) of the picture that a viewer shows.

    None where its boxes name none.  Source: ISO/IEC 14496-12, 12.1.5; 23008-12, 9.3 (ipma).
    """
    boxes = _Boxes(data)
    everything = (0, len(data))
    if data[8:12] == b"avis":
        colours = list(boxes.track_colours(everything))
    else:
        colours = list(boxes.primary_colours(everything))
    for start, _ in colours:
        if data[start : start + 4] == b"nclx":
            primaries, transfer = struct.unpack_from(">HH", data, start + 4)
            return primaries, transfer
    return None


def _metadata(boxes: "_Boxes", everything: tuple[int, int]) -> int:
    """Count the bytes of colour profiles and of the items that hold EXIF and XMP."""
    profiles = boxes.at(everything, b"meta", b"iprp", b"ipco", b"colr")
    total = sum(end - start for start, end in profiles)
    texts: set[int] = set()
    for span in boxes.at(everything, b"meta", b"iinf"):
        texts |= {item for item, kind, _ in boxes.items(span) if kind in _TEXT_ITEMS}
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

    def primary_colours(self, everything: tuple[int, int]) -> Iterator[tuple[int, int]]:
        """Give the colour properties that belong to the primary item."""
        primary = None
        for start, _ in self.at(everything, b"meta", b"pitm"):
            primary = int.from_bytes(
                self._data[start + 4 : start + (8 if self._data[start] else 6)]
            )
        properties = [
            (kind, begin, end)
            for span in self.at(everything, b"meta", b"iprp", b"ipco")
            for kind, begin, end in self._inside(*span)
        ]
        for start, _ in self.at(everything, b"meta", b"iprp", b"ipma"):
            for item, index in self._associations(start):
                if item == primary and 0 < index <= len(properties):
                    kind, begin, end = properties[index - 1]
                    if kind == b"colr":
                        yield begin, end

    def _associations(self, at: int) -> Iterator[tuple[int, int]]:
        """Give item id and property number, from 1, of each entry of an ``ipma`` box."""
        version, wide = self._data[at], self._data[at + 3] & 1
        (entries,) = struct.unpack_from(">I", self._data, at + 4)
        at += 8
        for _ in range(entries):
            item, count = struct.unpack_from(">IB" if version else ">HB", self._data, at)
            at += 5 if version else 3
            for _ in range(count):
                self._step()
                index = int.from_bytes(self._data[at : at + 1 + wide])
                yield item, index & (0x7FFF if wide else 0x7F)
                at += 1 + wide
            self._step()

    def track_colours(self, everything: tuple[int, int]) -> Iterator[tuple[int, int]]:
        """Give the colour boxes of a sequence's sample descriptions."""
        path = (b"moov", b"trak", b"mdia", b"minf", b"stbl", b"stsd")
        for start, end in self.at(everything, *path):
            # An entry of this list has 78 bytes of its own before its boxes.
            for kind, begin, entry_end in self._inside(start + 8, end):
                if kind == b"av01":
                    yield from self.at((begin + 78, entry_end), b"colr")

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

    def items(self, span: tuple[int, int]) -> Iterator[tuple[int, bytes, bool]]:
        """Give id and type of each item in an ``iinf`` box, and whether it is hidden."""
        start, end = span
        first = start + (8 if self._data[start] else 6)
        for kind, inside, _ in self._inside(first, end):
            if kind == b"infe":
                layout = ">IH4s" if self._data[inside] >= 3 else ">HH4s"
                item, _, item_kind = struct.unpack_from(layout, self._data, inside + 4)
                yield item, item_kind, bool(self._data[inside + 3] & 1)

    def pictures(self, everything: tuple[int, int]) -> int:
        """Count the pictures that stand for themselves: no alpha, no thumbnail, no tile."""
        found = {
            item
            for span in self.at(everything, b"meta", b"iinf")
            for item, kind, hidden in self.items(span)
            if kind in _PICTURE_ITEMS and not hidden
        }
        for start, end in self.at(everything, b"meta", b"iref"):
            width = 4 if self._data[start] else 2
            for kind, begin, _ in self._inside(start + 4, end):
                ids = self._numbers(begin, width)
                if kind in (b"auxl", b"thmb"):
                    found.discard(ids[0])
                elif kind == b"dimg":
                    found.difference_update(ids[1:])
        return len(found)

    def _numbers(self, at: int, width: int) -> list[int]:
        """Read who refers and to whom: an id, a count of two bytes, so many ids."""
        (count,) = struct.unpack_from(">H", self._data, at + width)
        found = [int.from_bytes(self._data[at : at + width], "big")]
        for place in range(at + width + 2, at + width + 2 + width * count, width):
            self._step()
            found.append(int.from_bytes(self._data[place : place + width], "big"))
        return found

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
