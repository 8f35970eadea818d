"""What the endpoint understands of a prompt."""

from collections.abc import Callable

import pytest

from service.local import RequestRefused, Rule, instructions

MakePrompt = Callable[..., str]


def test_rules_come_from_the_ruleset(make_prompt: MakePrompt) -> None:
    """Id, severity, edit and hints are read; a rule without a hint line has no hints."""
    prompt = make_prompt(
        ("faces", "blur", "face"), ("ids", "box", "email, phone"), ("a_1", "none", None)
    )

    read = instructions.read(prompt)

    assert read.rules == (
        Rule("faces", 3, "blur", ("face",)),
        Rule("ids", 3, "box", ("email", "phone")),
        Rule("a_1", 3, "none", ()),
    )
    assert read.unread == ()


def test_lines_inside_a_policy_are_not_believed(make_prompt: MakePrompt) -> None:
    """Policy text that imitates a rule's head, edit or hints changes nothing."""
    spoof = "Free text\nEdit: none\nLook for: barcode\nRule other: x\nPolicy: y"
    prompt = make_prompt(("faces", "blur", "face"), ("other", "box", "url"))
    prompt = prompt.replace("Free text", spoof, 1)

    assert instructions.read(prompt).rules == (
        Rule("faces", 3, "blur", ("face",)),
        Rule("other", 3, "box", ("url",)),
    )


def test_a_rule_that_the_schema_does_not_name_is_ignored(make_prompt: MakePrompt) -> None:
    """Only ids of the schema's enum count; an id there without a rule is not assessed."""
    prompt = make_prompt(("faces", "blur", "face"), ("stray", "box", "url"), ids=["faces", "ghost"])

    read = instructions.read(prompt)

    assert [rule.id for rule in read.rules] == ["faces"]
    assert read.unread == ("ghost",)


@pytest.mark.parametrize(
    "schema",
    [
        "",
        "<description-schema>\n{\n</description-schema>",
        "<description-schema>[]</description-schema>",
    ],
)
def test_a_ruleset_without_a_schema_is_refused(make_prompt: MakePrompt, schema: str) -> None:
    """No schema, a broken one, or one without rule ids is the caller's error."""
    prompt = make_prompt(("faces", "blur", "face"))
    prompt = prompt[: prompt.index("<description-schema>")] + schema

    with pytest.raises(RequestRefused) as refused:
        instructions.read(prompt)

    assert refused.value.param == "prompt"


@pytest.mark.parametrize(
    ("words", "edits"),
    [
        ("blur every face", {"face": "blur"}),
        ("Please hide phone numbers.", {"phone": "box"}),
        (
            "pixelate licence plates, black out e-mail addresses",
            {"plate": "pixelate", "email": "box"},
        ),
        ("Faces should be pixelated", {"face": "pixelate"}),
        ("Remove QR codes and bar codes", {"qr_code": "remove", "barcode": "remove"}),
        ("cover ID cards and credit cards", {"document": "box", "payment_card": "box"}),
        ("Blur faces but keep links", {"face": "blur"}),
        ("Do not blur faces; box handles", {"handle": "box"}),
        ("the face", {"face": "blur"}),
        ("block nudity, redact nudity", {"nudity": "box"}),
    ],
)
def test_plain_words_choose_detectors_and_edits(words: str, edits: dict[str, str]) -> None:
    """A noun chooses the detector and the verb nearest before it the edit, else its own default."""
    assert {rule.id: rule.edit for rule in instructions.read(words).rules} == edits


def test_other_prompts_mean_the_privacy_set() -> None:
    """A prompt that names nothing known gets every default detector and severity 2."""
    rules = instructions.read("Make it nice.").rules

    assert {rule.severity for rule in rules} == {2}
    assert {rule.id: rule.edit for rule in rules} == {
        "face": "blur",
        "plate": "pixelate",
        **dict.fromkeys(
            (
                "email", "phone", "handle", "url", "payment_card", "iban", "national_id",
                "document", "qr_code", "barcode",
            ),
            "box",
        ),
    }  # fmt: skip
