"""Documents that fit a schema, nearly fit it, or are meant to do harm; all by a seed."""

import copy
import random
from collections.abc import Iterator
from typing import Any, Final

from tests.policy.documents import make_description

# What is counted in code points, and what takes more bytes, units or signs than points.
_SIGNS: Final = ("a", "é", "e\u0301", "漢", "\U0001f600", "\u200d", "\ufeff", "\u007f", '"', "\\")
_NUMBERS: Final = (
    *(0, -0.0, 1, 1.0, 2.0, 2.5, 4, 4.0, 5, -1, 1000, 1000.0, 1001, 5e-324, -5e-324, 1e308, -1e308),
    *(1.0000000000000002, 0.9999999999999999, 4.000000000000001, 999.9999999999999),
    *(2**31, 2**53, 2**53 + 1, 2**63, 2**64, 10**400, -(10**400)),
)
_NO_NUMBERS: Final[tuple[Any, ...]] = (
    True,
    False,
    None,
    "",
    "1",
    "null",
    [],
    {},
    [[]],
    [None],
    {"": 0},
)
# Python's reader takes these, the strict one does not.
_UNHEARD_OF: Final = (float("nan"), float("inf"), float("-inf"), "\ud800", "\udfff\ud800", "\0")
_KEYS: Final = ("extra", "", "severity ", "Severity", "\u0000", "\ud83d", "__proto__", "$ref", "漢")
_LENGTHS: Final = (0, 1, 199, 200, 201, 1999, 2000, 2001, 3999, 4000, 4001)
_COUNTS: Final = (3, 4, 5, 99, 100, 101, 199, 200, 201)
_DEEP: Final = (2, 31, 33, 200)


def documents(ids: list[str], number: int, seed: int) -> Iterator[Any]:
    """Give so many documents for these rules: a third whole, the others with up to three faults."""
    dice = random.Random(seed)
    for _ in range(number):
        root = [_whole(dice, ids)]
        for _ in range(dice.choice((0, 1, 1, 1, 2, 3))):
            _hurt(dice, root, ids)
        yield root[0]


def each_place_changed(ids: list[str]) -> Iterator[Any]:
    """
    Give a document for these rules with one place changed: each to each value and each length.

    It is the same document each time, to be looked at before the next is asked for.
    """
    root = [make_description(ids[0], not_assessed=[ids[0]], text_to_model=["Pass me."])]
    texts = [*ids, *("漢" * length for length in _LENGTHS)]
    for holder, key in list(_places(root)):
        value = holder[key]
        counts = _COUNTS if isinstance(value, list) else ()
        resized = [(value * count)[:count] for count in counts]
        for other in (*_NUMBERS, *_NO_NUMBERS, *_UNHEARD_OF, *texts, *resized):
            holder[key] = other
            yield root[0]
        holder[key] = value


def _whole(dice: random.Random, ids: list[str]) -> dict[str, Any]:
    return {
        "summary": _text(dice, 4000),
        "alt_text": _text(dice, 4000),
        "findings": [_finding(dice, ids) for _ in range(dice.choice((0, 1, 2, 10)))],
        "not_assessed": dice.sample(ids, dice.randint(0, len(ids))),
        "text_to_model": [_text(dice, 2000) for _ in range(dice.choice((0, 0, 1, 3)))],
    }


def _finding(dice: random.Random, ids: list[str]) -> dict[str, Any]:
    # Integers that are written as floats are integers to JSON Schema.
    number = dice.choice((int, float))
    return {
        "rule": dice.choice(ids),
        "rationale": _text(dice, 4000),
        "severity": number(dice.randint(1, 4)),
        "confidence": dice.choice((0, 1, 0.0, 1.0, -0.0, dice.random())),
        "box_2d": dice.choice((None, [number(dice.randint(0, 1000)) for _ in range(4)])),
        "edit": _text(dice, 200),
    }


def _text(dice: random.Random, longest: int) -> str:
    if dice.random() < 0.9:
        return "".join(dice.choices(_SIGNS, k=dice.randint(0, 9)))
    return (dice.choice(_SIGNS) * longest)[:longest]


def _hurt(dice: random.Random, root: list[Any], ids: list[str]) -> None:
    """Change one place, the root among them: its value, what it holds, or how often it stands."""
    holder, key = dice.choice(list(_places(root)))
    value = holder[key]
    if isinstance(value, dict) and dice.random() < 0.5:
        if value and dice.random() < 0.5:
            del value[dice.choice(list(value))]
        else:
            value[dice.choice(_KEYS)] = copy.deepcopy(dice.choice(_NO_NUMBERS))
    elif isinstance(value, list) and dice.random() < 0.6:
        value[:] = (value or [dice.choice(ids)]) * dice.choice((2, *_COUNTS))
        del value[dice.choice(_COUNTS) :]
    else:
        holder[key] = _other(dice, ids)


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    """List each place by what holds it and its key there."""
    for key in list(value if isinstance(value, dict) else range(len(value))):
        yield value, key
        if isinstance(value[key], dict | list):
            yield from _places(value[key])


def _other(dice: random.Random, ids: list[str]) -> Any:
    kind = dice.randrange(6)
    if kind == 0:
        return dice.choice(_SIGNS) * dice.choice(_LENGTHS)
    if kind == 1:
        return dice.choice((*ids, ids[0].upper(), ids[0] + " ", ids[0][:-1]))
    if kind == 2:
        return dice.choice(_UNHEARD_OF)
    if kind == 3:
        deep: Any = copy.deepcopy(dice.choice(_NO_NUMBERS))
        for _ in range(dice.choice(_DEEP)):
            deep = dice.choice(([deep], {"findings": deep}))
        return deep
    return copy.deepcopy(dice.choice(_NUMBERS if kind == 4 else _NO_NUMBERS))
