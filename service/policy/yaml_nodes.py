"""Strict YAML of plain mappings, lists and scalars, each with its line and column."""

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import yaml

# A ruleset of 100,000 tokens has about 400 kB.  The prompt made of a file this long stays below
# the 1 MiB that Starlette gateways take for a form field.
MAX_BYTES = 512 * 1024
MAX_DEPTH = 32
# A hundred rules with full lists need about 11,000 values; the cap bounds what parsing can cost.
MAX_VALUES = 20_000

Path = tuple[str | int, ...]

# The YAML 1.2 core schema without .inf and .nan, which no policy means: they stay text.
_NULL = frozenset({"", "~", "null", "Null", "NULL"})
_BOOLS = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_INT = re.compile(r"[-+]?[0-9]{1,18}|0o[0-7]{1,18}|0x[0-9a-fA-F]{1,15}")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")


@dataclass(frozen=True, slots=True)
class Place:
    """Where a value starts in the file; line and column count from 1."""

    line: int
    column: int


@dataclass(frozen=True, slots=True)
class Fault:
    """
    One thing that is wrong, where, and a sentence that names the value and what is allowed.

    ``lost`` says that the value itself is unknown, so nothing more can be said about it.
    """

    place: Place
    path: Path
    message: str
    lost: bool = False


@dataclass(frozen=True, slots=True)
class Document:
    """
    What a file holds.

    ``whole`` is false when the file could not be read to its end; ``value`` is then None.
    ``places`` says where each value starts and ``keys`` where its key does.
    """

    value: Any
    whole: bool
    faults: tuple[Fault, ...]
    places: dict[Path, Place]
    keys: dict[Path, Place]


