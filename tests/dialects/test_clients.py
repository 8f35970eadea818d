"""Official clients are the judges of the wire: our requests have the shape of theirs."""

import json
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

import pytest

from service.edits import (
    Edit,
    Request,
    Upstream,
    claude_messages,
    gemini,
    openai_chat,
    openai_images,
)
from tests import draw
from tests.conftest import configured
from tests.dialects import samples, wire

EDIT = Edit("The ruleset.", draw.png(8, 8, "teal"), "image/png")
BUILDS: Mapping[str, Callable[[Edit, Upstream], Request]] = {
    "images_edit": openai_images.build,
    "chat_completions": openai_chat.build,
    "chat_completions_description": lambda edit, upstream: openai_chat.build_description(
        edit, upstream, []
    ),
    "generate_content": gemini.build,
    "messages": lambda edit, upstream: claude_messages.build_description(edit, upstream, []),
}
# Older gateways of the Messages API know this header only; the client has stopped sending it.
OURS_ALONE: Mapping[str, set[str]] = {"messages": {"x-api-key"}}


def recorded(call: str) -> dict[str, Any]:
    stored = (samples.FOLDER / "clients" / f"{call}.json").read_text("utf-8")
    found: dict[str, Any] = json.loads(stored)
    return found


def built(call: str) -> Request:
    return BUILDS[call](EDIT, configured("http://127.0.0.1:9/v1", model="a-model"))


@pytest.mark.parametrize("call", BUILDS)
def test_request_has_the_shape_of_the_clients(call: str) -> None:
    """Route, media type, field names, part shapes and modalities are those of the client."""
    client, request = recorded(call), built(call)
    # The client posts, as ours always does; a Request has no method.
    assert client["method"] == "POST"
    assert urlsplit(request.url).path == client["path"]
    ours = wire.shape(request.headers["Content-Type"], request.body)
    theirs = {"content_type": client["content_type"], "fields": _camel(client["fields"])}
    assert ours == theirs


@pytest.mark.parametrize("call", BUILDS)
def test_headers_are_among_the_clients(call: str) -> None:
    """The key goes where the client puts it, and a protocol's version is the client's."""
    client, request = recorded(call), built(call)
    names = {name.lower() for name in request.headers}
    assert names - OURS_ALONE.get(call, set()) <= set(client["headers"])
    assert {"authorization", "x-goog-api-key"} & names == (
        {"authorization", "x-goog-api-key"} & set(client["headers"])
    )
    for name, value in client["versions"].items():
        assert request.headers[name] == value


def test_every_recording_is_compared() -> None:
    """No recording lies unused."""
    assert {path.stem for path in (samples.FOLDER / "clients").iterdir()} == set(BUILDS)


def _camel(value: Any) -> Any:
    """Write ``mime_type`` as ``mimeType``: google-genai sends the one, its documents the other."""
    if isinstance(value, dict):
        return {
            {"mime_type": "mimeType"}.get(key, key): _camel(item) for key, item in value.items()
        }
    return [_camel(item) for item in value] if isinstance(value, list) else value
