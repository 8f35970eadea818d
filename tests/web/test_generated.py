"""
Requests that nobody wrote, for every operation and role, against a process with data in it.

``EXAMPLES=500`` in the environment makes it a long run.
"""

import asyncio
import os
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from schemathesis import CheckContext, GenerationMode, Response
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    missing_required_header,
    negative_data_rejection,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
    unsupported_method,
)

from service import auth
from service.embedded.server import EmbeddedPostgres
from service.web import application
from tests.web.filled import Filled, filled

DOCUMENT = application.api().document()
SCHEMA = schemathesis.openapi.from_dict(DOCUMENT)
Case = schemathesis.Case[Any]
# What every answer of an HTTP server may have.
USUAL_HEADERS = {
    *("connection", "content-length", "content-type", "date", "server", "transfer-encoding"),
}


def headers_are_described(_: CheckContext, response: Response, case: Case) -> None:
    """Every header of an answer is one that the description has for its status."""
    operation = DOCUMENT["paths"][case.path][case.method.lower()]
    answer = operation["responses"].get(str(response.status_code), {})
    described = {name.lower() for name in answer.get("headers", {})}
    assert {name.lower() for name in response.headers} <= described | USUAL_HEADERS


# All but that valid data is accepted: no schema tells which rulesets there are, or what an image
# is.  What is sent to a role that may not do it is answered before it is looked at.
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    negative_data_rejection,
    missing_required_header,
    unsupported_method,
    headers_are_described,
]
EXAMPLES = int(os.environ.get("EXAMPLES", "6"))
REFUSED_EXAMPLES = 1
ASKED = [
    pytest.param(path, method, role, id=f"{method} {path} as {role}")
    for path, item in DOCUMENT["paths"].items()
    for method, operation in item.items()
    for role in (auth.ROLES if "x-roles" in operation else auth.ROLES[:1])
]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(
    postgres: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Filled]:
    """A process of its own, with one of everything in its database."""
    async with filled(postgres, tmp_path_factory.mktemp("filled")) as running:
        yield running


def explore(world: Filled, path: str, method: str, role: auth.Role, examples: int) -> None:
    """Send valid and invalid requests to one operation; check each answer by the description."""
    operation, declared = SCHEMA[path][method.upper()], DOCUMENT["paths"][path][method]
    known = world.parameters(path)
    authorization = f"Bearer {world.callers[role].token}"

    def send(mode: GenerationMode) -> None:
        @seed(2026)
        @settings(
            max_examples=examples,
            deadline=None,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(case=operation.as_strategy(generation_mode=mode), exists=st.booleans())
        def run(case: Case, exists: bool) -> None:  # noqa: FBT001
            if exists and mode == GenerationMode.POSITIVE:
                case.path_parameters = {**case.path_parameters, **known}
            # Waiting is tested elsewhere; here it would only cost time.
            headers = {"Authorization": authorization, "Prefer": "wait=0"}
            case.call_and_validate(base_url=world.url, headers=headers, checks=CHECKS)

        run()

    send(GenerationMode.POSITIVE)
    may_be_wrong = declared["parameters"] or "requestBody" in declared
    if may_be_wrong and examples > REFUSED_EXAMPLES:
        send(GenerationMode.NEGATIVE)


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize(("path", "method", "role"), ASKED)
async def test_whatever_is_sent_is_answered_as_described(
    world: Filled, path: str, method: str, role: auth.Role
) -> None:
    """No 5xx, and no status, code, header, type or body that the description does not have."""
    allowed = DOCUMENT["paths"][path][method].get("x-roles", auth.ROLES)
    examples = EXAMPLES if role in allowed else REFUSED_EXAMPLES
    await asyncio.to_thread(explore, world, path, method, role, examples)
