"""Faults injected for real into a running service, and the invariants that hold all the same."""
