"""JSON from outside: every document that Python, Postgres and people could read differently."""

import json
import time

import pytest

from service.policy import descriptions, strict_json
from service.policy.descriptions import DescriptionInvalid

NEST = strict_json.MAX_DEPTH - 1


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (r'{"a": "x\u0000y"}', "NUL"),
        (r'{"a\u0000": 1}', "NUL"),
        (r'{"a": [{"b": "\u0000"}]}', "NUL"),
        ('{"a": "x\x00y"}', "not JSON"),
        (r'{"a": "\ud800"}', "surrogate"),
        (r'{"\udc00": 1}', "surrogate"),
        (r'{"a": "\ude00\ud83d"}', "surrogate"),
        ('{"a": "\ud800"}', "not UTF-8"),
        ('{"verdict": "block", "verdict": "allow"}', "'verdict' is given twice"),
        (r'{"a": [{"b": 1, "\u0062": 2}]}', "'b' is given twice"),
        ('{"a": NaN}', "NaN"),
        ('{"a": Infinity}', "Infinity"),
        ('{"a": -Infinity}', "-Infinity"),
        ('{"a": 1e400}', "beyond 2^53-1"),
        ('{"a": -1e400}', "beyond 2^53-1"),
        ('{"a": 9007199254740992}', "beyond 2^53-1"),
        ('{"a": -9007199254740992}', "beyond 2^53-1"),
        ('{"a": 9007199254740993.0}', "beyond 2^53-1"),
        ('{"a": ' + "9" * 5000 + "}", "beyond 2^53-1"),
        ('{"a": 0.' + "1" * 5000 + "}", "characters"),
        ('{"a": ' + "[" * (NEST + 1) + "]" * (NEST + 1) + "}", "deeper than 32"),
        ('{"a":' * 50_000, "deeper than"),
        ('{"a": 1}'.encode("utf-16"), "not UTF-8"),
        ('{"a": 1}'.encode("utf-16-le"), "not JSON"),
        ('{"a": 1}'.encode("utf-32"), "not UTF-8"),
        (b"\xef\xbb\xbf" + b'{"a": 1}', "byte-order mark"),
        ("\ufeff" + '{"a": 1}', "byte-order mark"),
        (b'{"a": "\xff"}', "not UTF-8"),
        ('{"a": "' + "x" * strict_json.MAX_BYTES + '"}', "at most"),
        ('{"a": "' + "€" * 100_000 + '"}', "at most"),
        ('[{"a": 1}]', "list, not an object"),
        ('"{}"', "str, not an object"),
        ("12", "int, not an object"),
        ("null", "NoneType, not an object"),
        ("", "not JSON"),
        ("I cannot help with that.", "not JSON"),
        ('{"a": 1,}', "not JSON"),
        ("{'a': 1}", "not JSON"),
        ('{"a": 1', "not JSON"),
        ('Here: {"a": "}', "not JSON"),
        ('Here: {"a": 1, "a": 2}', "'a' is given twice"),
        ('```json\n{"a": NaN}\n```', "NaN"),
        (r'Here: {"a": "\u0000"}', "NUL"),
        ("Here: {not json}", "not JSON"),
    ],
)
def test_refused(text: str | bytes, said: str) -> None:
    """What two readers could understand differently is refused with a short reason."""
    with pytest.raises(DescriptionInvalid) as caught:
        descriptions.parse(text)
    assert said in str(caught.value)
    assert len(str(caught.value)) <= descriptions.MAX_REASON_CHARACTERS
    assert caught.value.code == "invalid_description"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{}", {}),
        (b' \n{"a": "\\u20ac \\ud83d\\ude00"}\t', {"a": "€ 😀"}),
        ('{"a": 9007199254740991, "b": -9007199254740991}', {"a": 2**53 - 1, "b": 1 - 2**53}),
        ('{"a": 0.25, "b": true, "c": null, "d": []}', {"a": 0.25, "b": True, "c": None, "d": []}),
        ('{"a": "[[[[{{{{\\"[[["}', {"a": '[[[[{{{{"[[['}),
        ('{"a": {"x": 1}, "b": {"x": 1}}', {"a": {"x": 1}, "b": {"x": 1}}),
    ],
)
def test_read(text: str | bytes, expected: object) -> None:
    """Plain JSON is read as it is, without the lenient step."""
    assert descriptions.parse(text) == (expected, False)


def test_deepest_legal_nesting() -> None:
    """Thirty-two levels are read."""
    document, _lenient = descriptions.parse('{"a": ' + "[" * NEST + "]" * NEST + "}")
    assert list(document) == ["a"]


def test_integral_numbers_become_integers() -> None:
    """``2.0`` is the integer 2, as JSON Schema says, so boxes can be used as pixels."""
    document, _lenient = descriptions.parse('{"a": 2.0, "b": 5e2, "c": 0.5}')
    assert [type(value) for value in document.values()] == [int, int, float]


@pytest.mark.parametrize(
    "text",
    [
        '```json\n{"a": "}{"}\n```',
        '```\n{"a": "}{"}\n```',
        '```json {"a": "}{"} ```',
        'Here is the description:\n\n{"a": "}{"}',
        'He said "hm.\n{"a": "}{"} Let me know.',
        'It fits {the schema}:\n```json\r\n{"a": "}{"}\r\n```\r\nDone {really}.',
        '{"a": "}{"} and that is all.',
    ],
)
def test_lenient_step_is_told(text: str) -> None:
    """One fence or prose around the object is stripped, and the caller hears of it."""
    assert descriptions.parse(text) == ({"a": "}{"}, True)


@pytest.mark.parametrize(
    "text",
    [
        '"' + '\\"' * 120_000,
        "x" + '{"' * 120_000,
        "{" + ",".join(f'"{number}":0' for number in range(20_000)) + ',"1":0}',
        "```\n" * 60_000,
        " " * 250_000,
        '{"a": "' + "\\" * 250_001,
    ],
    ids=lambda text: repr(text[:8]),
)
def test_time_is_bounded(text: str) -> None:
    """No text below the limit takes quadratic time; a generous bound tells the two apart."""
    started = time.process_time()
    with pytest.raises(DescriptionInvalid):
        descriptions.parse(text)
    assert time.process_time() - started < 5


def test_reasons_can_be_stored() -> None:
    """A refusal never quotes what Postgres could not store."""
    key = json.dumps("\ud800\x00")
    with pytest.raises(DescriptionInvalid) as caught:
        descriptions.parse(f"{{{key}: 1, {key}: 2}}")
    assert str(caught.value).isascii()
    assert "\x00" not in str(caught.value)
