"""Rewrites the stored prompts of the shipped rulesets: ``python -m tests.policy.write_samples``."""

from tests.policy.test_shipped_rulesets import NAMES, SAMPLES, rendered

if __name__ == "__main__":
    for name in NAMES:
        (SAMPLES / f"{name}.prompt.txt").write_bytes(rendered(name).encode())
