"""One attempt at one upload: canonical picture, room at an upstream, the call, what is written."""

from collections.abc import Sequence

from service import completing, concluding, entering, limiting, log, reusing
from service.calling import Call, Calling, Edited, Job, Version, call_of, image_of
from service.concluding import Failed
from service.edits import AttemptFailed, Upstream, outcomes, routing
from service.edits.client import EditsClient
from service.entrance import Entrance
from service.errors import Unreadable
from service.limiting import Denied
from service.looking import BLIND, Detectors
from service.pictures.pool import Decoders
from service.policy import tokens
from service.policy.descriptions import Checker
from service.policy.rulesets import Ruleset
from service.policy.tokens import Window
from service.proving import Prover
from service.store import Conn, Pool, attempts, images, kept_edits, rulesets, uploads
from service.writing import WAITS_S, write

# Nobody is configured who may judge by this ruleset, which only a person can change.
NOBODY_S = 60.0
# However many wait for an upstream, so many of them ask again each second, so that they keep no
# worker from the uploads of others.  All are woken when it answers.
ASKING_PER_S = 20.0


class Attempting:
    """Makes attempts; what it is given is opened and closed by the composition root."""

    def __init__(
        self,
        pool: Pool,
        decoders: Decoders,
        client: EditsClient,
        upstreams: Sequence[Upstream],
        public_url: str,
        *,
        detectors: Detectors = BLIND,
        keep_raw: bool = False,
    ) -> None:
        self._pool, self._decoders = pool, decoders
        prover = Prover(decoders, detectors)
        self._calling = Calling(decoders, client, prover, keep_raw=keep_raw)
        self._entrance = Entrance(pool)
        self._upstreams, self._public_url = upstreams, public_url
        self._versions: dict[tuple[str, int], Version] = {}

    async def run(self, claim: uploads.Claim) -> None:
        """
        Make one attempt and write how it ended, or what the upload waits for.

        Raises:
            LeaseLost: Another worker has the upload; nothing was written.
            LocalFault: This machine failed; the upload is still claimed.
            asyncpg.PostgresError, OSError: The database failed; the upload is still claimed.
        """
        if claim.charges > outcomes.MAX_ATTEMPTS:
            await self._fail(claim, "exhausted")
            return
        try:
            job = await self._prepare(claim)
        except Unreadable as error:
            log.get().info("upload_unreadable", reason=str(error))
            await self._fail(claim, "unreadable")
            return
        candidates = await self._candidates(job)
        if candidates is None:
            await self._fail(claim, "refused")
            return
        entered = await self._enter(job, candidates)
        if isinstance(entered, Denied):
            await self._wait(claim, entered)
            return
        try:
            described = await self._calling.make(job, entered)
        except AttemptFailed as failure:
            await self._failed(Failed(job, entered, failure, _stand_ins(job, entered, candidates)))
        else:
            await self._succeed(job, entered, described)
        finally:
            self._entrance.leave(entered.upstream)

    async def abandon(
        self,
        claim: uploads.Claim,
        *,
        charged: bool,
        delay_s: float,
        waits_s: Sequence[float] = WAITS_S,
    ) -> None:
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

        await write(self._pool, claim, give_back, waits_s)

    async def settle(self) -> None:
        """
        End the uploads that wait for the results of others which have ended.

        Raises:
            asyncpg.PostgresError, OSError: The database failed; the next call does the rest.
        """
        async with self._pool.acquire() as conn:
            if ended := await reusing.settle(conn, self._public_url):
                log.get().info("uploads_reused", uploads=ended)

    def close(self) -> None:
        """Begin no call any more; uploads that wait for one are given back."""
        self._entrance.close()

    async def _prepare(self, claim: uploads.Claim) -> Job:
        """Read what the call needs, and keep the canonical picture that it will send."""
        async with self._pool.acquire() as conn:
            version = await self._version(conn, claim.ruleset, claim.version)
            known = claim.canonical_sha256
            picture = await images.get(conn, known or claim.image_sha256)
            frames = await images.frames(conn, claim.image_sha256) if known else picture.frames
            kept = await kept_edits.get(conn, claim.id) if claim.again else None
            edited = None
            if kept is not None:
                edited = Edited(
                    await images.get(conn, kept.edited_sha256),
                    await images.get(conn, kept.thumbnail_sha256),
                    kept.attempt,
                )
        if known is None:
            picture = image_of(await self._decoders.canonical(picture.data))
            async with self._pool.acquire() as conn:
                await entering.keep(conn, claim, picture)
        return Job(claim, version, picture, frames, kept, edited)

    async def _candidates(self, job: Job) -> list[Upstream] | None:
        """
        List where the picture may go, its own upstream first, without those that refused it.

        None if all have refused it: the one that was left may have been taken out of the settings.
        """
        refusers, met_down = set[str](), set[str]()
        if job.claim.again:
            async with self._pool.acquire() as conn:
                refusers = await attempts.refusers(conn, job.claim.id)
                met_down = await attempts.met_down(conn, job.claim.id)
        able = [one for one in self._upstreams if _unable(job.version, one) is None]
        ordered = routing.order(able, job.canonical.sha256)
        willing = [one for one in ordered if one.name not in refusers]
        if ordered and not willing:
            return None
        # An upload probes an upstream that is down once, then others stand in before it: a lone
        # one would else meet each probe itself.
        return sorted(willing, key=lambda one: one.name in met_down)

    async def _enter(self, job: Job, candidates: list[Upstream]) -> Call | Denied:
        """Enter the attempt at the first upstream that can be called now."""
        shortest: Denied | None = None
        for upstream in candidates:
            call = call_of(job, upstream)
            denied = await self._entrance.enter(job.claim, upstream, _attempt(job, call))
            if denied is None:
                return call
            if denied.reason in ("budget", "closed"):
                return denied
            if shortest is None or denied.wait_s < shortest.wait_s:
                shortest = denied
        if shortest is None:
            reasons = [_unable(job.version, one) for one in self._upstreams]
            log.get().error("no_upstream", reasons=reasons)
            return Denied("down", NOBODY_S)
        return shortest

    async def _wait(self, claim: uploads.Claim, denied: Denied) -> None:
        """
        Give the upload back, uncharged, until it can be called; a budget's wait is written.

        Where the upload's own ceiling has no room at any of them, it ends.
        """

        async def give_back(conn: Conn) -> None:
            closed = denied.reason == "closed"
            all_together_s = 0 if closed else await uploads.waiting(conn) / ASKING_PER_S
            await completing.release(
                conn,
                claim,
                None,
                charged=False,
                delay_s=max(denied.wait_s, all_together_s),
                waiting_for=None if closed else "upstream",
            )
            await limiting.look_again(conn, denied)

        if denied.reason == "ceiling":
            await self._fail(claim, "exhausted")
        elif denied.reason != "budget":
            await write(self._pool, claim, give_back)

    async def _succeed(self, job: Job, call: Call, described: completing.Described) -> None:
        claim = job.claim

        async def succeed(conn: Conn) -> None:
            await limiting.note(conn, call.upstream, (claim.id, claim.attempt), "described", None)
            await completing.succeed(conn, claim, described, self._public_url)

        await write(self._pool, claim, succeed)
        log.get().info(
            "upload_described",
            outcome=described.outcome,
            verdict=described.verdict,
            rules=list(described.rules),
            cost_microusd=described.completion.cost_microusd,
        )

    async def _failed(self, failed: Failed) -> None:
        failure = failed.failure
        log.get().warning("attempt_failed", outcome=failure.outcome, reason=str(failure)[:300])
        await write(
            self._pool,
            failed.job.claim,
            lambda conn: concluding.conclude(conn, failed, self._public_url),
        )

    async def _fail(self, claim: uploads.Claim, outcome: str) -> None:
        """End an upload for which no call is made."""
        await write(
            self._pool,
            claim,
            lambda conn: concluding.fail(conn, claim, outcome, None, self._public_url),
        )

    async def _version(self, conn: Conn, name: str, number: int) -> Version:
        known = self._versions.get((name, number))
        if known is None:
            row = await rulesets.get(conn, name, number)
            known = Version(
                ruleset=Ruleset.model_validate_json(row["content_text"]),
                prompt=row["prompt"],
                prompt_sha256=row["prompt_sha256"],
                size=tokens.measure(row["prompt"]),
                checker=Checker(row["schema"]),
            )
            self._versions[name, number] = known
        return known


def _unable(version: Version, upstream: Upstream) -> str | None:
    """Say why the upstream must not be asked by this version; publishing refuses most of these."""
    window = Window(
        upstream.name, upstream.model, upstream.max_prompt_chars, upstream.context_tokens
    )
    return routing.unable(version.ruleset.model, version.size, window)


def _stand_ins(job: Job, call: Call, candidates: list[Upstream]) -> list[Upstream]:
    """List who may be asked after a refusal, which is nobody unless the ruleset says so."""
    if not job.version.ruleset.fallback_after_refusal:
        return []
    return [one for one in candidates if one is not call.upstream]


def _attempt(job: Job, call: Call) -> attempts.Attempt:
    return attempts.Attempt(
        upload_id=job.claim.id,
        attempt=job.claim.attempt,
        upstream=call.upstream.name,
        model=call.asked.model,
        prompt_sha256=job.version.prompt_sha256,
        sent_sha256=job.canonical.sha256,
        reserved_microusd=call.asked.price_microusd,
        price_version=call.asked.price_version,
        kind=call.kind,
    )
