"""Final pictures that take the upstream's pixels inside the findings' boxes only."""

import io
from typing import Any

import numpy as np
import pytest
from PIL import Image

from service.store import Pool
from tests import draw, proving
from tests.conftest import PRICE, Api
from tests.flows import driving
from tests.flows.driving import Owner
from tests.proving import ASTRONAUT, CARD, CAT, FACE, PHONE, RULE
from tests.upstream import Upstream, described, finding, sent

pytestmark = pytest.mark.usefixtures("working")
BRIGHT = (900, 0, 1000, 300)


def found(rule: str, box: proving.Box) -> dict[str, Any]:
    """One finding in this box."""
    return finding(rule, box_2d=list(box))


@pytest.mark.parametrize(
    ("picture", "rule", "box"),
    [(ASTRONAUT, "bystander-faces", FACE), (CARD, "contact-details", PHONE)],
)
async def test_what_was_left_in_sight_is_redacted_here(
    picture: bytes, rule: str, box: proving.Box, api: Api, upstream: Upstream
) -> None:
    """A model that changes nothing and says it did: the rule's edit is made, the rest is equal."""
    upstream.script = [described(findings=[found(rule, box)])]
    done = await api.platform.upload(picture, Prefer="wait=30")

    assert (done["outcome"], done["verdict"]) == ("redacted", "allow_edited")
    proof = done["proof"]
    assert (proof["verdict"], proof["confined"]) == ("not_redacted", True)
    assert proof["outside"]["changed"] == 0
    (region,) = proof["regions"]
    assert (region["rule"], region["verdict"]) == (rule, "not_redacted")
    assert region["box_2d"] == list(box)
    final = await proving.shown(api.platform, done)
    assert proving.detail(final, box) < 0.2 * proving.detail(picture, box)
    outside = ~proving.within(picture, box)
    assert np.array_equal(proving.pixels(final)[outside], proving.pixels(picture)[outside])


async def test_thumbnail_is_of_the_final_picture(api: Api, upstream: Upstream) -> None:
    """What a list shows is redacted like what is published."""
    upstream.script = [described(findings=[found("contact-details", PHONE)])]
    done = await api.platform.upload(CARD, Prefer="wait=30")
    thumbnail = await proving.shown(api.platform, done, "thumbnail")
    left, top, right, bottom = proving.corners(thumbnail, PHONE)
    inner = proving.pixels(thumbnail)[top + 4 : bottom - 4, left + 4 : right - 4]
    assert inner.mean() < 16


async def test_photo_stays_equal_within_its_coding(api: Api, upstream: Upstream) -> None:
    """A JPEG is encoded once more; away from the region nothing but that is to be seen."""
    photo = draw.encoded(proving.photo("astronaut.png"), "JPEG", quality=92)
    upstream.script = [described(findings=[found("bystander-faces", FACE)])]
    done = await api.platform.upload(photo, Prefer="wait=30", Content_Type="image/jpeg")

    final = await proving.shown(api.platform, done)
    original = await proving.shown(api.platform, done, "original")
    assert Image.open(io.BytesIO(final)).format == "JPEG"
    assert proving.detail(final, FACE) < 0.2 * proving.detail(original, FACE)
    # A region's edge rings through the blocks of 8 px that it cuts.
    away = ~proving.within(original, FACE, grown=8)
    difference = np.abs(proving.pixels(final) - proving.pixels(original))[away]
    assert difference.mean() < 1
    assert difference.max() <= 16


async def test_proper_edit_is_taken_and_a_scribble_is_not(api: Api, upstream: Upstream) -> None:
    """Inside the region the upstream's own pixels are published; its other changes are not."""
    edit = proving.painted(proving.painted(CARD, PHONE, "navy"), BRIGHT, "red")
    upstream.script = [described(edit, findings=[found("contact-details", PHONE)])]
    done = await api.platform.upload(CARD, Prefer="wait=30")

    assert (done["outcome"], done["verdict"]) == ("redacted", "allow_edited")
    assert done["proof"]["verdict"] == "changed_outside"
    assert done["proof"]["outside"]["changed"] > 10
    assert [one["verdict"] for one in done["proof"]["regions"]] == ["proven"]
    final = proving.pixels(await proving.shown(api.platform, done))
    outside = ~proving.within(CARD, PHONE)
    assert np.array_equal(final[outside], proving.pixels(CARD)[outside])
    left, top, right, bottom = proving.corners(CARD, PHONE)
    # The edit fades in over at most 8 px.
    assert (final[top + 8 : bottom - 8, left + 8 : right - 8] == (0, 0, 128)).all()


async def test_edit_in_another_size_is_laid_on_the_original(api: Api, upstream: Upstream) -> None:
    """What comes back larger is proven in the same places, and published in the original's size."""
    edit = Image.open(io.BytesIO(proving.painted(CARD, PHONE, "black"))).resize((960, 600))
    upstream.script = [described(draw.encoded(edit), findings=[found("contact-details", PHONE)])]
    done = await api.platform.upload(CARD, Prefer="wait=30")

    assert (done["verdict"], done["proof"]["verdict"]) == ("allow_edited", "proven")
    assert done["proof"]["size"] == [600, 960]
    final = proving.pixels(await proving.shown(api.platform, done))
    outside = ~proving.within(CARD, PHONE)
    assert np.array_equal(final[outside], proving.pixels(CARD)[outside])


