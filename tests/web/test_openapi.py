"""The API's description of itself: valid, complete, and true."""

import asyncio
import json
from collections.abc import Mapping
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from openapi_spec_validator import OpenAPIV31SpecValidator, validate
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from service.web import application
from tests.conftest import Api, Caller
from tests.web.sending import PNG

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
DOCUMENT = application.api().document()
EXAMPLES = 40
OPERATIONS = [
    (path, method, operation)
    for path, item in DOCUMENT["paths"].items()
    for method, operation in item.items()
]


async def test_the_description_is_served_and_valid(api: Api) -> None:
    """/openapi.json needs no token and is valid OpenAPI 3.1."""
    status, document, headers = await api.platform.ask(
        "GET", "/openapi.json", headers={"Authorization": ""}
    )

    assert (status, document["openapi"]) == (200, "3.1.0")
    assert headers["Content-Type"].startswith("application/json")
    assert document == json.loads(json.dumps(DOCUMENT))
    validate(document, cls=OpenAPIV31SpecValidator)


def test_every_problem_is_described_with_its_codes() -> None:
    """Each refusal names its stable codes and has the one shape of problems."""
    for path, method, operation in OPERATIONS:
        for status, answer in operation["responses"].items():
            if int(status) >= 400 and path != "/readyz":
                assert answer["description"].startswith("code: "), (path, method, status)
                assert set(answer["content"]) == {"application/problem+json"}


def role_of(operation: Mapping[str, Any], api: Api) -> Caller:
    """A caller that may do this."""
    named = operation.get("description", "Roles: admin.")
    role = named.removeprefix("Roles: ").rstrip(".").split(", ")[0]
    found: Caller = getattr(api, role)
    return found


def explore(url: str, path: str, method: str, token: str, mode: GenerationMode) -> None:
    """Send generated requests to one operation and check each answer against the description."""
    operation = schemathesis.openapi.from_dict(DOCUMENT)[path][method.upper()]

    @seed(2026)
    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=mode))
    def run(case: schemathesis.Case[Any]) -> None:
        # Waiting is tested elsewhere; here it would only cost time.
        headers = {"Authorization": f"Bearer {token}", "Prefer": "wait=0"}
        case.call_and_validate(base_url=url, headers=headers, checks=CHECKS)

    run()


# What takes nothing has nothing to get wrong.
GENERATED = [
    pytest.param(path, method, operation, mode, id=f"{method} {path} {mode.value}")
    for path, method, operation in OPERATIONS
    for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE)
    if mode == GenerationMode.POSITIVE or operation["parameters"]
]


@pytest.mark.parametrize(("path", "method", "operation", "mode"), GENERATED)
async def test_generated_requests_are_answered_as_described(
    api: Api, path: str, method: str, operation: dict[str, Any], mode: GenerationMode
) -> None:
    """Whatever is sent, no 5xx, no status, type or body that the description does not have."""
    await api.platform.upload(PNG)
    asking = role_of(operation, api)

    await asyncio.to_thread(explore, api.url, path, method, asking.token, mode)
