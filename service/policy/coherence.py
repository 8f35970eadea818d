"""What the parts of a ruleset must be to each other, judged of the plain document."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from service.policy import verdicts
from service.policy.faults import shown
from service.policy.yaml_nodes import Path

_Told = Iterator[tuple[Path, str]]


def faults(document: Any) -> _Told:
    """
    Tell, by path and sentence, where parts of a ruleset contradict each other.

    The document may be wrong in any other way as well: what has not the right type is passed over
    here, so that all faults of a file can be told at once.
    """
    rules = mappings(document, "rules")
    for index, first in _repeated(text(rule, "id") for rule in rules):
        name = shown(rules[index]["id"])
        yield ("rules", index, "id"), f"Id {name} is already the id of rules[{first}]."
    if rules and all(rule.get("enabled") is False for rule in rules):
        yield ("rules",), "No rule is on, so nothing could ever be found; leave one on."
    terms = mappings(document, "definitions")
    for index, first in _repeated(text(one, "term").casefold() for one in terms):
        message = f"Term {shown(terms[index]['term'])} is already defined by definitions[{first}]."
        yield ("definitions", index, "term"), message
    yield from _examples(mappings(document, "examples"), rules)


def mappings(value: Any, key: str) -> list[Mapping[str, Any]]:
    """List what stands under a key, an empty mapping for each entry that is none."""
    return [one if isinstance(one, Mapping) else {} for one in items(value, key)]


def items(value: Any, key: str) -> list[Any]:
    """List what stands under a key, nothing where that is no list."""
    held = value.get(key) if isinstance(value, Mapping) else None
    return held if isinstance(held, list) else []


def text(value: Mapping[str, Any], key: str) -> str:
    """Give the text under a key, an empty one where that is no text."""
    held = value.get(key)
    return held.strip() if isinstance(held, str) else ""


def _repeated(values: Iterable[str]) -> Iterator[tuple[int, int]]:
    """Yield where a text stands that was there before, and where it stood first."""
    seen: dict[str, int] = {}
    for index, value in enumerate(values):
        if value and seen.setdefault(value, index) != index:
            yield index, seen[value]


def _examples(examples: list[Mapping[str, Any]], rules: list[Mapping[str, Any]]) -> _Told:
    for index, first in _repeated(text(one, "image") for one in examples):
        message = f"Image {shown(examples[index]['image'])} is already that of examples[{first}]."
        yield ("examples", index, "image"), message
    on = {text(one, "id"): text(one, "verdict") for one in rules if one.get("enabled") is not False}
    off = {text(one, "id") for one in rules} - on.keys()
    allowed = shown([name for name in on if name], 400)
    for index, example in enumerate(examples):
        expected = [name if isinstance(name, str) else "" for name in items(example, "rules")]
        for at, message in _unexpected(expected, on, off, allowed):
            yield ("examples", index, "rules", at), message
        if "rules" not in example or isinstance(example["rules"], list):
            found = [on.get(name, "") for name in expected]
            yield from _outcome(("examples", index, "outcome"), text(example, "outcome"), found)


def _unexpected(
    names: list[str], on: Mapping[str, str], off: set[str], allowed: str
) -> Iterator[tuple[int, str]]:
    """Yield where an example expects what cannot be found, and why."""
    for index, first in _repeated(names):
        yield index, f"Rule {shown(names[index])} is expected by rules[{first}] already."
    for index, name in enumerate(names):
        if name and name not in on:
            why = "is off, so it is never found" if name in off else "is not in this ruleset"
            yield index, f"Rule {shown(name)} {why}; allowed are {allowed}."


def _outcome(path: Path, told: str, found: list[str]) -> _Told:
    """Compare the outcome with what the expected rules lead to, where each is known."""
    known = [verdict for verdict in verdicts.VERDICTS if verdict in found]
    if told not in verdicts.OUTCOMES or not set(found) <= set(known):
        return
    led_to = verdicts.outcome(known)
    # Where nothing worse is found, what could not be judged decides, as in descriptions.judge.
    allowed = ("clean", "not_assessed") if led_to == "clean" else (led_to,)
    if told not in allowed:
        rules = f"rules of verdict {' and '.join(known)}" if known else "no rule"
        fitting = " and ".join(allowed)
        yield path, f"Outcome {told!r} does not follow from {rules}; allowed are {fitting}."
