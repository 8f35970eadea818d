"""The local edits endpoint alone, used by the package that OpenAI's own users have."""

import base64
import io
import json
import signal
from pathlib import Path

import openai
from PIL import Image

from tests.up import driving
from tests.up.driving import CHECKOUT, Up, until

PICTURE = CHECKOUT / "service" / "demo_pictures" / "business-card.png"


def test_official_client_gets_an_edited_picture_from_the_command(tmp_path: Path) -> None:
    """`moderation local` says where it is; images.edit gives a changed picture and why; exit 0."""
    up = Up.begin(tmp_path / "local", "local", "--port", 0)
    try:
        said = "the local edits endpoint answers at "
        until(lambda: said in up.err, "address")
        url = up.err.split(said)[1].split("/v1/")[0]
        with openai.OpenAI(base_url=f"{url}/v1", api_key="none") as client:
            answer = client.images.edit(
                model="local-detectors", image=PICTURE, prompt="box e-mail addresses"
            )
        family = driving.family(up.process.pid)
    finally:
        ended = up.end(signal.SIGINT)
    assert answer.data is not None
    edited = Image.open(io.BytesIO(base64.b64decode(answer.data[0].b64_json or "")))
    with Image.open(PICTURE) as sent:
        assert edited.size == sent.size
        assert edited.convert("RGB").tobytes() != sent.convert("RGB").tobytes()
    findings = json.loads(answer.data[0].revised_prompt or "")["findings"]
    assert [finding["rule"] for finding in findings] == ["email"]
    assert ended.code == 0
    assert "Traceback" not in ended.err
    # The tracker of the pool's semaphores ends by itself, just after the process that made them.
    until(lambda: not driving.alive(list(family)), "end of the family", timeout_s=10)
