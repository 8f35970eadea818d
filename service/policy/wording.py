"""Which words of a text changed, and the text with them marked."""

import re
from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict

# Scripts without spaces are compared by character.
_WORDS: Final = re.compile(r"\s+|[\u3040-\u9fff]|(?:(?![\u3040-\u9fff])\w)+|[^\w\s]")
_CONTEXT: Final = 30  # characters that stay on each side of a change


class Piece(BaseModel):
    """A part of a text; those that are not added make the old text, those not removed the new."""

    model_config = ConfigDict(frozen=True)

    kind: Literal["same", "removed", "added"]
    text: str


def pieces(old: str, new: str) -> Iterator[Piece]:
    """Take two texts apart into what stayed, what was removed and what was added, in order."""
    before, after = _WORDS.findall(old), _WORDS.findall(new)
    # Spaces are no reason to take two places for the same.
    matcher = SequenceMatcher(str.isspace, before, after)
    for tag, start, end, new_start, new_end in matcher.get_opcodes():
        gone, come = "".join(before[start:end]), "".join(after[new_start:new_end])
        if tag == "equal":
            yield Piece(kind="same", text=gone)
            continue
        if gone:
            yield Piece(kind="removed", text=gone)
        if come:
            yield Piece(kind="added", text=come)


def marked(parts: Sequence[Piece]) -> str:
    """Write a changed text in one line: [-removed-], {+added+} and … for what is far from both."""
    marks = {"removed": "[-{}-]", "added": "{{+{}+}}", "same": "{}"}
    shown: list[str] = []
    for index, part in enumerate(parts):
        text = part.text
        if part.kind == "same":
            text = _shortened(text, first=index == 0, last=index == len(parts) - 1)
        shown.append(marks[part.kind].format(text))
    return " ".join("".join(shown).split())


def _shortened(text: str, *, first: bool, last: bool) -> str:
    """Keep what stands next to a change: the end of a first piece, the start of a last one."""
    before, after = (0 if first else _CONTEXT), (0 if last else _CONTEXT)
    if len(text) <= before + after + _CONTEXT:
        return text
    return f"{text[:before]}…{text[len(text) - after :]}"
