"""``MODERATION_PROOF=measure``, the default: the proof is written and shown, nothing follows."""

import numpy as np
import pytest

from service.store.database import Database
from tests import proving
from tests.conftest import Api
from tests.flows import processes
from tests.proving import ASTRONAUT, CARD, CAT, PHONE
from tests.upstream import Upstream, described, finding

FOUND = [finding("contact-details", box_2d=list(PHONE))]
SCRIBBLED = proving.painted(CARD, (900, 0, 1000, 300), "red")


@pytest.mark.parametrize(
    ("sent", "edit", "proof"),
    [
        pytest.param(CARD, CARD, "not_redacted", id="nothing done"),
        pytest.param(CARD, SCRIBBLED, "not_redacted", id="something else done"),
        pytest.param(ASTRONAUT, CAT, "other_picture", id="another picture"),
    ],
)
async def test_upstreams_picture_is_published_as_it_came(
    sent: bytes, edit: bytes, proof: str, where: Database, api: Api, upstream: Upstream
) -> None:
    """A worker without the setting measures and tells, and changes neither end nor picture."""
    upstream.script = [described(edit, findings=FOUND)]
    async with processes.work(where, upstream.url):
        done = await api.platform.upload(sent, Prefer="wait=30")

    assert (done["state"], done["outcome"], done["verdict"]) == ("done", "redacted", "allow_edited")
    assert (done["proof"]["verdict"], done["proof"]["confined"]) == (proof, False)
    final = await proving.shown(api.platform, done)
    assert np.array_equal(proving.pixels(final), proving.pixels(edit))
