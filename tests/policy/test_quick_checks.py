"""The quick validator in front of the judge accepts nothing that the judge would refuse."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from service.policy import descriptions, rulesets
from service.policy.descriptions import Checker, DescriptionInvalid
from service.policy.strict_json import JsonRefused, loads
from tests.policy import variants
from tests.policy.documents import make_description, make_ruleset

_SHIPPED = sorted((Path(__file__).parents[2] / "rulesets").glob("*.yaml"))
_OFTEN = pytest.param(2500, marks=pytest.mark.slow)


def _schemas() -> list[dict[str, Any]]:
    """Give the schemas of the rulesets that come with the code, and of one rule, as stored."""
    found = [rulesets.parse(path.read_bytes()) for path in _SHIPPED] + [make_ruleset(face="hold")]
    return [json.loads(json.dumps(descriptions.schema(one))) for one in found]


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
    Whatever a document is made of, the checker accepts it if and only if jsonschema does.

    The quick validator agrees with jsonschema about all that JSON can say; it accepts nothing of
    the rest, such as NaN and lone surrogates, that jsonschema refuses.
    """
    said = Counter[tuple[bool, bool]]()
    assert len(_schemas()) >= 4
    for seed, schema in enumerate(_schemas()):
        judge, checker = Draft202012Validator(schema), Checker(schema)
        ids = schema["properties"]["not_assessed"]["items"]["enum"]
        for document in variants.documents(ids, number, seed):
            fits = judge.is_valid(document)
            assert _refused_by(checker, document) is not fits, document
            at_once = checker._accepts_at_once(document)
            assert fits or not at_once, document
            if _is_json(document):
                assert at_once is fits, document
                said[True, fits] += 1
            else:
                said[False, fits] += 1
    # Neither may be shown by documents that are all of one kind.
    least = said.total() // 20
    assert min(said[True, True], said[True, False], said[False, False]) >= least, said
    assert said[False, True], said


@pytest.mark.parametrize(
    "text",
    [
        '{"severity": 9, "severity": 1}',
        '{"severity": 1e400}',
        '{"severity": 1E0}',
        '{"severity": -0}',
        '{"severity": 1.0000000000000000000001}',
        '{"confidence": 1.00000000000000000000001}',
        '{"confidence": -1e-400}',
        '{"confidence": NaN}',
        '{"rule": "\\ud83d"}',
        '{"rationale": "\\ud83d\\ude00"}',
        '{"rationale": "\\u0000"}',
    ],
)
def test_what_a_lenient_reader_makes_of_a_text_is_judged_alike(text: str) -> None:
    """Python's reader takes more than JSON; of what it makes both say the same, or the judge."""
    schema = _schemas()[0]
    judge, checker = Draft202012Validator(schema), Checker(schema)
    finding = {"rule": schema["properties"]["not_assessed"]["items"]["enum"][0]}
    whole = make_description(finding["rule"])
    whole["findings"][0] |= json.loads(text)
    assert _refused_by(checker, whole) is not judge.is_valid(whole)


def test_only_our_own_schemas_are_checked_quickly() -> None:
    """Each version's schema has the quick validator, and one that differs in anything has not."""
    for schema in _schemas():
        rule = schema["properties"]["not_assessed"]["items"]["enum"][0]
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
