"""Keys beside the rules' own texts: what they hold, what is refused, and what content they are."""

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from string import ascii_letters
from typing import Any

import pytest
import yaml

from service.errors import InputRefused
from service.policy import prompt, rulesets
from service.policy.rulesets import Entry, Example, Review, Ruleset, Version
from tests.policy.documents import FULL, SHA256

SAMPLES = Path(__file__).parent / "samples"
# What the shipped rulesets were before half of these keys were known, and their prompts' digests.
STORED = {
    "privacy": (
        "317e8ad0471eceafa28308db041d12eb0d2e97409cc8c02c8b9ec4a5d868c1c6",
        "bbab7613aba3c64e4c818b9225928cebcc48c443832b7a39d684bb5d7761bdbf",
    ),
    "marketplace": (
        "d4ee6552c95fa1e57f7ac57163295b34f1eef5d1c561a2b9cf99b4460135778c",
        "f52151f0c65fc47f8c9e7221500e470daa8f5779a6b706e7d2976b957b11c73d",
    ),
    "community": (
        "3ec5c2521cf942d8dff44831a5c9311b3490f9ee9d93733a042de5a97dbbb0af",
        "0bbe452644212b1a04994c8f415d6afeee7acd68ee86ca960e0c8a255f95b2c6",
    ),
}


def refused(source: str) -> list[dict[str, object]]:
    with pytest.raises(InputRefused) as caught:
        rulesets.parse(source)
    assert caught.value.code == "ruleset_invalid"
    return caught.value.errors or []


def test_every_key_is_kept() -> None:
    """What is written is what is read, and what is stored is what was read."""
    ruleset = rulesets.parse(FULL)
    assert ruleset.review == Review(sample=0.25, second_person=True)
    assert ruleset.rules[0].should_not == [
        "Show a face",
        Entry(text="Show a person in", examples=["a mirror", "a puddle"]),
    ]
    assert [rule.enabled for rule in ruleset.rules] == [True, False]
    assert [rule.id for rule in ruleset.judged] == ["faces"]
    assert ruleset.examples == [
        Example(image="examples/crowd.png", rules=["faces"], outcome="redacted", note="Many faces"),
        Example(image=SHA256, outcome="clean"),
    ]
    stored = json.loads(json.dumps(rulesets.content(ruleset)))
    assert rulesets.of_content(stored) == ruleset
    assert rulesets.digest(rulesets.of_content(stored)) == rulesets.digest(ruleset)


def test_each_key_at_its_default_is_no_content() -> None:
    """To write a default out makes no other version than to leave the key away."""
    plain = FULL.split("definitions:", maxsplit=1)[0] + "rules:\n" + FULL.split("rules:\n", 1)[1]
    plain = plain.split("examples:\n  - image")[0].replace("    enabled: false\n", "")
    plain = plain.replace("      openai: [sexual/minors]\n", "")
    spelt = (
        "definitions: []\nediting: null\nreview: {sample: 0, second_person: false}\nexamples: []\n"
    )
    written = spelt + plain.replace("title: Plates", "title: Plates\n    enabled: true").replace(
        "    verdict: hold", "    verdict: hold\n    levels: null\n    ambiguity: null"
    ).replace("dsa: [KEYWORD_NUDITY]", "dsa: [KEYWORD_NUDITY]\n      openai: []")
    assert rulesets.digest(rulesets.parse(written)) == rulesets.digest(rulesets.parse(plain))


@pytest.mark.parametrize("name", STORED)
def test_stored_content_keeps_digest_and_prompt(name: str) -> None:
    """A version of before these keys is the same version still, and is asked in the same words."""
    stored = json.loads((SAMPLES / f"{name}.stored.json").read_bytes())
    ruleset = rulesets.of_content(stored)
    digest, prompt_sha256 = STORED[name]
    assert rulesets.digest(ruleset) == digest
    assert prompt.sha256(prompt.render(Version(ruleset, 1, digest))) == prompt_sha256