class _Stop(Exception):
    """Reading on makes no sense; the fault is what ends the document."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.message)
        self.fault = fault


def read(source: bytes | str) -> Document:
    """
    Read one YAML document of at most 512 kB and 32 levels.

    Tags, anchors, aliases, merges and repeated keys are faults, listed all at once; a syntax
    fault ends the reading.  Scalars follow YAML 1.2: ``yes``, ``on`` and dates stay text.
    A JSON document is read as well, since YAML 1.2 contains it.
    """
    composer = _Composer()
    try:
        value = composer.document(_decoded(source))
    except _Stop as stop:
        return Document(None, False, (*composer.faults, stop.fault), {}, {})
    return Document(value, True, tuple(composer.faults), composer.places, composer.keys)


def _decoded(source: bytes | str) -> str:
    raw = source.encode("utf-8", "surrogatepass") if isinstance(source, str) else source
    if len(raw) > MAX_BYTES:
        raise _Stop(_at_start(f"The file has {len(raw)} bytes; at most {MAX_BYTES} are allowed."))
    try:
        # Editors on Windows write a byte-order mark, which YAML allows at the start.
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = raw[: error.start].decode("utf-8-sig", "replace")
        place = _place_after(before)
        byte = raw[error.start]
        raise _Stop(Fault(place, (), f"Byte 0x{byte:02x} is not UTF-8; save as UTF-8.")) from error


def _at_start(message: str) -> Fault:
    return Fault(Place(1, 1), (), message)


def _place_after(text: str) -> Place:
    lines = text.split("\n")
    return Place(len(lines), len(lines[-1]) + 1)


def _events(text: str) -> Iterator[yaml.Event]:
    """Yield parser events lazily: a composed tree of ``[[[[…`` would cost minutes."""
    try:
        # The pure Python parser gives the same places on every platform; libyaml is optional.
        yield from yaml.parse(text, Loader=yaml.SafeLoader)
    except yaml.reader.ReaderError as error:
        # ReaderError counts characters from the start of the text and has no line.
        place = _place_after(text[: error.position])
        character = text[error.position]
        message = f"Character U+{ord(character):04X} is not allowed in a ruleset."
        raise _Stop(Fault(place, (), message)) from error
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = Place(mark.line + 1, mark.column + 1) if mark else Place(1, 1)
        said = ", ".join(part for part in (error.context, error.problem) if part)
        raise _Stop(Fault(place, (), f"This is not YAML: {said}.")) from error


@dataclass(slots=True)
class _Composer:
    """Builds plain values out of events and remembers where each one stood."""

    faults: list[Fault] = field(default_factory=list)
    places: dict[Path, Place] = field(default_factory=dict)
    keys: dict[Path, Place] = field(default_factory=dict)
    values: int = 0

    def document(self, text: str) -> Any:
        """Compose the only document of the text."""
        events = _events(text)
        next(events)
        start = next(events)
        if not isinstance(start, yaml.DocumentStartEvent):
            raise _Stop(_at_start("The file is empty; a mapping is expected."))
        if start.tags:
            self._fault(start, (), "A %TAG directive is not allowed.")
        value = self._value(events, next(events), ())
        next(events)
        after = next(events)
        if not isinstance(after, yaml.StreamEndEvent):
            self._fault(after, (), "A second document starts here; a file holds one.")
        return value

    def _fault(self, event: yaml.Event, path: Path, message: str) -> None:
        self.faults.append(Fault(_place(event), path, message))

    def _value(self, events: Iterator[yaml.Event], event: yaml.Event, path: Path) -> Any:
        self.values += 1
        if self.values > MAX_VALUES:
            message = f"The file has more than {MAX_VALUES} values."
            raise _Stop(Fault(_place(event), path, message))
        self.places.setdefault(path, _place(event))
        if isinstance(event, yaml.AliasEvent):
            message = f"Alias *{str(event.anchor)[:40]} is not allowed; repeat the value."
            self.faults.append(Fault(_place(event), path, message, lost=True))
            return None
        self._refuse_decoration(event, path)
        if isinstance(event, yaml.ScalarEvent):
            return self._scalar(event, path)
        if len(path) >= MAX_DEPTH:
            message = f"Values nest deeper than {MAX_DEPTH} levels here."
            raise _Stop(Fault(_place(event), path, message))
        if isinstance(event, yaml.MappingStartEvent):
            return self._mapping(events, path)
        return self._sequence(events, path)

    def _refuse_decoration(self, event: yaml.Event, path: Path) -> None:
        anchor, tag = getattr(event, "anchor", None), getattr(event, "tag", None)
        if anchor is not None:
            self._fault(
                event, path, f"Anchor &{anchor[:40]} is not allowed; repeat the value instead."
            )
        if tag is not None:
            short = tag.replace("tag:yaml.org,2002:", "!!")
            self._fault(event, path, f"Tag {short[:40]} is not allowed; write the plain value.")

    def _sequence(self, events: Iterator[yaml.Event], path: Path) -> list[Any]:
        items: list[Any] = []
        while not isinstance(event := next(events), yaml.SequenceEndEvent):
            items.append(self._value(events, event, (*path, len(items))))
        return items

    def _mapping(self, events: Iterator[yaml.Event], path: Path) -> dict[str, Any]:
        members: dict[str, Any] = {}
        while not isinstance(event := next(events), yaml.MappingEndEvent):
            key = self._key(events, event, path)
            below = (*path, "?" if key is None else key)
            if key is not None and key in members:
                first = self.keys[below].line
                self._fault(event, below, f"Key {key[:40]!r} is already given on line {first}.")
            self.keys.setdefault(below, _place(event))
            value = self._value(events, next(events), below)
            if key is not None:
                members.setdefault(key, value)
        return members

    def _key(self, events: Iterator[yaml.Event], event: yaml.Event, path: Path) -> str | None:
        if not isinstance(event, yaml.ScalarEvent):
            self._value(events, event, (*path, "?"))
            self._fault(event, path, "A key must be text, not a list, mapping or alias.")
            return None
        self._refuse_decoration(event, path)
        if event.value == "<<" and event.style is None:
            self._fault(event, path, "Merge key << is not allowed; repeat the values instead.")
            return None
        key = self._scalar(event, path)
        if not isinstance(key, str):
            self._fault(event, path, f"Key {key} must be text; put it in quotes.")
            return None
        return key

    def _scalar(self, event: yaml.ScalarEvent, path: Path) -> str | int | float | bool | None:
        text: str = event.value
        if event.style is not None:
            return self._text(event, text, path)
        if text in _NULL:
            return None
        if text in _BOOLS:
            return _BOOLS[text]
        if _INT.fullmatch(text):
            return int(text, 0) if text[:2] in {"0o", "0x"} else int(text)
        if _FLOAT.fullmatch(text):
            number = float(text)
            if math.isfinite(number):
                return number
            self._fault(event, path, f"Number {text[:40]} is too large; put text in quotes.")
        return text

    def _text(self, event: yaml.ScalarEvent, text: str, path: Path) -> str:
        """Join surrogate pairs, which JSON writes as two escapes; a lone half is a fault."""
        try:
            return text.encode("utf-16", "surrogatepass").decode("utf-16")
        except UnicodeDecodeError:
            self._fault(
                event, path, "The text contains half a surrogate pair; write the character."
            )
            return text.encode("ascii", "replace").decode()


def _place(event: yaml.Event) -> Place:
    mark = event.start_mark
    # Events of a text always have a mark; only ones made by hand may lack it.
    return Place(mark.line + 1, mark.column + 1) if mark else Place(1, 1)
