"""Looks at originals: opened with a reason, counted before each byte, bounded by the day."""

from collections.abc import Mapping
from datetime import timedelta
from uuid import UUID

from service import ids
from service.errors import InputRefused
from service.leasing import Person
from service.store import Conn, audit, exposures, tokens
from service.store.exposures import Reveal

OPEN = timedelta(minutes=15)


async def reveal(
    conn: Conn, person: Person, upload: UUID, reason: str, length: timedelta = OPEN
) -> Reveal:
    """
    Open the original to a person; what is open stays as it is.

    Raises:
        InputRefused: ``not_found``, ``no_original`` or ``exposure_budget_spent``.
    """
    async with conn.transaction():
        await tokens.hold(conn, person.id)
        case = await exposures.case(conn, upload)
        if case is None:
            raise InputRefused("not_found", f"no upload {upload} is done or failed")
        severity, has_original = case
        if not has_original:
            raise InputRefused("no_original", "this picture could not be decoded; nobody sees it")
        opened = await exposures.opened(conn, upload, person.id)
        if opened is not None:
            return opened
        await _check_budget(conn, person, severity, None)
        made = await exposures.reveal(
            conn, ids.uuid7(), upload, person.id, severity, reason, length
        )
        await audit.add(
            conn,
            person.actor,
            "reveal.open",
            str(upload),
            id=str(made.id),
            severity=severity,
            reason=reason,
        )
    return made


async def expose(conn: Conn, person: Person, upload: UUID, sha256: bytes) -> None:
    """
    Enter, in a transaction of its own, that bytes are about to be sent to a person.

    Raises:
        InputRefused: ``reveal_required`` or ``exposure_budget_spent``.
    """
    async with conn.transaction():
        await tokens.hold(conn, person.id)
        opened = await check_open(conn, person, upload)
        await _check_budget(conn, person, opened.severity, opened.id)
        await exposures.add(conn, ids.uuid7(), opened, upload, person.id, sha256)


async def check_open(conn: Conn, person: Person, upload: UUID) -> Reveal:
    """Give the reveal that is open to a person; InputRefused if there is none."""
    opened = await exposures.opened(conn, upload, person.id)
    if opened is None:
        raise InputRefused("reveal_required", "the original opens only after a reveal")
    return opened


async def set_budgets(
    conn: Conn, budgets: Mapping[int, int | None], actor: str
) -> dict[int, int | None]:
    """Set the daily budgets of these severities, None for no limit; give those of all."""
    # In one order, so that two who set the same ones never wait for each other in a circle.
    given = sorted(budgets.items())
    async with conn.transaction():
        for severity, per_day in given:
            await exposures.bound(conn, severity, per_day)
        entries = [(actor, str(severity), {"per_day": per_day}) for severity, per_day in given]
        await audit.add_each(conn, "exposure_budget.set", entries)
        return await exposures.budgets(conn)


async def _check_budget(conn: Conn, person: Person, severity: int, but: UUID | None) -> None:
    spent = (await exposures.today(conn, person.id, but))[severity]
    if spent.is_over:
        raise InputRefused(
            "exposure_budget_spent",
            f"You have seen {spent.spent} pictures of severity {severity} today, and"
            f" {spent.per_day} is the most we ask of anybody. The description"
            " and the edited image are still here; or hand the case over, and a colleague goes on.",
        )
