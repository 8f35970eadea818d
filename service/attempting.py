"""One attempt at one upload: canonical picture, the paid call, the checks, and what is written."""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import asyncpg

from service import completing, entering, log
from service.edits import Answer, AttemptFailed, Edit, Reply, Upstream, outcomes, routing
from service.edits.client import EditsClient
from service.errors import LocalFault, Unreadable
from service.pictures.pool import Decoders, Picture
from service.policy import descriptions
from service.policy.descriptions import Checker, DescriptionInvalid, Judgement
from service.policy.rulesets import Ruleset
from service.store import Conn, Pool, attempts, images, rulesets, uploads
from service.store.database import UNREACHABLE

THUMBNAIL_SIDE = 256
# How long a finished answer is held while the database is away; it was paid for.
WRITE_WAITS_S = (0.1, 0.3, 1.0, 2.0, 4.0, 8.0, 8.0)
# Nothing is lost with what is given up: the lease runs out by itself.
ABANDON_WAITS_S = (0.1, 0.3)


@dataclass(frozen=True, slots=True)
class Version:
    """A ruleset version ready to judge: its content, the prompt as stored, the compiled schema."""

    ruleset: Ruleset
    prompt: str
    prompt_sha256: bytes
    checker: Checker


@dataclass(frozen=True, slots=True)
class Prepared:
    """A claim with all that its call needs; ``frames`` is that of the received file."""

    claim: uploads.Claim
    version: Version
    canonical: images.Image
    frames: int
    upstream: Upstream


