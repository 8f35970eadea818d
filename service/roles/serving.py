"""The role that answers HTTP."""

import socket
from datetime import timedelta

from service import app, data_folder, quoting, resources, stopping
from service.intake import Intake
from service.pictures import headers
from service.reviewing import Terms
from service.roles import WEB_CONNECTIONS
from service.settings import Settings
from service.store import migrations
from service.web import application, serving
from service.web.headroom import Bounds
from service.web.operations import Readiness
from service.web.waiting import Waiting


async def serve(configured: Settings, listener: socket.socket | None = None) -> None:
    """Answer HTTP until SIGTERM; then say so on /readyz, finish what was begun, and return."""
    where = app.database_of(configured)
    async with app.opened(where, "serve", WEB_CONNECTIONS) as pool:
        limits = headers.Limits()
        disk = data_folder.nearest(configured.data_dir)
        readiness = Readiness(migrations.read(resources.folder("migrations"))[-1].version, disk)
        address = app.public_url(configured)
        api = application.create(
            pool,
            Intake(pool, limits, configured.ruleset, address, configured.fetch_hosts),
            Waiting(pool, where),
            readiness,
            limits.max_bytes,
            quoting.offers_of(configured.upstream),
            configured.callback_hosts,
            bounds=bounds_of(configured),
            terms=Terms(undo=timedelta(seconds=configured.undo_s)),
        )
        place = serving.Place(configured.host, configured.port, listener)
        await serving.serve(api, place, configured.grace_s, stopping.on_signals(configured.grace_s))


def bounds_of(configured: Settings) -> Bounds:
    """Tell up to where uploads are taken."""
    gigabytes = configured.max_database_gb
    size = None if gigabytes is None else int(gigabytes * 1e9)
    return Bounds(configured.max_backlog, size)
