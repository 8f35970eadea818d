"""The prompt's layout is a contract: the local endpoint and people read it."""

import hashlib
import json

from service.policy import descriptions, prompt, rulesets
from service.policy.rulesets import Version

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