async def test_another_picture_is_an_unfaithful_edit(
    api: Api, owner: Owner, upstream: Upstream
) -> None:
    """Failed, held and paid after one call, with its proof; that picture is not even stored."""
    upstream.script = [described(CAT, findings=[found("bystander-faces", FACE)])]
    failed = await api.platform.upload(ASTRONAUT, Prefer="wait=30")

    assert (failed["state"], failed["outcome"]) == ("failed", "unfaithful_edit")
    assert failed["verdict"] == "hold"
    assert failed["proof"]["verdict"] == "other_picture"
    assert failed["proof"]["agreement"] < 0.5
    assert failed["proof"]["outside"] is None
    assert [one["verdict"] for one in failed["proof"]["regions"]] == ["not_redacted"]
    assert failed["description"] is None
    missing = ("edited", "thumbnail", "raw", "heat")
    assert [failed["images"][name] for name in missing] == [None] * len(missing)
    assert len(upstream.calls) == 1
    (row,) = await owner.fetch("SELECT * FROM uploads")
    await driving.check_ledger(owner, row["id"], ["unfaithful_edit"])
    (attempt,) = await driving.attempts_of(owner, row["id"])
    assert attempt["cost_microusd"] == PRICE
    (proof,) = await owner.fetch("SELECT * FROM proofs")
    assert (proof["attempt"], proof["verdict"]) == (1, "other_picture")
    message = await driving.message_of(owner, row["id"])
    assert (message["type"], message["data"]["links"]["edited"]) == ("upload.failed", None)
    assert await owner.fetchval("SELECT count(*) FROM records") == 0
    assert await proving.stored_besides(owner) == 0


@pytest.mark.parametrize("edit", [proving.painted(CARD, BRIGHT, "red"), sent(3, "JPEG")])
async def test_clean_picture_stays_the_original(
    edit: bytes | str, api: Api, upstream: Upstream
) -> None:
    """Without findings nothing of the upstream's picture is published, whatever it changed."""
    upstream.script = [described(edit)]
    done = await api.platform.upload(CARD, Prefer="wait=30")

    assert (done["outcome"], done["verdict"]) == ("clean", "allow")
    assert done["proof"]["confined"]
    assert done["proof"]["regions"] == []
    assert done["images"]["heat"]
    final = await proving.shown(api.platform, done)
    assert np.array_equal(proving.pixels(final), proving.pixels(CARD))


async def test_clean_photo_is_not_coded_anew(api: Api, upstream: Upstream) -> None:
    """Where nothing is to be hidden, the very file that was judged is what is published."""
    photo = draw.encoded(proving.photo("astronaut.png"), "JPEG", quality=92)
    upstream.script = [described(draw.encoded(proving.photo("astronaut.png"), "JPEG", quality=60))]
    done = await api.platform.upload(photo, Prefer="wait=30", Content_Type="image/jpeg")

    assert (done["outcome"], done["verdict"]) == ("clean", "allow")
    final = await proving.shown(api.platform, done)
    assert final == await proving.shown(api.platform, done, "original")


async def test_picture_to_be_blocked_is_covered_whole(
    pool: Pool, api: Api, upstream: Upstream
) -> None:
    """``block_image`` hides all of it, though the finding's box is small and nothing was done."""
    query = await proving.publish(pool, "covering", "block_image", "hold")
    upstream.script = [described(findings=[found(RULE, FACE)])]
    done = await api.platform.upload(ASTRONAUT, query, Prefer="wait=30")

    assert (done["outcome"], done["verdict"]) == ("violating", "hold")
    (region,) = done["proof"]["regions"]
    assert (region["edit"], region["verdict"]) == ("block_image", "not_redacted")
    final = proving.pixels(await proving.shown(api.platform, done))
    assert (final == final[0, 0]).all()


async def test_picture_that_came_covered_is_proven(
    pool: Pool, api: Api, upstream: Upstream
) -> None:
    """A picture of one colour is what ``block_image`` asks for, and no other picture."""
    query = await proving.publish(pool, "covering", "block_image", "hold")
    edit = proving.painted(ASTRONAUT, (0, 0, 1000, 1000), "black")
    upstream.script = [described(edit, findings=[found(RULE, FACE)])]
    done = await api.platform.upload(ASTRONAUT, query, Prefer="wait=30")

    assert (done["state"], done["verdict"]) == ("done", "hold")
    assert done["proof"]["verdict"] == "proven"
    assert not proving.pixels(await proving.shown(api.platform, done)).any()


async def test_rule_without_an_edit_changes_nothing(
    pool: Pool, api: Api, upstream: Upstream
) -> None:
    """``none`` leaves the finding's place as it was, even where the upstream painted it over."""
    query = await proving.publish(pool, "leaving", "none", "allow")
    edit = proving.painted(CARD, BRIGHT, "red")
    upstream.script = [described(edit, findings=[found(RULE, BRIGHT)])]
    done = await api.platform.upload(CARD, query, Prefer="wait=30")

    assert (done["outcome"], done["verdict"]) == ("clean", "allow")
    assert [one["verdict"] for one in done["proof"]["regions"]] == ["proven"]
    assert done["proof"]["verdict"] == "changed_outside"
    final = await proving.shown(api.platform, done)
    assert np.array_equal(proving.pixels(final), proving.pixels(CARD))
