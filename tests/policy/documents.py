"""Rulesets and descriptions for tests, small and whole."""

from typing import Any

from service.policy.rulesets import Rule, Ruleset, Verdict

SHA256 = f"sha256:{'0a' * 32}"
# Every key of the format, each with another value than its default.
FULL = f"""\
name: full
title: Full
goal: Have it all.
scope: Photographs.
definitions:
  - term: face
    meaning: The front of a head
editing: Edits are soft.
on_clean: allow
review:
  sample: 0.25
  second_person: true
model: one/model
fallback_after_refusal: true
confine: false
max_changed_outside: 0.5
rules:
  - id: faces
    title: Faces
    policy: Nobody is recognised.
    should_not:
      - Show a face
      - text: Show a person in
        examples: [a mirror, a puddle]
    can:
      - text: Show art
        examples: [statues]
    levels:
      low: A face in a crowd
      critical: A child's face
    ambiguity: In doubt it is a face.
    escalation: Faces of the dead.
    severity: medium
    edit: blur
    verdict: allow_edited
    detectors: [face]
    categories:
      ailuminate: [prv]
      dsa: [KEYWORD_NUDITY]
      openai: [sexual/minors]
  - id: plates
    enabled: false
    title: Plates
    policy: No plates.
    should_not: [Show a plate]
    severity: low
    edit: none
    verdict: hold
examples:
  - image: examples/crowd.png
    rules: [faces]
    outcome: redacted
    note: Many faces
  - image: {SHA256}
    outcome: clean
"""


def make_ruleset(on_clean: Verdict = "allow", **verdicts: Verdict) -> Ruleset:
    """Make a ruleset with one rule for each keyword, which is its id."""
    rules = [
        Rule(
            id=name,
            title=name,
            policy="None.",
            should_not=["Show one"],
            can=[],
            severity="low",
            edit="blur",
            verdict=verdict,
        )
        for name, verdict in verdicts.items()
    ]
    return Ruleset(name="test", title="Test", goal="Test.", on_clean=on_clean, rules=rules)


def make_finding(rule: str, **changed: Any) -> dict[str, Any]:
    """Make a finding that fits the schema, except for what is changed."""
    finding = {
        "rule": rule,
        "rationale": "It is there.",
        "severity": 2,
        "confidence": 0.5,
        "box_2d": [0, 0, 500, 1000],
        "edit": "blurred",
    }
    return finding | changed


def make_description(*rules: str, **changed: Any) -> dict[str, Any]:
    """Make a description with one finding for each rule, except for what is changed."""
    description = {
        "summary": "A picture.",
        "alt_text": "A blurred picture.",
        "findings": [make_finding(rule) for rule in rules],
        "not_assessed": [],
        "text_to_model": [],
    }
    return description | changed


def long_source(chars: int, name: str = "long") -> str:
    """Write a hundred rules in plain English of about this many characters, 30,000 at least."""
    sentence = (
        "Nothing may show a person who cannot agree to it in a way that would shame them, whether"
        " the picture is photographed, drawn or made by a machine. "
    )
    entry = "      - Show a guest whose face, name or table can be told from the picture\n"
    each = chars // 100 - 130
    entries = each // 2 // len(entry)
    policy = (sentence * 30)[: each - entries * len(entry)]
    return f"name: {name}\ntitle: A long ruleset\ngoal: Say everything.\nrules:\n" + "".join(
        f"  - id: rule-{number}\n    title: Rule\n    policy: {policy}\n    should_not:\n"
        f"{entry * entries}    severity: low\n    edit: blur\n    verdict: allow_edited\n"
        for number in range(100)
    )
