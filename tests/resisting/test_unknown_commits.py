"""
Commits whose acknowledgement is lost, of all that is no attempt at an upload.

Each is cut off right before its COMMIT, so that nothing is written, or right after it, so that all
is; whoever asked, or tries again by himself, cannot tell the one from the other.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Coroutine
from typing import Any

import pytest

from service import applying
from service.delivering import Deliverer, Room
from service.posting import Poster
from service.store import Pool
from service.store.database import Database
from tests import fetches
from tests.callbacks import driving as callbacks
from tests.callbacks.receivers import receiving
from tests.conftest import Api
from tests.edits.site import Site, gives, serving
from tests.flows import cutting, driving
from tests.flows.cutting import Cutter
from tests.flows.driving import PUBLIC_URL, TEAL, Owner
from tests.flows.test_unknown_commit import commit_of
from tests.reviews import people
from tests.reviews.people import FAILED, VIOLATING, People
from tests.web import sending
from tests.web.sending import PNG

pytestmark = pytest.mark.parametrize("side", ["before", "after"])


@pytest.fixture
async def cutter(where: Database) -> AsyncIterator[tuple[Cutter, Database]]:
    """The proxy on the way to the database, and the database behind it."""
    async with cutting.cutter(where) as both:
        yield both


@pytest.fixture
async def pool(cutter: tuple[Cutter, Database]) -> AsyncIterator[Pool]:
    """Connections that can be cut."""
    opened = await cutter[1].pool(size=10, name="tests")
    yield opened
    await opened.close()


@pytest.fixture
def cut(cutter: tuple[Cutter, Database]) -> Cutter:
    """The proxy alone."""
    return cutter[0]


async def post(api: Api, **headers: str) -> int:
    """Upload a picture; give the status."""
    sent = {"Content-Type": "image/png", **headers}
    answer = await api.platform.ask("POST", "/v1/uploads", data=PNG, headers=sent)
    if answer[0] != 202:
        sending.check_problem(answer, 503, "database_unavailable")
    return answer[0]


async def test_an_upload_with_a_key_is_stored_once(
    side: str, api: Api, owner: Owner, cut: Cutter
) -> None:
    """503 says nothing of what was stored; asked again, the key finds it or makes it."""
    setattr(cut, side, commit_of(b"INSERT INTO images"))
    key = {"Idempotency-Key": "k"}
    assert [await post(api, **key), await post(api, **key)] == [503, 202]
    assert await sending.stored(owner) == {"images": 1, "uploads": 1, "idempotency_keys": 1}
    assert await owner.fetchval("SELECT uploads FROM intake_days") == 1


async def test_an_upload_without_a_key_may_be_stored_twice(
    side: str, api: Api, owner: Owner, cut: Cutter
) -> None:
    """Nothing tells the second from another upload of the same picture; README says so."""
    setattr(cut, side, commit_of(b"INSERT INTO images"))
    assert [await post(api), await post(api)] == [503, 202]
    stored = {"before": 1, "after": 2}[side]
    assert (await sending.stored(owner))["uploads"] == stored
    assert await owner.fetchval("SELECT uploads FROM intake_days") == stored


async def test_an_upload_that_is_deleted_twice_was_deleted_once(
    side: str, api: Api, owner: Owner, cut: Cutter
) -> None:
    """The one who asks again gets the answer that was lost."""
    upload = (await api.platform.upload(PNG))["id"]
    setattr(cut, side, commit_of(b"erase_upload"))
    answers = [(await api.platform.ask("DELETE", f"/v1/uploads/{upload}"))[0] for _ in range(2)]
    assert answers == [503, 204]
    assert await entries(owner, "upload.delete") == 1


async def test_an_image_lands_once(
    side: str, pool: Pool, where: Database, owner: Owner, cut: Cutter
) -> None:
    """What landed is not fetched again, and its bytes are counted once."""
    async with serving(Site([gives(TEAL)])) as site:
        upload = await fetches.told(pool, f"{site.url}/a.png")
        setattr(cut, side, commit_of(b"SET ended_at"))
        async with fetches.gathering(pool, where):
            (row,) = await fetches.come(owner, upload)
        assert len(site.asked) == {"before": 2, "after": 1}[side]
    assert (row["state"], row["waiting_for"], cut.cuts) == ("queued", None, 1)
    assert await owner.fetchval("SELECT bytes FROM intake_days") == len(TEAL)
    assert (await fetches.fetch_of(owner, upload))["tries"] == 1


async def test_a_decision_is_made_once(
    side: str, api: Api, pool: Pool, owner: Owner, cut: Cutter
) -> None:
    """Asked again it is made, or refused as what was decided before."""
    one = await People(api, pool).moderator("one")
    (upload,) = await people.cases(owner, VIOLATING)
    setattr(cut, side, commit_of(b"INSERT INTO decisions"))
    answers = [await one.decide(upload, "allow") for _ in range(2)]
    assert [status for status, _ in answers] == [503, {"before": 201, "after": 409}[side]]
    assert await owner.fetchval("SELECT count(*) FROM decisions") == 1
    assert await entries(owner, "decision.make") == 1


async def test_a_bulk_is_decided_once(
    side: str, api: Api, pool: Pool, owner: Owner, cut: Cutter
) -> None:
    """Asked again it is made, or refused since no case of it waits any more."""
    one = await People(api, pool).moderator("one")
    await people.cases(owner, FAILED, FAILED)
    setattr(cut, side, commit_of(b"INSERT INTO decisions"))
    order = {"filter": {"state": "failed"}, "decision": "block", "reason": "spam", "expected": 2}
    answers = [await one.post("bulk", **order) for _ in range(2)]
    assert [status for status, _ in answers] == [503, {"before": 202, "after": 409}[side]]
    assert await owner.fetchval("SELECT count(*) FROM decisions") == 2
    assert await entries(owner, "decision.make") == 2


async def test_a_decision_takes_effect_once(
    side: str, api: Api, pool: Pool, owner: Owner, cut: Cutter
) -> None:
    """Who applies what is due goes on by himself, and tells the platform once."""
    one = await People(api, pool).moderator("one")
    (upload,) = await people.cases(owner, VIOLATING)
    await one.decide(upload, "allow")
    await people.make_due(owner)
    setattr(cut, side, commit_of(b"SET applied_at"))
    async with running(applying.run(pool, PUBLIC_URL, stop := asyncio.Event()), stop):

        async def applied() -> bool:
            return bool(await owner.fetchval("SELECT count(applied_at) FROM decisions"))

        await driving.until(applied, "the decision has taken effect")
    assert cut.cuts == 1
    assert await people.callbacks(owner) == ["upload.decided"]
    assert await entries(owner, "decision.apply") == 1


async def test_a_callback_is_delivered_under_one_id(
    side: str, pool: Pool, where: Database, owner: Owner, cut: Cutter
) -> None:
    """What is not noted as delivered comes again, the same bytes under the same id."""
    setattr(cut, side, commit_of(b"UPDATE delivery_jobs SET state"))
    async with receiving() as receiver, Poster(("127.0.0.1",), 1.0) as poster:
        await callbacks.subscribe(owner, receiver.url)
        await callbacks.tell(owner)
        deliverer = Deliverer(pool, where, poster, Room())
        async with running(deliverer.run(stop := asyncio.Event()), stop):

            async def cut_off() -> bool:
                return cut.cuts > 0

            async def delivered() -> bool:
                return await callbacks.states(owner) == ["delivered"]

            await driving.until(cut_off, "the first try is cut off")
            # The lease of a try that was not noted is long; once is enough, a second time would
            # take the next try's from it.
            await callbacks.make_due(owner)
            await driving.until(delivered, "the callback is noted as delivered")
    assert len(receiver.came) == {"before": 2, "after": 1}[side]
    assert len({(one.id, one.body) for one in receiver.came}) == 1


async def entries(owner: Owner, action: str) -> int:
    """Count what the audit trail holds of an action."""
    return int(await owner.fetchval("SELECT count(*) FROM audit WHERE action = $1", action))


@contextlib.asynccontextmanager
async def running(role: Coroutine[Any, Any, None], stop: asyncio.Event) -> AsyncIterator[None]:
    """Run something until the end of the block."""
    task = asyncio.create_task(role)
    try:
        yield
    finally:
        stop.set()
        await task
