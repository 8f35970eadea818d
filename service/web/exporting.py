"""Records as a stream: CSV for spreadsheets, or a line of JSON each."""

import csv
import io
from collections.abc import AsyncIterator, Sequence
from typing import Literal

from aiohttp import web
from pydantic import Field

from service import log
from service.errors import InputRefused
from service.store import Pool, audit, cases
from service.store.cases import Order
from service.store.records import Filter
from service.web import POOL, actor, models
from service.web.models import RecordView
from service.web.openapi import Api
from service.web.records import FILTER_REFUSALS, SortedFilter, filter_of, place_of

MOST = 100_000
PAGE = 200
FORMATS = {"csv": "text/csv", "jsonl": "application/jsonl"}
COLUMNS = (
    *("id", "platform", "external_id", "state", "outcome", "verdict", "decision", "decided_at"),
    *("ruleset", "version", "severity", "rules", "summary", "received_at", "finished_at"),
)
# What spreadsheets take for the beginning of a formula.
# Source: https://owasp.org/www-community/attacks/CSV_Injection
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")


class ExportQuery(SortedFilter):
    """Filters, in which order, and as what."""

    format: Literal["csv", "jsonl"] = Field(
        "csv", description="csv: a line each for spreadsheets; jsonl: all that a page tells of each"
    )


def add_to(api: Api) -> None:
    """Declare the operation."""
    api.operation(
        "GET",
        "/v1/records/export",
        roles=("moderator",),
        answers={200: tuple(FORMATS.values())},
        sends={200: ("Cache-Control", "Content-Disposition", "X-Content-Type-Options")},
        refusals=(*FILTER_REFUSALS, "too_many_records"),
    )(export_records)


async def export_records(request: web.Request, *, query: ExportQuery) -> web.StreamResponse:
    """Export up to 100,000 records."""
    wanted, pool = filter_of(query), request.app[POOL]
    asked = wanted.model_dump(mode="json", exclude_none=True)
    async with pool.acquire() as conn, cases.bounded(conn):
        count = await cases.count(conn, wanted, MOST + 1)
        if count > MOST:
            raise InputRefused(
                "too_many_records", f"more than {MOST} records fit; narrow the filter"
            )
        await audit.add(
            conn, actor(request), "records.export", "records", filter=asked, records=count
        )
    answer = web.StreamResponse(headers=_headers(query.format))
    answer.content_type, answer.charset = FORMATS[query.format], "utf-8"
    await answer.prepare(request)
    sent = 0
    try:
        if query.format == "csv":
            await answer.write(_line(COLUMNS))
        async for page in _pages(pool, wanted, query.order, count):
            await answer.write(b"".join(_spelt(item, query.format) for item in page))
            sent += len(page)
        await answer.write_eof()
    except BaseException:
        # The status is sent, so only an end in the middle can say that something is missing.
        if request.transport is not None:
            request.transport.abort()
        raise
    finally:
        log.get().info("records_exported", actor=actor(request), records=count, sent=sent)
    return answer


async def _pages(
    pool: Pool, wanted: Filter, order: Order, count: int
) -> AsyncIterator[list[RecordView]]:
    """Read page by page, so that a slow reader holds neither a connection nor a snapshot."""
    after = None
    while count > 0:
        async with pool.acquire() as conn, cases.bounded(conn):
            rows = await cases.find(conn, wanted, order, after=after, limit=min(PAGE, count))
        if not rows:
            return
        page = [models.of_record(row) for row in rows]
        yield page
        count -= len(page)
        after = place_of(page[-1])


def _headers(form: str) -> dict[str, str]:
    return {
        "Content-Disposition": f'attachment; filename="records.{form}"',
        "Cache-Control": "no-store",
        "X-Content-Type-Options": "nosniff",
    }


def _spelt(item: RecordView, form: str) -> bytes:
    if form == "jsonl":
        return item.model_dump_json().encode() + b"\n"
    description = item.description or {}
    found = dict.fromkeys(finding["rule"] for finding in description.get("findings", []))
    special = {
        "ruleset": item.ruleset.name,
        "version": item.ruleset.version,
        "rules": " ".join(found),
        "summary": description.get("summary"),
    }
    plain = item.model_dump(mode="json", include=set(COLUMNS) - set(special))
    return _line([{**plain, **special}[name] for name in COLUMNS])


def _line(cells: Sequence[object]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\r\n").writerow([_neutral(cell) for cell in cells])
    return text.getvalue().encode()


def _neutral(cell: object) -> object:
    """Keep a spreadsheet from running what somebody wrote."""
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(_FORMULA) else cell
