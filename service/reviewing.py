"""Transaction 3: what a person decides of a case, takes back in time, or says of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from service import deciding, ids
from service.deciding import Decision, Situation
from service.errors import Conflict, InputRefused
from service.leasing import LEASE, Person
from service.revealing import OPEN
from service.store import Conn, audit, decisions, leases, queues, reviews
from service.store.decisions import Held, NewDecision
from service.store.leases import Lease


@dataclass(frozen=True, slots=True)
class Terms:
    """For how long a decision may be undone, a case is leased, and an original is open."""

    undo: timedelta = timedelta(seconds=10)
    lease: timedelta = LEASE
    reveal: timedelta = OPEN


TERMS: Final = Terms()


@dataclass(frozen=True, slots=True)
class Order:
    """A decision that a person makes; ``expected`` are the revisions it may be of, None if any."""

    upload: UUID
    decision: Decision
    reason: str
    expected: Sequence[str] | None = None


@dataclass(frozen=True, slots=True)
class Made:
    """A decision that was entered; until it takes effect nothing else has changed."""

    id: UUID
    decision: Decision
    effective_at: datetime
    revision: int


async def decide(conn: Conn, person: Person, order: Order, undo: timedelta) -> Made:
    """
    Enter a decision, which takes effect after ``undo`` unless it is taken back before.

    Raises:
        Conflict: ``case_changed`` or ``leased_by_other``, with what happened.
        InputRefused: ``not_found``, ``decision_unchanged``, ``no_edited_image`` or
            ``reason_required``.
    """
    async with conn.transaction():
        held, lease = await _hold(conn, person, order)
        situation = Situation(held.latest, held.standing, held.has_edited)
        queue = await queues.get(conn, lease.queue) if lease and lease.queue else None
        required = queue.reason_required if queue else ()
        deciding.check(situation, order.decision, order.reason, required)
        new = NewDecision(
            id=ids.uuid7(),
            upload_id=order.upload,
            decision=order.decision,
            reason=order.reason.strip(),
            actor=person.id,
            queue=queue.name if queue else None,
            previous=deciding.overturned(situation, order.decision),
            leased_at=lease.begun_at if lease else None,
        )
        effective_at = await decisions.add(conn, new, undo)
        await leases.give_back(conn, [order.upload], person.id)
        await audit.add(
            conn,
            person.actor,
            "decision.make",
            str(order.upload),
            id=str(new.id),
            decision=new.decision,
            reason=new.reason,
            previous=new.previous,
        )
    return Made(new.id, new.decision, effective_at, held.revision + 1)


async def undo(conn: Conn, person: Person, upload: UUID, lease: timedelta) -> None:
    """
    Take a decision of one's own back before it takes effect; the case is leased to the person then.

    Raises:
        InputRefused: ``not_found``, ``undo_window_over`` or ``decided_by_other``.
    """
    async with conn.transaction():
        taken_back = await decisions.undo(conn, upload, person.id)
        if taken_back is None:
            raise await _not_undone(conn, person, upload)
        decision, queue = taken_back
        await leases.take(conn, [upload], person.id, queue, lease)
        await audit.add(conn, person.actor, "decision.undo", str(upload), id=str(decision))


async def comment(conn: Conn, person: Person, upload: UUID, text: str) -> UUID:
    """Add a comment; InputRefused if no such upload has ended."""
    async with conn.transaction():
        if await decisions.hold(conn, upload) is None:
            raise missing(upload)
        added = ids.uuid7()
        await reviews.comment(conn, added, upload, person.id, text)
    return added


def missing(upload: UUID) -> InputRefused:
    """Say that there is no such case."""
    return InputRefused("not_found", f"no upload {upload} is done or failed")


async def _hold(conn: Conn, person: Person, order: Order) -> tuple[Held, Lease | None]:
    """Lock the case and see that nobody else was faster."""
    held = await decisions.hold(conn, order.upload)
    if held is None:
        raise missing(order.upload)
    lease = (await leases.of(conn, [order.upload])).get(order.upload)
    stale = order.expected is not None and str(held.revision) not in order.expected
    if stale or held.pending is not None:
        why = (
            f"it is at revision {held.revision}, not {', '.join(order.expected or ())}"
            if stale
            else "a decision that may still be undone was made"
        )
        raise Conflict("case_changed", why, await reviews.current(conn, order.upload))
    if lease is not None and lease.holder != person.id:
        name = lease.name or lease.holder
        raise Conflict(
            "leased_by_other",
            f"{name} works on it until {lease.until.isoformat()}",
            await reviews.current(conn, order.upload),
        )
    return held, lease


async def _not_undone(conn: Conn, person: Person, upload: UUID) -> InputRefused:
    if await decisions.hold(conn, upload) is None:
        return missing(upload)
    actor = await decisions.pending_actor(conn, upload)
    if actor is not None and actor != person.id:
        return InputRefused("decided_by_other", "only who made a decision takes it back")
    return InputRefused(
        "undo_window_over", "no decision of yours may still be undone; make another, with a reason"
    )
