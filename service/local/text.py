"""Reads the text of a picture with PP-OCR and finds personal data in it."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from rapidocr import RapidOCR
from rapidocr.utils.process_img import get_rotate_crop_image

from service.local import Box, DetectorFailed, Sighting, personal_data

_SETTINGS = {
    "Global.log_level": "error",
    "Global.use_cls": False,
    "Global.return_word_box": True,
    "Det.limit_type": "max",
    "Det.limit_side_len": 960,
    "Rec.rec_batch_num": 1,
    "EngineConfig.onnxruntime.intra_op_num_threads": 1,
    "EngineConfig.onnxruntime.inter_op_num_threads": 1,
}
# Fewer rows of pixels than this hold no legible letter.
_MIN_SIDE = 8
# RapidOCR shrinks pictures to this many pixels a side, in steps, and fails where no step is left.
_MAX_SIDE = 2000
_STEP = 32
_MIN_DOCUMENT_ROWS = 3
_TRIAL = "Trial 2468"
# Scores of the recogniser: what is legible at all; below the other one, text may stand otherwise.
_LEGIBLE = 0.5
_UPRIGHT = 0.95
_MAX_DOUBTFUL = 16


@dataclass(frozen=True, slots=True)
class Word:
    """A word as recognised, and where it stands."""

    text: str
    box: Box


@dataclass(frozen=True, slots=True)
class Line:
    """Words that were recognised together, left to right."""

    text: str
    box: Box
    words: tuple[Word, ...]


class Reader:
    """The text detector and recogniser, loaded once."""

    def __init__(self) -> None:
        """
        Load the models, which RapidOCR puts off until it reads something.

        Raises:
            DetectorFailed: A plain line of text was not read; nothing else would be either.
        """
        self._ocr = RapidOCR(params=_SETTINGS)
        trial = np.full((100, 420, 3), 255, np.uint8)
        cv2.putText(trial, _TRIAL, (30, 65), cv2.FONT_HERSHEY_SIMPLEX, 1.6, (0, 0, 0), 3)
        read = " ".join(line.text for line in self.lines(trial))
        if _TRIAL not in read:
            raise DetectorFailed(f"The text recogniser read {read!r} where {_TRIAL!r} was written")

    def lines(self, pixels: NDArray[np.uint8]) -> list[Line]:
        """
        Read a picture of shape (height, width, RGB), top to bottom.

        Raises:
            DetectorFailed: Text was located and could not be read.
        """
        if min(pixels.shape[:2]) < _MIN_SIDE:
            return []
        result = self._recognise(pixels[:, :, ::-1], _LEGIBLE)
        if result.boxes is None:
            return []
        texts = result.txts
        words = getattr(result, "word_results", ())
        aligned = words if len(words) == len(texts) else ((),) * len(texts)
        return [
            recognised(text, box, parts)
            for text, box, parts in zip(texts, result.boxes, aligned, strict=True)
        ]

    def ways(self, pixels: NDArray[np.uint8]) -> tuple[list[str], list[str], list[str]]:
        """
        Read a picture of shape (height, width, RGB) for text that stands in an unusual way.

        Returns:
            All lines upright, however badly they read; then the largest of those that read badly
            upside down; then these in a mirror.

        Raises:
            DetectorFailed: Text was located and could not be read.
        """
        if min(pixels.shape[:2]) < _MIN_SIDE:
            return [], [], []
        bgr = np.ascontiguousarray(pixels[:, :, ::-1])
        result = self._recognise(bgr, 0.0)
        if result.boxes is None:
            return [], [], []
        badly = np.flatnonzero(np.asarray(result.scores) < _UPRIGHT)
        largest = sorted(badly, key=lambda at: -cv2.contourArea(result.boxes[at]))[:_MAX_DOUBTFUL]
        crops = [get_rotate_crop_image(bgr, result.boxes[at]) for at in sorted(largest)]
        turned = [self._line(crop[::-1, ::-1]) for crop in crops]
        return list(result.txts), turned, [self._line(crop[:, ::-1]) for crop in crops]

    def _line(self, bgr: NDArray[np.uint8]) -> str:
        """Read one line that fills the picture."""
        [read] = self._recognise(bgr, 0.0, located=False).txts
        return str(read)

    def _recognise(self, bgr: NDArray[np.uint8], least: float, *, located: bool = True) -> Any:
        """
        Run the models; RapidOCR remembers these arguments, so that each call gives all of them.

        Raises:
            DetectorFailed: Text was located and could not be read, which RapidOCR only logs.
        """
        result = self._ocr(_widened(bgr), use_det=located, text_score=least)
        places = getattr(result, "boxes", None)
        expected = 0 if places is None else len(places)
        if len(getattr(result, "txts", None) or ()) != (expected if located else 1):
            raise DetectorFailed("Text was located in the picture and could not be read")
        return result


def _widened(bgr: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Repeat the last row or column of a long strip, so that it can be shrunk."""
    height, width = bgr.shape[:2]
    side = max(height, width) * _STEP // _MAX_SIDE
    below, beside = max(0, side - height), max(0, side - width)
    return np.pad(bgr, ((0, below), (0, beside), (0, 0)), mode="edge")


