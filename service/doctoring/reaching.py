"""Whether the upstreams can be reached, by a request that costs nothing."""

import asyncio
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

import aiohttp

from service.doctoring import Finding, Subject, fail, ok, warn
from service.edits import Upstream
from service.fetching import bare_session

_WAIT_S: Final = 10.0
_SKEW_S: Final = 60.0
_REFUSED: Final = (401, 402, 403)


async def upstreams(subject: Subject) -> list[Finding]:
    """See whether each answers and does not refuse the key; a list of models is never billed."""
    if subject.no_upstreams is not None:
        return [warn(subject.no_upstreams, "without it `moderation work` does not start")]
    patience = aiohttp.ClientTimeout(total=_WAIT_S)
    async with bare_session(aiohttp.TCPConnector()) as session:
        return list(
            await asyncio.gather(*(_reach(session, one, patience) for one in subject.upstreams))
        )


async def _reach(
    session: aiohttp.ClientSession, upstream: Upstream, patience: aiohttp.ClientTimeout
) -> Finding:
    address, headers = _models(upstream)
    try:
        async with session.get(
            address, headers=headers, timeout=patience, allow_redirects=False
        ) as answer:
            return _judged(upstream, answer.status, answer.headers.get("Date"))
    except (aiohttp.ClientError, OSError, TimeoutError) as error:
        reason = str(error) or f"no answer within {_WAIT_S:g} s"
        return fail(
            f"{upstream.name} at {upstream.url} cannot be reached: {reason}",
            "check its address, the network and the firewall; uploads wait meanwhile",
        )


def _models(upstream: Upstream) -> tuple[str, dict[str, str]]:
    """
    Tell where the models are listed, and how the key travels.

    Sources: https://platform.openai.com/docs/api-reference/models/list and
    https://ai.google.dev/api/models#method:-models.list.
    """
    base = upstream.url.rstrip("/")
    if upstream.dialect == "gemini":
        base = base.removesuffix("/v1beta")
        return f"{base}/v1beta/models", {"x-goog-api-key": upstream.key} if upstream.key else {}
    bearer = {"Authorization": f"Bearer {upstream.key}"} if upstream.key else {}
    return f"{base}/models", bearer


def _judged(upstream: Upstream, status: int, date: str | None) -> Finding:
    said = (
        f"{upstream.name} at {upstream.url} answers (HTTP {status} to a list of models),"
        f" {upstream.model} for ${upstream.price_microusd / 1e6:g}"
    )
    if status in _REFUSED:
        return fail(said, "it refuses the key: correct it, or top up its credit")
    if status >= 500:
        return warn(said, "it has a fault of its own; uploads are tried again")
    skew_s = _skew_s(date)
    if skew_s > _SKEW_S:
        return warn(f"{said}; its clock is {skew_s:.0f} s from ours", "let this machine follow NTP")
    return ok(said)


def _skew_s(date: str | None) -> float:
    """Tell how far its clock is from ours; 0 where it tells no time."""
    try:
        theirs = parsedate_to_datetime(date or "")
        return abs((theirs - datetime.now(UTC)).total_seconds())
    except (ValueError, TypeError):
        return 0.0
