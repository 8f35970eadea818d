"""What animations and words beside the picture lead to, through the real API and worker."""

import json

import aiohttp
import pytest

from tests import draw
from tests.conftest import Api
from tests.hostile import containers, drawing
from tests.hostile.cases import MARKER
from tests.hostile.containers import Frame
from tests.upstream import Upstream, described, finding

SIZE = (96, 64)
ENDED = ("done", "failed")


def animation(count: int) -> bytes:
    """Make a GIF whose frames differ."""
    return containers.gif(SIZE, [Frame(drawing.scene(SIZE, number)) for number in range(count)])


@pytest.mark.usefixtures("working")
@pytest.mark.parametrize(
    ("count", "findings", "outcome", "verdict"),
    [
        (1, [], "clean", "allow"),
        (16, [], "clean", "allow"),
        (17, [], "not_assessed", "hold"),
        (1, [finding("bystander-faces")], "redacted", "allow_edited"),
        (2, [finding("bystander-faces")], "redacted", "hold"),
        (17, [finding("bystander-faces")], "redacted", "hold"),
    ],
)
async def test_an_animation_is_held_unless_every_frame_is_clean(
    api: Api,
    upstream: Upstream,
    count: int,
    findings: list[dict[str, object]],
    outcome: str,
    verdict: str,
) -> None:
    """Sixteen clean frames are allowed, seventeen not; an edited sheet is never published."""
    upstream.script.append(described(findings=findings))
    taken = await api.platform.upload(animation(count))
    ended = await api.platform.upload_until(taken["id"], ENDED)
    assert (ended["outcome"], ended["verdict"]) == (outcome, verdict)


@pytest.mark.usefixtures("working")
async def test_no_name_and_no_field_reaches_the_model(api: Api, upstream: Upstream) -> None:
    """File name, external id, metadata and idempotency key stay here, whatever they say."""
    words = MARKER.decode()
    form = aiohttp.FormData()
    picture = draw.png(64, 48, "teal")
    form.add_field("image", picture, filename=f'{words}".png', content_type="image/png")
    form.add_field("external_id", words)
    form.add_field("metadata", json.dumps({words: [words]}))
    status, body, _ = await api.platform.ask(
        "POST", "/v1/uploads", data=form, headers={"Idempotency-Key": words}
    )
    assert status == 202, body
    ended = await api.platform.upload_until(body["id"], ENDED)
    assert ended["external_id"] == words
    (call,) = upstream.calls
    received = call.image + json.dumps([call.fields, call.headers]).encode()
    assert MARKER not in received
