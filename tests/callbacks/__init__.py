"""Callbacks: signed, delivered to real receivers, tried again, and redelivered."""
