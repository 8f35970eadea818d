"""Letting decisions take effect once they may no longer be undone, and telling the platforms."""

import asyncio
from typing import Final

import asyncpg

from service import completing, deciding, log
from service.callbacks import Decided
from service.store import Conn, Pool, audit, decisions
from service.store.database import UNREACHABLE
from service.store.decisions import Applied

POLL_S: Final = 0.5
BATCH: Final = 100
ACTOR: Final = "service"


async def run(pool: Pool, public_url: str, stop: asyncio.Event) -> None:
    """Apply what is due every half a second until ``stop`` is set."""
    stopped = asyncio.create_task(stop.wait())
    try:
        while not stop.is_set():
            try:
                async with pool.acquire() as conn:
                    while await apply_due(conn, public_url) == BATCH and not stop.is_set():
                        pass
            except (*UNREACHABLE, asyncpg.PostgresError) as error:
                log.get().warning("decisions_not_applied", reason=str(error))
            await asyncio.wait((stopped,), timeout=POLL_S)
    finally:
        stopped.cancel()


async def apply_due(conn: Conn, public_url: str) -> int:
    """Let up to ``BATCH`` decisions take effect, all in one transaction; tell how many."""
    async with conn.transaction():
        applied = await decisions.apply(conn, BATCH)
        for one in applied:
            # An upload that was deleted meanwhile is nothing to tell of.
            if one.state != "deleted" and deciding.TRANSITIONS[one.decision].told:
                await completing.tell_decided(conn, _decided(one), public_url)
        await audit.add_each(
            conn, "decision.apply", [(ACTOR, str(one.upload_id), _facts(one)) for one in applied]
        )
    for one in applied:
        log.get().info("decision_applied", upload_id=str(one.upload_id), **_facts(one))
    return len(applied)


def _decided(one: Applied) -> Decided:
    return Decided(
        upload_id=one.upload_id,
        platform=one.platform,
        external_id=one.external_id,
        ruleset=one.ruleset,
        version=one.version,
        state=one.state,
        outcome=one.outcome,
        verdict=one.verdict,
        decision=one.decision,
        decided_at=one.decided_at,
        previous=one.previous,
        previous_verdict=deciding.TRANSITIONS[one.previous].verdict if one.previous else None,
    )


def _facts(one: Applied) -> dict[str, object]:
    return {
        "id": str(one.id),
        "decision": one.decision,
        "verdict": one.verdict,
        "previous": one.previous,
    }
