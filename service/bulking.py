"""One decision for many cases: counted first, made if the count still holds, undone in time."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from service import deciding, ids
from service.deciding import Decision, Situation
from service.errors import InputRefused
from service.leasing import Person
from service.store import Conn, audit, bulks, cases, pending
from service.store.bulks import Standing
from service.store.pending import Wanted

MOST = 10_000


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be decided of all that waits and fits; ``expected`` is how many that must be."""

    wanted: Wanted
    decision: Decision
    reason: str
    expected: int


@dataclass(frozen=True, slots=True)
class Bulk:
    """What was decided; ``skipped`` are those left out, each with its id and why."""

    id: UUID
    count: int
    effective_at: datetime
    skipped: list[dict[str, str]]


async def count(conn: Conn, wanted: Wanted) -> int:
    """
    Count the cases that would be decided.

    Raises:
        InputRefused: ``bulk_too_large``, ``path_invalid`` or ``query_too_slow``.
    """
    async with conn.transaction(), cases.bounded(conn):
        number = await pending.count(conn, wanted, MOST)
    if number > MOST:
        raise InputRefused("bulk_too_large", f"more than {MOST} cases fit; narrow the filter")
    return number


async def decide(conn: Conn, person: Person, order: Order, undo: timedelta) -> Bulk:
    """
    Decide all that waits and fits, in one transaction; each case has its own decision and entry.

    Raises:
        InputRefused: ``count_changed``, ``bulk_too_large``, ``path_invalid``, ``query_too_slow``.
    """
    async with conn.transaction():
        async with cases.bounded(conn):
            uploads = await pending.page(conn, order.wanted, None, MOST + 1)
        if len(uploads) > MOST:
            raise InputRefused("bulk_too_large", f"more than {MOST} cases fit; narrow the filter")
        if len(uploads) != order.expected:
            raise InputRefused(
                "count_changed", f"{len(uploads)} cases fit now, not {order.expected}; count again"
            )
        bulk = ids.uuid7()
        wanted = order.wanted.filter.model_dump(mode="json", exclude_none=True)
        effective_at = await bulks.add(
            conn, bulk, person.id, wanted, order.decision, order.reason, undo
        )
        stands = await bulks.stand(conn, uploads)
        left_out = {one.upload_id: _why_not(one, person, order) for one in stands}
        chosen = [one for one in stands if left_out[one.upload_id] is None]
        made = await bulks.decide(conn, bulk, [_decided(one, order.decision) for one in chosen])
        skipped = [
            {"id": str(one.upload_id), "why": left_out[one.upload_id] or "case_changed"}
            for one in stands
            if one.upload_id not in made
        ]
        await bulks.skipped(conn, bulk, skipped)
        facts = {"bulk": str(bulk), "decision": order.decision, "reason": order.reason}
        await audit.add_each(
            conn, "decision.make", [(person.actor, str(one), facts) for one in sorted(made)]
        )
    return Bulk(bulk, len(made), effective_at, skipped)


async def undo(conn: Conn, person: Person, bulk: UUID) -> int:
    """
    Take back what has not taken effect yet; tell how many.

    Raises:
        InputRefused: ``not_found``, ``decided_by_other`` or ``undo_window_over``.
    """
    async with conn.transaction():
        taken_back = await bulks.undo(conn, bulk, person.id)
        if not taken_back:
            raise await _not_undone(conn, person, bulk)
        facts: Mapping[str, Any] = {"bulk": str(bulk)}
        await audit.add_each(
            conn, "decision.undo", [(person.actor, str(one), facts) for one in sorted(taken_back)]
        )
    return len(taken_back)


async def _not_undone(conn: Conn, person: Person, bulk: UUID) -> InputRefused:
    found = await bulks.get(conn, bulk)
    if found is None:
        return InputRefused("not_found", f"there is no bulk decision {bulk}")
    if found["actor"] != person.id:
        return InputRefused("decided_by_other", "only who made a decision takes it back")
    return InputRefused("undo_window_over", "nothing of it may still be undone")


def _why_not(one: Standing, person: Person, order: Order) -> str | None:
    """Name the code for which a case is left out; None if it is not."""
    if one.holder not in (None, person.id):
        return "leased_by_other"
    situation = Situation(one.latest, one.standing, one.has_edited)
    try:
        deciding.check(situation, order.decision, order.reason, ())
    except InputRefused as error:
        return error.code
    return None


def _decided(one: Standing, decision: Decision) -> tuple[UUID, UUID, Decision | None]:
    situation = Situation(one.latest, one.standing, one.has_edited)
    return ids.uuid7(), one.upload_id, deciding.overturned(situation, decision)
