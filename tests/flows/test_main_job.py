"""The main job: an image goes in, an edited image and a description come out together."""

import hashlib
import json
from typing import Any

import pytest

from service.store import Pool
from tests import draw
from tests.conftest import PRICE, Api
from tests.upstream import Upstream, described, finding

pytestmark = pytest.mark.usefixtures("working")


async def test_upload_ends_with_all_that_one_transaction_wrote(
    api: Api, upstream: Upstream, pool: Pool
) -> None:
    """Description, edited image, thumbnail, cost, outcome and callback are there together."""
    upstream.script = [described(findings=[finding("bystander-faces")])]
    accepted = await api.platform.upload(draw.png(64, 48, "teal"), "?external_id=a-1")
    assert (accepted["state"], accepted["verdict"], accepted["outcome"]) == ("queued", "hold", None)

    done = await api.platform.upload_until(accepted["id"], ("done", "failed"))

    assert (done["outcome"], done["verdict"]) == ("redacted", "allow_edited")
    assert done["description"]["findings"][0]["rule"] == "bystander-faces"
    assert [attempt["cost_microusd"] for attempt in done["attempts"]] == [PRICE]
    for name in ("original", "edited", "thumbnail"):
        status, image, headers = await api.platform.ask("GET", done["images"][name])
        assert status == 200
        assert headers["ETag"] == f'"{hashlib.sha256(image).hexdigest()}"'
    callback = await pool.fetchrow("SELECT type, body FROM callbacks")
    assert callback is not None
    assert callback["type"] == "upload.described"
    body: dict[str, Any] = json.loads(callback["body"])
    assert body["data"]["verdict"] == "allow_edited"
    assert body["data"]["external_id"] == "a-1"


async def test_call_carries_the_whole_ruleset_and_nothing_of_the_file(
    api: Api, upstream: Upstream, pool: Pool
) -> None:
    """The prompt sent is the version's, byte for byte, and the record names its digest."""
    accepted = await api.platform.upload(draw.png(64, 48, "teal"), "?external_id=my-secret-name")
    await api.platform.upload_until(accepted["id"], ("done",))

    (call,) = upstream.calls
    stored = await pool.fetchval("SELECT prompt FROM ruleset_versions WHERE ruleset = 'privacy'")
    digest = await pool.fetchval("SELECT prompt_sha256 FROM attempts")
    assert call.prompt == stored
    assert digest == hashlib.sha256(call.prompt.encode()).digest()
    assert "my-secret-name" not in call.prompt
    assert call.fields["model"] == "gemini-3.1-flash-image-preview"
    assert (call.fields["n"], call.fields["response_format"]) == ("1", "b64_json")
    assert call.headers["Authorization"] == "Bearer secret-key"
