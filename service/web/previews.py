"""What a ruleset that is being written comes to: its faults, or its size, price and diff."""

from aiohttp import web
from pydantic import BaseModel

from service import publishing, quoting
from service.errors import InputRefused
from service.policy import diffing
from service.policy.diffing import Diff
from service.quoting import Judging
from service.web import POOL, bodies
from service.web.bodies import BODY_REFUSALS
from service.web.openapi import Api
from service.web.rulesets import MAX_BYTES, OFFERS, SOURCES, RulesetPath


class FaultView(BaseModel):
    """One fault at its place; lines and columns count from 1."""

    line: int
    column: int
    path: str
    message: str


class PreviewView(BaseModel):
    """
    What keeping the source would come to; with faults there is nothing else.

    ``chars`` and ``tokens`` are of the whole prompt; ``diff`` is against the live version, null
    where none is live.
    """

    faults: list[FaultView]
    chars: int | None = None
    tokens: int | None = None
    upstreams: list[Judging] = []
    diff: Diff | None = None


def add_to(api: Api) -> None:
    """Declare the operation."""
    api.operation(
        "POST",
        "/v1/rulesets/{name}/preview",
        roles=("policy",),
        answers={200: PreviewView},
        request={
            # Whatever is no ruleset is answered too, with its faults.
            kind: {"schema": {}, "x-max-bytes": MAX_BYTES}
            for kind in SOURCES
        },
        refusals=BODY_REFUSALS,
    )(preview_ruleset)


async def preview_ruleset(request: web.Request, *, path: RulesetPath) -> web.Response:
    """Tell the faults of a source, or what its prompt takes, costs and changes; keeps nothing."""
    if request.content_type not in SOURCES:
        raise InputRefused(
            "content_type_not_supported",
            f"{request.content_type} is not supported; send {' or '.join(SOURCES)}",
        )
    source = await bodies.read(request, MAX_BYTES)
    try:
        async with request.app[POOL].acquire() as conn:
            seen = await publishing.preview(conn, path.name, source)
    except InputRefused as error:
        if error.code != "ruleset_invalid":
            raise
        found = PreviewView.model_validate({"faults": error.errors})
    else:
        shown = quoting.show(seen.prompt, "", request.app[OFFERS], seen.ruleset.model)
        found = PreviewView(
            faults=[],
            chars=shown.chars,
            tokens=shown.tokens,
            upstreams=shown.upstreams,
            diff=diffing.diff(seen.live, seen.ruleset) if seen.live else None,
        )
    return web.json_response(text=found.model_dump_json())
