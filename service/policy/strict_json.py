"""
JSON from outside, read strictly: whatever readers of it could understand differently is refused.

The one lenient step takes the object out of a code fence or of the prose around it.
"""

import json
import re
from collections.abc import Callable
from typing import Any, Final, NoReturn

from service.errors import ServiceError

MAX_BYTES: Final = 256 * 1024
MAX_DEPTH: Final = 32
MAX_INTEGER: Final = 2**53 - 1
MAX_NUMBER_CHARACTERS: Final = 64

# A string left open is taken to the end of the text, which keeps the scan linear.
_BRACKETS = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+"?|[\[\]{}]', re.DOTALL)
_OBJECT = re.compile(r'\{\s*"')  # Prose may write {something} in braces.
_FENCE = re.compile(r"^[ \t]*```[A-Za-z]*[ \t]*\r?$", re.MULTILINE)
_SURROGATE = re.compile(r"[\ud800-\udfff]")


class JsonRefused(ServiceError):
    """The text is not one JSON object that every reader of it would understand alike."""

    code = "json_refused"


def read(text: str | bytes) -> tuple[dict[str, Any], bool]:
    """
    Read one JSON object of at most 256 kB and 32 levels.

    Integral numbers such as ``2.0`` become int, as they are the same number to JSON Schema.

    Returns:
        The object, and whether the lenient step was needed.

    Raises:
        JsonRefused: not UTF-8, a byte-order mark, too long or deep, no object or several, repeated
            keys, NaN, infinite or unsafe numbers (integers beyond 2^53-1), NUL, lone surrogates.
    """
    whole = _decoded(text).strip(" \t\r\n")
    try:
        return _object(loads(whole)), False
    except json.JSONDecodeError as error:
        found = _embedded(whole)
        if found is None or found == whole:
            raise JsonRefused(f"The answer is not JSON: {error}.") from error
    try:
        return _object(loads(found)), True
    except json.JSONDecodeError as error:
        raise JsonRefused(f"The object in the answer is not JSON: {error}.") from error


def _decoded(text: str | bytes) -> str:
    try:
        raw = text.encode() if isinstance(text, str) else text
        if len(raw) > MAX_BYTES:
            raise JsonRefused(f"The answer has {len(raw)} bytes; at most {MAX_BYTES} are allowed.")
        decoded = raw.decode()
    except (UnicodeEncodeError, UnicodeDecodeError) as error:
        raise JsonRefused(f"The answer is not UTF-8: {error.reason}.") from error
    if decoded.startswith("\ufeff"):
        raise JsonRefused("The answer starts with a byte-order mark.")
    return decoded


def loads(text: str, parse_int: Callable[[str], int] | None = None) -> Any:
    """
    Parse any JSON document as strictly, whatever its size.

    Args:
        text: The document.
        parse_int: Reads integers in place of the reader that refuses those beyond 2^53-1.

    Raises:
        JsonRefused: What ``read`` refuses in a document that is JSON.
        ValueError: It is not JSON, or ``parse_int`` raised it.
    """
    _limit_depth(text)
    document = json.loads(
        text,
        object_pairs_hook=_distinct,
        parse_int=parse_int or _integer,
        parse_float=_float,
        parse_constant=_constant,
    )
    _check_strings(document)
    return document


def _object(document: Any) -> dict[str, Any]:
    if not isinstance(document, dict):
        raise JsonRefused(f"The answer is JSON of type {type(document).__name__}, not an object.")
    return document


def _limit_depth(text: str) -> None:
    """Count brackets before parsing: the parser answers deep nesting with RecursionError."""
    depth = 0
    for token in _BRACKETS.finditer(text):
        if token[0] in {"{", "["}:
            depth += 1
        elif token[0] in {"}", "]"}:
            depth -= 1
        if depth > MAX_DEPTH:
            raise JsonRefused(f"It nests deeper than {MAX_DEPTH} levels.")


def _embedded(text: str) -> str | None:
    """Return the one balanced ``{...}``, searched inside the first code fence if there is one."""
    fence = _FENCE.search(text)
    start = text.find("{", fence.end()) if fence else -1
    if start < 0 and (start := text.find("{")) < 0:
        return None
    depth = 0
    for token in _BRACKETS.finditer(text, start):
        if token[0] == "{":
            depth += 1
        elif token[0] == "}":
            depth -= 1
        if depth == 0:
            if _OBJECT.search(text, 0, start) or _OBJECT.search(text, token.end()):
                # Drafts come before the final answer, and nobody says which one is meant.
                raise JsonRefused("The answer holds more than one object.")
            return text[start : token.end()]
    return None


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members: dict[str, Any] = {}
    for key, value in pairs:
        if key in members:
            raise JsonRefused(f"Key {ascii(key)[:80]} is given twice in one object.")
        members[key] = value
    return members


def _integer(digits: str) -> int:
    if len(digits) > MAX_NUMBER_CHARACTERS or abs(number := int(digits)) > MAX_INTEGER:
        raise JsonRefused(f"Integer {digits[:24]} is beyond 2^53-1.")
    return number


def _float(digits: str) -> float | int:
    if len(digits) > MAX_NUMBER_CHARACTERS:
        raise JsonRefused(f"Number {digits[:24]} has {len(digits)} characters.")
    number = float(digits)
    if abs(number) > MAX_INTEGER:
        raise JsonRefused(f"Number {digits[:24]} is beyond 2^53-1.")
    return int(number) if number.is_integer() else number


def _constant(name: str) -> NoReturn:
    raise JsonRefused(f"{name} is not a JSON number.")


def _check_strings(document: Any) -> None:
    """Refuse what Postgres' jsonb refuses; the depth is limited already."""
    if isinstance(document, dict):
        for key, value in document.items():
            _check_strings(key)
            _check_strings(value)
    elif isinstance(document, list):
        for value in document:
            _check_strings(value)
    elif isinstance(document, str):
        if "\x00" in document:
            raise JsonRefused("A text or key contains NUL, which Postgres cannot store.")
        if _SURROGATE.search(document):
            raise JsonRefused("A text or key contains a lone surrogate, which is not UTF-8.")