class Attempting:
    """Makes attempts; what it is given is opened and closed by the composition root."""

    def __init__(
        self,
        pool: Pool,
        decoders: Decoders,
        client: EditsClient,
        upstreams: Sequence[Upstream],
        public_url: str,
    ) -> None:
        self._pool, self._decoders, self._client = pool, decoders, client
        self._upstreams, self._public_url = upstreams, public_url
        self._versions: dict[tuple[str, int], Version] = {}

    async def run(self, claim: uploads.Claim) -> bool | None:
        """
        Make one attempt and write how it ended.

        Returns:
            False if the upstream is down or refuses our key, so that calls should pause; None if
            it was not called.

        Raises:
            LeaseLost: Another worker has the upload; nothing was written.
            LocalFault: This machine failed; the upload is still claimed.
            asyncpg.PostgresError, OSError: The database failed; the upload is still claimed.
        """
        if claim.charges > outcomes.MAX_ATTEMPTS:
            await self._write(claim, lambda conn: self._fail(conn, claim, "exhausted", None))
            return None
        try:
            prepared = await self._prepare(claim)
        except Unreadable as error:
            log.get().info("upload_unreadable", reason=str(error))
            await self._write(claim, lambda conn: self._fail(conn, claim, "unreadable", None))
            return None
        if prepared is None:
            return None
        try:
            described = await self._describe(prepared)
        except AttemptFailed as failure:
            return await self._failed(prepared, failure)
        await self._write(
            claim, lambda conn: completing.succeed(conn, claim, described, self._public_url)
        )
        log.get().info(
            "upload_described",
            outcome=described.outcome,
            verdict=described.verdict,
            rules=list(described.rules),
            cost_microusd=described.completion.cost_microusd,
        )
        return True

    async def abandon(self, claim: uploads.Claim, *, charged: bool, delay_s: float) -> None:
        """Give an upload back whose attempt did not come to an end."""

        async def give_back(conn: Conn) -> None:
            # A call may have been under way: what it reserved is entered as spent.
            reserved = await attempts.reserved(conn, claim.id, claim.attempt)
            completion = (
                None
                if reserved is None
                else attempts.Completion("lost" if charged else "released", charged, reserved)
            )
            await completing.release(conn, claim, completion, charged=charged, delay_s=delay_s)

        await self._write(claim, give_back, ABANDON_WAITS_S)

    async def _prepare(self, claim: uploads.Claim) -> Prepared | None:
        """Enter the attempt before the call; None if the upload waits for a budget instead."""
        async with self._pool.acquire() as conn:
            version = await self._version(conn, claim.ruleset, claim.version)
            received = await images.get(conn, claim.image_sha256)
            known = claim.canonical_sha256
            canonical = await images.get(conn, known) if known else None
        if canonical is None:
            canonical = _image(await self._decoders.canonical(received.data))
        upstream = routing.choose(self._upstreams, canonical.sha256)
        attempt = attempts.Attempt(
            upload_id=claim.id,
            attempt=claim.attempt,
            upstream=upstream.name,
            model=upstream.model,
            prompt_sha256=version.prompt_sha256,
            sent_sha256=canonical.sha256,
            reserved_microusd=upstream.price_microusd,
            price_version=upstream.price_version,
        )
        async with self._pool.acquire() as conn:
            if not await entering.enter(conn, claim, canonical, attempt):
                return None
        return Prepared(claim, version, canonical, received.frames, upstream)

    async def _describe(self, prepared: Prepared) -> completing.Described:
        """Make the call and believe nothing of its answer that was not checked."""
        edit = Edit(prepared.version.prompt, prepared.canonical.data, prepared.canonical.mime)
        answer, reply = await self._client.edit(edit, prepared.upstream)
        try:
            edited = await self._decoders.canonical(answer.image, thumbnail_side=THUMBNAIL_SIDE)
        except Unreadable as error:
            raise AttemptFailed(
                "no_image", f"the edited image is unreadable: {error}", status=200, text=answer.text
            ) from error
        try:
            description, judgement = await asyncio.to_thread(_judged, answer, prepared)
        except DescriptionInvalid as error:
            raise AttemptFailed(
                "invalid_description", str(error), status=200, text=answer.text
            ) from error
        return completing.Described(
            edited=_image(edited),
            thumbnail=_thumbnail(edited),
            description=description,
            outcome=judgement.outcome,
            verdict=judgement.verdict,
            severity=judgement.severity,
            rules=judgement.rules,
            completion=_completion(prepared, reply, answer),
        )

    async def _failed(self, prepared: Prepared, failure: AttemptFailed) -> bool:
        """Write a failed attempt with what the table of outcomes says follows from it."""
        claim, rule = prepared.claim, outcomes.TABLE[failure.outcome]
        completion = attempts.Completion(
            outcome=failure.outcome,
            charged=rule.charged,
            cost_microusd=prepared.upstream.price_microusd if rule.paid else 0,
            http_status=failure.status,
            answer_text=_storable(failure.text) if failure.text else None,
            detail=_storable(str(failure))[:1000],
        )
        log.get().warning("attempt_failed", outcome=failure.outcome, reason=str(failure)[:300])
        await self._write(claim, lambda conn: self._conclude(conn, claim, failure, completion))
        return rule.then != "pause"

    async def _conclude(
        self,
        conn: Conn,
        claim: uploads.Claim,
        failure: AttemptFailed,
        completion: attempts.Completion,
    ) -> None:
        """End the upload, or give it back to be tried again."""
        rule = outcomes.TABLE[failure.outcome]
        alike = 1 + await attempts.count(conn, claim.id, failure.outcome)
        tried = alike >= rule.tries or claim.charges >= outcomes.MAX_ATTEMPTS
        if rule.then == "end" or (rule.charged and tried):
            ends_as = failure.outcome if rule.then == "end" else rule.ends_as
            await self._fail(conn, claim, ends_as, completion)
            return
        pauses = rule.then == "pause"
        await completing.release(
            conn,
            claim,
            completion,
            charged=rule.charged,
            delay_s=failure.retry_after_s
            or (outcomes.PAUSE_S if pauses else outcomes.backoff_s(alike)),
            waiting_for="upstream" if pauses else None,
        )

    async def _fail(
        self,
        conn: Conn,
        claim: uploads.Claim,
        outcome: str,
        completion: attempts.Completion | None,
    ) -> None:
        await completing.fail(conn, claim, outcome, completion, self._public_url)
        log.get().info("upload_failed", outcome=outcome, verdict="hold")

    async def _write(
        self,
        claim: uploads.Claim,
        write: Callable[[Conn], Awaitable[None]],
        waits_s: Sequence[float] = WRITE_WAITS_S,
    ) -> None:
        """Write what was paid for, through faults of the database, while nobody else took over."""
        unknown = False
        for wait_s in (*waits_s, None):
            try:
                async with self._pool.acquire() as conn:
                    if unknown and await uploads.ended_by(conn, claim.id, claim.attempt):
                        return  # The commit had arrived and only its acknowledgement was lost.
                    await write(conn)
                    return
            except (*UNREACHABLE, asyncpg.PostgresError) as error:
                if wait_s is None:
                    raise
                unknown = True
                log.get().warning("write_retried", reason=repr(error)[:300], wait_s=wait_s)
                await asyncio.sleep(wait_s)

    async def _version(self, conn: Conn, name: str, number: int) -> Version:
        known = self._versions.get((name, number))
        if known is None:
            row = await rulesets.get(conn, name, number)
            known = Version(
                ruleset=Ruleset.model_validate_json(row["content_text"]),
                prompt=row["prompt"],
                prompt_sha256=row["prompt_sha256"],
                checker=Checker(row["schema"]),
            )
            self._versions[name, number] = known
        return known


def _judged(answer: Answer, prepared: Prepared) -> tuple[dict[str, Any], Judgement]:
    description, lenient = descriptions.parse(answer.text)
    prepared.version.checker.check(description)
    judgement = descriptions.judge(description, prepared.version.ruleset)
    if lenient:
        log.get().info("description_unwrapped")
    if prepared.frames > 1:
        judgement = descriptions.with_unseen_frames(judgement)
    return description, judgement


def _completion(prepared: Prepared, reply: Reply, answer: Answer) -> attempts.Completion:
    return attempts.Completion(
        outcome="described",
        charged=True,
        cost_microusd=prepared.upstream.price_microusd,
        http_status=reply.status,
        answer_sha256=hashlib.sha256(reply.body).digest(),
        input_tokens=answer.input_tokens,
        output_tokens=answer.output_tokens,
    )


def _storable(text: str) -> str:
    # Postgres keeps neither NUL nor lone surrogates in text; this copy is for people to read.
    return text.encode("utf-8", "replace").decode().replace("\0", "\ufffd")


def _image(picture: Picture) -> images.Image:
    digest = hashlib.sha256(picture.data).digest()
    return images.Image(digest, picture.mime, picture.width, picture.height, 1, picture.data)


def _thumbnail(picture: Picture) -> images.Image:
    if picture.thumbnail is None:
        raise LocalFault("the decoder made no thumbnail")
    return _image(replace(picture, data=picture.thumbnail, mime="image/webp"))
