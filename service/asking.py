"""Asking the service over HTTP: errors typed, and patient where asking again changes nothing."""

import asyncio
import io
import os
import random
from collections.abc import Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Final, Self

import aiohttp
from pydantic import TypeAdapter, ValidationError

from service.errors import ServiceError

# A service that restarts, or is over its limits, is asked again for so long...
PATIENCE_S: Final = 60.0
# ...but one that has not answered yet is more likely not there at all.
FIRST_PATIENCE_S: Final = 5.0
CONNECT_S: Final = 10.0
# Longer than the service lets a request wait for its upload to end.
ANSWER_S: Final = 120.0
SHORTEST_DELAY_S: Final = 0.5
LONGEST_DELAY_S: Final = 5.0
# 502 and 504 are what a proxy before the service says while that is away.
BUSY: Final = frozenset({429, 502, 503, 504})
# The first request with a key goes on, though its answer was lost on the way to us.
IN_PROGRESS: Final = "idempotency_in_progress"
OBJECT: TypeAdapter[dict[str, Any]] = TypeAdapter(dict[str, Any])


class ClientError(ServiceError):
    """What went wrong between this program and the service.  ``passing``: ask again later."""

    def __init__(self, message: str, *, passing: bool, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.passing, self.retry_after_s = passing, retry_after_s


class ProblemError(ClientError):
    """The service refused: ``code`` is stable and for programs, ``detail`` is for people."""

    def __init__(
        self,
        status: int,
        code: str,
        detail: str,
        errors: list[dict[str, Any]] | None = None,
        retry_after_s: float | None = None,
    ) -> None:
        passing = status in BUSY or code == IN_PROGRESS
        super().__init__(
            f"HTTP {status} {code}: {detail}", passing=passing, retry_after_s=retry_after_s
        )
        self.status, self.code, self.detail, self.errors = status, code, detail, errors


class NoAnswer(ClientError):
    """Nothing came back, or nothing that this service would say."""

    code = "no_answer"


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back, all of it."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Line:
    """The service at one address, asked with one token; open it as a context manager."""

    def __init__(self, url: str, token: str, *, patience_s: float = PATIENCE_S) -> None:
        self.url = url.rstrip("/")
        self._token, self._patience_s = token, patience_s
        self._answered = False

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(
            headers={"Authorization": f"Bearer {self._token}"},
            timeout=aiohttp.ClientTimeout(total=ANSWER_S, sock_connect=CONNECT_S),
        )
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._session.close()

    async def json(self, method: str, path: str, **request: Any) -> dict[str, Any]:
        """Ask for a JSON object; ``request`` is what aiohttp takes, and has to bear repetition."""
        return self._parsed(await self.ask(method, path, **request))

    async def ask(self, method: str, path: str, **request: Any) -> Reply:
        """
        Ask, and again for a while if the service is away or busy.

        Raises:
            ProblemError: It refuses.
            NoAnswer: Nothing came back that it would say.
        """
        clock = asyncio.get_running_loop().time
        began, planned_s = clock(), SHORTEST_DELAY_S
        while True:
            try:
                return await self._once(method, path, **request)
            except ClientError as error:
                delay_s = max(jittered(planned_s), error.retry_after_s or 0.0)
                if not error.passing or clock() + delay_s - began > self._bearable_s():
                    raise
            await asyncio.sleep(delay_s)
            planned_s *= 2

    async def _once(
        self, method: str, path: str, data: bytes | None = None, **request: Any
    ) -> Reply:
        # Plain bytes would make aiohttp warn; a file in memory can be read only once.
        body = None if data is None else io.BytesIO(data)
        try:
            # The token goes to nobody else, so a redirect is not followed.
            async with self._session.request(
                method, self.url + path, data=body, allow_redirects=False, **request
            ) as response:
                self._answered = True
                reply = Reply(response.status, response.headers, await response.read())
        except TimeoutError as error:
            raise NoAnswer(f"{self.url} does not answer in time", passing=True) from error
        except aiohttp.ClientError as error:
            passing = isinstance(error, (aiohttp.ClientConnectionError, aiohttp.ClientPayloadError))
            raise NoAnswer(
                f"{self.url} does not answer ({_reason(error)})", passing=passing
            ) from error
        if 200 <= reply.status <= 299:
            return reply
        raise self._problem(reply)

    def _bearable_s(self) -> float:
        return self._patience_s if self._answered else min(self._patience_s, FIRST_PATIENCE_S)

    def _parsed(self, reply: Reply) -> dict[str, Any]:
        try:
            return OBJECT.validate_json(reply.body)
        except ValidationError as error:
            raise NoAnswer(
                f"{self.url} is not this service: it answers without a JSON object"
                f" (HTTP {reply.status})",
                passing=reply.status in BUSY,
            ) from error

    def _problem(self, reply: Reply) -> ProblemError:
        """Read a problem of RFC 9457; a proxy's own JSON has no code."""
        answer = self._parsed(reply)
        # The header's other form, a date, is never sent by the service.
        seconds = reply.headers.get("Retry-After", "")
        return ProblemError(
            reply.status,
            str(answer.get("code", "unknown")),
            str(answer.get("detail", answer)),
            answer.get("errors"),
            float(seconds) if seconds.isascii() and seconds.isdigit() else None,
        )


def jittered(delay_s: float) -> float:
    """Spread who would otherwise ask at one moment; within the bounds for delays."""
    bounded = min(max(delay_s, SHORTEST_DELAY_S), LONGEST_DELAY_S)
    return bounded * random.uniform(0.75, 1)  # noqa: S311  # spreads load and guards nothing


def _reason(error: Exception) -> str:
    number = error.errno if isinstance(error, OSError) else None
    return os.strerror(number) if number else str(error) or type(error).__name__
