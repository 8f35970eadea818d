"""The gateway on a real socket, and the parts of the probe that the command opens by itself."""

from collections.abc import AsyncIterator

import pytest
from aiohttp import web

from service.edits.client import EditsClient
from tests.probe.gateway import Gateway


@pytest.fixture
async def gateway() -> AsyncIterator[Gateway]:
    """A gateway whose every route works until a test says otherwise."""
    served = Gateway.all_good()
    app = web.Application(client_max_size=8 << 20)
    app.router.add_route("*", "/{path:.*}", served.answer)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        served.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        yield served
    finally:
        await runner.cleanup()


@pytest.fixture
async def client() -> AsyncIterator[EditsClient]:
    """An open client."""
    async with EditsClient() as opened:
        yield opened
