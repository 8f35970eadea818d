"""Policy, all pure: rulesets, the prompt and schema made of them, and what descriptions mean."""
