"""HTTP in: what the handlers share."""

from aiohttp import web

from service.store import Pool
from service.store.tokens import Bearer

POOL = web.AppKey("pool", Pool)
BEARER = web.RequestKey("bearer", Bearer)
