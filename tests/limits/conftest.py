"""A scripted upstream with a port of its own for each test that asks for one."""

from collections.abc import AsyncIterator

import pytest

from tests.limits.endpoint import Endpoint


@pytest.fixture
async def endpoint() -> AsyncIterator[Endpoint]:
    """An endpoint that answers like a model that did its work."""
    async with Endpoint().opened() as opened:
        yield opened
