"""Who works on what: the next case of a queue, and giving one back."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from service.errors import Conflict, InputRefused
from service.store import Conn, cases, leases, pending, reviews, tokens
from service.store.leases import Lease
from service.store.pending import Wanted

LEASE = timedelta(minutes=5)
SKIPPED = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Person:
    """Who works: a token; ``actor`` is its name in the audit trail."""

    id: UUID
    name: str | None
    actor: str


@dataclass(frozen=True, slots=True)
class Ask:
    """For which cases a person asks; ``number`` of them, those named in ``skip`` left out."""

    wanted: Wanted
    queue: str | None = None
    skip: Sequence[UUID] = ()
    number: int = 1


async def next_cases(
    conn: Conn, person: Person, ask: Ask, length: timedelta = LEASE
) -> list[Lease]:
    """
    Lease the next cases: first those that the person has already, then the first that are free.

    Returns:
        As many as were asked for, or as many as there are, in order.

    Raises:
        InputRefused: ``path_invalid`` or ``query_too_slow``.
    """
    got: list[UUID] = []
    async with conn.transaction():
        await leases.give_back(conn, ask.skip, person.id)
    # Where somebody else took a case between it was seen and it was locked, the next one is asked.
    while len(got) < ask.number:
        async with conn.transaction():
            # So that a second question of the same person finds what the first one leased.
            await tokens.hold(conn, person.id)
            async with cases.bounded(conn):
                found = await pending.of_person(conn, ask.wanted, person.id, ask.skip, ask.number)
                free = ask.number - len(found)
                if free > 0:
                    found += await pending.free(conn, ask.wanted, person.id, ask.skip, free)
                taken = set(await leases.take(conn, found, person.id, ask.queue, length))
        got = [one for one in found if one in taken]
        if len(taken) == len(found):
            break
    held = await leases.of(conn, got)
    return [held[one] for one in got if one in held]


async def renew(conn: Conn, person: Person, upload: UUID, length: timedelta = LEASE) -> Lease:
    """
    Take the lease of a case, or renew it.

    Raises:
        Conflict: ``leased_by_other``, with who has it until when.
        InputRefused: ``not_found``.
    """
    if not await reviews.exists(conn, upload):
        raise InputRefused("not_found", f"no upload {upload} is done or failed")
    before = (await leases.of(conn, [upload])).get(upload)
    queue = before.queue if before else None
    taken = await leases.take(conn, [upload], person.id, queue, length)
    lease = (await leases.of(conn, [upload])).get(upload)
    if not taken or lease is None:
        until = f" until {lease.until.isoformat()}" if lease else ""
        name = (lease.name or lease.holder) if lease else "somebody else"
        current = await reviews.current(conn, upload)
        raise Conflict("leased_by_other", f"{name} works on it{until}", current)
    return lease


async def set_aside(conn: Conn, person: Person, upload: UUID, kind: str, reason: str) -> None:
    """
    Give a case back that this person is not to be offered: for an hour if skipped, else for good.

    Raises:
        InputRefused: ``not_found``.
    """
    if not await reviews.exists(conn, upload):
        raise InputRefused("not_found", f"no upload {upload} is done or failed")
    async with conn.transaction():
        length = SKIPPED if kind == "skip" else None
        await leases.set_aside(conn, upload, person.id, kind, reason, length)
        await leases.give_back(conn, [upload], person.id)
