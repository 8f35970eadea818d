// What a new ruleset begins as.

export const TEMPLATE = `name: NAME
title: What this ruleset is about
goal: >-
  Say what the rules are to achieve.
scope: >-
  Say which pictures they are about.
on_clean: hold

rules:
  - id: first-rule
    title: What the rule is about
    policy: >-
      Say in plain words what must not be shown, and what to do when it is unclear.
    should_not:
      - Show what must not be shown
    can:
      - Show what only looks like it
    severity: medium
    edit: blur
    verdict: hold
`;
