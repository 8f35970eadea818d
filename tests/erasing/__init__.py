"""Uploads with something to lose: how the tests make them, and look for what is left of them."""

import dataclasses
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

from service import completing
from service.completing import Described, Kept
from service.store import Conn, Pool, attempts, invariants, uploads
from service.store.checks.ended import REFERENCES
from service.store.proofs import Proof
from service.store.uploads import Claim
from tests.flows import claims
from tests.upstream import description, finding

# A word that no code and no ruleset has.
MARK: Final = "quxzebra"
_TABLES = """
    SELECT table_name FROM information_schema.tables
     WHERE table_schema = current_schema() AND table_type = 'BASE TABLE'
"""
_ORPHANS = f"""
    SELECT count(*) FROM images AS i
     WHERE NOT EXISTS (SELECT FROM ({REFERENCES}) AS named WHERE named.sha256 = i.sha256)
       AND NOT EXISTS (SELECT FROM example_pictures AS e WHERE e.sha256 = i.sha256)
"""
_BOOKS = "SELECT scope, period, starts_on, spent_microusd + reserved_microusd FROM spending"


async def places_of(conn: Conn, needle: bytes) -> set[str]:
    """
    Look through every row of every table, whatever its columns are, for these bytes.

    They are found in text and JSON as they stand, and in binary columns by their digits.
    """
    spellings = [needle.hex()]
    if needle.isascii():
        spellings.append(needle.decode().lower())
    found = set()
    for (table,) in await conn.fetch(_TABLES):
        held = await conn.fetchval(
            f"SELECT EXISTS (SELECT FROM {table} AS row WHERE EXISTS ("
            "SELECT FROM unnest($1::text[]) AS one WHERE position(one IN lower(row::text)) > 0))",
            spellings,
        )
        if held:
            found.add(table)
    return found


async def pictures_of(conn: Conn, upload: UUID) -> dict[str, bytes]:
    """Give a piece of each picture that the upload's rows name, by the column that names it."""
    rows = await conn.fetch(
        f"SELECT place, data FROM ({REFERENCES}) AS named JOIN images USING (sha256)"
        " WHERE owner = $1",
        upload,
    )
    return {row["place"]: row["data"][-40:] for row in rows}


async def orphans(conn: Conn) -> int:
    """Count the pictures that nothing names."""
    return int(await conn.fetchval(_ORPHANS))


async def books(conn: Conn) -> list[tuple[object, ...]]:
    """Read what was spent."""
    return sorted(tuple(row) for row in await conn.fetch(_BOOKS))


async def check_whole(conn: Conn) -> None:
    """
    Check that all invariants hold, and that no picture is nobody's.

    Attempts that are entered by hand have sent no prompt.
    """
    names = {one.name for one in invariants.CHECKS} - {"prompt_sent"}
    found = await invariants.violations(conn, names=names)
    assert found == [], found
    assert await orphans(conn) == 0


def described(claim: Claim) -> Described:
    """What an attempt brought, with the mark in all its words."""
    found = finding("bystander-faces", rationale=f"a {MARK} stands there")
    said = description(
        summary=f"A {MARK}.",
        alt_text=f"the {MARK}, blurred",
        findings=[found],
        text_to_model=[MARK],
    )
    facts: dict[str, Any] = {**claims.FACTS, "text_to_model": [f"obey the {MARK}"]}
    brought = claims.described(claim)
    proof = Proof("proven", True, facts, brought.proof.heat)
    return dataclasses.replace(brought, description=said, proof=proof)


async def claim_one(conn: Conn) -> Claim:
    """Claim the one that is due, and enter the attempt at it."""
    (claim,) = await uploads.claim(conn, 1, claims.MINUTE)
    await claims.entered(conn, claim)
    return claim


async def quote(conn: Conn, claim: Claim) -> None:
    """Give the upload back after an answer whose description did not hold, with its picture."""
    told = f"findings[0] says {MARK}"
    completion = attempts.Completion(
        "invalid_description", True, claims.PRICE, answer_text=f"{{{MARK}}}", detail=told
    )
    kept = Kept(
        claims.image(b"kept " + claim.id.bytes * 3),
        claims.image(b"kept thumbnail " + claim.id.bytes * 3),
        claim.attempt,
        (told,),
        accused=False,
    )
    await completing.release(conn, claim, completion, charged=True, delay_s=0, kept=kept)


async def finish(pool: Pool) -> UUID:
    """Work on the one that is due: an answer that fails, then one that holds."""
    async with pool.acquire() as conn:
        await quote(conn, await claim_one(conn))
        claim = await claim_one(conn)
        await completing.succeed(conn, claim, described(claim), claims.URL)
    return claim.id


async def release(pool: Pool, waiting_for: str) -> UUID:
    """Let the one that is due wait for something, with an answer that failed behind it."""
    async with pool.acquire() as conn:
        await quote(conn, await claim_one(conn))
        claim = await claim_one(conn)
        completion = attempts.Completion("timeout", False, 0, detail=MARK)
        await completing.release(
            conn, claim, completion, charged=False, delay_s=60, waiting_for=waiting_for
        )
    return claim.id


def days(number: float) -> timedelta:
    """Give a number of days."""
    return timedelta(days=number)
