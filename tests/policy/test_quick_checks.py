"""The quick check in front of the judge says of every document what the judge says."""

import json
from collections import Counter
from pathlib import Path
from typing import Any, NoReturn

import pytest
from jsonschema import Draft202012Validator

from service.policy import descriptions, rulesets
from service.policy.descriptions import Checker, DescriptionInvalid
from service.policy.strict_json import JsonRefused, loads
from tests.policy import variants
from tests.policy.documents import make_description, make_ruleset

_SHIPPED = sorted((Path(__file__).parents[2] / "rulesets").glob("*.yaml"))
_OFTEN = pytest.param(2500, marks=pytest.mark.slow)


class _ShortOfMemory(dict[str, Any]):
    """A document that cannot be looked through, for there is no memory left."""

    def keys(self) -> NoReturn:
        raise MemoryError


def _schemas() -> list[dict[str, Any]]:
    """Give the schemas of the rulesets that come with the code, and of one rule, as stored."""
    found = [rulesets.parse(path.read_bytes()) for path in _SHIPPED] + [make_ruleset(face="hold")]
    return [json.loads(json.dumps(descriptions.schema(one))) for one in found]


def _ids(schema: dict[str, Any]) -> list[str]:
    ids: list[str] = schema["properties"]["not_assessed"]["items"]["enum"]
    return ids


def _is_json(document: Any) -> bool:
    """Tell whether a description could be this document: the strict reader would let it in."""
    try:
        return bool(loads(json.dumps(document)) == document)
    except (JsonRefused, ValueError):
        return False


def _refused_by(checker: Checker, document: Any) -> bool:
    try:
        checker.check(document)
    except DescriptionInvalid as error:
        # A box without area fits the schema; that is looked at by neither of the two.
        return "has no area" not in error.reasons[0]
    return False


@pytest.mark.parametrize("number", [250, _OFTEN])
def test_both_say_the_same(number: int) -> None:
    """
    Whatever a document is made of, the quick check accepts it if and only if jsonschema does.

    So it is with all that Python's reader makes of a text, such as NaN and lone surrogates, which
    the strict one does not let in.
    """
    said = Counter[tuple[bool, bool]]()
    assert len(_schemas()) >= 4
    for seed, schema in enumerate(_schemas()):
        judge, checker = Draft202012Validator(schema), Checker(schema)
        for document in variants.documents(_ids(schema), number, seed):
            fits = judge.is_valid(document)
            assert checker._accepts_at_once(document) is fits, document
            assert _refused_by(checker, document) is not fits, document
            said[_is_json(document), fits] += 1
    # Neither may be shown by documents that are all of one kind.
    least = said.total() // 20
    assert min(said[True, True], said[True, False], said[False, False]) >= least, said
    assert said[False, True], said


def test_both_say_the_same_of_each_place() -> None:
    """No place takes a value or a length for one of the two that it does not take for the other."""
    said = Counter[bool]()
    for schema in _schemas():
        judge, checker = Draft202012Validator(schema), Checker(schema)
        for document in variants.each_place_changed(_ids(schema)):
            fits = judge.is_valid(document)
            assert checker._accepts_at_once(document) is fits, document
            said[fits] += 1
    assert min(said.values()) >= said.total() // 20, said


@pytest.mark.parametrize(
    "text",
    [
        '{"severity": 9, "severity": 1}',
        '{"severity": 1e400}',
        '{"severity": 1E0}',
        '{"severity": -0}',
        '{"severity": 1.0000000000000000000001}',
        '{"severity": true}',
        '{"confidence": 1.00000000000000000000001}',
        '{"confidence": -1e-400}',
        '{"confidence": NaN}',
        '{"confidence": false}',
        '{"rule": "\\ud83d"}',
        '{"rule": 0}',
        '{"rule": []}',
        '{"rationale": "\\ud83d\\ude00"}',
        '{"rationale": "\\u0000"}',
        '{"box_2d": [0, 0.0, 1, true]}',
        '{"box_2d": [0, 0, 1, NaN]}',
    ],
)
def test_what_a_lenient_reader_makes_of_a_text_is_judged_alike(text: str) -> None:
    """Python's reader takes more than JSON; of what it makes both say the same."""
    schema = _schemas()[0]
    judge, checker = Draft202012Validator(schema), Checker(schema)
    whole = make_description(_ids(schema)[0])
    whole["findings"][0] |= json.loads(text)
    assert checker._accepts_at_once(whole) is judge.is_valid(whole)
    assert _refused_by(checker, whole) is not judge.is_valid(whole)


def test_what_nests_too_deep_for_the_quick_check_is_judged() -> None:
    """What is wrong with a value that nests deeper than the quick check goes is still said."""
    deep: list[Any] = []
    for _ in range(600):
        deep = [deep]
    with pytest.raises(DescriptionInvalid, match=r"not_assessed\[0\]: .* not one of"):
        Checker(_schemas()[0]).check(make_description(not_assessed=[deep]))


def test_want_of_memory_is_no_verdict() -> None:
    """A MemoryError of the quick check is told as what it is, and hands nothing to the judge."""
    with pytest.raises(MemoryError):
        Checker(_schemas()[0]).check(_ShortOfMemory(make_description()))


def test_only_our_own_schemas_are_checked_quickly() -> None:
    """Each version's schema has the quick check, and one that differs in anything has not."""
    for schema in _schemas():
        rule = _ids(schema)[0]
        assert Checker(schema)._accepts_at_once(make_description(rule))
        others: list[dict[str, Any]] = [
            {},
            {"$ref": "#"},
            {"properties": None},
            schema | {"required": []},
            schema | {"properties": schema["properties"] | {"summary": {"pattern": "^x"}}},
        ]
        for other in others:
            assert not Checker(other)._accepts_at_once(make_description(rule))


@pytest.mark.parametrize("rule", ["'", '"', '\\"', "{rule}", '"""\n', "\ud800", "'+exit(1)+'"])
def test_ids_are_no_part_of_the_code_that_is_generated(rule: str) -> None:
    """No ruleset has such an id; in a schema that had, it would be a text like any other."""
    schema = json.loads(json.dumps(_schemas()[-1]).replace('["face"]', json.dumps([rule])))
    checker = Checker(schema)
    assert checker._accepts_at_once(make_description(rule, not_assessed=[rule]))
    for other in ("face", repr(rule), rule + " "):
        assert not checker._accepts_at_once(make_description(other))


def test_ids_that_are_no_texts_are_judged_by_jsonschema_alone() -> None:
    """To Python a schema that asks for 1 equals one that asks for true; they accept no same."""
    text = json.dumps(_schemas()[-1])
    ones, true = (json.loads(text.replace('["face"]', ids)) for ids in ("[1]", "[true]"))
    assert ones == true
    for schema, own in ((ones, 1), (true, True)):
        checker, other = Checker(schema), 1 if own is True else True
        checker.check(make_description(not_assessed=[own]))
        assert not checker._accepts_at_once(make_description(not_assessed=[own]))
        with pytest.raises(DescriptionInvalid, match="is not one of"):
            checker.check(make_description(not_assessed=[other]))
