"""The paid call of an attempt, and the checks of what it brought; nothing is believed unchecked."""

import asyncio
import contextlib
import hashlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from service import log, proving
from service.completing import Described
from service.edits import AttemptFailed, Edit, Reply, Upstream
from service.edits.client import EditsClient
from service.edits.replies import Tokens, request_id
from service.errors import LocalFault, Unreadable
from service.pictures.pool import Decoders, Picture
from service.policy import descriptions
from service.policy.descriptions import Checker, DescriptionInvalid, Judgement
from service.policy.rulesets import Ruleset
from service.policy.tokens import Size
from service.proving import THUMBNAIL_SIDE, Prover
from service.store import attempts, images, uploads
from service.store.kept_edits import KeptEdit
from service.store.proofs import Proof

# A longer description that is refused may take milliseconds that the loop does not have; a shorter
# one takes less than a thread's hand-over.
_JUDGED_AT_ONCE = 4 * 1024  # characters


@dataclass(frozen=True, slots=True)
class Version:
    """A ruleset version ready to judge: its content, the prompt as stored, the compiled schema."""

    ruleset: Ruleset
    prompt: str
    prompt_sha256: bytes
    size: Size
    checker: Checker


@dataclass(frozen=True, slots=True)
class Edited:
    """An edited picture that decodes, with the attempt that brought it."""

    image: images.Image
    thumbnail: images.Image
    attempt: int


@dataclass(frozen=True, slots=True)
class Job:
    """
    A claim with all that its call needs.

    ``frames`` is that of the received file; ``canonical.frames`` says how many of them it shows.
    ``kept`` is an edit whose description did not hold, with its pictures in ``edited``.
    """

    claim: uploads.Claim
    version: Version
    canonical: images.Image
    frames: int
    kept: KeptEdit | None
    edited: Edited | None


@dataclass(frozen=True, slots=True)
class Call:
    """Whom a job's call goes to, and what it asks for: an ``edit`` or a ``description`` alone."""

    upstream: Upstream
    asked: Upstream
    kind: str


class Undescribed(AttemptFailed):
    """The edited picture came, and its description is missing or does not hold."""

    def __init__(self, cause: AttemptFailed, edited: Edited, faults: tuple[str, ...]) -> None:
        super().__init__(cause.outcome, str(cause), status=cause.status, text=cause.text)
        self.reply = cause.reply
        self.edited = edited
        self.faults = faults


def call_of(job: Job, upstream: Upstream) -> Call:
    """Tell what to ask for: the description alone, where an edit is kept and the upstream can."""
    if job.kept is not None and upstream.repairs and upstream.describer is not None:
        return Call(upstream, upstream.describer, "description")
    return Call(upstream, upstream, "edit")


class Unfaithful(AttemptFailed):
    """The edited picture is another one than that which was sent."""

    def __init__(self, proof: Proof, reply: Reply, text: str) -> None:
        super().__init__(
            "unfaithful_edit", "the edit shows another picture", status=reply.status, text=text
        )
        self.reply = reply
        self.proof = proof


@dataclass(frozen=True, slots=True)
class _Came:
    """An edited file with the attempt that brought it, and a text that describes it."""

    image: bytes
    edit_attempt: int
    text: str
    reply: Reply


