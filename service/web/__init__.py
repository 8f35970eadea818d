"""HTTP in: what the handlers share."""

from aiohttp import web

from service.leasing import Person
from service.store import Pool
from service.store.tokens import Bearer

POOL = web.AppKey("pool", Pool)
BEARER = web.RequestKey("bearer", Bearer)
# Where others reach the API, without a slash at the end.
PUBLIC_URL = web.AppKey("public_url", str)


def actor(request: web.Request) -> str:
    """Name whoever asks for the audit trail."""
    return f"token:{request[BEARER].id}"


def person(request: web.Request) -> Person:
    """Tell who works."""
    bearer = request[BEARER]
    return Person(bearer.id, bearer.name, actor(request))


def tag(revision: int | str | None) -> dict[str, str]:
    """Give the header that names what can be changed as it is now."""
    return {"ETag": f'"{revision or 0}"'}


def expected(request: web.Request) -> list[str] | None:
    """Read which revisions may be changed, None if any; a weak tag names none."""
    tags = request.if_match
    if tags is None or any(one.value == "*" for one in tags):
        return None
    return [one.value for one in tags if not one.is_weak]
