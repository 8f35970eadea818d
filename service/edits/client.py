"""Sends one edit to one upstream; every way that can fail is an ``AttemptFailed``."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Self

import aiohttp

from service.edits import (
    MAX_ANSWER_BYTES,
    Answer,
    AttemptFailed,
    Edit,
    Reply,
    Request,
    Upstream,
    gemini,
    openai_chat,
    openai_images,
)

CONNECT_TIMEOUT_S = 10.0


@dataclass(frozen=True, slots=True)
class Dialect:
    """A wire protocol: building a request and reading a reply, both pure."""

    build: Callable[[Edit, Upstream], Request]
    read: Callable[[Reply, str], Answer]


DIALECTS: Mapping[str, Dialect] = {
    "openai-images": Dialect(openai_images.build, openai_images.read),
    "gemini": Dialect(gemini.build, gemini.read),
    "openai-chat": Dialect(openai_chat.build, openai_chat.read),
}


class EditsClient:
    """Calls edits endpoints; open it as a context manager."""

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0), cookie_jar=aiohttp.DummyCookieJar()
        )
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._session.close()

    async def edit(self, edit: Edit, upstream: Upstream) -> tuple[Answer, Reply]:
        """
        Make one paid call.

        Raises:
            AttemptFailed: Whatever happened instead of a usable answer.
        """
        dialect = DIALECTS[upstream.dialect]
        reply = await self._send(dialect.build(edit, upstream), upstream.timeout_s)
        # Decoding a megabyte of JSON and base64 takes milliseconds that the loop does not have.
        return await asyncio.to_thread(dialect.read, reply, edit.prompt), reply

    async def _send(self, request: Request, timeout_s: float) -> Reply:
        # Connecting ends first: what could not connect was not sent and costs nothing.
        timeout = aiohttp.ClientTimeout(
            total=timeout_s, sock_connect=min(CONNECT_TIMEOUT_S, timeout_s / 2)
        )
        try:
            async with self._session.post(
                request.url,
                data=request.body,
                headers=request.headers,
                timeout=timeout,
                allow_redirects=False,
            ) as response:
                body = await _read(response)
                headers = {name.lower(): value for name, value in response.headers.items()}
                return Reply(response.status, headers, body)
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            raise AttemptFailed("unreachable", f"cannot connect: {error}") from error
        except TimeoutError as error:
            raise AttemptFailed("timeout", f"no whole answer within {timeout_s:g} s") from error
        except (aiohttp.ClientError, ConnectionError) as error:
            raise AttemptFailed("cut_off", f"the connection broke: {error!r}") from error


async def _read(response: aiohttp.ClientResponse) -> bytes:
    body = bytearray()
    async for chunk in response.content.iter_any():
        body += chunk
        if len(body) > MAX_ANSWER_BYTES:
            raise AttemptFailed(
                "malformed_answer",
                f"the answer is over {MAX_ANSWER_BYTES} bytes",
                status=response.status,
            )
    return bytes(body)
