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
    chosen = Counter(routing.choose(UPSTREAMS, image).name for image in IMAGES)
    assert abs(chosen["most"] / len(IMAGES) - 0.9) < 0.02
    assert set(chosen) == {"most", "few"}


def test_an_image_always_goes_the_same_way() -> None:
    """A second run sends every image to the same upstream."""
    first, second = ([routing.choose(UPSTREAMS, image).name for image in IMAGES] for _ in range(2))
    assert first == second


def test_every_digest_has_an_upstream() -> None:
    """The smallest and the greatest digest go to the first and the last."""
    assert routing.choose(UPSTREAMS, bytes(32)).name == "most"
    assert routing.choose(UPSTREAMS, b"\xff" * 32).name == "few"
    assert routing.choose(UPSTREAMS[:1], b"\xff" * 32).name == "most"
