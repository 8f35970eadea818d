"""How a picture must be turned to stand upright, by its EXIF, as browsers read it."""

import struct

from PIL import Image

MAX_ENTRIES = 1_000
_ORIENTATION, _SHORT = 0x0112, 3
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def upright(image: Image.Image, exif: bytes) -> Image.Image:
    """Turn a picture by its EXIF: the bytes of a TIFF file, with the name of EXIF before or not."""
    turn = _TURNS.get(of_exif(exif))
    return image if turn is None else image.transpose(turn)


def of_exif(exif: bytes) -> int:
    """
    Read the orientation, 1 to 8; 1 where it is missing or EXIF is damaged.

    Only one SHORT in the first directory counts: browsers pass over every other spelling, and so
    over XMP.  Source: EXIF 3.0, 4.6.5; TIFF 6.0, section 2.
    """
    tiff = exif.removeprefix(b"Exif\0\0")
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(tiff[:4])
    if order is None:
        return 1
    try:
        (directory,) = struct.unpack_from(f"{order}I", tiff, 4)
        (entries,) = struct.unpack_from(f"{order}H", tiff, directory)
        for entry in range(min(entries, MAX_ENTRIES)):
            tag, kind, count, value = struct.unpack_from(
                f"{order}HHIH", tiff, directory + 2 + 12 * entry
            )
            if (tag, kind, count) == (_ORIENTATION, _SHORT, 1):
                return value if value in _TURNS else 1
    except struct.error:
        return 1
    return 1
