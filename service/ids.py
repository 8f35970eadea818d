"""Identifiers that sort by time."""

import secrets
import time
import uuid


def uuid7() -> uuid.UUID:
    """
    Make a UUIDv7: 48 bits of Unix milliseconds, then 74 random bits.

    Source: RFC 9562 section 5.7.
    """
    random_a, random_b = secrets.randbits(12), secrets.randbits(62)
    milliseconds = time.time_ns() // 1_000_000
    return uuid.UUID(int=milliseconds << 80 | 0x7 << 76 | random_a << 64 | 0b10 << 62 | random_b)
