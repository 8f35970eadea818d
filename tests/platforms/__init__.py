"""Tests of platforms, their tokens, quotas and turns."""
