"""The API as one aiohttp application; it opens nothing until it runs."""

from collections.abc import Sequence

from aiohttp import web

import service
from service.intake import Intake
from service.quoting import Offer
from service.reviewing import TERMS, Terms
from service.store import Pool
from service.trying import Trying
from service.web import (
    POOL,
    PUBLIC_URL,
    admission,
    audits,
    bulks,
    callbacks,
    console,
    costs,
    exporting,
    exposure_budgets,
    gating,
    headroom,
    hooks,
    metrics,
    operations,
    people,
    platforms,
    previews,
    problems,
    queues,
    records,
    review_days,
    reviews,
    rulesets,
    tokens,
    trials,
    uploads,
    views,
)
from service.web.headroom import HEADROOM, Bounds, Headroom
from service.web.openapi import Api
from service.web.waiting import WAITING, Waiting


def api() -> Api:
    """Declare every operation."""
    declared = Api("Edit-and-describe moderation", service.__version__)
    uploads.add_to(declared)
    gating.add_to(declared)
    hooks.add_to(declared)
    records.add_to(declared)
    exporting.add_to(declared)
    views.add_to(declared)
    queues.add_to(declared)
    # Before the reviews of uploads, whose addresses would take its own.
    review_days.add_to(declared)
    reviews.add_to(declared)
    bulks.add_to(declared)
    people.add_to(declared)
    audits.add_to(declared)
    rulesets.add_to(declared)
    previews.add_to(declared)
    trials.add_to(declared)
    costs.add_to(declared)
    exposure_budgets.add_to(declared)
    callbacks.add_to(declared)
    platforms.add_to(declared)
    tokens.add_to(declared)
    operations.add_to(declared)
    return declared


def create(
    pool: Pool,
    intake: Intake,
    waiting: Waiting,
    readiness: operations.Readiness,
    max_image_bytes: int,
    offers: Sequence[Offer] = (),
    callback_hosts: tuple[str, ...] = (),
    *,
    room: admission.Room | None = None,
    bounds: Bounds | None = None,
    terms: Terms = TERMS,
) -> web.Application:
    """
    Put the API together from what the composition root has opened.

    Args:
        offers: What the upstreams take and cost; the default one's if none is configured.
        callback_hosts: Hosts that may be called back on private networks.
        room: For the requests being taken; as much as is usual if absent.
        bounds: Up to where uploads are taken; as usual if absent.
        terms: For how long decisions may be undone, and so on.
    """
    app = web.Application(
        middlewares=[operations.measure, problems.middleware, admission.middleware]
    )
    app[POOL] = pool
    app[uploads.INTAKE] = intake
    app[PUBLIC_URL] = intake.public_url
    app[WAITING] = waiting
    app[uploads.MAX_IMAGE_BYTES] = max_image_bytes
    app[rulesets.OFFERS] = offers
    app[callbacks.TRUSTED_HOSTS] = callback_hosts
    app[reviews.TERMS] = terms
    app[trials.TRYING] = Trying(pool, offers)
    app[operations.READINESS] = readiness
    app[HEADROOM] = Headroom(pool, readiness.disk, bounds or Bounds())
    app[admission.ROOM] = room or admission.Room()
    _measure(app)
    app.cleanup_ctx.append(waiting.run)
    app.on_shutdown.append(waiting.release)
    app.add_routes(api().routes())
    app.add_routes(console.routes())
    return app


def _measure(app: web.Application) -> None:
    """Let the metrics follow what the application holds."""
    app[metrics.METRICS] = measured = metrics.new_metrics(app[POOL])
    measured.bodies.set_function(lambda: app[admission.ROOM].held)
    measured.disk.set_function(lambda: headroom.used_share(app[operations.READINESS].disk))
    app.cleanup_ctx.append(metrics.watched)
