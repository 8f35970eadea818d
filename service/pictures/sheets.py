"""
Contact sheets: what the model, the moderator and the store see of a file with several frames.
Pillow runs here, so only the limited child and the tests import this module.

Of n frames at most ``wire.SHEET_FRAMES`` are taken, evenly, the first and the last always among
them.  They stand row by row in the squarest grid that holds them, each in a cell as large as the
first one, all scaled down by one factor if the sheet would exceed 4,096 px a side.  Between the
cells run grey lines of ``GAP`` pixels; what no frame fills is white.
"""

import math
from typing import Final

from PIL import Image

from service.pictures import wire
from service.pictures.colours import WHITE
from service.pictures.frames import Frames

GAP: Final = 4
GREY: Final = (128, 128, 128)


def sampled(count: int) -> list[int]:
    """Give the numbers, from 0, of the frames that a sheet shows."""
    shown = min(count, wire.SHEET_FRAMES)
    return [number * (count - 1) // max(1, shown - 1) for number in range(shown)]


def sheet(frames: Frames) -> tuple[Image.Image, int]:
    """Draw a file's contact sheet; gives it and how many frames it shows (at least 1)."""
    wanted = sampled(frames.count)
    columns = math.ceil(math.sqrt(len(wanted)))
    rows = math.ceil(len(wanted) / columns)
    page, cell, shown = Image.new("RGB", (1, 1)), (1, 1), 0
    for number, render in enumerate(frames.renders):
        if number not in wanted:
            continue
        picture = render()
        if shown == 0:
            cell = _cell(picture.size, columns, rows)
            page = _ruled(cell, columns, rows)
        # The next frame needs the room that this one takes at its full size.
        picture = fitted(picture, cell)
        row, column = divmod(shown, columns)
        page.paste(picture, (column * (cell[0] + GAP), row * (cell[1] + GAP)))
        shown += 1
    return page, shown


def fitted(picture: Image.Image, box: tuple[int, int], *, gap: float = 3.0) -> Image.Image:
    """
    Scale a picture down in proportion until it fits; give it as it is where it does.

    ``gap``: how many times as large as wanted what is averaged by whole pixels beforehand stays.
    """
    scale = min(box[0] / picture.width, box[1] / picture.height)
    if scale >= 1:
        return picture
    size = max(1, round(picture.width * scale)), max(1, round(picture.height * scale))
    return picture.resize(size, Image.Resampling.LANCZOS, reducing_gap=gap)


def _cell(size: tuple[int, int], columns: int, rows: int) -> tuple[int, int]:
    room = (
        (wire.MAX_SIDE - GAP * (columns - 1)) // columns,
        (wire.MAX_SIDE - GAP * (rows - 1)) // rows,
    )
    scale = min(1.0, room[0] / size[0], room[1] / size[1])
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


def _ruled(cell: tuple[int, int], columns: int, rows: int) -> Image.Image:
    """Give an empty sheet: white cells with grey lines between."""
    width, height = (cell[0] + GAP) * columns - GAP, (cell[1] + GAP) * rows - GAP
    page = Image.new("RGB", (width, height), GREY)
    for row in range(rows):
        for column in range(columns):
            left, top = column * (cell[0] + GAP), row * (cell[1] + GAP)
            page.paste(WHITE, (left, top, left + cell[0], top + cell[1]))
    return page
