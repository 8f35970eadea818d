"""A pooler by transaction: supported where it is named, else refused in one line."""

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from service import app
from service.errors import StartRefused
from service.pictures.pool import Decoders
from service.store.database import Database
from tests import draw
from tests.conftest import configured
from tests.flows import driving
from tests.flows.driving import Owner
from tests.resisting.bouncing import bouncer
from tests.upstream import Upstream


async def test_uploads_flow_through_a_pooler(
    where: Database,
    owner: Owner,
    upstream: Upstream,
    decoders: Decoders,
    tmp_path: Path,
) -> None:
    """Two workers over few connections of the pooler: each upload is done once."""
    async with bouncer(where, tmp_path / "pooler") as through:
        pooled = replace(through, pooled=True)
        async with app.opened(pooled, "tests", 6) as one, app.opened(pooled, "tests", 6) as two:
            settings = configured(upstream.url)
            async with (
                driving.worker(one, pooled, decoders, settings),
                driving.worker(two, pooled, decoders, settings),
            ):
                uploads = [
                    *await asyncio.gather(
                        *(driving.queued(one, draw.png(8 + n, 8, "red")) for n in range(12))
                    )
                ]
                rows = await driving.ended(owner, *uploads)
    assert {(row["state"], row["attempt"]) for row in rows} == {("done", 1)}
    assert len(upstream.calls) == len(uploads)
    for upload in uploads:
        await driving.message_of(owner, upload)


@pytest.mark.parametrize("more", ["", "ignore_startup_parameters = role"])
async def test_a_pooler_that_was_not_named_is_refused(
    more: str, where: Database, tmp_path: Path
) -> None:
    """Whether it refuses our role or forgets it, the one line says what to set."""
    async with bouncer(where, tmp_path / "pooler", more) as through:
        with pytest.raises(StartRefused, match="MODERATION_POOLER=transaction"):
            async with app.opened(through, "tests", 1):
                pass


async def test_a_login_that_is_not_the_role_is_refused(where: Database, tmp_path: Path) -> None:
    """No session is ours, so the login itself must be the one that owns nothing."""
    async with bouncer(where, tmp_path / "pooler") as through:
        as_owner = Database(through.owner_dsn, where.owner_dsn, pooled=True)
        with pytest.raises(StartRefused, match="the login must be moderation_app"):
            async with app.opened(as_owner, "tests", 1):
                pass


async def test_migrations_are_refused_through_a_pooler(where: Database, tmp_path: Path) -> None:
    """Their lock is of a session, which a pooler does not keep."""
    async with bouncer(where, tmp_path / "pooler") as through:
        with pytest.raises(StartRefused, match="MODERATION_OWNER_DATABASE_URL"):
            await through.connect_owner()
