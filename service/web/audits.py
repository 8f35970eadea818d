"""The audit trail over HTTP, to be read only."""

from datetime import date, datetime
from typing import Any
from uuid import UUID

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field

from service.store import audit
from service.store.records import Word
from service.web import POOL, paging
from service.web.openapi import Api


class AuditQuery(BaseModel):
    """Whose acts, of which kind, on what; and which page."""

    model_config = ConfigDict(extra="forbid")

    actor: Word | None = None
    action: Word | None = None
    subject: Word | None = None
    cursor: str | None = Field(None, max_length=200, description="`next` of the page before")
    limit: int = Field(50, ge=1, le=200, description="most items a page")


class EntryView(BaseModel):
    """One act, and its link: the number within the day and the digest."""

    id: int
    at: datetime
    actor: str
    action: str
    subject: str
    detail: dict[str, Any]
    day: date | None
    number: int | None
    sha256: str | None


class EntryPage(BaseModel):
    """A page of acts, the newest first."""

    items: list[EntryView]
    next: str | None


def add_to(api: Api) -> None:
    """Declare the operation."""
    api.operation(
        "GET",
        "/v1/audit",
        roles=("admin",),
        answers={200: EntryPage},
        refusals=("cursor_invalid",),
    )(list_entries)


async def list_entries(request: web.Request, *, query: AuditQuery) -> web.Response:
    """List who did what, the newest first."""
    # The numbers of entries travel in the cursors of ids.
    behind = paging.read(query.cursor)
    after = min(behind.int, 2**63 - 1) if behind else None
    async with request.app[POOL].acquire() as conn:
        rows = await audit.page(
            conn, query.actor, query.action, query.subject, after=after, limit=query.limit + 1
        )
    items = [EntryView(**row) for row in rows[: query.limit]]
    more = paging.cursor(UUID(int=items[-1].id)) if len(rows) > query.limit else None
    return web.json_response(text=EntryPage(items=items, next=more).model_dump_json())
