"""The prompt's layout is a contract: the local endpoint and people read it."""

import hashlib
import json

from service.local import instructions
from service.policy import descriptions, prompt, rulesets
from service.policy.rulesets import Version
from tests.policy.documents import FULL as EVERY_KEY

FULL = """
name: cafe
title: Pictures of a café
goal: Keep guests private.
scope: Photographs.
rules:
  - id: faces
    title: Faces
    policy: |
      No face is shown.
      It does not matter whose.
    should_not: [Show a face, Show an eye]
    can: [Show a hat]
    severity: medium
    edit: blur
    verdict: allow_edited
    detectors: [face, document]
  - id: menu
    title: Menus
    policy: No menu is shown.
    should_not: [Show a menu]
    severity: critical
    edit: none
    verdict: block
"""
POLICY = """\
Pictures of a café

Goal: Keep guests private.
Scope: Photographs.

Rule faces: Faces
Policy: No face is shown.
It does not matter whose.
Should not:
- Show a face
- Show an eye
Can:
- Show a hat
Severity: 2 (medium)
Edit: blur
Verdict: allow_edited
Look for: face, document

Rule menu: Menus
Policy: No menu is shown.
Should not:
- Show a menu
Severity: 4 (critical)
Edit: none
Verdict: block
"""


def test_layout() -> None:
    """Frame, policy, schema and task stand exactly where other code looks for them."""
    ruleset = rulesets.parse(FULL)
    digest = rulesets.digest(ruleset)
    text = prompt.render(Version(ruleset, 3, digest))
    head = f'<ruleset name="cafe" version="3" sha256="{digest}">\n'
    assert text.startswith(f"{head}{POLICY}</ruleset>\n\n<description-schema>\n")
    schema, task = text.split("<description-schema>\n")[1].split("\n</description-schema>\n\n")
    assert schema.isascii()
    assert json.loads(schema) == descriptions.schema(ruleset)
    assert "text_to_model" in task
    assert "[ymin, xmin, ymax, xmax]" in task


FURTHER = """\
Have it all

Goal: Have it all.
Scope: Photographs.
Editing: Edits are soft.
Definitions:
- face: The front of a head

Rule plates is off: Plates
What rule plates describes is allowed here; never a finding.
Policy that is off: No plates.
Allowed:
- Show a plate

Rule faces: Faces
Policy: Nobody is recognised.
Should not:
- Show a face
- Show a person in
  (a) a mirror
  (b) a puddle
Can:
- Show art
  (a) statues
Levels:
- 1 (low): A face in a crowd
- 4 (critical): A child's face
Ambiguity: In doubt it is a face.
Escalation: Faces of the dead.
In such a case list faces in not_assessed, so that a person decides.
Severity: 2 (medium)
Edit: blur
Verdict: allow_edited
Look for: face
"""


def test_layout_of_every_key() -> None:
    """Every key that the model needs stands in its place, and a rule that is off as allowed."""
    ruleset = rulesets.parse(EVERY_KEY.replace("title: Full", "title: Have it all"))
    text = prompt.render(Version(ruleset, 1, rulesets.digest(ruleset)))
    assert text.split("\n", 1)[1].startswith(f"{FURTHER}</ruleset>\n\n<description-schema>\n")


def test_readers_of_the_prompt_find_the_rules_that_are_on() -> None:
    """The local endpoint reads the same rules out of it, whichever of them are off."""
    source = EVERY_KEY.split("examples:\n  - image")[0]
    for on, off in ((["faces"], "plates"), (["plates"], "faces")):
        ruleset = rulesets.parse(source)
        rules = [rule.model_copy(update={"enabled": rule.id != off}) for rule in ruleset.rules]
        for ordered in (rules, rules[::-1]):
            changed = ruleset.model_copy(update={"rules": ordered})
            read = instructions.read(prompt.render(Version(changed, 1, "0" * 64)))
            assert ([rule.id for rule in read.rules], read.unread) == (on, ())


def test_examples_and_review_are_not_in_the_prompt() -> None:
    """What is expected of a picture, and who looks at it, is never told to the model."""
    texts = []
    for source in (EVERY_KEY, EVERY_KEY.split("examples:\n  - image")[0]):
        ruleset = rulesets.parse(source.replace("sample: 0.25", f"sample: 0.{len(source)}"))
        texts.append(prompt.render(Version(ruleset, 1, "0" * 64)))
    assert texts[0] == texts[1]


def test_scope_is_left_out() -> None:
    """A ruleset without scope has no scope line."""
    ruleset = rulesets.parse(FULL.replace("scope: Photographs.\n", ""))
    assert "\nScope:" not in prompt.render(Version(ruleset, 1, rulesets.digest(ruleset)))


def test_same_bytes_and_digest_each_time() -> None:
    """Two renders of one version agree, also from a ruleset read anew, and so does the digest."""
    texts = []
    for _ in range(2):
        ruleset = rulesets.parse(FULL)
        texts.append(prompt.render(Version(ruleset, 1, rulesets.digest(ruleset))))
    assert texts[0] == texts[1]
    assert prompt.sha256(texts[0]) == hashlib.sha256(texts[0].encode()).hexdigest()
    other = prompt.render(Version(ruleset, 2, rulesets.digest(ruleset)))
    assert prompt.sha256(other) != prompt.sha256(texts[0])
