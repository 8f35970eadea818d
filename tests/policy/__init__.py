"""Tests of rulesets, prompts, descriptions and verdicts."""
