"""The console's files over HTTP: one page for every address below /console/, and what it loads."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from aiohttp import web

from service.errors import InputRefused

FOLDER = Path(__file__).parent / "console"
TYPES: Mapping[str, str] = MappingProxyType(
    {".html": "text/html", ".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}
)
# Nothing inline, nothing from elsewhere, and no text that a script could turn into markup.
_DIRECTIVES = (
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self' blob:",
    "connect-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
    "require-trusted-types-for 'script'",
    "trusted-types 'none'",
)
POLICY = "; ".join(_DIRECTIVES)
HEADERS: Mapping[str, str] = MappingProxyType(
    {
        "Content-Security-Policy": POLICY,
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cache-Control": "no-cache",
    }
)


@dataclass(frozen=True, slots=True)
class File:
    """One file as it is served; ``etag`` is of its bytes."""

    data: bytes
    mime: str
    etag: str


def read() -> dict[str, File]:
    """Read every file of the console by its path below /console/."""
    return {
        path.relative_to(FOLDER).as_posix(): _file(path)
        for path in sorted(FOLDER.rglob("*"))
        if path.suffix in TYPES
    }


def _file(path: Path) -> File:
    data = path.read_bytes()
    return File(data, TYPES[path.suffix], hashlib.sha256(data).hexdigest())


def routes() -> list[web.RouteDef]:
    """Give the routes; the files are read once, with the application."""
    files = read()

    async def serve(request: web.Request) -> web.Response:
        path = request.match_info["path"]
        # Each state of the console has an address, and all of them are answered by the one page.
        file = files.get(path) or (files["index.html"] if "." not in path else None)
        if file is None:
            raise InputRefused("not_found", f"nothing is at {request.path}")
        headers = {**HEADERS, "ETag": f'"{file.etag}"'}
        if any(tag.value in (file.etag, "*") for tag in request.if_none_match or ()):
            return web.Response(status=304, headers=headers)
        return web.Response(
            body=file.data, content_type=file.mime, charset="utf-8", headers=headers
        )

    async def enter(_: web.Request) -> web.StreamResponse:
        raise web.HTTPPermanentRedirect("/console/")

    return [web.get("/console", enter), web.get("/console/{path:.*}", serve)]
