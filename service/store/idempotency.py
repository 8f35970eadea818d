"""First answers by platform and Idempotency-Key, replayed to whoever asks again."""

from dataclasses import dataclass
from uuid import UUID

from service.store import Conn

# Held to the end of the transaction, so a second request sees the first one's row or its lock.
_LOCK = "SELECT pg_try_advisory_xact_lock(hashtextextended($1 || chr(31) || $2, 0))"
_GET = """
    SELECT request_sha256, upload_id, status, body FROM idempotency_keys
     WHERE platform = $1 AND key = $2
"""
_ADD = """
    INSERT INTO idempotency_keys (platform, key, request_sha256, upload_id, status, body)
    VALUES ($1, $2, $3, $4, $5, $6)
"""
# The answer of an upload that was deleted meanwhile stays empty.
_ANSWER = """
    UPDATE idempotency_keys SET status = $3, body = $4
     WHERE platform = $1 AND key = $2 AND body <> ''
"""


@dataclass(frozen=True, slots=True)
class FirstAnswer:
    """
    What the first request with a key was answered, and the digest of what it asked.

    ``body`` is empty where the upload was deleted since.
    """

    request_sha256: bytes
    upload_id: UUID
    status: int
    body: str


async def lock(conn: Conn, platform: str, key: str) -> bool:
    """Take the key for this transaction; False while another request has it."""
    return bool(await conn.fetchval(_LOCK, platform, key))


async def get(conn: Conn, platform: str, key: str) -> FirstAnswer | None:
    """Find the first answer given under the key."""
    row = await conn.fetchrow(_GET, platform, key)
    return FirstAnswer(**row) if row else None


async def add(conn: Conn, platform: str, key: str, answer: FirstAnswer) -> None:
    """Remember the answer that is about to be committed."""
    await conn.execute(
        _ADD,
        platform,
        key,
        answer.request_sha256,
        answer.upload_id,
        answer.status,
        answer.body,
    )


async def replace(conn: Conn, platform: str, key: str, status: int, body: str) -> None:
    """Remember the answer that was given after waiting, in place of the 202."""
    await conn.execute(_ANSWER, platform, key, status, body)