def test_stored_text_may_hold_a_later_label() -> None:
    """A label that came later stops nobody's version; a new text is refused with it."""
    source = FULL.replace("policy: No plates.", 'policy: "No plates.\\nEscalation: none."')
    errors = refused(source)
    assert [error["path"] for error in errors] == ["rules[1].policy"]
    assert "'Escalation:', which is a label" in str(errors[0]["message"])
    content = rulesets.content(rulesets.parse(FULL))
    content["rules"][1]["policy"] = "No plates.\nEscalation: none."
    assert rulesets.of_content(content).rules[1].policy == "No plates.\nEscalation: none."


@pytest.mark.parametrize(
    "label",
    [
        *("Editing:", "Definitions:", "Levels:", "Ambiguity:", "Escalation:", "Allowed:"),
        *("Rule faces is off:", "Policy that is off:"),
    ],
)
def test_no_text_can_forge_a_label(label: str) -> None:
    """Each label that the prompt writes for these keys is refused at the start of a line."""
    for key in ("editing: Edits are soft.", "escalation: Faces of the dead."):
        source = FULL.replace(key, f'{key.split(":")[0]}: "a\\n {label} b"')
        assert "which is a label of the prompt" in str(refused(source)[0]["message"])


IMAGE = "examples/crowd.png"
RULE = "rules[0]"
LEVELS = "\n      low: A face in a crowd\n      critical: A child's face"


@pytest.mark.parametrize(
    ("old", "new", "at", "path", "said"),
    [
        (
            "term: face",
            "term: face\n    terms: a",
            "terms",
            "definitions[0].terms",
            "are term, meaning",
        ),
        ("The front of a head", "''", "''", "definitions[0].meaning", "is empty"),
        (
            "  - term: face\n",
            "  - {term: Face , meaning: a}\n  - term: face\n",
            "face",
            "definitions[1].term",
            "'face' is already defined by definitions[0]",
        ),
        ("sample: 0.25", "sample: 25%", "25%", "review.sample", "'25%'; a number from 0 to 1"),
        ("sample: 0.25", "sample: 1.5", "1.5", "review.sample", "1.5; a number from 0 to 1"),
        ("sample: 0.25", "people: hold", "people", "review.people", "are sample, second_person"),
        ("person: true", "person: yes", "yes", "review.second_person", "'yes'; allowed are true"),
        ("low: A", "mild: A", "mild", f"{RULE}.levels.mild", "allowed are low, medium, high"),
        ("low: A face in a crowd", "low: 1", "1", f"{RULE}.levels.low", "1; text is needed"),
        (
            *(f"levels:{LEVELS}", "levels: {}", "{}"),
            *(f"{RULE}.levels", "is empty; allowed are low to critical"),
        ),
        (
            *("[a mirror, a puddle]", "[]", "[]"),
            *(f"{RULE}.should_not[1].examples", "at least 1"),
        ),
        (
            *("[a mirror, a puddle]", f"[{', '.join(ascii_letters[:27])}]", "[a"),
            *(f"{RULE}.should_not[1].examples", "27 entries; at most 26"),
        ),
        (
            "examples: [st",
            "image: a\n        examples: [st",
            "image",
            f"{RULE}.can[0].image",
            "text, ex",
        ),
        ("- Show a face", "- [Show]", "[Show]", f"{RULE}.should_not[0]", "text is needed"),
        (
            *("[sexual/minors]", "[porn]", "porn", f"{RULE}.categories.openai[0]"),
            "'porn', which is not in OpenAI's moderation categories; allowed are harassment",
        ),
        ("enabled: false", "enabled: no", "no", "rules[1].enabled", "'no'; allowed are true"),
        *(
            (IMAGE, image, image, "examples[0].image", "; allowed are 'sha256:' with 64 lower-case")
            for image in (
                *("../crowd.png", "a/../../crowd.png", "/etc/passwd", "C:/crowd.png", ".git/x.png"),
                *("file:///crowd.png", r"'a\\crowd.png'", f"sha256:{'0A' * 32}", f"{SHA256}0"),
            )
        ),
        (IMAGE, SHA256, f"{SHA256}\n    outcome: cl", "examples[1].image", "that of examples[0]"),
        (
            *("rules: [faces]", "rules: [face]", "face]", "examples[0].rules[0]"),
            "'face' is not in this ruleset; allowed are ['faces']",
        ),
        (
            *("rules: [faces]", "rules: [faces, plates]", "plates", "examples[0].rules[1]"),
            "'plates' is off, so it is never found",
        ),
        (
            *("rules: [faces]", "rules: [faces, faces]", "faces]", "examples[0].rules[1]"),
            "'faces' is expected by rules[0] already",
        ),
        ("redacted", "edited", "edited", "examples[0].outcome", "'edited'; allowed are 'clean'"),
        (
            *("redacted", "violating", "violating", "examples[0].outcome"),
            "does not follow from rules of verdict allow_edited; allowed are redacted.",
        ),
        ("redacted", "not_assessed", "not_a", "examples[0].outcome", "allowed are redacted."),
        (
            *("outcome: clean", "outcome: redacted", "redacted", "examples[1].outcome"),
            "does not follow from no rule; allowed are clean and not_assessed.",
        ),
        (
            *("verdict: hold", "verdict: hold\n    pattern: '(a+)+$'", "pattern"),
            *("rules[1].pattern", "No key takes a pattern"),
        ),
        ("name: full", "name: full\n$ref: 'http://a/b'", "$ref", "$ref", "refers to no schema"),
        ("name: full", "name: full\n$schema: 'http://a/b'", "$schema", "$schema", "no schema"),
    ],
)
def test_fault_is_named_at_its_place(old: str, new: str, at: str, path: str, said: str) -> None:
    """One wrong value is told at its line, column and path, with the value and what is allowed."""
    start = FULL.index(old)
    source = FULL.replace(old, new, 1)
    before = source[: source.index(at, start)].split("\n")
    errors = refused(source)
    assert [(error["line"], error["column"], error["path"]) for error in errors] == [
        (len(before), len(before[-1]) + 1, path)
    ]
    assert said in str(errors[0]["message"])