def personal(lines: Sequence[Line]) -> list[Sighting]:
    """Find personal data in each row of lines that stand side by side, and whole documents."""
    rows = [_joined(row) for row in _rows(lines)]
    found = [sighting for row in rows for sighting in _in_row(row)]
    document = _document(rows)
    return [*found, document] if document else found


def recognised(text: str, polygon: Any, parts: Any) -> Line:
    """
    Build a line from a polygon of (x, y) and its parts (text, score, polygon or None).

    Words get boxes of their own only if together they spell the line, else the line is one word.
    """
    box = _hull(polygon)
    words = tuple(Word(part[0], _hull(part[2])) for part in parts if len(part) == 3 and part[2])
    if not words or _spelt(words) != text.replace(" ", ""):
        return Line(text, box, (Word(text, box),))
    if box.width < box.height:
        return Line(text, box, words)
    # Word boxes start late and end early by a few pixels; the line's own ends are right.
    start = Word(words[0].text, replace(words[0].box, left=min(box.left, words[0].box.left)))
    words = (start, *words[1:])
    end = Word(words[-1].text, replace(words[-1].box, right=max(box.right, words[-1].box.right)))
    return Line(text, box, (*words[:-1], end))


def _spelt(words: Sequence[Word]) -> str:
    return "".join(word.text for word in words).replace(" ", "")


def _hull(polygon: Any) -> Box:
    points = np.asarray(polygon, dtype=float)
    left, top = np.floor(points.min(axis=0)).astype(int)
    right, bottom = np.ceil(points.max(axis=0)).astype(int)
    return Box(int(left), int(top), int(right) + 1, int(bottom) + 1)


def _rows(lines: Sequence[Line]) -> Iterator[list[Line]]:
    """Put lines side by side that the detector cut at a wide gap, as in a card number."""
    left = sorted(lines, key=lambda line: (line.box.top, line.box.left))
    while left:
        row = [left.pop(0)]
        for line in sorted(left, key=lambda line: line.box.left):
            if _continues(row[-1].box, line.box):
                row.append(line)
                left.remove(line)
        yield row


def _continues(box: Box, following: Box) -> bool:
    """Say whether the second box goes on where the first ends, on the same row."""
    height = min(box.height, following.height)
    level = min(box.bottom, following.bottom) - max(box.top, following.top)
    gap = following.left - box.right
    return level > 0.6 * height and -0.5 * height < gap < 2 * height


def _joined(row: Sequence[Line]) -> Line:
    return Line(
        " ".join(line.text for line in row),
        Box.hull(line.box for line in row),
        tuple(word for line in row for word in line.words),
    )


def _in_row(row: Line) -> Iterator[Sighting]:
    for span in personal_data.find(row.text):
        note = f"{personal_data.NAMES[span.kind]} of {span.end - span.start} characters"
        yield Sighting(span.kind, _span_box(row, span), span.confidence, note)


def _span_box(row: Line, span: personal_data.Span) -> Box:
    """Return the hull of the words that the span touches."""
    boxes: list[Box] = []
    at = 0
    for word in row.words:
        start = row.text.find(word.text, at)
        if start < 0:
            return row.box
        at = start + len(word.text)
        if start < span.end and span.start < at:
            boxes.append(word.box)
    return Box.hull(boxes) if boxes else row.box


def _document(rows: Sequence[Line]) -> Sighting | None:
    """
    Find an identity document by its machine readable lines, or by a title among other rows.

    Its edge is not looked for: the box is the hull of all text, which is what it discloses.
    """
    coded = [row for row in rows if personal_data.is_machine_readable(row.text)]
    titled = [row for row in rows if personal_data.names_document(row.text)]
    if not coded and (not titled or len(rows) < _MIN_DOCUMENT_ROWS):
        return None
    hull = Box.hull(row.box for row in rows)
    note = f"{personal_data.NAMES['document']} with {len(rows)} rows of text"
    return Sighting("document", hull, 0.95 if coded else 0.7, note)


def paragraphs(lines: Sequence[Line]) -> list[str]:
    """Return the texts in reading order, as rows, for what must be read across line breaks."""
    return [" ".join(re.sub(r"\s+", " ", line.text) for line in row) for row in _rows(lines)]
