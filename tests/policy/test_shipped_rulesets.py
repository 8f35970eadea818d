"""The rulesets in the box: they load, and what is sent for them is on file."""

from pathlib import Path

import pytest

from service.policy import prompt, rulesets
from service.policy.rulesets import Ruleset, Version

ROOT = Path(__file__).parents[2]
SAMPLES = Path(__file__).parent / "samples"
NAMES = ("privacy", "marketplace", "community")
LOCAL_DETECTORS = frozenset(
    {
        *("face", "email", "phone", "handle", "url", "payment_card", "iban"),
        *("national_id", "document", "plate", "qr_code", "barcode"),
    }
)
# OpenAI's GPT image models take a prompt of at most 32,000 characters.
LONGEST_PROMPT = 32_000


def shipped(name: str) -> Ruleset:
    return rulesets.parse((ROOT / "rulesets" / f"{name}.yaml").read_bytes())


def rendered(name: str) -> str:
    ruleset = shipped(name)
    return prompt.render(Version(ruleset, 1, rulesets.digest(ruleset)))


def test_every_file_is_known() -> None:
    """No ruleset is shipped without being tested here, and each is named like its file."""
    assert sorted(path.stem for path in (ROOT / "rulesets").glob("*.yaml")) == sorted(NAMES)
    assert [shipped(name).name for name in NAMES] == list(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_prompt_is_the_sample(name: str) -> None:
    """
    What is sent changes only on purpose: the prompt equals its sample byte for byte.

    To rewrite the samples, from the top folder: ``python -m tests.policy.write_samples``.
    """
    sample = (SAMPLES / f"{name}.prompt.txt").read_bytes()
    assert rendered(name).encode() == sample


@pytest.mark.parametrize("name", NAMES)
def test_prompt_holds_the_whole_policy(name: str) -> None:
    """Every id, policy, entry and the goal stand in the prompt verbatim, and it is not too long."""
    ruleset, text = shipped(name), rendered(name)
    assert ruleset.goal in text
    for rule in ruleset.rules:
        wanted = [rule.id, rule.title, rule.policy, *rule.should_not, *rule.can, *rule.detectors]
        assert [part for part in wanted if part not in text] == []
    assert len(text) < LONGEST_PROMPT


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
