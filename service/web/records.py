"""The moderators' queries over all uploads that have ended: pages of them, and counts."""

import struct
from datetime import UTC, datetime, timedelta
from uuid import UUID

from aiohttp import web
from pydantic import BaseModel, Field

from service.store import case_counts, cases, service_secrets
from service.store.case_counts import Key
from service.store.cases import Order, Place
from service.store.records import Filter
from service.web import POOL, models, paging
from service.web.openapi import Api

FILTER_REFUSALS = ("path_invalid", "query_too_slow")
# Severity, microseconds since 1970, id.
_PLACE = struct.Struct(">hq16s")
_BEGIN = datetime(1970, 1, 1, tzinfo=UTC)


class SortedFilter(Filter):
    """Filters, and in which order."""

    order: Order = Field(
        "newest", description="by when received; severity: most severe first, then the oldest"
    )


class RecordQuery(SortedFilter):
    """Filters, and which page in which order."""

    cursor: paging.SignedCursor | None = None
    limit: int = Field(50, ge=1, le=200, description="most items a page")


class SummaryQuery(Filter):
    """Filters, and by what is counted."""

    by: Key = Field("day", description="the day is that (UTC) on which uploads were received")


class Count(BaseModel):
    """How many uploads there are of a kind; the key is null where no model was asked."""

    key: str | None
    count: int


class SummaryView(BaseModel):
    """
    How many uploads there are; one with several rules counts for each, and once in ``total``.

    Where ``exact`` is false, only the newest 100,000 were counted.
    """

    items: list[Count]
    total: int
    exact: bool


def add_to(api: Api) -> None:
    """Declare the operations."""
    api.operation(
        "GET",
        "/v1/records",
        roles=("moderator",),
        answers={200: models.RecordPage},
        refusals=("cursor_invalid", *FILTER_REFUSALS),
    )(find_records)
    api.operation(
        "GET",
        "/v1/records/summary",
        roles=("moderator",),
        answers={200: SummaryView},
        refusals=FILTER_REFUSALS,
    )(count_records)


async def find_records(request: web.Request, *, query: RecordQuery) -> web.Response:
    """List uploads that are done or failed."""
    wanted, order = filter_of(query), query.order
    asked = f"{order} {wanted.model_dump_json(exclude_none=True)}"
    async with request.app[POOL].acquire() as conn, cases.bounded(conn):
        key = await service_secrets.get(conn, "cursors")
        after = (
            _place(paging.verify(key, asked, query.cursor)) if query.cursor is not None else None
        )
        # One row more than a page tells whether there is another page.
        rows = await cases.find(conn, wanted, order, after=after, limit=query.limit + 1)
    items = [models.of_record(row) for row in rows[: query.limit]]
    more = len(rows) > query.limit
    following = paging.sign(key, asked, _bytes(place_of(items[-1]))) if more else None
    return web.json_response(text=models.RecordPage(items=items, next=following).model_dump_json())


async def count_records(request: web.Request, *, query: SummaryQuery) -> web.Response:
    """Count uploads that are done or failed: by day, rule, outcome, model or platform."""
    async with request.app[POOL].acquire() as conn, cases.bounded(conn):
        found = await case_counts.summary(conn, filter_of(query), query.by)
    items = [Count(key=key, count=count) for key, count in found.counts.items()]
    shown = SummaryView(items=items, total=found.total, exact=found.exact)
    return web.json_response(text=shown.model_dump_json())


def filter_of(query: Filter) -> Filter:
    """Tell the filters alone of a query."""
    return Filter.model_validate(query.model_dump(include=set(Filter.model_fields)))


def place_of(item: models.RecordView) -> Place:
    """Tell behind which place the page after this item begins."""
    return Place(item.severity, item.received_at, item.id)


def _bytes(place: Place) -> bytes:
    moment = (place.received_at - _BEGIN) // timedelta(microseconds=1)
    return _PLACE.pack(place.severity, moment, place.id.bytes)


def _place(packed: bytes) -> Place:
    severity, moment, upload = _PLACE.unpack(packed)
    return Place(severity, _BEGIN + timedelta(microseconds=moment), UUID(bytes=upload))
