"""Strict YAML: no tricks, bounded, and every fault with its line and column."""

import time

import pytest

from service.policy import yaml_nodes
from service.policy.yaml_nodes import MAX_BYTES, MAX_DEPTH, Place


@pytest.mark.parametrize(
    ("source", "line", "column", "said"),
    [
        ("a: &x 1", 1, 4, "Anchor &x"),
        ("a: 1\nb: *x", 2, 4, "Alias *x"),
        ("a: 1\n<<: {b: 1}", 2, 1, "Merge key <<"),
        ("a: !!python/object:os.system x", 1, 4, "Tag !!python/object:os.system"),
        ("a: ! x", 1, 4, "Tag !"),
        ("!x a: 1", 1, 1, "Tag !x"),
        ("&k a: 1", 1, 1, "Anchor &k"),
        ("%TAG ! tag:x,2000:\n---\na: 1", 1, 1, "%TAG"),
        ("a: 1\nb: 2\na: 3", 3, 1, "Key 'a' is already given on line 1"),
        ("a:\n  b: 1\n  'b': 2", 3, 3, "Key 'b' is already given on line 2"),
        ("a: 1\n2: b", 2, 1, "Key 2 must be text"),
        ("? [a]\n: b", 1, 3, "A key must be text"),
        ("a: 1\n---\nb: 1", 2, 1, "second document"),
        ("a: 1\n\tb: 2", 2, 1, "This is not YAML"),
        ("a: [1\nb: 2", 2, 2, "This is not YAML"),
        ("", 1, 1, "empty"),
        ("# only a comment\n", 1, 1, "empty"),
        ("a: 1\nb: x\x07y", 2, 5, "U+0007"),
        ("a: 1\nb: x\x00y", 2, 5, "U+0000"),
        ("a: 1\nb: \ud800", 2, 4, "not UTF-8"),
        ('a: "x\\udc00"', 1, 4, "surrogate"),
        ("a: 1e999", 1, 4, "too large"),
        (b"a: 1\nb: \xff", 2, 4, "0xff is not UTF-8"),
        ("a: 1".encode("utf-16"), 1, 1, "not UTF-8"),
        ("x" * (MAX_BYTES + 1), 1, 1, "at most"),
    ],
)
def test_fault(source: str | bytes, line: int, column: int, said: str) -> None:
    """What is not plain YAML is refused once, where it stands."""
    document = yaml_nodes.read(source)
    assert [fault.place for fault in document.faults] == [Place(line, column)]
    assert said in document.faults[0].message


@pytest.mark.parametrize(
    ("text", "value"),
    [
        *(("true", True), ("False", False), ("null", None), ("~", None), ("", None)),
        *(("12", 12), ("-3", -3), ("014", 14), ("0o14", 12), ("0xff", 255), ("1.5", 1.5)),
        *((".5", 0.5), ("1e3", 1000.0), ("yes", "yes"), ("no", "no"), ("on", "on"), ("off", "off")),
        *(("1_000", "1_000"), ("1:30", "1:30"), ("2026-11-22", "2026-11-22"), ("'12'", "12")),
        *(("9" * 30, float("9" * 30)), (".nan", ".nan"), ("<<", "<<"), ('"\\ud83d\\ude00"', "😀")),
    ],
)
def test_scalars_follow_yaml_1_2(text: str, value: object) -> None:
    """Country codes, dates and times stay what the author wrote; types are exact."""
    document = yaml_nodes.read(f"a: {text}")
    assert document.faults == ()
    assert document.value == {"a": value}
    assert type(document.value["a"]) is type(value)


def test_depth_is_limited() -> None:
    """Thirty-two levels are read and the thirty-third ends the reading at its bracket."""
    assert yaml_nodes.read("[" * MAX_DEPTH + "]" * MAX_DEPTH).faults == ()
    deeper = yaml_nodes.read("[" * (MAX_DEPTH + 1) + "]" * (MAX_DEPTH + 1))
    assert not deeper.whole
    assert deeper.faults[0].place == Place(1, MAX_DEPTH + 1)


@pytest.mark.parametrize(
    ("start", "piece"),
    [
        *(("", "["), ("", "{"), ("", "? "), ("", "- "), ("", "[a,"), ("", "- a\n"), ("{", "a,")),
        *(("a: |\n", " x\n"), ("a: ", "x "), ("a:\n", " x\n"), ('a: "', "\\x41"), ("", "!")),
        *(("", "%a\n"), ("", "# x\n"), ("", "\n"), ("", "a:")),
    ],
)
def test_time_is_bounded(start: str, piece: str) -> None:
    """
    No text up to the limit takes long, whatever its shape.

    Composing ``[[[[…`` whole takes minutes, so a generous bound in CPU time tells them apart.
    """
    source = start + piece * ((MAX_BYTES - len(start)) // len(piece))
    started = time.process_time()
    yaml_nodes.read(source)
    assert time.process_time() - started < 5


def test_places_of_values_and_keys() -> None:
    """Values and keys are found where an editor shows them."""
    document = yaml_nodes.read("a:\n  - b: 1\n    ü: [x, y]\n")
    assert document.value == {"a": [{"b": 1, "ü": ["x", "y"]}]}
    assert document.places["a", 0, "ü", 1] == Place(3, 12)
    assert document.keys["a", 0, "ü"] == Place(3, 5)
