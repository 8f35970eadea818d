"""Reviewing over HTTP: the next case, its lease, what is decided and said of it."""

from collections.abc import Sequence
from uuid import UUID

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field

from service import leasing, queueing, reviewing
from service.auth import Role
from service.reviewing import Terms
from service.store import Conn, exposures, leases, reviews, uploads
from service.store.leases import Lease
from service.store.pending import Wanted
from service.store.queues import Queue
from service.store.records import Filter, Moment, Word
from service.web import BEARER, POOL, bodies, expected, person, queues, tag
from service.web import models as upload_models
from service.web import review_models as models
from service.web.bodies import BODY_REFUSALS
from service.web.openapi import Api
from service.web.records import FILTER_REFUSALS
from service.web.review_models import where
from service.web.uploads import UploadPath

TERMS = web.AppKey("terms", Terms)
READERS: tuple[Role, ...] = ("moderator", "admin")
DECIDERS: tuple[Role, ...] = ("moderator",)
WRITE_REFUSALS = ("json_invalid", *BODY_REFUSALS)


class NextQuery(BaseModel):
    """How many cases to lease besides the next one."""

    model_config = ConfigDict(extra="forbid")

    prefetch: int = Field(0, ge=0, le=10, description="cases that will follow, leased too")


class SummaryQuery(BaseModel):
    """Of which time; the last 30 days if none is given."""

    model_config = ConfigDict(extra="forbid")

    begin: Moment | None = Field(None, alias="from")
    end: Moment | None = Field(None, alias="to")


class AgreementQuery(BaseModel):
    """Of which ruleset and version."""

    model_config = ConfigDict(extra="forbid")

    ruleset: Word | None = None
    version: int | None = Field(None, ge=1, lt=2**31)


def add_to(api: Api) -> None:
    """Declare the operations."""
    api.operation(
        "POST",
        "/v1/reviews/next",
        roles=DECIDERS,
        answers={200: models.NextCase, 204: ""},
        sends={200: ("ETag",)},
        request=bodies.json_of(models.Ask),
        refusals=(*WRITE_REFUSALS, *FILTER_REFUSALS, "not_found"),
        needs_body=False,
    )(lease_next)
    api.operation("GET", "/v1/reviews/summary", roles=READERS, answers={200: models.ReviewSummary})(
        summarise
    )
    api.operation(
        "GET",
        "/v1/reviews/agreement",
        roles=("moderator", "policy", "admin"),
        answers={200: models.AgreementList},
    )(compare)
    api.operation(
        "GET",
        "/v1/reviews/{id}",
        roles=READERS,
        answers={200: models.ReviewView},
        sends={200: ("ETag",)},
    )(read_review)
    _add_acts(api)
    _add_decisions(api)


def _add_acts(api: Api) -> None:
    api.operation(
        "POST",
        "/v1/reviews/{id}/lease",
        roles=DECIDERS,
        answers={200: models.LeaseView},
        refusals=("leased_by_other",),
    )(renew_lease)
    api.operation("DELETE", "/v1/reviews/{id}/lease", roles=DECIDERS, answers={204: ""})(give_back)
    for name, handler in (("skip", skip), ("handover", hand_over)):
        api.operation(
            "POST",
            f"/v1/reviews/{{id}}/{name}",
            roles=DECIDERS,
            answers={204: ""},
            request=bodies.json_of(models.SetAside),
            refusals=WRITE_REFUSALS,
            needs_body=False,
        )(handler)


def _add_decisions(api: Api) -> None:
    api.operation(
        "POST",
        "/v1/reviews/{id}/comments",
        roles=DECIDERS,
        answers={201: models.Current},
        sends={201: ("Location", "ETag")},
        request=bodies.json_of(models.Comment),
        refusals=WRITE_REFUSALS,
    )(add_comment)
    api.operation(
        "POST",
        "/v1/reviews/{id}/decision",
        roles=DECIDERS,
        answers={201: models.MadeView},
        sends={201: ("Location", "ETag")},
        request=bodies.json_of(models.Verdict),
        headers={"If-Match": "the revision of the case that was looked at"},
        refusals=(
            *WRITE_REFUSALS,
            *("case_changed", "leased_by_other"),
            *("decision_unchanged", "no_edited_image", "reason_required"),
        ),
    )(make_decision)
    api.operation(
        "DELETE",
        "/v1/reviews/{id}/decision",
        roles=DECIDERS,
        answers={200: models.Current},
        sends={200: ("ETag",)},
        refusals=("undo_window_over", "decided_by_other"),
    )(undo_decision)


async def lease_next(request: web.Request, *, query: NextQuery) -> web.Response:
    """Lease the next case of a queue, or by filters: first what is leased already; 204 if none."""
    body = await bodies.read_json(request, models.Ask)
    async with request.app[POOL].acquire() as conn:
        queue = await queueing.find(conn, body.queue) if body.queue else None
        ask = leasing.Ask(_wanted(body, queue), body.queue, body.skip, 1 + query.prefetch)
        got = await leasing.next_cases(conn, person(request), ask, request.app[TERMS].lease)
        if not got:
            return web.Response(status=204)
        shown = await _shown(conn, got)
        view = await queues.view(conn, queue) if queue else None
    first = shown[0]
    answer = models.NextCase(case=first.case, lease=first.lease, following=shown[1:], queue=view)
    return web.json_response(text=answer.model_dump_json(), headers=tag(first.case.revision))


