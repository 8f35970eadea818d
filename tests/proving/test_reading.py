"""What the API shows of a proof, and the pictures that belong to it."""

import io
from typing import Any

import jsonschema
import numpy as np
import pytest
from PIL import Image

from service.store import Pool
from service.store.database import Database
from service.web import application
from tests import draw, proving
from tests.conftest import Api
from tests.flows import processes
from tests.flows.driving import Owner
from tests.proving import CARD, PHONE
from tests.upstream import Upstream, answered, base64_of, described, finding
from tests.web import sending

FOUND = [finding("contact-details", box_2d=list(PHONE))]
SCRIBBLED = proving.painted(CARD, (900, 0, 1000, 300), "red")
DOCUMENT = application.api().document()


@pytest.fixture
async def done(api: Api, upstream: Upstream, working: object) -> dict[str, Any]:
    """An upload whose upstream left the finding alone and changed something else."""
    assert working
    upstream.script = [described(SCRIBBLED, findings=FOUND)]
    return await api.platform.upload(CARD, Prefer="wait=30")


async def test_proof_has_every_number(api: Api, done: dict[str, Any]) -> None:
    """The fields that the description of the API names, alike wherever an upload is read."""
    _, read, _ = await api.moderator.ask("GET", f"/v1/uploads/{done['id']}")
    _, page, _ = await api.moderator.ask("GET", "/v1/records")

    assert read["proof"] == done["proof"] == page["items"][0]["proof"]
    proof = done["proof"]
    assert (proof["verdict"], proof["confined"]) == ("not_redacted", True)
    assert 0.5 <= proof["agreement"] <= 1
    assert (proof["size"], proof["stretch"]) == ([400, 640], 1)
    assert 0 < proof["pdq_distance"] < 128
    assert 0 < proof["outside"]["changed"] < proof["outside"]["tiles"]
    (region,) = proof["regions"]
    places, numbers = {"box_2d", "final_box_2d"}, {"left", "moved", "seen"}
    assert region.keys() == {"rule", "edit", "verdict", "enforced"} | places | numbers
    assert region["enforced"]
    assert (region["final_box_2d"], region["seen"]) == (region["box_2d"], [])
    assert (proof["detectors"], proof["text_to_model"]) == ("off", [])
    assert (region["rule"], region["edit"]) == ("contact-details", "box")
    assert max(region["left"]) > 0.9
    assert region["moved"] is not None


async def test_answers_fit_their_description(
    api: Api, upstream: Upstream, done: dict[str, Any]
) -> None:
    """Described, failed or queued, an upload's JSON is what /openapi.json promises."""
    upstream.script = [described(proving.CAT)]
    failed = await api.platform.upload(proving.ASTRONAUT, Prefer="wait=30")
    queued = await api.platform.upload(sending.PNG)
    assert (failed["outcome"], queued["proof"]) == ("unfaithful_edit", None)
    ways = DOCUMENT["paths"]["/v1/uploads/{id}"]["get"]["responses"]["200"]
    schema = ways["content"]["application/json"]["schema"]
    validator = jsonschema.Draft202012Validator(schema | {"components": DOCUMENT["components"]})
    for upload in (done, failed, queued):
        validator.validate(upload)
    with pytest.raises(jsonschema.ValidationError):
        validator.validate(done | {"proof": done["proof"] | {"verdict": "likely"}})


async def test_map_of_change_is_a_grey_png(api: Api, done: dict[str, Any]) -> None:
    """A tile a pixel, bright where something changed; a moderator sees it without a reveal."""
    for caller in (api.platform, api.moderator):
        status, data, headers = await caller.ask("GET", done["images"]["heat"])
        assert (status, headers["Content-Type"]) == (200, "image/png")
        image = Image.open(io.BytesIO(data))
        assert (image.format, image.mode) == ("PNG", "L")
        assert max(image.size) <= 64
        heat = np.asarray(image)
        assert heat[-1, : heat.shape[1] // 5].mean() > 200
        assert heat[: heat.shape[0] // 4].max() < 128


async def test_upstreams_own_picture_is_not_kept_by_default(
    api: Api, owner: Owner, done: dict[str, Any]
) -> None:
    """There is no link and nothing at its address, and it is not in the store."""
    assert done["images"]["raw"] is None
    for caller in (api.platform, api.moderator):
        answer = await caller.ask("GET", f"/v1/uploads/{done['id']}/images/raw")
        sending.check_problem(answer, 404, "not_found")
    # The final picture, its thumbnail and the map.
    assert await proving.stored_besides(owner) == 3


async def test_upstreams_own_picture_is_kept_if_asked_for(
    where: Database, api: Api, upstream: Upstream
) -> None:
    """With ``keep_raw`` the platform gets it as it came; a moderator only after a reveal."""
    upstream.script = [described(SCRIBBLED, findings=FOUND)]
    async with processes.work(where, upstream.url, keep_raw=True):
        done = await api.platform.upload(CARD, Prefer="wait=30")

    raw = proving.pixels(await proving.shown(api.platform, done, "raw"))
    assert np.array_equal(raw, proving.pixels(SCRIBBLED))
    final = proving.pixels(await proving.shown(api.platform, done))
    assert not np.array_equal(raw, final)
    _, _, known = await api.platform.ask("GET", done["images"]["raw"])
    for headers in ({}, {"If-None-Match": known["ETag"]}):
        answer = await api.moderator.ask("GET", done["images"]["raw"], headers=headers)
        sending.check_problem(answer, 403, "reveal_required")
        assert "ETag" not in answer[2]


async def test_repaired_uploads_own_picture_is_the_kept_one(
    where: Database, pool: Pool, api: Api, upstream: Upstream
) -> None:
    """It is the very one that the description was asked for, not encoded once more."""
    photo = draw.encoded(Image.open(io.BytesIO(SCRIBBLED)), "JPEG", quality=90)
    upstream.script = [answered(None, base64_of(photo)), described(findings=FOUND)]
    async with processes.work(
        where,
        upstream.url,
        keep_raw=True,
        upstream_repair="openai-chat",
        upstream_repair_model="describer",
        upstream_repair_price_usd=0.002,
    ):
        done = await api.platform.upload(CARD, Prefer="wait=30")

    assert [one["kind"] for one in done["attempts"]] == ["edit", "description"]
    raw = proving.pixels(await proving.shown(api.platform, done, "raw"))
    assert np.abs(raw - proving.pixels(photo)).mean() < 1
    assert await pool.fetchval("SELECT raw_sha256 = k.edited_sha256 FROM records, kept_edits AS k")
