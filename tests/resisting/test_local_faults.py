"""A machine that has no descriptor left says so, and blames nobody whom it meant to reach."""

import contextlib
import os
import resource
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

import pytest

from service.addresses import Policy
from service.edits import Edit
from service.edits.client import EditsClient
from service.errors import LocalFault
from service.fetching import Fetcher
from service.posting import Poster
from tests import draw
from tests.conftest import configured
from tests.upstream import Upstream

HOST = "127.0.0.1"


@contextlib.contextmanager
def without_descriptors() -> Iterator[None]:
    """Let this process open no file and no socket until the end of the block."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    # Descriptors are numbered from the lowest that is free; a gap would be one more.
    free = os.dup(0)
    os.close(free)
    resource.setrlimit(resource.RLIMIT_NOFILE, (free, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@contextlib.asynccontextmanager
async def _calling(url: str) -> AsyncIterator[Callable[[], Awaitable[Any]]]:
    async with EditsClient() as client:
        edit = Edit("Judge the picture.", draw.png(8, 8, "red"), "image/png")
        yield lambda: client.edit(edit, configured(url))


@contextlib.asynccontextmanager
async def _fetching(url: str) -> AsyncIterator[Callable[[], Awaitable[Any]]]:
    async with Fetcher() as fetcher:
        yield lambda: fetcher.fetch_once(url, Policy(url, None, 1000, 2.0), 10)


@contextlib.asynccontextmanager
async def _posting(url: str) -> AsyncIterator[Callable[[], Awaitable[Any]]]:
    async with Poster((HOST,), 10) as poster:
        yield lambda: poster.post(url, {}, b"{}")


@pytest.mark.parametrize("opened", [_calling, _fetching, _posting])
async def test_want_of_descriptors_is_our_own(opened: Any, upstream: Upstream) -> None:
    """Neither an upstream, nor where an image is, nor a receiver has failed by it."""
    async with opened(upstream.url) as reach:
        with without_descriptors(), pytest.raises(LocalFault):
            await reach()