async def read_review(request: web.Request, *, path: UploadPath) -> web.Response:
    """Tell a case with all that people did about it; the entity tag is its revision."""
    async with request.app[POOL].acquire() as conn:
        current = await _current(conn, path.id)
        row = await uploads.get(conn, path.id, None)
        opened = await exposures.opened(conn, path.id, request[BEARER].id)
    if row is None:
        raise reviewing.missing(path.id)
    view = models.ReviewView(
        **dict(current),
        upload=upload_models.of_row(row),
        revealed_until=opened.until if opened else None,
    )
    return web.json_response(text=view.model_dump_json(), headers=tag(current.revision))


async def renew_lease(request: web.Request, *, path: UploadPath) -> web.Response:
    """Take the lease of a case, or renew it."""
    async with request.app[POOL].acquire() as conn:
        lease = await leasing.renew(conn, person(request), path.id, request.app[TERMS].lease)
    view = models.LeaseView(
        holder=models.Person(id=lease.holder, name=lease.name), until=lease.until
    )
    return web.json_response(text=view.model_dump_json())


async def give_back(request: web.Request, *, path: UploadPath) -> web.Response:
    """Give a case back; it is offered to everybody again."""
    async with request.app[POOL].acquire() as conn:
        await leases.give_back(conn, [path.id], request[BEARER].id)
    return web.Response(status=204)


async def skip(request: web.Request, *, path: UploadPath) -> web.Response:
    """Give a case back, and be offered others for an hour."""
    return await _set_aside(request, path.id, "skip")


async def hand_over(request: web.Request, *, path: UploadPath) -> web.Response:
    """Give a case to the others, and never be offered it again."""
    return await _set_aside(request, path.id, "handover")


async def add_comment(request: web.Request, *, path: UploadPath) -> web.Response:
    """Say something about a case."""
    body = await bodies.read_json(request, models.Comment)
    async with request.app[POOL].acquire() as conn:
        await reviewing.comment(conn, person(request), path.id, body.text)
        return _answer(path.id, await _current(conn, path.id), 201)


async def make_decision(request: web.Request, *, path: UploadPath) -> web.Response:
    """Decide a case; until the undo window is over nothing else changes and nobody is told."""
    body = await bodies.read_json(request, models.Verdict)
    order = reviewing.Order(path.id, body.decision, body.reason, expected(request))
    async with request.app[POOL].acquire() as conn:
        made = await reviewing.decide(conn, person(request), order, request.app[TERMS].undo)
    view = models.MadeView(
        id=made.id,
        decision=made.decision,
        effective_at=made.effective_at,
        undo_until=made.effective_at,
        revision=made.revision,
    )
    headers = {**tag(made.revision), **where(path.id)}
    return web.json_response(text=view.model_dump_json(), status=201, headers=headers)


async def undo_decision(request: web.Request, *, path: UploadPath) -> web.Response:
    """Take one's own decision back inside the undo window; the case is leased to one again."""
    async with request.app[POOL].acquire() as conn:
        await reviewing.undo(conn, person(request), path.id, request.app[TERMS].lease)
        return _answer(path.id, await _current(conn, path.id), 200)


async def summarise(request: web.Request, *, query: SummaryQuery) -> web.Response:
    """Count what people decided, how much of it without a look at the original, and how fast."""
    async with request.app[POOL].acquire() as conn:
        rows = await reviews.summary(conn, query.begin, query.end)
    everybody, *people = (models.of_summary(row) for row in rows)
    view = models.ReviewSummary.model_validate({**everybody, "people": people})
    return web.json_response(text=view.model_dump_json())


async def compare(request: web.Request, *, query: AgreementQuery) -> web.Response:
    """Tell by rule and version how often people upheld what the model found."""
    async with request.app[POOL].acquire() as conn:
        rows = await reviews.agreement(conn, query.ruleset, query.version)
    items = [models.Agreement(**row) for row in rows]
    return web.json_response(text=models.AgreementList(items=items).model_dump_json())


def _wanted(body: models.Ask, queue: Queue | None) -> Wanted:
    """Tell which cases are asked for: a queue's own, or those of the filters."""
    if queue is not None:
        return queueing.wanted(queue)
    chosen = body.model_dump(include=set(Filter.model_fields))
    return Wanted(Filter.model_validate(chosen), body.order)


async def _shown(conn: Conn, got: Sequence[Lease]) -> list[models.LeasedCase]:
    return await queues.leased(conn, [lease.upload_id for lease in got])


async def _current(conn: Conn, upload: UUID) -> models.Current:
    found = await reviews.current(conn, upload)
    if found is None:
        raise reviewing.missing(upload)
    return models.Current.model_validate(found)


async def _set_aside(request: web.Request, upload: UUID, kind: str) -> web.Response:
    body = await bodies.read_json(request, models.SetAside)
    async with request.app[POOL].acquire() as conn:
        await leasing.set_aside(conn, person(request), upload, kind, body.reason)
    return web.Response(status=204)


def _answer(upload: UUID, current: models.Current, status: int) -> web.Response:
    headers = {**tag(current.revision), **(where(upload) if status == 201 else {})}
    return web.json_response(text=current.model_dump_json(), status=status, headers=headers)
