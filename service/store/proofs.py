"""What each edit did to its picture; written with the attempt's end and never changed."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from service.store import Conn
from service.store.images import Image

_ADD = """
    INSERT INTO proofs (upload_id, attempt, verdict, confined, facts, heat_sha256)
    VALUES ($1, $2, $3, $4, $5, $6)
"""


@dataclass(frozen=True, slots=True)
class Proof:
    """
    The proof of one edit.

    ``confined``: the final picture has the edit's pixels inside the regions only, and the rule's
    own edit where ``facts`` say of a region that it was not redacted.  ``heat`` is a grey map of
    change.
    """

    verdict: str
    confined: bool
    facts: dict[str, Any]
    heat: Image | None


async def add(conn: Conn, upload: UUID, attempt: int, proof: Proof) -> None:
    """Write the proof of an attempt, whose map is stored."""
    heat = proof.heat.sha256 if proof.heat else None
    await conn.execute(_ADD, upload, attempt, proof.verdict, proof.confined, proof.facts, heat)
