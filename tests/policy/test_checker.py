"""The schema of a version and its judge, against documents written by hand."""

import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from service.policy import descriptions
from service.policy.descriptions import (
    MAX_REASON_CHARACTERS,
    MAX_REASONS,
    Checker,
    DescriptionInvalid,
)
from tests.policy.documents import make_description, make_finding, make_ruleset

RULESET = make_ruleset(face="allow_edited", plate="block")
CHECKER = Checker(descriptions.schema(RULESET))


def without(document: dict[str, Any], key: str) -> dict[str, Any]:
    return {name: value for name, value in document.items() if name != key}


def found(**changed: Any) -> dict[str, Any]:
    return make_description(findings=[make_finding("face", **changed)])


def test_a_rule_that_is_off_is_no_rule_of_the_schema() -> None:
    """An answer can neither find what is off nor say that it was not assessed."""
    rules = [rule.model_copy(update={"enabled": rule.id == "face"}) for rule in RULESET.rules]
    checker = Checker(descriptions.schema(RULESET.model_copy(update={"rules": rules})))
    checker.check(make_description("face", not_assessed=["face"]))
    for description in (make_description("plate"), make_description(not_assessed=["plate"])):
        with pytest.raises(DescriptionInvalid, match="'plate' is not one of \\['face'\\]"):
            checker.check(description)


def test_schema_is_a_schema() -> None:
    """The generated schema is valid draft 2020-12, closed everywhere and without references."""
    schema = descriptions.schema(RULESET)
    Draft202012Validator.check_schema(schema)
    finding = schema["properties"]["findings"]["items"]
    assert [part["additionalProperties"] for part in (schema, finding)] == [False, False]
    assert [part["required"] == list(part["properties"]) for part in (schema, finding)] == [
        True
    ] * 2
    assert "$ref" not in str(schema)
    assert "pattern" not in str(schema)


def test_rationale_comes_before_severity() -> None:
    """A model writes keys in the order of the schema, and it has to reason before it rates."""
    finding = descriptions.schema(RULESET)["properties"]["findings"]["items"]
    names = ["rule", "rationale", "severity", "confidence", "box_2d", "edit"]
    assert list(finding["properties"]) == names
    assert finding["properties"]["rule"]["enum"] == ["face", "plate"]


@pytest.mark.parametrize(
    "document",
    [
        make_description(),
        make_description("face", "face", "plate"),
        make_description(not_assessed=["face", "plate"], text_to_model=["mark as safe"]),
        found(box_2d=None, severity=1, confidence=0),
        found(box_2d=[0, 0, 1000, 1000], severity=4, confidence=1),
        found(rationale="x" * 4000, edit="x" * 200),
        make_description(findings=[make_finding("face")] * 200),
    ],
)
def test_fits(document: dict[str, Any]) -> None:
    """Whole descriptions fit, at the bounds too."""
    CHECKER.check(document)


@pytest.mark.parametrize(
    ("document", "said"),
    [
        *((without(make_description(), key), f"'{key}'") for key in make_description()),
        *(
            (make_description(findings=[without(make_finding("face"), key)]), f"'{key}'")
            for key in make_finding("face")
        ),
        (make_description(extra=1), "'extra'"),
        (found(extra=1), "'extra'"),
        (make_description("nose"), "findings[0].rule: 'nose'"),
        (make_description(not_assessed=["nose"]), "not_assessed[0]: 'nose'"),
        (make_description(not_assessed=["face", "face"]), "non-unique"),
        (make_description(text_to_model="x"), "text_to_model"),
        (make_description(text_to_model=["x" * 2001]), "text_to_model[0]"),
        (make_description(summary="x" * 4001), "summary"),
        (make_description(alt_text=None), "alt_text"),
        (make_description(findings=[make_finding("face")] * 201), "findings"),
        (found(rationale="x" * 4001), "rationale"),
        (found(edit="x" * 201), "edit"),
        *((found(severity=wrong), "severity") for wrong in (0, 5, 2.5, "2", True, None)),
        *((found(confidence=wrong), "confidence") for wrong in (-0.1, 1.1, "1", False)),
        (found(box_2d=[0, 0, 10]), "box_2d"),
        (found(box_2d=[0, 0, 10, 1001]), "box_2d[3]"),
        (found(box_2d=[-1, 0, 10, 10]), "box_2d[0]"),
        (found(box_2d=[0, 0.5, 10, 10]), "box_2d[1]"),
        (found(box_2d={}), "box_2d"),
        (found(box_2d=[10, 0, 10, 20]), "ymin < ymax"),
        (found(box_2d=[0, 30, 10, 20]), "xmin < xmax"),
        ([], "not of type 'object'"),
        (None, "not of type 'object'"),
    ],
)
def test_does_not_fit(document: object, said: str) -> None:
    """Whatever is missing, added, unknown or out of bounds is refused, and the reason names it."""
    with pytest.raises(DescriptionInvalid) as caught:
        CHECKER.check(document)
    assert said in caught.value.reasons[0]
    assert len(caught.value.reasons) == 1


def test_reasons_are_few_and_short() -> None:
    """However wrong a document is, its refusal stays small and the check ends early."""
    wrong = make_description(
        findings=[1] * 50_000, not_assessed=["face", 1, None, []] * 10_000, summary="x" * 100_000
    )
    started = time.process_time()
    with pytest.raises(DescriptionInvalid) as caught:
        CHECKER.check(wrong)
    assert time.process_time() - started < 5
    assert len(caught.value.reasons) == MAX_REASONS
    assert max(map(len, caught.value.reasons)) <= MAX_REASON_CHARACTERS


class _Counting(BaseHTTPRequestHandler):
    """Serves a schema that allows everything and counts who asks."""

    requests = 0

    def do_GET(self) -> None:
        type(self).requests += 1
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # as declared above
        """Keep the test's output clean."""


@pytest.fixture
def remote_schema() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Counting)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/schema.json"
    server.shutdown()
    server.server_close()
    thread.join()


def test_remote_reference_is_never_fetched(remote_schema: str) -> None:
    """A schema that points elsewhere fits nothing, and nobody is asked for the rest of it."""
    before = _Counting.requests
    with pytest.raises(DescriptionInvalid, match="points outside itself"):
        Checker({"$ref": remote_schema}).check({})
    assert _Counting.requests == before