def test_a_schema_that_nothing_can_satisfy() -> None:
    """Where every rule is off no finding could be named, so the ruleset is refused."""
    source = FULL.replace("    title: Faces", "    enabled: false\n    title: Faces")
    assert "No rule is on" in str(refused(source)[0]["message"])


def test_all_faults_come_at_once() -> None:
    """What parts are to each other is told beside wrong types and YAML's own faults."""
    source = FULL.replace("sample: 0.25", "sample: much").replace("Many faces", "&a Many faces")
    source = source.replace("rules: [faces]", "rules: [hats]").replace("id: plates", "id: faces")
    assert [error["path"] for error in refused(source)] == [
        "review.sample",
        "rules[1].id",
        "examples[0].rules[0]",
        "examples[0].note",
    ]


def paths(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Yield where every value of a document stands."""
    yield path
    held = dict(enumerate(value)) if isinstance(value, list) else value
    for key, inner in held.items() if isinstance(held, dict) else ():
        yield from paths(inner, (*path, key))


NULLABLE = {
    *("scope", "editing", "model", "max_changed_outside", "levels", "low", "critical"),
    *("ambiguity", "escalation", "categories", "note"),
}


@pytest.mark.parametrize("wrong", [7, None, [[]], [{"id": []}], {"id": {}}], ids=str)
def test_wrong_shapes_are_faults(wrong: object) -> None:
    """Whatever stands wherever something else is needed is a fault, never an exception."""
    earlier = [rulesets.content(rulesets.parse(FULL))]
    document = yaml.safe_load(FULL)
    accepted = set()
    for path in paths(document):
        changed = copy.deepcopy({"": document})
        holder: Any = changed
        for key in ("", *path)[:-1]:
            holder = holder[key]
        holder[("", *path)[-1]] = wrong
        try:
            rulesets.parse(json.dumps(changed[""]), earlier)
            accepted.add(path[-1])
        except InputRefused as error:
            assert error.code == "ruleset_invalid", path  # noqa: PT017  # of many, most raise
    assert accepted == (NULLABLE if wrong is None else set())


def test_a_model_built_by_hand_is_coherent_too() -> None:
    """No code can make a ruleset that expects a rule which it has not."""
    content = rulesets.content(rulesets.parse(FULL))
    content["examples"][0]["rules"] = ["hats"]
    with pytest.raises(ValueError, match="'hats' is not in this ruleset"):
        Ruleset.model_validate(content)
