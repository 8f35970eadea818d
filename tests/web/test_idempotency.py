"""Idempotency-Key: one upload however often it is sent, and always the first answer."""

import asyncio
import json

import pytest

from service.store import Conn, Pool
from tests import draw
from tests.conftest import Api
from tests.web import sending
from tests.web.sending import PNG, in_json, stored

KEY = {"Idempotency-Key": "order-1", "Content-Type": "application/json"}


async def test_a_repeated_key_gets_the_first_answer_byte_for_byte(api: Api, owner: Conn) -> None:
    """Status, body and Location are those of the first, and one upload exists."""
    sent = in_json(external_id="a", metadata={"x": 1, "y": 2})
    first = await api.platform.ask("POST", "/v1/uploads", data=sent, headers=KEY)
    # The same request spelled differently is the same request.
    again = in_json(metadata={"y": 2, "x": 1}, external_id="a", ruleset="privacy")
    second = await api.platform.ask("POST", "/v1/uploads", data=again, headers=KEY)

    assert first[:2] == second[:2]
    assert dict(first[2])["Location"] == dict(second[2])["Location"]
    assert await stored(owner) == {"images": 1, "uploads": 1, "idempotency_keys": 1}


@pytest.mark.parametrize(
    "other",
    [
        in_json(draw.png(8, 8, "red"), external_id="a"),
        in_json(external_id="b"),
        in_json(),
        in_json(external_id="a", metadata={"x": 1}),
        in_json(external_id="a", ruleset="marketplace"),
    ],
    ids=["image", "id", "no id", "metadata", "ruleset"],
)
async def test_a_key_with_another_payload_is_refused(api: Api, owner: Conn, other: bytes) -> None:
    """A key that was used for something else is a mistake that is told."""
    await api.platform.ask("POST", "/v1/uploads", data=in_json(external_id="a"), headers=KEY)

    answer = await api.platform.ask("POST", "/v1/uploads", data=other, headers=KEY)

    sending.check_problem(answer, 422, "idempotency_mismatch")
    assert await stored(owner) == {"images": 1, "uploads": 1, "idempotency_keys": 1}


async def test_of_concurrent_requests_with_one_key_exactly_one_is_an_upload(
    api: Api, owner: Conn
) -> None:
    """The others get the first answer again or are told that it is in progress."""

    async def send() -> tuple[int, str, str]:
        headers = {"Idempotency-Key": "k", "Content-Type": "image/png"}
        status, body, _ = await api.platform.ask("POST", "/v1/uploads", data=PNG, headers=headers)
        return status, body.get("id", ""), body.get("code", "")

    answers = await asyncio.gather(*(send() for _ in range(30)))

    taken = {upload for status, upload, _ in answers if status == 202}
    assert len(taken) == 1
    refused = {(status, code) for status, _, code in answers if status != 202}
    assert refused <= {(409, "idempotency_in_progress")}
    assert await stored(owner) == {"images": 1, "uploads": 1, "idempotency_keys": 1}


async def test_a_key_in_use_is_told_and_free_after_a_rollback(
    api: Api, pool: Pool, owner: Conn
) -> None:
    """409 lasts only until the first request ended; if that one failed, the key is unused."""
    async with owner.transaction():
        # An upload that cannot be written yet is a request that stays in progress.
        await owner.execute("LOCK TABLE uploads IN EXCLUSIVE MODE")
        first = asyncio.create_task(
            api.platform.ask("POST", "/v1/uploads", data=in_json(), headers=KEY)
        )

        async def waits() -> bool:
            return bool(
                await pool.fetchval("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'")
            )

        await sending.until(waits)
        answer = await api.platform.ask("POST", "/v1/uploads", data=in_json(), headers=KEY)
        sending.check_problem(answer, 409, "idempotency_in_progress")

    accepted = await first
    again = await api.platform.ask("POST", "/v1/uploads", data=in_json(), headers=KEY)
    assert accepted[:2] == again[:2]


@pytest.mark.usefixtures("working")
async def test_after_waiting_the_key_replays_the_finished_upload(api: Api, pool: Pool) -> None:
    """The answer that is repeated is the 200 that was given, not the 202 that was not."""
    headers = KEY | {"Prefer": "wait=30"}
    first = await api.platform.ask("POST", "/v1/uploads", data=in_json(), headers=headers)

    second = await api.platform.ask("POST", "/v1/uploads", data=in_json(), headers=KEY)

    assert (first[0], first[1]["state"]) == (200, "done")
    assert first[:2] == second[:2]
    stored_body = await pool.fetchval("SELECT body FROM idempotency_keys")
    assert json.loads(stored_body) == first[1]
