"""The API's description of itself: valid, and complete; tests/web/test_generated.py: and true."""

import json
from typing import Any

from aiohttp import web
from openapi_spec_validator import OpenAPIV31SpecValidator, validate

from service.web import application, problems
from tests.conftest import Api

DOCUMENT = application.api().document()
OPERATIONS = [
    (path, method, operation)
    for path, item in DOCUMENT["paths"].items()
    for method, operation in item.items()
]
# What any request may meet, whatever operation it is for or if there is none.
EVERYWHERE = {"not_found", "method_not_allowed", "request_malformed", "internal"}


def problem_answers() -> list[tuple[str, int, dict[str, Any]]]:
    """Every refusal of every operation: its place, status and description."""
    return [
        (f"{method} {path} {status}", int(status), answer)
        for path, method, operation in OPERATIONS
        for status, answer in operation["responses"].items()
        if "application/problem+json" in answer.get("content", {})
    ]


def required_headers(answer: dict[str, Any]) -> set[str]:
    return {name for name, header in answer.get("headers", {}).items() if header["required"]}


async def test_the_description_is_served_and_valid(api: Api) -> None:
    """/openapi.json needs no token and is valid OpenAPI 3.1."""
    status, document, headers = await api.platform.ask(
        "GET", "/openapi.json", headers={"Authorization": ""}
    )

    assert (status, document["openapi"]) == (200, "3.1.0")
    assert headers["Content-Type"].startswith("application/json")
    assert document == json.loads(json.dumps(DOCUMENT))
    validate(document, cls=OpenAPIV31SpecValidator)


def test_every_route_is_described_and_every_description_is_a_route() -> None:
    """No operation can be reached that the description does not have, and none is made up."""
    app = web.Application()
    app.add_routes(application.api().routes())
    routes = {
        (route.resource.canonical, route.method.lower())
        for route in app.router.routes()
        if route.resource is not None and route.method != "HEAD"  # answered wherever GET is
    }

    assert routes == {(path, method) for path, method, _ in OPERATIONS}


def test_every_refusal_names_its_codes_and_headers() -> None:
    """A refusal has the one shape, its codes by name, and what its status obliges it to send."""
    obliged = {401: {"WWW-Authenticate"}, 429: {"Retry-After"}, 503: {"Retry-After"}}
    for place, status, answer in problem_answers():
        assert answer["description"].startswith("code: "), place
        schema = answer["content"]["application/problem+json"]["schema"]["allOf"][1]["properties"]
        assert schema["status"] == {"const": status}
        assert all(problems.STATUS[code] == status for code in schema["code"]["enum"]), place
        assert required_headers(answer) == obliged.get(status, set()), place


def test_every_code_is_some_operations() -> None:
    """There is no code that the description keeps to itself, and none it has made up."""
    named = {
        code
        for _, _, answer in problem_answers()
        for code in answer["description"].removeprefix("code: ").split(", ")
    }

    assert named | EVERYWHERE == set(problems.STATUS)
    assert all(f"`{code}`" in DOCUMENT["info"]["description"] for code in EVERYWHERE)


def test_every_operation_says_who_how_much_and_where_to() -> None:
    """Each has a name of its own, limits on its bodies, and tells where what it made is."""
    names = [operation["operationId"] for _, _, operation in OPERATIONS]
    assert len(set(names)) == len(names)
    for path, method, operation in OPERATIONS:
        place, answers = f"{method} {path}", operation["responses"]
        assert operation["summary"].endswith("."), place
        assert set(operation.get("x-roles", [])) <= {"platform", "moderator", "policy", "admin"}
        bodies = operation.get("requestBody", {}).get("content", {}).values()
        assert all(body["x-max-bytes"] > 0 for body in bodies), place
        if "x-roles" in operation:
            assert operation["security"] == [{"bearer": []}]
            assert {"401", "403", "503"} <= set(answers), place
        if "201" in answers:
            assert "Location" in required_headers(answers["201"]), place
        if "If-Match" in [parameter["name"] for parameter in operation["parameters"]]:
            # Of the thing itself, of what the operation changes, or of what that is a part of.
            whole = DOCUMENT["paths"].get(path.rpartition("/")[0], {})
            known = (DOCUMENT["paths"][path].get("get"), operation, whole.get("get"))
            told = [one["responses"].get("200", {}) for one in known if one is not None]
            assert any("ETag" in required_headers(answer) for answer in told), place
