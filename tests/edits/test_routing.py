"""Which upstream an image goes to."""

import hashlib
from collections import Counter

from service.edits import routing
from tests.conftest import configured

UPSTREAMS = [
    configured("http://127.0.0.1:1", name="most", weight=90.0),
    configured("http://127.0.0.1:2", name="few", weight=10.0),
]
IMAGES = [hashlib.sha256(str(number).encode()).digest() for number in range(2000)]


def test_weights_hold_over_many_images() -> None:
    """Of 2,000 images, 90 % and 10 % go where they should, within two points."""
    chosen = Counter(routing.order(UPSTREAMS, image)[0].name for image in IMAGES)
    assert abs(chosen["most"] / len(IMAGES) - 0.9) < 0.02
    assert set(chosen) == {"most", "few"}


def test_an_image_always_goes_the_same_way() -> None:
    """A second run sends every image to the same upstream."""
    first, second = ([routing.order(UPSTREAMS, image) for image in IMAGES] for _ in range(2))
    assert first == second


def test_every_digest_has_an_upstream() -> None:
    """The smallest and the greatest digest go to the first and the last."""
    assert routing.order(UPSTREAMS, bytes(32))[0].name == "most"
    assert routing.order(UPSTREAMS, b"\xff" * 32)[0].name == "few"
    assert routing.order(UPSTREAMS[:1], b"\xff" * 32)[0].name == "most"


def test_others_stand_in_as_they_are_configured() -> None:
    """Behind the chosen one come the others in their order, those without a weight too."""
    three = [*UPSTREAMS, configured("http://127.0.0.1:3", name="spare", weight=0.0)]
    assert [one.name for one in routing.order(three, bytes(32))] == ["most", "few", "spare"]
    assert [one.name for one in routing.order(three, b"\xff" * 32)] == ["few", "most", "spare"]


def test_spare_is_chosen_only_where_it_is_alone() -> None:
    """An upstream of weight 0 gets no share, and takes over where no other is allowed."""
    spare = configured("http://127.0.0.1:3", name="spare", weight=0.0)
    chosen = {routing.order([spare, *UPSTREAMS], image)[0].name for image in IMAGES}
    assert chosen == {"most", "few"}
    assert routing.order([spare], bytes(32)) == [spare]
    assert routing.order([], bytes(32)) == []
