"""Changes pixels: blurs, pixelates and boxes places so that nothing can be recovered."""

from PIL import Image, ImageFilter

from service.local import Box, Sighting

_PADDING = 0.08
_FACE_PADDING = 0.15
# Recognised text is often cut close; a part of its height is added at both ends.
_TEXT_PADDING = 0.2
_TEXT = ("email", "phone", "handle", "url", "payment_card", "iban", "national_id", "plate")
_LEAST_PADDING = 2
_CELLS = 8
_LEAST_CELL = 8
_BLACK = (0, 0, 0)
# Later ones win where places overlap.
STRENGTH = ("none", "blur", "pixelate", "box", "block_image")


def padded(sighting: Sighting, within: tuple[int, int]) -> Box:
    """Return the area to change: the box and 8 % of its sides around it, 23 % for a face."""
    box = sighting.box
    share = _PADDING + (_FACE_PADDING if sighting.kind == "face" else 0)
    least = round(_TEXT_PADDING * box.height) if sighting.kind in _TEXT else 0
    dx = max(round(share * box.width), least, _LEAST_PADDING)
    dy = max(round(share * box.height), _LEAST_PADDING)
    return box.grown(dx, dy, within)


def performed(edit: str) -> str:
    """Return the edit that is really made: nothing here can paint, so a removal is a box."""
    return "box" if edit == "remove" else edit


def apply(image: Image.Image, area: Box, edit: str) -> None:
    """Change one area of the picture in place; ``edit`` is one of ``STRENGTH``."""
    if edit == "none" or area.area == 0:
        return
    if edit == "block_image":
        image.paste(_BLACK, (0, 0, *image.size))
        return
    corners = (area.left, area.top, area.right, area.bottom)
    if edit == "box":
        image.paste(_BLACK, corners)
        return
    part = _pixelated(image.crop(corners))
    if edit == "blur":
        # A blur alone can be undone in part; the cells have already thrown the detail away.
        part = part.filter(ImageFilter.GaussianBlur(max(part.size) / _CELLS * 0.75))
    image.paste(part, corners)


def _pixelated(part: Image.Image) -> Image.Image:
    """Average into 8 cells across the longer side, each 8 px or more where two fit."""
    longer = max(part.size)
    cell = max(1, -(-longer // _CELLS), min(_LEAST_CELL, longer // 2))
    cells = max(1, round(part.width / cell)), max(1, round(part.height / cell))
    coarse = part.resize(cells, Image.Resampling.BOX)
    return coarse.resize(part.size, Image.Resampling.NEAREST)
