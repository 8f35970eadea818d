"""Benchmarks, run by hand; pytest collects none of them, and none of them asserts a time."""
