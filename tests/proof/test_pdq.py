"""PDQ against hashes of a port that equals the reference bit for bit."""

import numpy as np
import pytest

from service.proof import Plane
from service.proof.pdq import Hash, pdq
from service.proof.sampling import luma
from tests.proof.corpus import scenes

KNOWN = {
    "astronaut.png": "24ed993faa1d64507b20bb738136982b2c15f64a4bc539e794a36a95cf58d6b4",
    "coffee.png": "0799413c47e5d9e31f876d786f9e6584364e6403661cc59d196c6659ee794631",
    "rocket.jpg": "6ecf2734d841373eca4325bcc74338fc0703f8fc2703d8fd260ec9e1361e49e1",
    "page.png": "df654ce27338dec7a819219e9481a49c311b8933bbb33498d6c6cb746b64da69",
}


def bright(name: str) -> Plane:
    """The luma of a file."""
    return luma(np.moveaxis(np.asarray(scenes.opened(name), np.float32), -1, 0))


@pytest.mark.parametrize("name", KNOWN)
def test_the_hash_equals_the_reference(name: str) -> None:
    """Every bit of a photograph's hash is the reference's, and its quality is the best."""
    assert pdq(bright(name)) == Hash(int(KNOWN[name], 16), 100)


def test_half_the_bits_of_unrelated_pictures_differ() -> None:
    """Two photographs are as far apart as chance, a brighter copy of one is near it."""
    one, other = pdq(bright("astronaut.png")), pdq(bright("coffee.png"))
    assert 100 < one.distance(other) < 156
    assert one.distance(pdq(bright("astronaut.png") * np.float32(0.8) + np.float32(20))) <= 31


def test_a_tiny_picture_has_no_hash() -> None:
    """Below 5 px there are no bits and no quality."""
    assert pdq(np.zeros((4, 90), np.float32)) == Hash(0, 0)
