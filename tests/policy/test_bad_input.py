"""What no ruleset may be: each refused with its fault, all at once, without a guess at it."""

import time
from typing import Any

import pytest

from service.errors import InputRefused
from service.policy import rulesets
from tests.policy.documents import FULL

DELETED = FULL.replace("id: plates", "id: number-plates").replace("Full", "Fuller")

BAD: dict[str, tuple[str, tuple[str, str], str]] = {
    "tag": ("title: Full", ("title: !!python/name:os.system Full", "title"), "Tag !!python/name"),
    "anchor": ("title: Full", ("title: &a Full", "title"), "Anchor &a is not allowed"),
    "alias": ("title: Full", ("title: *a", "title"), "Alias *a is not allowed"),
    "merge": ("title: Full", ("title: Full\n<<: {goal: a}", ""), "Merge key << is not allowed"),
    "repeated key": ("title: Full", ("title: Full\ntitle: a", "title"), "already given on line 2"),
    "no for false": ("enabled: false", ("enabled: no", "rules[1].enabled"), "'no'; allowed are"),
    "off for false": ("enabled: false", ("enabled: off", "rules[1].enabled"), "'off'; allowed"),
    "$ref": ("goal:", ("$ref: http://127.0.0.1/a\ngoal:", "$ref"), "refers to no schema"),
    "$schema": ("goal:", ("$schema: file:///a\ngoal:", "$schema"), "refers to no schema"),
    "pattern": ("goal:", ("pattern: (a+)+$\ngoal:", "pattern"), "No key takes a pattern"),
    "all rules off": ("id: faces", ("id: faces\n    enabled: false", "rules"), "No rule is on"),
}


def errors_of(source: str | bytes, *earlier: str) -> list[dict[str, Any]]:
    contents = [rulesets.content(rulesets.parse(one)) for one in earlier]
    with pytest.raises(InputRefused) as caught:
        rulesets.parse(source, contents)
    assert caught.value.code == "ruleset_invalid"
    return caught.value.errors or []


@pytest.mark.parametrize("kind", BAD)
def test_bad_input(kind: str) -> None:
    """Each is refused where it stands, in a sentence that says what is wrong with it."""
    old, (new, path), said = BAD[kind]
    told = {error["path"]: error["message"] for error in errors_of(FULL.replace(old, new, 1))}
    assert said in told[path]


def test_all_of_it_at_once() -> None:
    """A file with everything wrong shows everything, in one answer and in the file's order."""
    source = FULL.replace("goal:", "$schema: a\npattern: b\n<<: {a: 1}\ngoal:")
    source = source.replace("title: Full", "title: &a Full").replace(
        "enabled: false", "enabled: no"
    )
    source = source.replace("outcome: clean", "outcome: violating")
    errors = errors_of(source, FULL, DELETED)
    assert [error["path"] for error in errors] == [
        *("title", "$schema", "pattern", ""),
        *("rules[1].id", "rules[1].enabled", "examples[1].outcome"),
    ]
    assert [error["line"] for error in errors] == sorted(error["line"] for error in errors)


@pytest.mark.parametrize("source", [b"a" * 10_000_000, b"[" * 10_000_000, b"a: 1\n" * 2_000_000])
def test_ten_megabytes(source: bytes) -> None:
    """A file far over the limit is refused by its length, before any of it is parsed."""
    started = time.process_time()
    (error,) = errors_of(source)
    assert time.process_time() - started < 1
    assert "The file has 10000000 bytes; at most 524288 are allowed." in error["message"]


def test_as_many_examples_as_a_file_holds() -> None:
    """Thousands of wrong expectations cost little time and stay a short answer."""
    expected = ", ".join(f"r{number}" for number in range(90))
    examples = "".join(
        f"  - image: {number}.png\n    rules: [{expected}]\n    outcome: clean\n"
        for number in range(200)
    )
    source = FULL.split("examples:\n  - image", maxsplit=1)[0] + f"examples:\n{examples}"
    started = time.process_time()
    errors = errors_of(source)
    assert time.process_time() - started < 10
    assert len(errors) == 500
    assert max(len(error["message"]) for error in errors) < 600
