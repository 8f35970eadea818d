"""What the tests of the repair share: upstreams that describe alone, and first answers."""

import json
from collections.abc import Callable, Mapping
from typing import Any, Final
from uuid import UUID

from aiohttp import web

from service.edits import Upstream as Configured
from service.store import Conn
from tests.conftest import PRICE, configured
from tests.flows import driving
from tests.upstream import Answer, Call, answered, description, finding, sent

DESCRIPTION_PRICE: Final = 2_100
CLEAN: Final = json.dumps(description())
UNKNOWN_RULE: Final = json.dumps(description(findings=[finding("no-such-rule")]))
# Larger than what is sent and what later edits bring, so that it is told from both.
KEPT_TIMES: Final = 3
IMAGE: Final = sent(times=KEPT_TIMES)


def repairing(url: str, dialect: str = "openai-chat", **changes: Any) -> Configured:
    """An upstream that edits for $0.058, and describes alone for much less by another model."""
    describer = configured(
        url,
        dialect=dialect,
        model="describer",
        price_microusd=DESCRIPTION_PRICE,
        price_version="configured",
        timeout_s=changes.get("timeout_s", 5.0),
    )
    return configured(url, describer=describer, price_version="table", **changes)


def says(made: Callable[[Call], str]) -> Answer:
    """Answer with a text made of what was asked, beside the picture that is kept."""

    async def answer(call: Call, request: web.Request) -> web.StreamResponse:
        return await answered(made(call), IMAGE)(call, request)

    return answer


def first_then(first: Answer, alone: Answer) -> Answer:
    """Answer an edit in the first way, and who asks for a description alone in the second."""

    async def answer(call: Call, request: web.Request) -> web.StreamResponse:
        return await (alone if call.alone else first)(call, request)

    return answer


def in_turn(*answers: Answer) -> Answer:
    """Answer in these ways, one after another; there must not be a call more."""
    left = iter(answers)

    async def answer(call: Call, request: web.Request) -> web.StreamResponse:
        return await next(left)(call, request)

    return answer


# Ways in which the picture comes without a valid description, by the outcome that follows.
FIRST: Final[Mapping[str, tuple[Answer, str]]] = {
    "no_text": (answered(None, IMAGE), "no_description"),
    "echo": (says(lambda call: call.prompt), "no_description"),
    "prose": (answered("A quiet street with two parked cars.", IMAGE), "invalid_description"),
    "unknown_rule": (answered(UNKNOWN_RULE, IMAGE), "invalid_description"),
}
INVALID: Final = FIRST["unknown_rule"][0]


async def ledger(conn: Conn, upload: UUID) -> list[tuple[str, str, int]]:
    """Read what was asked for, how that ended and what it cost, in order."""
    rows = await driving.attempts_of(conn, upload)
    return [(row["kind"], row["outcome"], row["cost_microusd"]) for row in rows]


async def proven_times(conn: Conn, upload: UUID) -> float:
    """Tell how many times the picture that was sent is the one that the record's proof is of."""
    times: float = await conn.fetchval(
        """
        SELECT (p.facts->'size'->>0)::float / i.height
          FROM records AS r JOIN proofs AS p USING (upload_id, attempt)
          JOIN uploads AS u ON u.id = r.upload_id JOIN images AS i ON i.sha256 = u.canonical_sha256
         WHERE r.upload_id = $1
        """,
        upload,
    )
    return times


def edit(outcome: str, cost: int = PRICE) -> tuple[str, str, int]:
    """Give an edit as ``ledger`` reads it."""
    return "edit", outcome, cost


def alone(outcome: str, cost: int = DESCRIPTION_PRICE) -> tuple[str, str, int]:
    """Give a description alone as ``ledger`` reads it."""
    return "description", outcome, cost
