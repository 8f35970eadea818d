"""
Operations as they were declared, and the OpenAPI 3.1 document rendered from them.

Source: OpenAPI Specification 3.1.1; fields that begin with ``x-`` are our own.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from pydantic import BaseModel, ConfigDict
from pydantic.json_schema import JsonSchemaMode, models_json_schema

from service import auth
from service.web import problems

Content: TypeAlias = type[BaseModel] | str
Refs: TypeAlias = Mapping[Any, Mapping[str, Any]]
SCHEMES: Mapping[str, Mapping[str, str]] = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "one of our tokens"},
    # Those of a platform's own senders, with what its hook settings say.
    "senderBearer": {"type": "http", "scheme": "bearer"},
    "senderBasic": {"type": "http", "scheme": "basic"},
    "senderHmac": {"type": "apiKey", "in": "header", "name": "X-Hub-Signature-256"},
    "standardWebhooks": {"type": "apiKey", "in": "header", "name": "webhook-signature"},
}
SENT: Mapping[str, Mapping[str, Any]] = {
    "Cache-Control": {"description": "who may keep the answer, and how long"},
    "Content-Security-Policy": {"description": "the answer is no page that could do anything"},
    "Content-Disposition": {"description": "under which name it is kept"},
    "ETag": {"description": "the state that was answered, for If-Match or If-None-Match"},
    "Location": {"description": "where what was made can be read"},
    "Retry-After": {"description": "seconds", "schema": {"type": "integer", "minimum": 1}},
    "WebHook-Allowed-Origin": {"description": "any origin may send"},
    "WebHook-Allowed-Rate": {"description": "as often as it likes"},
    "WWW-Authenticate": {"description": "how to authenticate"},
    "X-Content-Type-Options": {"description": "nosniff"},
}
# The schemas of request headers that are checked; any other text of theirs is refused.
_RECEIVED: Mapping[str, Mapping[str, Any]] = {
    "Idempotency-Key": {"minLength": 1, "maxLength": 255, "pattern": "^[!-~]([ -~]*[!-~])?$"},
}
_PROBLEMS_SEND: Mapping[int, str] = {
    401: "WWW-Authenticate",
    429: "Retry-After",
    503: "Retry-After",
}
_REF = "#/components/schemas/{model}"
_EVERYWHERE = """\
What is refused is answered as `application/problem+json` (RFC 9457) with a stable `code`. Besides
what each operation names: 404 `not_found` where no operation is, 405 `method_not_allowed` with
`Allow` for another method (HEAD is answered wherever GET is), 400 `request_malformed`, and 500
`internal` for a fault of ours. Unknown query parameters and fields of bodies are refused. Bodies
are sent without a Content-Encoding and are no longer than `x-max-bytes`."""


class Nothing(BaseModel):
    """Declares that no parameter is taken, so that any is refused and named."""

    model_config = ConfigDict(extra="forbid")


@dataclass(frozen=True, slots=True)
class Declared:
    """
    One operation as it was declared.

    ``request`` is an OpenAPI content map, in which a schema may be a model; ``sends`` names the
    headers of each answer, ``may_send`` those that not every answer has.
    """

    method: str
    path: str
    handler: problems.Handler
    path_model: type[BaseModel]
    query_model: type[BaseModel]
    roles: tuple[auth.Role, ...]
    summary: str
    answers: Mapping[int, Content | tuple[Content, ...]]
    refusals: tuple[str, ...]
    request: Mapping[str, Mapping[str, Any]]
    headers: Mapping[str, str]
    needs_body: bool = True
    security: tuple[str, ...] = ()
    sends: Mapping[int, tuple[str, ...]] = field(default_factory=dict)
    may_send: tuple[str, ...] = ()

    @property
    def codes(self) -> set[str]:
        """Every problem code it may answer with: those that it names, and those that follow."""
        codes = {"validation_failed", *self.refusals}
        if self.path_model is not Nothing:
            codes.add("not_found")
        if self.roles:
            codes |= {"token_missing", "token_invalid", "role_not_allowed", "scope_not_allowed"}
            codes.add("database_unavailable")
        if "platform" in self.roles:
            codes.add("quota_exceeded")
        if self.method != "GET":
            codes.add("overloaded")
        return codes


def document(title: str, version: str, declared: Sequence[Declared]) -> dict[str, Any]:
    """Render the OpenAPI 3.1 document."""
    refs, definitions = models_json_schema(_models(declared), ref_template=_REF)
    schemas = definitions.get("$defs", {})
    paths: dict[str, dict[str, Any]] = {}
    for one in declared:
        paths.setdefault(one.path, {})[one.method.lower()] = _operation(one, refs, schemas)
    return {
        "openapi": "3.1.0",
        "info": {"title": title, "version": version, "description": _EVERYWHERE},
        "paths": paths,
        "components": {"schemas": schemas, "securitySchemes": SCHEMES},
    }


def _contents(answer: Content | tuple[Content, ...]) -> tuple[Content, ...]:
    return answer if isinstance(answer, tuple) else (answer,)


def _models(declared: Sequence[Declared]) -> list[tuple[type[BaseModel], JsonSchemaMode]]:
    wanted: dict[tuple[type[BaseModel], JsonSchemaMode], None] = {
        (problems.Problem, "serialization"): None
    }
    for one in declared:
        bodies = (body["schema"] for body in one.request.values())
        for model in (one.path_model, one.query_model, *bodies):
            if isinstance(model, type):
                wanted[model, "validation"] = None
        for answer in one.answers.values():
            for content in _contents(answer):
                if not isinstance(content, str):
                    wanted[content, "serialization"] = None
    return list(wanted)


def _operation(one: Declared, refs: Refs, schemas: Mapping[str, Any]) -> dict[str, Any]:
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
            *(_received(name, meaning) for name, meaning in one.headers.items()),
        ],
        "responses": _responses(one, refs),
    }
    if one.security:
        rendered["security"] = [{name: []} for name in one.security]
    if one.roles:
        rendered["description"] = f"Roles: {', '.join(one.roles)}."
        rendered["x-roles"] = list(one.roles)
        rendered["x-scope"] = auth.scope_of(one.method, one.path)
    if one.request:
        content = {kind: _body(body, refs) for kind, body in one.request.items()}
        rendered["requestBody"] = {"required": one.needs_body, "content": content}
    return rendered


def _received(name: str, meaning: str) -> dict[str, Any]:
    schema = {"type": "string", **_RECEIVED.get(name, {})}
    return {"name": name, "in": "header", "description": meaning, "schema": schema}


def _body(body: Mapping[str, Any], refs: Refs) -> dict[str, Any]:
    schema = body["schema"]
    return {**body, "schema": refs[schema, "validation"] if isinstance(schema, type) else schema}


def _responses(one: Declared, refs: Refs) -> dict[str, Any]:
    responses: dict[str, Any] = {}
    for status, answer in one.answers.items():
        content = dict(_content(one_of, refs) for one_of in _contents(answer) if one_of)
        responses[str(status)] = {
            "description": "OK",
            **({"content": content} if content else {}),
            **_headers(one.sends.get(status, ()), one.may_send),
        }
    for status in sorted({problems.STATUS[code] for code in one.codes}):
        codes = sorted(code for code in one.codes if problems.STATUS[code] == status)
        responses[str(status)] = _refusal(status, codes, refs)
    return responses


def _content(answer: Content, refs: Refs) -> tuple[str, dict[str, Any]]:
    if isinstance(answer, str):
        return answer, {}
    return "application/json", {"schema": refs[answer, "serialization"]}


def _refusal(status: int, codes: list[str], refs: Refs) -> dict[str, Any]:
    said = {"status": {"const": status}, "code": {"enum": codes}}
    schema = {"allOf": [refs[problems.Problem, "serialization"], {"properties": said}]}
    return {
        "description": f"code: {', '.join(codes)}",
        "content": {"application/problem+json": {"schema": schema}},
        **_headers((_PROBLEMS_SEND[status],) if status in _PROBLEMS_SEND else ()),
    }


def _headers(always: tuple[str, ...], sometimes: tuple[str, ...] = ()) -> dict[str, Any]:
    headers = {
        name: {"required": name in always, "schema": {"type": "string"}, **SENT[name]}
        for name in (*always, *sometimes)
    }
    return {"headers": headers} if headers else {}
