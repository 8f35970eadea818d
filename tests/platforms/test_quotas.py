"""Quotas: 429 with a time to wait, nothing stored, counted by all API processes together."""

import asyncio
from typing import Any

import pytest

from service import enrolling
from service.store import Conn, Pool
from service.store.database import Database
from tests import draw
from tests.conftest import Api
from tests.flows import processes
from tests.web import sending
from tests.web.sending import PNG, stored

PNG_TYPE = {"Content-Type": "image/png"}


async def limit(pool: Pool, **settings: object) -> None:
    """Set what the default platform may use."""
    async with pool.acquire() as conn:
        await enrolling.change(conn, "default", settings, "test")


async def use(owner: Conn) -> tuple[int, int]:
    """Today's uploads and bytes of the default platform, as counted."""
    row = await owner.fetchrow("SELECT uploads, bytes FROM intake_days WHERE platform = 'default'")
    return (row["uploads"], row["bytes"]) if row else (0, 0)


def check_refused(answer: tuple[int, Any, Any], least_s: int, most_s: int) -> None:
    """Check that it is the 429 that says when to ask again."""
    sending.check_problem(answer, 429, "quota_exceeded")
    assert least_s <= int(answer[2]["Retry-After"]) <= most_s


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"max_uploads_per_day": 2}, "2 uploads a day"),
        ({"max_bytes_per_day": 2 * len(PNG) + 1}, "bytes a day"),
    ],
)
async def test_a_day_has_so_much_room(
    api: Api, pool: Pool, owner: Conn, settings: dict[str, object], named: str
) -> None:
    """What no longer fits is refused until midnight (UTC) and leaves no trace; others go on."""
    await limit(pool, **settings)
    for number in (1, 2):
        await api.platform.upload(PNG, f"?external_id={number}")
    before = await stored(owner), await use(owner)
    refused = await api.platform.ask(
        "POST", "/v1/uploads", data=PNG, headers=PNG_TYPE | {"Idempotency-Key": "k"}
    )
    check_refused(refused, 1, 86_400)
    assert named in refused[1]["detail"]
    assert (await stored(owner), await use(owner)) == before == (before[0], (2, 2 * len(PNG)))

    other = await sending.caller(api, pool, "platform", "other")
    await other.upload(PNG)
    await limit(pool, **dict.fromkeys(settings))
    await api.platform.upload(PNG, Idempotency_Key="k")


async def test_a_new_day_has_room_again(api: Api, pool: Pool, owner: Conn) -> None:
    """Yesterday's uploads take nothing of today."""
    await limit(pool, max_uploads_per_day=1)
    await api.platform.upload(PNG)
    await owner.execute("UPDATE intake_days SET day = day - 1")
    await api.platform.upload(PNG)
    assert await owner.fetchval("SELECT count(*) FROM intake_days") == 2


async def test_a_replayed_answer_and_a_refused_image_use_nothing(
    api: Api, pool: Pool, owner: Conn
) -> None:
    """Only what is accepted is counted, and a key is replayed where no room is left."""
    await limit(pool, max_uploads_per_day=1)
    broken = await api.platform.ask("POST", "/v1/uploads", data=b"no image", headers=PNG_TYPE)
    sending.check_problem(broken, 415, "not_an_image")
    first = await api.platform.upload(PNG, Idempotency_Key="k")
    assert await api.platform.upload(PNG, Idempotency_Key="k") == first
    assert await use(owner) == (1, len(PNG))


async def test_parallel_uploads_do_not_outrun_the_day(api: Api, pool: Pool, owner: Conn) -> None:
    """Of thirty at once exactly as many are accepted as fit."""
    await limit(pool, max_uploads_per_day=7)

    async def send(number: int) -> int:
        image = draw.png(number + 1, 8, "red")
        status, _, _ = await api.platform.ask("POST", "/v1/uploads", data=image, headers=PNG_TYPE)
        return status

    answers = await asyncio.gather(*map(send, range(30)))
    assert sorted(answers) == [202] * 7 + [429] * 23
    assert (await stored(owner))["uploads"] == (await use(owner))[0] == 7


async def test_a_rate_allows_a_seconds_worth_and_then_says_when(
    api: Api, pool: Pool, owner: Conn
) -> None:
    """The refused request is not counted, so that waiting as told is enough; all routes count."""
    await limit(pool, max_requests_per_s=0.2)
    await api.platform.upload(PNG)
    before = await stored(owner)
    for method, path in (("POST", "/v1/uploads"), ("GET", "/v1/tokens"), ("POST", "/v1/uploads")):
        check_refused(await api.platform.ask(method, path, data=PNG, headers=PNG_TYPE), 4, 5)
    assert await stored(owner) == before
    assert (await api.moderator.ask("GET", "/v1/records"))[0] == 200

    await owner.execute("UPDATE request_rates SET next_at = next_at - interval '5 s'")
    await api.platform.upload(PNG, "?external_id=2")


async def test_a_burst_is_a_seconds_worth(api: Api, pool: Pool) -> None:
    """Twenty requests at once at ten a second: ten pass, and what came in while they ran."""
    await limit(pool, max_requests_per_s=10)
    loop = asyncio.get_running_loop()
    begin = loop.time()
    answers = await asyncio.gather(*(api.platform.ask("GET", "/v1/tokens") for _ in range(40)))
    took_s = loop.time() - begin
    passed = [status for status, _, _ in answers].count(200)
    assert 10 <= passed <= 10 + took_s * 10 + 1
    assert {status for status, _, _ in answers} == {200, 429}


async def test_two_processes_keep_one_quota(api: Api, pool: Pool, where: Database) -> None:
    """Uploads to two API processes in turn are counted together."""
    await limit(pool, max_uploads_per_day=5)
    async with processes.serve(where) as (_, url):
        answers = [
            (
                await api.platform.session.post(
                    f"{address}/v1/uploads?external_id={number}",
                    data=PNG,
                    headers=PNG_TYPE | {"Authorization": f"Bearer {api.platform.token}"},
                )
            ).status
            for number in range(4)
            for address in (url, api.url)
        ]
    assert answers == [202] * 5 + [429] * 3
