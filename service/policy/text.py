"""The texts a ruleset may hold: bounded, printable, and unable to break the frame of the prompt."""

import re
from typing import Annotated, Final

from pydantic import AfterValidator, StringConstraints, ValidationInfo
from pydantic_core import PydanticCustomError

# These tags frame the prompt; a policy that contained one could end its own frame.
# The second \s* stands behind the slash only, else a long run of spaces would take quadratic time.
_FRAME = re.compile(r"<\s*(?:/\s*)?(?:ruleset|description-schema)", re.IGNORECASE)
# A policy line that starts like this would read as another part of the rendered ruleset.
_LAYOUT = re.compile(
    r"^[ \t]*(Rule [a-z0-9][a-z0-9_-]*:|(?:Goal|Scope|Policy|Severity|Edit|Verdict|Look for|Can"
    r"|Should not):)",
    re.MULTILINE,
)
# The labels of later keys.  What was accepted before them loads for ever, so only a new text is
# held to them.
_LATER_LAYOUT = re.compile(
    r"^[ \t]*(Rule [a-z0-9][a-z0-9_-]* is off:|(?:Editing|Definitions|Levels|Ambiguity|Escalation"
    r"|Policy that is off|Allowed):)",
    re.MULTILINE,
)
# The context of a validation that says that the text is new.
NEW: Final = {"new": True}
# Line separators would forge lines of the prompt; direction overrides hide text from a reader.
_UNPRINTABLE = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff\ufeff]"
)


def _printable(text: str) -> str:
    if found := _UNPRINTABLE.search(text):
        raise PydanticCustomError(
            "unsafe_text",
            "contains the character U+{code}, which is not allowed.",
            {"code": f"{ord(found[0]):04X}"},
        )
    return text


def _unframed(text: str) -> str:
    if found := _FRAME.search(text):
        raise PydanticCustomError(
            "unsafe_text",
            "contains {tag}, a tag that frames the prompt; write it without the angle bracket.",
            {"tag": ascii(found[0])[:60]},
        )
    return text


def _one_line(text: str) -> str:
    if "\n" in text:
        raise PydanticCustomError("unsafe_text", "must be a single line.")
    return text


def _unlabelled(text: str, info: ValidationInfo) -> str:
    later = _LATER_LAYOUT if info.context == NEW else None
    if found := _LAYOUT.search(text) or (later and later.search(text)):
        raise PydanticCustomError(
            "unsafe_text",
            "has a line that starts with {label}, which is a label of the prompt; reword it.",
            {"label": repr(found[1])[:60]},
        )
    return text


def _bounded(longest: int) -> StringConstraints:
    return StringConstraints(strip_whitespace=True, min_length=1, max_length=longest)


_SAFE = (AfterValidator(_printable), AfterValidator(_unframed))

Title = Annotated[str, _bounded(200), *_SAFE, AfterValidator(_one_line)]
Line = Annotated[str, _bounded(500), *_SAFE, AfterValidator(_one_line)]
Prose = Annotated[str, _bounded(4000), *_SAFE, AfterValidator(_unlabelled)]
