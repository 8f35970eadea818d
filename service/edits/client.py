"""Sends one call to one upstream; how that can fail is an ``AttemptFailed``, unless it is us."""

import asyncio
import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import Self

import aiohttp

from service import fetching
from service.addresses import FetchFailed, Policy
from service.edits import (
    Answer,
    AttemptFailed,
    Edit,
    Reply,
    Request,
    Upstream,
    claude_messages,
    gemini,
    openai_chat,
    openai_images,
    replies,
)
from service.edits.replies import Description, Hosted
from service.fetching import Fetcher, refuse_ours


@dataclass(frozen=True, slots=True)
class Dialect:
    """A wire protocol: building a request and reading a reply, both pure."""

    build: Callable[[Edit, Upstream], Request]
    read: Callable[[Reply, str], Answer | Hosted]


@dataclass(frozen=True, slots=True)
class Describer:
    """A wire protocol asked for the description alone, and told what was wrong with the last."""

    build: Callable[[Edit, Upstream, Sequence[str]], Request]
    read: Callable[[Reply, str], Description]


DIALECTS: Mapping[str, Dialect] = {
    "openai-images": Dialect(openai_images.build, openai_images.read),
    "gemini": Dialect(gemini.build, gemini.read),
    "openai-chat": Dialect(openai_chat.build, openai_chat.read),
}
DESCRIBERS: Mapping[str, Describer] = {
    "openai-chat": Describer(openai_chat.build_description, openai_chat.read_description),
    "claude-messages": Describer(
        claude_messages.build_description, claude_messages.read_description
    ),
}


class EditsClient:
    """Calls edits endpoints; open it as a context manager."""

    def __init__(self, fetcher: Fetcher | None = None) -> None:
        self._fetcher = fetcher or Fetcher()
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0), cookie_jar=aiohttp.DummyCookieJar()
        )
        self._session = await self._stack.enter_async_context(session)
        await self._stack.enter_async_context(self._fetcher)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._stack.aclose()

    async def edit(self, edit: Edit, upstream: Upstream) -> tuple[Answer, Reply]:
        """
        Make one paid call; an image that is hosted by the upstream is fetched with it.

        Raises:
            AttemptFailed: Whatever happened instead of a usable answer, with the reply if one came.
            LocalFault: This machine could open no connection.
        """
        dialect = DIALECTS[upstream.dialect]
        deadline = asyncio.get_running_loop().time() + upstream.timeout_s
        reply = await self._send(dialect.build(edit, upstream), upstream)
        with _kept(reply):
            # Decoding a megabyte of JSON and base64 takes milliseconds that the loop does not have.
            answer = await asyncio.to_thread(dialect.read, reply, edit.prompt)
            if isinstance(answer, Hosted):
                answer = await self._fetched(answer, reply, upstream, deadline)
            return answer, reply

    async def describe(
        self, edit: Edit, faults: Sequence[str], upstream: Upstream
    ) -> tuple[Description, Reply]:
        """
        Make one paid call for the description alone, in a dialect of ``DESCRIBERS``.

        Args:
            faults: What was wrong with the last description; empty if there was none.

        Raises:
            AttemptFailed: Like ``edit``.
        """
        describer = DESCRIBERS[upstream.dialect]
        reply = await self._send(describer.build(edit, upstream, faults), upstream)
        with _kept(reply):
            return await asyncio.to_thread(describer.read, reply, edit.prompt), reply

    async def _send(self, request: Request, upstream: Upstream) -> Reply:
        # Connecting ends first: what could not connect was not sent and costs nothing.
        timeout = aiohttp.ClientTimeout(
            total=upstream.timeout_s,
            connect=min(upstream.connect_timeout_s, upstream.timeout_s / 2),
            sock_read=upstream.read_timeout_s,
        )
        try:
            async with self._session.post(
                request.url,
                # aiohttp warns of a large body that is not a file.
                data=io.BytesIO(request.body),
                headers=request.headers,
                timeout=timeout,
                allow_redirects=False,
            ) as response:
                return await _received(response, upstream.max_answer_bytes)
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            refuse_ours(error)
            raise AttemptFailed("unreachable", f"cannot connect: {error}") from error
        except aiohttp.SocketTimeoutError as error:
            silence = f"nothing came for {upstream.read_timeout_s:g} s"
            raise AttemptFailed("timeout", silence) from error
        except TimeoutError as error:
            late = f"no whole answer within {upstream.timeout_s:g} s"
            raise AttemptFailed("timeout", late) from error
        except (aiohttp.ClientError, ConnectionError) as error:
            raise AttemptFailed("cut_off", f"the connection broke: {error!r}") from error

    async def _fetched(
        self, hosted: Hosted, reply: Reply, upstream: Upstream, deadline: float
    ) -> Answer:
        """Fetch an image that is paid for; where that fails, the answer has no image."""
        policy = Policy(
            origin=upstream.url,
            hosts=upstream.answer_hosts,
            max_bytes=upstream.max_answer_bytes,
            connect_timeout_s=upstream.connect_timeout_s,
        )
        try:
            image = await self._fetcher.fetch(hosted.address, policy, deadline)
        except FetchFailed as error:
            raise AttemptFailed(
                "no_image", str(error), status=reply.status, text=hosted.said
            ) from error
        return replies.answer(reply, image, hosted.said, hosted.tokens)


async def _received(response: aiohttp.ClientResponse, max_bytes: int) -> Reply:
    try:
        body = await fetching.body_of(response, max_bytes)
    except FetchFailed as error:
        raise AttemptFailed("malformed_answer", str(error), status=response.status) from error
    headers = {name.lower(): value for name, value in response.headers.items()}
    return Reply(response.status, headers, body)


@contextmanager
def _kept(reply: Reply) -> Iterator[None]:
    """Give a failure to read a reply that reply, for the ledger and for people."""
    try:
        yield
    except AttemptFailed as failure:
        failure.reply = reply
        raise
