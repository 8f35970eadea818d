"""Gates: whether a platform may publish an image now, in one word."""

from uuid import UUID

import asyncpg
from aiohttp import web
from pydantic import BaseModel, Field

from service import log
from service.errors import InputRefused
from service.policy.verdicts import VERDICTS, Verdict
from service.store import Row, uploads
from service.store.database import UNREACHABLE
from service.web import BEARER, POOL, PUBLIC_URL
from service.web.openapi import Api
from service.web.waiting import PREFER_WAIT, WAITING, preferred_wait

_UNFINISHED = ("queued", "working")


class GatePath(BaseModel):
    """One upload."""

    id: UUID


class GateView(BaseModel):
    """
    Whether the image may be published as of now: ``hold`` while nobody can say so.

    ``edited`` is the address of the picture to publish instead, for ``allow_edited`` alone.
    """

    gate: Verdict
    upload: UUID
    state: str
    outcome: str | None = Field(description="null until the upload has ended")
    verdict: str
    edited: str | None

    @property
    def finished(self) -> bool:
        """Whether the upload has ended, so that only a person can change its gate."""
        return self.state not in _UNFINISHED


def decide(state: str, verdict: str, *, decided: bool) -> Verdict:
    """
    Tell the verdict of what is done; whatever is unfinished, failed or unknown holds.

    ``decided``: a person's decision made the verdict, which then counts for what failed too.
    """
    if state == "done" or (state == "failed" and decided):
        for known in VERDICTS:
            if known == verdict:
                return known
    return "hold"


def add_to(api: Api) -> None:
    """Declare the operation."""
    api.operation(
        "GET",
        "/v1/uploads/{id}/gate",
        roles=("platform", "moderator"),
        answers={200: GateView},
        headers=PREFER_WAIT,
    )(read_gate)


async def read_gate(request: web.Request, *, path: GatePath) -> web.Response:
    """Tell whether an upload's image may be published now."""
    platform = request[BEARER].platform
    seconds = preferred_wait(request)
    async with request.app[POOL].acquire() as conn:
        row = await uploads.get(conn, path.id, platform)
    if row is None:
        raise InputRefused("not_found", f"nothing is at {request.path}")
    if row["state"] in _UNFINISHED and seconds:
        await request.app[WAITING].wait(path.id, seconds)
        async with request.app[POOL].acquire() as conn:
            row = await uploads.get(conn, path.id, platform) or row
    return web.json_response(text=_view(request, row).model_dump_json())


async def after(request: web.Request, platform: str, upload: UUID, seconds: int) -> GateView:
    """Give the gate of an upload that is committed, when it has ended or the time is up."""
    try:
        if seconds:
            await request.app[WAITING].wait(upload, seconds)
        async with request.app[POOL].acquire() as conn:
            row = await uploads.get(conn, upload, platform)
        if row is not None:
            return _view(request, row)
    except (*UNREACHABLE, asyncpg.PostgresError) as error:
        # The upload is committed, so the answer must not be an error.
        log.get().warning("wait_failed", upload_id=str(upload), reason=str(error))
    return GateView(
        gate="hold", upload=upload, state="queued", outcome=None, verdict="hold", edited=None
    )


def respond(gate: GateView) -> web.Response:
    """Answer with the gate of an upload that was just taken: 202 while it is unfinished."""
    return web.json_response(
        text=gate.model_dump_json(),
        status=200 if gate.finished else 202,
        headers={"Location": f"/v1/uploads/{gate.upload}"},
    )


def _view(request: web.Request, row: Row) -> GateView:
    gate = decide(row["state"], row["verdict"], decided=row["decided"])
    edited = f"{request.app[PUBLIC_URL]}/v1/uploads/{row['id']}/images/edited"
    return GateView(
        gate=gate,
        upload=row["id"],
        state=row["state"],
        outcome=row["outcome"],
        verdict=row["verdict"],
        edited=edited if gate == "allow_edited" else None,
    )
