"""Benchmarks, run by hand: ``python -m tests.benchmarks`` lists them; none asserts a time."""
