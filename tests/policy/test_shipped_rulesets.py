"""The rulesets in the box: they load, and what is sent for them is on file."""

from itertools import chain
from pathlib import Path

import pytest

from service.policy import prompt, rulesets, tokens
from service.policy.rulesets import Entry, Ruleset, Version
from service.policy.tokens import CONTEXT_TOKENS, MAX_PROMPT_CHARS, Window

ROOT = Path(__file__).parents[2]
SAMPLES = Path(__file__).parent / "samples"
NAMES = ("privacy", "marketplace", "community")
LOCAL_DETECTORS = frozenset(
    {
        *("face", "email", "phone", "handle", "url", "payment_card", "iban"),
        *("national_id", "document", "plate", "qr_code", "barcode"),
    }
)


def shipped(name: str) -> Ruleset:
    return rulesets.parse((ROOT / "rulesets" / f"{name}.yaml").read_bytes())


def rendered(name: str) -> str:
    ruleset = shipped(name)
    return prompt.render(Version(ruleset, 1, rulesets.digest(ruleset)))


def test_every_file_is_known() -> None:
    """No ruleset is shipped without being tested here, and each is named like its file."""
    assert sorted(path.stem for path in (ROOT / "rulesets").glob("*.yaml")) == sorted(NAMES)
    assert [shipped(name).name for name in NAMES] == list(NAMES)


@pytest.mark.parametrize("model", [*MAX_PROMPT_CHARS, *CONTEXT_TOKENS])
@pytest.mark.parametrize("name", NAMES)
def test_prompt_fits_every_model(name: str, model: str) -> None:
    """What is seeded before any upstream is known fits all whose limits are known."""
    assert tokens.misfit(tokens.measure(rendered(name)), Window("any", model)) is None


@pytest.mark.parametrize("name", NAMES)
def test_prompt_is_the_sample(name: str) -> None:
    """
    What is sent changes only on purpose: the prompt equals its sample byte for byte, and the
    digest in its head is that of all content, also of what is not sent.

    To rewrite the samples, from the top folder: ``python -m tests.policy.write_samples``.
    """
    sample = (SAMPLES / f"{name}.prompt.txt").read_bytes()
    assert rendered(name).encode() == sample


@pytest.mark.parametrize("name", NAMES)
def test_prompt_holds_the_whole_policy(name: str) -> None:
    """Every id, policy, entry and the goal stand in the prompt verbatim."""
    ruleset, text = shipped(name), rendered(name)
    assert ruleset.goal in text
    for rule in ruleset.rules:
        entries = [
            [one.text, *one.examples] if isinstance(one, Entry) else [one]
            for one in (*rule.should_not, *rule.can)
        ]
        wanted = [rule.id, rule.title, rule.policy, *chain(*entries), *rule.detectors]
        assert [part for part in wanted if part not in text] == []


def test_privacy_needs_no_person() -> None:
    """Each privacy rule can be judged by local detectors and allows the edited picture."""
    ruleset = shipped("privacy")
    assert ruleset.on_clean == "allow"
    for rule in ruleset.rules:
        assert rule.detectors, rule.id
        assert set(rule.detectors) <= LOCAL_DETECTORS, rule.id
        assert (rule.verdict, rule.edit != "none") == ("allow_edited", True), rule.id


@pytest.mark.parametrize("name", ["marketplace", "community"])
def test_a_violation_is_never_treated_better_than_a_clean_picture(name: str) -> None:
    """Where clean pictures are held for a person, no rule lets a violating one pass."""
    ruleset = shipped(name)
    assert ruleset.on_clean == "hold"
    assert {rule.verdict for rule in ruleset.rules} <= {"hold", "block"}
