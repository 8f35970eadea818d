"""What a filter must find, in plain Python over what was put in."""

import json
from collections.abc import Callable
from typing import Any

from service.store.cases import Order
from service.store.records import Filter
from tests.records.population import Made

# Paths and what they ask, over a description as Python reads it.
PATHS: dict[str, Callable[[dict[str, Any]], bool]] = {
    "$.findings[*] ? (@.severity >= 3 && @.confidence > 0.5)": lambda said: any(
        one["severity"] >= 3 and one["confidence"] > 0.5 for one in said["findings"]
    ),
    '$.findings[*] ? (@.rule == "rule-0-0" && @.edit == "blur")': lambda said: any(
        one["rule"] == "rule-0-0" and one["edit"] == "blur" for one in said["findings"]
    ),
    '$.findings[*].rule ? (@ starts with "rule-1")': lambda said: any(
        one["rule"].startswith("rule-1") for one in said["findings"]
    ),
    "$.findings[*].severity == 4": lambda said: any(
        one["severity"] == 4 for one in said["findings"]
    ),
    "exists($.findings[*] ? (@.box_2d[0] > 450))": lambda said: any(
        one["box_2d"][0] > 450 for one in said["findings"]
    ),
    '$.summary ? (@ like_regex "^ba.*ce$")': lambda said: (
        said["summary"].startswith("ba") and said["summary"].endswith("ce")
    ),
    "$.not_assessed[*]": lambda _: False,
    "strict $.nothing": lambda _: False,
    "$.findings.size() > 2": lambda said: len(said["findings"]) > 2,
    "$": lambda _: True,
    "$.summary > 3": lambda _: False,
}


# A field that is not here is that attribute of the upload.
_FITS: dict[str, Callable[[Made, Filter, Any], bool]] = {
    "decision": lambda one, _, value: one.decision == (None if value == "none" else value),
    "rule": lambda one, wanted, value: one.worst.get(value, 0) >= (wanted.min_severity or 1),
    "min_severity": lambda one, wanted, value: wanted.rule is not None or one.severity >= value,
    "category": lambda one, _, value: value in one.categories,
    "text": lambda one, _, value: _says(one.words, value),
    "where": lambda one, _, value: (
        one.state == "done" and PATHS[value](json.loads(one.description))
    ),
    "received_from": lambda one, _, value: one.received_at >= value,
    "received_to": lambda one, _, value: one.received_at < value,
    "sha256": lambda one, _, value: one.sha256.hex() == value,
}


def fits(one: Made, wanted: Filter) -> bool:
    """Tell whether an upload fits every filter given."""
    return all(
        _FITS[name](one, wanted, value) if name in _FITS else getattr(one, name) == value
        for name, value in wanted.model_dump(exclude_none=True).items()
    )


def _says(words: list[str], asked: str) -> bool:
    """Read what is asked as the search does: all of it, or one of several; -not; "a phrase"."""
    return any(all(_has(words, part) for part in _parts(either)) for either in asked.split(" or "))


def _parts(asked: str) -> list[str]:
    parts: list[str] = []
    for number, piece in enumerate(asked.split('"')):
        parts += [piece] if number % 2 else piece.split()
    return parts


def _has(words: list[str], part: str) -> bool:
    if part.startswith("-"):
        return part[1:] not in words
    phrase = part.split()
    return any(words[at : at + len(phrase)] == phrase for at in range(len(words)))


def found(made: list[Made], wanted: Filter, order: Order) -> list[Made]:
    """List what must be found, in its order."""
    chosen = [one for one in made if fits(one, wanted)]
    if order == "severity":
        return sorted(chosen, key=lambda one: (-one.severity, one.received_at, one.id))
    return sorted(chosen, key=lambda one: (one.received_at, one.id), reverse=order == "newest")
