"""
Operations on aiohttp: checked by pydantic models and documented from the same models.

``Api.operation`` wraps a handler: it authenticates, checks path, query and JSON body, and refuses
what is not declared; ``Api.document`` renders OpenAPI 3.1 from what was declared.
"""

import functools
import inspect
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, get_type_hints

from aiohttp import web
from pydantic import BaseModel, ValidationError

from service import auth
from service.errors import InputRefused
from service.web import BEARER, describing, problems
from service.web.authenticating import authenticate
from service.web.describing import Content, Declared, Nothing

Operation = Callable[..., Awaitable[web.StreamResponse]]
# A refusal never grows with what is refused.
MAX_FAULTS, MAX_NAME = 20, 100


class Api:
    """The operations of one version of the API."""

    def __init__(self, title: str, version: str) -> None:
        self._title, self._version = title, version
        self._declared: list[Declared] = []

    def operation(
        self,
        method: str,
        path: str,
        *,
        roles: tuple[auth.Role, ...] = (),
        answers: Mapping[int, Content | tuple[Content, ...]],
        refusals: tuple[str, ...] = (),
        request: Mapping[str, Mapping[str, Any]] | None = None,
        headers: Mapping[str, str] | None = None,
        needs_body: bool = True,
        security: tuple[str, ...] = (),
        sends: Mapping[int, tuple[str, ...]] | None = None,
        may_send: tuple[str, ...] = (),
    ) -> Callable[[Operation], Operation]:
        """
        Declare ``handler(request, *, path: Model, query: Model)``; both models are optional.

        Args:
            roles: Who may call it; nobody in particular means everybody.
            answers: Status to model, or to the media type of bytes; several by ``Accept``.
            refusals: Problem codes it answers besides those that follow from the declaration.
            request: OpenAPI content map of the body, which the handler reads itself; its schemas
                may be models.
            headers: Request headers it understands, name to meaning.
            security: Names of ``SCHEMES`` of which it checks one itself, where it has no roles.
            sends: Status to the names of headers (of ``describing.SENT``) that the answer has.
            may_send: Headers that some of its answers have.
        """

        def declare(handler: Operation) -> Operation:
            hints = get_type_hints(handler)
            scope = auth.scope_of(method, path) if roles else ""
            declared = Declared(
                method=method,
                path=path,
                handler=_checked(handler, hints, roles, scope),
                path_model=hints.get("path", Nothing),
                query_model=hints.get("query", Nothing),
                roles=roles,
                summary=(inspect.getdoc(handler) or "").split("\n", maxsplit=1)[0],
                answers=answers,
                refusals=refusals,
                request=request or {},
                headers=headers or {},
                needs_body=needs_body,
                security=("bearer",) if roles else security,
                sends=sends or {},
                may_send=may_send,
            )
            self._declared.append(declared)
            return handler

        return declare

    def routes(self) -> list[web.RouteDef]:
        """Give the routes for an aiohttp application."""
        return [web.route(one.method, one.path, one.handler) for one in self._declared]

    def document(self) -> dict[str, Any]:
        """Render the OpenAPI 3.1 document."""
        return describing.document(self._title, self._version, self._declared)


def _checked(
    handler: Operation, hints: Mapping[str, Any], roles: tuple[auth.Role, ...], scope: str
) -> problems.Handler:
    path_model, query_model = hints.get("path"), hints.get("query", Nothing)

    @functools.wraps(handler)
    async def checked(request: web.Request) -> web.StreamResponse:
        if roles:
            request[BEARER] = await authenticate(request, roles, scope)
        arguments: dict[str, BaseModel] = {}
        query = _validated(query_model, _single(request.query))
        if "query" in hints:
            arguments["query"] = query
        if path_model is not None:
            try:
                arguments["path"] = path_model.model_validate(dict(request.match_info))
            except ValidationError as error:
                # An id that cannot exist is answered like one that does not.
                raise InputRefused("not_found", f"nothing is at {request.path}") from error
        return await handler(request, **arguments)

    return checked


def _single(query: Any) -> dict[str, str]:
    twice = sorted({name for name in query if len(query.getall(name)) > 1})
    if twice:
        raise InputRefused("validation_failed", f"given more than once: {', '.join(twice)}")
    return dict(query)


def _validated(model: type[BaseModel], values: Mapping[str, str]) -> BaseModel:
    try:
        return model.model_validate(values)
    except ValidationError as error:
        raise refused(error) from error


def refused(error: ValidationError) -> InputRefused:
    """Turn a failed check into a refusal that names the first faults (without the values)."""
    found = error.errors(include_url=False, include_input=False, include_context=False)
    faults: list[dict[str, object]] = [
        {"field": ".".join(str(part) for part in fault["loc"])[:MAX_NAME], "message": fault["msg"]}
        for fault in found[:MAX_FAULTS]
    ]
    text = "; ".join(f"{fault['field']}: {fault['message']}" for fault in faults[:5])
    return InputRefused("validation_failed", text, errors=faults)
