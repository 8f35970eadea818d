"""What the doctor is told: the settings as they are here, and what the roles need of them."""

from pathlib import Path
from typing import Final

from service import app
from service.doctoring import Subject, examining
from service.doctoring.examining import Line
from service.edits import Upstream
from service.errors import StartRefused
from service.roles import DELIVER_CONNECTIONS, WEB_CONNECTIONS, WORKER_CONNECTIONS
from service.settings import Settings
from service.store.database import Database

# Beside its pool, `serve` listens for ends, `work` for uploads and fetches and keeps its leases,
# `deliver` listens for callbacks.
_SERVE: Final = WEB_CONNECTIONS + 1
_WORK: Final = WORKER_CONNECTIONS + 3
_DELIVER: Final = DELIVER_CONNECTIONS + 1


async def diagnose(data_dir: Path | None) -> list[Line]:
    """Read the settings and examine what follows from them; settings refused are a finding."""
    try:
        configured = app.load(data_dir=data_dir)
    except StartRefused as error:
        return [Line("settings", "fail", str(error), "correct them; README lists every setting")]
    return await examining.examine(_subject(configured))


def _subject(configured: Settings) -> Subject:
    where, no_database = _database(configured)
    upstreams, no_upstreams = _upstreams(configured)
    return Subject(
        database=where,
        no_database=no_database,
        upstreams=tuple(upstreams),
        no_upstreams=no_upstreams,
        data_dir=configured.data_dir,
        host=configured.host,
        public_url=app.public_url(configured),
        public_url_set=configured.public_url is not None,
        ruleset=configured.ruleset,
        lease_s=configured.lease_s,
        grace_s=configured.grace_s,
        concurrency=configured.concurrency,
        second_look=configured.second_look,
        connections=_SERVE + configured.workers * _WORK + _DELIVER,
    )


def _database(configured: Settings) -> tuple[Database | None, str | None]:
    try:
        return app.database_of(configured), None
    except StartRefused as error:
        return None, str(error)


def _upstreams(configured: Settings) -> tuple[list[Upstream], str | None]:
    try:
        return app.upstreams_of(configured), None
    except StartRefused as error:
        return [], str(error)