class Calling:
    """
    Makes the calls; what it is given is opened and closed by the composition root.

    ``keep_raw``: the upstream's own picture is kept beside the final one.
    """

    def __init__(
        self, decoders: Decoders, client: EditsClient, prover: Prover, *, keep_raw: bool
    ) -> None:
        self._decoders, self._client = decoders, client
        self._prover, self._keep_raw = prover, keep_raw

    async def make(self, job: Job, call: Call) -> Described:
        """
        Make the call and check what it brought.

        Raises:
            AttemptFailed: Whatever happened instead of a picture with a description that holds.
        """
        edit = Edit(job.version.prompt, job.canonical.data, job.canonical.mime)
        if call.kind == "edit" or job.kept is None or job.edited is None:
            return await self._edit(job, call, edit)
        described, reply = await self._client.describe(edit, job.kept.faults, call.asked)
        came = _Came(job.edited.image.data, job.edited.attempt, described.text, reply)
        return await self._checked(job, came, _completion(call, reply, described.tokens))

    async def _edit(self, job: Job, call: Call, edit: Edit) -> Described:
        try:
            answer, reply = await self._client.edit(edit, call.asked)
        except AttemptFailed as failure:
            if failure.image is None:
                raise
            edited = await self._edited(job, failure.image, failure.reply, failure.text)
            raise Undescribed(failure, edited, ()) from failure
        came = _Came(answer.image, job.claim.attempt, answer.text, reply)
        tokens = Tokens(answer.input_tokens, answer.output_tokens, answer.cached_tokens)
        return await self._checked(job, came, _completion(call, reply, tokens))

    async def _checked(self, job: Job, came: _Came, completion: attempts.Completion) -> Described:
        """Check the text against the version's schema, then the picture by what the text says."""
        try:
            if job.kept is None and len(came.text) <= _JUDGED_AT_ONCE:
                description, judgement = _judged(came.text, job)
            else:
                description, judgement = await asyncio.to_thread(_judged, came.text, job)
        except DescriptionInvalid as error:
            failure = _failed("invalid_description", str(error), came.reply, came.text)
            raise Undescribed(failure, await self._brought(job, came), error.reasons) from error
        proof, final = await self._proven(job, came, description)
        judgement = proving.judged(judgement, proof, job.version.ruleset)
        raw = (await self._brought(job, came)).image if self._keep_raw else None
        return Described(
            edited=final.image,
            thumbnail=final.thumbnail,
            proof=proof,
            raw=raw,
            edit_attempt=None if came.edit_attempt == job.claim.attempt else came.edit_attempt,
            description=description,
            outcome=judgement.outcome,
            verdict=judgement.verdict,
            severity=judgement.severity,
            rules=judgement.rules,
            completion=completion,
        )

    async def _proven(
        self, job: Job, came: _Came, description: dict[str, Any]
    ) -> tuple[Proof, Edited]:
        """Prove the edit in the places that the description names; give the final picture."""
        try:
            proof, final = await self._prover.prove(
                job.version.ruleset, job.canonical.data, came.image, description
            )
        except Unreadable as error:
            raise _unreadable(error, came.reply, came.text) from error
        if final is None:
            raise Unfaithful(proof, came.reply, came.text)
        return proof, Edited(image_of(final), _thumbnail(final), came.edit_attempt)

    async def _brought(self, job: Job, came: _Came) -> Edited:
        """Give the upstream's own picture; one that was kept was encoded before."""
        if job.edited is not None and came.edit_attempt == job.edited.attempt:
            return job.edited
        return await self._edited(job, came.image, came.reply, came.text)

    async def _edited(
        self, job: Job, image: bytes, reply: Reply | None, text: str | None
    ) -> Edited:
        """Decode an edited picture whose description is still to come."""
        try:
            picture = await self._decoders.canonical(image, thumbnail_side=THUMBNAIL_SIDE)
        except Unreadable as error:
            raise _unreadable(error, reply, text) from error
        return Edited(image_of(picture), _thumbnail(picture), job.claim.attempt)


def image_of(picture: Picture) -> images.Image:
    """Name a decoded picture by its digest, as it is stored."""
    digest = hashlib.sha256(picture.data).digest()
    shape = (picture.width, picture.height, picture.frames)
    return images.Image(digest, picture.mime, *shape, picture.data)


def _thumbnail(picture: Picture) -> images.Image:
    if picture.thumbnail is None:
        raise LocalFault("the decoder made no thumbnail")
    return image_of(replace(picture, data=picture.thumbnail, mime="image/webp"))


def _judged(text: str, job: Job) -> tuple[dict[str, Any], Judgement]:
    description, lenient = descriptions.parse(text)
    job.version.checker.check(description)
    if job.kept is not None and description in _quoted(job.kept.faults):
        raise DescriptionInvalid("The description is one that the faults of the last one quote.")
    judgement = descriptions.judge(description, job.version.ruleset)
    if lenient:
        log.get().info("description_unwrapped")
    judgement = descriptions.of_frames(judgement, job.frames, job.canonical.frames)
    if job.kept is not None and job.kept.accused and not judgement.rules:
        # The first description named a rule; the second does not take that back by its silence.
        judgement = descriptions.held(judgement)
    return description, judgement


def _quoted(faults: Sequence[str]) -> Iterator[dict[str, Any]]:
    """
    Give every object that stands in the faults.

    They quote what was refused, and whoever repeats them must not be taken to describe by it.
    """
    for fault in faults:
        for brace in re.finditer("{", fault):
            with contextlib.suppress(DescriptionInvalid):
                yield descriptions.parse(fault[brace.start() :])[0]


def _completion(call: Call, reply: Reply, tokens: Tokens) -> attempts.Completion:
    return attempts.Completion(
        outcome="described",
        charged=True,
        cost_microusd=call.asked.price_microusd,
        http_status=reply.status,
        answer_sha256=hashlib.sha256(reply.body).digest(),
        input_tokens=tokens.input,
        output_tokens=tokens.output,
        cached_tokens=tokens.cached,
        request_id=request_id(reply),
    )


def _unreadable(error: Unreadable, reply: Reply | None, text: str | None) -> AttemptFailed:
    return _failed("no_image", f"the edited image is unreadable: {error}", reply, text)


def _failed(outcome: str, message: str, reply: Reply | None, text: str | None) -> AttemptFailed:
    failure = AttemptFailed(outcome, message, status=reply.status if reply else None, text=text)
    failure.reply = reply
    return failure
