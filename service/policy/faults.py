"""Faults of a ruleset as its author reads them: line, column, path and a sentence."""

from collections.abc import Iterable, Iterator
from typing import Any, Final, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from service.errors import InputRefused
from service.policy.yaml_nodes import Document, Fault, Path, Place

# What is wrong more often than this is not a ruleset; the answer stays small.
MAX_FAULTS: Final = 500
# The two forms of an entry in a list; pydantic puts the form's tag into the path of a fault.
LINE: Final = "(line)"
ENTRY: Final = "(entry)"
# The fault between parts of a ruleset, which is told of the document and not of the model.
INCOHERENT: Final = "incoherent"

NAME: Final = r"^[a-z0-9][a-z0-9-]{0,62}$"
ID: Final = r"^[a-z0-9][a-z0-9_-]{0,62}$"
DETECTOR: Final = r"^[a-z][a-z_]{0,39}$"
MODEL: Final = r"^[A-Za-z0-9][A-Za-z0-9._:/@-]{0,199}$"
# Letters of ASCII only, since one accented name is other bytes on macOS than elsewhere.  A part
# starts with no dot, so no path leaves the folder.
IMAGE: Final = (
    r"^(?:sha256:[0-9a-f]{64}|[A-Za-z0-9_-][A-Za-z0-9_. -]*(?:/[A-Za-z0-9_-][A-Za-z0-9_. -]*)*)$"
)
_SHAPES: Final = {
    NAME: "1 to 63 lower-case letters, digits and '-', not '-' first",
    ID: "1 to 63 lower-case letters, digits, '_' and '-', a letter or digit first",
    DETECTOR: "1 to 40 lower-case letters and '_', a letter first",
    MODEL: "1 to 200 letters, digits and '.', '_', ':', '/', '@', '-', a letter or digit first",
    IMAGE: "'sha256:' with 64 lower-case hex digits, and paths below the ruleset's folder, without"
    " '..', of ASCII letters, digits, '.', '_', '-', spaces and '/'",
}
_SHARE = "{name} is {value}; a number from 0 to 1 is needed here."
_SENTENCES: Final = {
    "missing": "{name} is missing.",
    "extra_forbidden": "{name} is an unknown key; allowed are {keys}.{hint}",
    "literal_error": "{name} is {value}; allowed are {expected}.",
    "string_type": "{name} is {value}; text is needed here.",
    "bool_type": "{name} is {value}; allowed are true and false.",
    "float_type": _SHARE,
    "finite_number": _SHARE,
    "greater_than_equal": _SHARE,
    "less_than_equal": _SHARE,
    "list_type": "{name} is {value}; a list is needed here.",
    "model_type": "{name} is {value}; a mapping is needed here.",
    "string_pattern_mismatch": "{name} is {value}; allowed are {shape}.",
    "string_too_long": "{name} is longer than {max_length} characters: {value}.",
    "string_too_short": "{name} is empty.",
    "too_long": "{name} has {actual_length} entries; at most {max_length} are allowed.",
    "too_short": "{name} is empty; at least {min_length} entry is needed.",
}
_NO_PATTERNS = " No key takes a pattern; say in plain words what the rule means."
_NO_REFERENCES = (
    " A ruleset refers to no schema; an editor finds it by a comment, '# yaml-language-server: …'."
)
_HINTS: Final = {
    **dict.fromkeys(("pattern", "patterns", "regex", "regexp"), _NO_PATTERNS),
    **dict.fromkeys(("$ref", "$schema", "$id", "schema"), _NO_REFERENCES),
}


def refusal(faults: Iterable[Fault]) -> InputRefused:
    """Make one refusal of all faults, in the order of the file; its list stops at MAX_FAULTS."""
    faults = sorted(faults, key=lambda fault: (fault.place.line, fault.place.column))
    errors: list[dict[str, object]] = [
        {
            "line": fault.place.line,
            "column": fault.place.column,
            "path": _dotted(fault.path),
            "message": fault.message,
        }
        for fault in faults[:MAX_FAULTS]
    ]
    first = faults[0]
    count = "one fault" if len(faults) == 1 else f"{len(faults)} faults"
    message = f"The ruleset has {count}; line {first.place.line}: {first.message}"
    return InputRefused("ruleset_invalid", message, errors=errors)


def of_model(document: Document, error: ValidationError, model: type[BaseModel]) -> Iterator[Fault]:
    """Say what pydantic found at its place, except of values that YAML could not give."""
    lost = {fault.path for fault in document.faults if fault.lost}
    for detail in error.errors(include_url=False):
        path = tuple(part for part in detail["loc"] if part not in {LINE, ENTRY})
        if detail["type"] == INCOHERENT or path in lost:
            continue
        sentence = _sentence(path, detail, model)
        yield Fault(_place(document, path, detail["type"]), path, sentence)


def placed(document: Document, found: Iterable[tuple[Path, str]]) -> Iterator[Fault]:
    """Find the place of each fault that is told by path and sentence."""
    for path, message in found:
        yield Fault(_place(document, path), path, message)


def shown(value: object, longest: int = 80) -> str:
    """Quote a value in a sentence, its end cut off where it is long."""
    text = repr(value)
    return text if len(text) <= longest else f"{text[: longest - 1]}…"


def _place(document: Document, path: Path, kind: str = "") -> Place:
    """Find the value; of an unknown key the key itself; of a missing one what should hold it."""
    if kind == "extra_forbidden" and path in document.keys:
        return document.keys[path]
    while path not in document.places:
        path = path[:-1]
    return document.places[path]


def _dotted(path: Path) -> str:
    parts = (f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
    return "".join(parts).removeprefix(".")


def _sentence(path: Path, detail: ErrorDetails, model: type[BaseModel]) -> str:
    template = _SENTENCES.get(detail["type"], "{name} {msg}")
    context = detail.get("ctx", {})
    facts = {
        **context,
        "shape": _SHAPES.get(context.get("pattern", "")),
        "name": _dotted(path) or "The ruleset",
        "value": shown(detail["input"]),
        "keys": ", ".join(_known_keys(path, model)),
        "hint": _HINTS.get(str(path[-1]) if path else "", ""),
        "msg": detail["msg"],
    }
    return template.format_map(facts)


def _known_keys(path: Path, model: type[BaseModel]) -> list[str]:
    """List the keys of the mapping that the path's last part is a key of."""
    for part in path[:-1]:
        if isinstance(part, str) and part in model.model_fields:
            model = next(_models(model.model_fields[part].annotation), model)
    return list(model.model_fields)


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    """Yield the models that a field's type is made of."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for part in get_args(annotation):
        yield from _models(part)
