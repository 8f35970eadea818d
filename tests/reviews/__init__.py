"""Reviewing: queues, leases, decisions, bulk decisions, reveals."""
