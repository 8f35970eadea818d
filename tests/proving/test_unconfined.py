"""Rulesets with ``confine: false``: the upstream's picture is published, if its proof allows."""

import numpy as np
import pytest

from service.store import Pool
from tests import proving
from tests.conftest import Api
from tests.flows import driving
from tests.flows.driving import Owner
from tests.proving import ASTRONAUT, CARD, CAT, PHONE, RULE
from tests.upstream import Upstream, described, finding

pytestmark = pytest.mark.usefixtures("working")
FOUND = [finding(RULE, box_2d=list(PHONE))]
REDACTED = proving.painted(CARD, PHONE, "black")
BLOTTED = proving.painted(CARD, (800, 0, 1000, 500), "red")
# About a seventh of what is outside the region.
SCRIBBLED = proving.painted(REDACTED, (800, 0, 1000, 500), "red")


@pytest.mark.parametrize(
    ("edit", "allowed", "proof", "verdict"),
    [
        pytest.param(REDACTED, None, "proven", "allow_edited", id="proven"),
        pytest.param(REDACTED, 0.0, "proven", "allow_edited", id="proven with nothing allowed"),
        pytest.param(CARD, None, "not_redacted", "hold", id="not redacted"),
        pytest.param(CARD, 1.0, "not_redacted", "hold", id="not redacted with all allowed"),
        pytest.param(SCRIBBLED, None, "changed_outside", "hold", id="changed"),
        pytest.param(SCRIBBLED, 0.05, "changed_outside", "hold", id="changed too much"),
        pytest.param(SCRIBBLED, 0.5, "changed_outside", "allow_edited", id="changed a little"),
    ],
)
async def test_proof_decides(  # noqa: PLR0917  # a table's columns and fixtures
    edit: bytes,
    allowed: float | None,
    proof: str,
    verdict: str,
    pool: Pool,
    owner: Owner,
    api: Api,
    upstream: Upstream,
) -> None:
    """What is not proven waits for a person; the picture is the upstream's, pixel by pixel."""
    query = await proving.publish(pool, "open", confine=False, max_changed_outside=allowed)
    upstream.script = [described(edit, findings=FOUND)]
    done = await api.platform.upload(CARD, query, Prefer="wait=30")

    assert (done["state"], done["outcome"], done["verdict"]) == ("done", "redacted", verdict)
    assert (done["proof"]["verdict"], done["proof"]["confined"]) == (proof, False)
    final = await proving.shown(api.platform, done)
    assert np.array_equal(proving.pixels(final), proving.pixels(edit))
    (row,) = await owner.fetch("SELECT id FROM uploads")
    message = await driving.message_of(owner, row["id"])
    assert message["data"]["verdict"] == verdict


async def test_clean_picture_that_was_changed_is_held(
    pool: Pool, api: Api, upstream: Upstream
) -> None:
    """Published as clean would be the upstream's picture, so what it changed is held."""
    query = await proving.publish(pool, "open", confine=False)
    upstream.script = [described(BLOTTED)]
    done = await api.platform.upload(CARD, query, Prefer="wait=30")

    assert (done["outcome"], done["verdict"]) == ("clean", "hold")
    assert done["proof"]["verdict"] == "changed_outside"


async def test_what_is_to_be_blocked_stays_blocked(
    pool: Pool, api: Api, upstream: Upstream
) -> None:
    """A hold for want of proof never softens a rule that blocks."""
    query = await proving.publish(pool, "open", "block_image", "block", confine=False)
    upstream.script = [described(findings=FOUND)]
    done = await api.platform.upload(CARD, query, Prefer="wait=30")

    assert done["proof"]["verdict"] == "not_redacted"
    assert (done["outcome"], done["verdict"]) == ("violating", "block")


async def test_another_picture_is_unfaithful_all_the_same(
    pool: Pool, api: Api, upstream: Upstream
) -> None:
    """No share of changed tiles lets another picture through."""
    query = await proving.publish(pool, "open", confine=False, max_changed_outside=1.0)
    upstream.script = [described(CAT)]
    failed = await api.platform.upload(ASTRONAUT, query, Prefer="wait=30")

    assert (failed["state"], failed["outcome"]) == ("failed", "unfaithful_edit")
    assert (failed["verdict"], failed["images"]["edited"]) == ("hold", None)
    assert len(upstream.calls) == 1
