"""
Operations on aiohttp: checked by pydantic models and documented from the same models.

``Api.operation`` wraps a handler: it authenticates, checks path, query and JSON body, and refuses
what is not declared; ``Api.document`` renders OpenAPI 3.1 from what was declared.
"""

import functools
import inspect
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias, get_type_hints

from aiohttp import web
from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic.json_schema import JsonSchemaMode, models_json_schema

from service import auth
from service.errors import InputRefused
from service.store import tokens
from service.web import BEARER, POOL, problems

Operation = Callable[..., Awaitable[web.StreamResponse]]
Content: TypeAlias = type[BaseModel] | str
REF = "#/components/schemas/{model}"
# A refusal never grows with what is refused.
MAX_FAULTS, MAX_NAME = 20, 100


class Nothing(BaseModel):
    """Declares that no parameter is taken, so that any is refused and named."""

    model_config = ConfigDict(extra="forbid")


@dataclass(frozen=True, slots=True)
class Declared:
    """One operation as it was declared; ``request`` and ``answers`` are OpenAPI content maps."""

    method: str
    path: str
    handler: problems.Handler
    path_model: type[BaseModel]
    query_model: type[BaseModel]
    roles: tuple[auth.Role, ...]
    summary: str
    answers: Mapping[int, Content | tuple[Content, ...]]
    refusals: tuple[str, ...]
    request: Mapping[str, Any] | None
    headers: Mapping[str, str] = field(default_factory=dict)
    needs_body: bool = True


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
        request: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        needs_body: bool = True,
    ) -> Callable[[Operation], Operation]:
        """
        Declare ``handler(request, *, path: Model, query: Model)``; both models are optional.

        Args:
            roles: Who may call it; nobody in particular means everybody.
            answers: Status to model, or to the media type of bytes; several by ``Accept``.
            refusals: Problem codes it answers besides those that follow from the declaration.
            request: OpenAPI content map of the body, which the handler reads itself.
            headers: Request headers it understands, name to meaning.
        """

        def declare(handler: Operation) -> Operation:
            hints = get_type_hints(handler)
            declared = Declared(
                method=method,
                path=path,
                handler=_checked(handler, hints, roles),
                path_model=hints.get("path", Nothing),
                query_model=hints.get("query", Nothing),
                roles=roles,
                summary=(inspect.getdoc(handler) or "").split("\n", maxsplit=1)[0],
                answers=answers,
                refusals=refusals,
                request=request,
                headers=headers or {},
                needs_body=needs_body,
            )
            self._declared.append(declared)
            return handler

        return declare

    def routes(self) -> list[web.RouteDef]:
        """Give the routes for an aiohttp application."""
        return [web.route(one.method, one.path, one.handler) for one in self._declared]

    def document(self) -> dict[str, Any]:
        """Render the OpenAPI 3.1 document."""
        models = _models(self._declared)
        refs, definitions = models_json_schema(models, ref_template=REF)
        schemas = definitions.get("$defs", {})
        paths: dict[str, dict[str, Any]] = {}
        for one in self._declared:
            paths.setdefault(one.path, {})[one.method.lower()] = _rendered(one, refs, schemas)
        return {
            "openapi": "3.1.0",
            "info": {"title": self._title, "version": self._version},
            "paths": paths,
            "components": {
                "schemas": schemas,
                "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer"}},
            },
        }


def _checked(
    handler: Operation, hints: Mapping[str, Any], roles: tuple[auth.Role, ...]
) -> problems.Handler:
    path_model, query_model = hints.get("path"), hints.get("query", Nothing)

    @functools.wraps(handler)
    async def checked(request: web.Request) -> web.StreamResponse:
        if roles:
            request[BEARER] = await _authenticate(request, roles)
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


async def _authenticate(request: web.Request, roles: tuple[auth.Role, ...]) -> tokens.Bearer:
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise InputRefused("token_missing", "send the header Authorization: Bearer TOKEN")
    bearer = None
    if token.isascii():  # What is not cannot be one of ours; it may not even be UTF-8.
        async with request.app[POOL].acquire() as conn:
            bearer = await tokens.find(conn, auth.digest(token.strip()))
    if bearer is None:
        raise InputRefused("token_invalid", "this token is unknown or was revoked")
    if bearer.role not in roles:
        raise InputRefused(
            "role_not_allowed",
            f"a {bearer.role} token may not do this; allowed: {', '.join(roles)}",
        )
    return bearer


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


def _contents(answer: Content | tuple[Content, ...]) -> tuple[Content, ...]:
    return answer if isinstance(answer, tuple) else (answer,)


def _models(declared: list[Declared]) -> list[tuple[type[BaseModel], JsonSchemaMode]]:
    wanted: dict[tuple[type[BaseModel], JsonSchemaMode], None] = {
        (problems.Problem, "serialization"): None
    }
    for one in declared:
        wanted[one.path_model, "validation"] = None
        wanted[one.query_model, "validation"] = None
        for answer in one.answers.values():
            for content in _contents(answer):
                if not isinstance(content, str):
                    wanted[content, "serialization"] = None
    return list(wanted)


def _rendered(one: Declared, refs: Mapping[Any, Any], schemas: Mapping[str, Any]) -> dict[str, Any]:
    def parameters(model: type[BaseModel], place: str) -> list[dict[str, Any]]:
        schema = schemas[refs[model, "validation"]["$ref"].rpartition("/")[2]]
        return [
            {
                "name": name,
                "in": place,
                "required": place == "path" or name in schema.get("required", []),
                "schema": value,
            }
            for name, value in schema.get("properties", {}).items()
        ]

    rendered: dict[str, Any] = {
        "operationId": one.handler.__name__,
        "summary": one.summary,
        "parameters": [
            *parameters(one.path_model, "path"),
            *parameters(one.query_model, "query"),
            *(
                {"name": name, "in": "header", "description": meaning, "schema": {"type": "string"}}
                for name, meaning in one.headers.items()
            ),
        ],
        "responses": _responses(one, refs),
    }
    if one.roles:
        rendered["security"] = [{"bearer": []}]
        rendered["description"] = f"Roles: {', '.join(one.roles)}."
    if one.request:
        rendered["requestBody"] = {"required": one.needs_body, "content": one.request}
    return rendered


def _responses(one: Declared, refs: Mapping[Any, Any]) -> dict[str, Any]:
    responses: dict[str, Any] = {}
    for status, answer in one.answers.items():
        content: dict[str, Any] = {}
        for one_of in _contents(answer):
            if isinstance(one_of, str):
                content[one_of] = {}
            else:
                content["application/json"] = {"schema": refs[one_of, "serialization"]}
        responses[str(status)] = {"description": "OK", **({"content": content} if answer else {})}
    codes = ["validation_failed", *one.refusals]
    if one.path_model is not Nothing:
        codes.append("not_found")
    if one.roles:
        codes += ["token_missing", "token_invalid", "role_not_allowed", "database_unavailable"]
    for status in sorted({problems.STATUS[code] for code in codes}):
        named = sorted({code for code in codes if problems.STATUS[code] == status})
        responses[str(status)] = {
            "description": f"code: {', '.join(named)}",
            "content": {
                "application/problem+json": {"schema": refs[problems.Problem, "serialization"]}
            },
        }
    return responses
