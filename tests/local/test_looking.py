"""The second look: what the detectors see in photos, before and after an edit."""

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import skimage
from PIL import Image

from service.demo import FOLDER
from service.local import Job, Look, RequestRefused, redaction
from service.local.engine import Engine

PHOTOS = Path(skimage.__file__).parent / "data"
EDIT_OF = {
    "face": "blur",
    "phone": "pixelate",
    "email": "box",
    "handle": "remove",
    "qr_code": "pixelate",
}
# All that there is to hide in photos of scikit-image, and in some that have writing on them.
THERE = [
    pytest.param(PHOTOS / "astronaut.png", ["face"], id="astronaut"),
    pytest.param(PHOTOS / "camera.png", ["face"], id="profile"),
    pytest.param(FOLDER / "coffee-for-sale.jpg", ["phone"], id="offer"),
    pytest.param(FOLDER / "business-card.png", ["email", "handle", "phone"], id="card"),
    pytest.param(FOLDER / "poster-with-code.png", ["qr_code"], id="poster"),
]


@pytest.fixture
def prompt(make_prompt: Callable[..., str], kinds: list[str]) -> str:
    """One rule for each kind that there is, each with an edit of its own."""
    return make_prompt(*((kind, EDIT_OF[kind], kind) for kind in kinds))


@pytest.mark.parametrize(("path", "kinds"), THERE)
def test_a_look_sees_what_is_there(engine: Engine, path: Path, kinds: list[str]) -> None:
    """Every kind that is in a photo is seen, inside of the picture, and no other kind."""
    seen = engine.look(Look(path.read_bytes(), text=False, things=True))

    with Image.open(path) as image:
        assert (seen.width, seen.height) == image.size
    assert sorted(one.kind for one in seen.sightings) == kinds
    for one in seen.sightings:
        assert one.box.grown(0, 0, (seen.width, seen.height)) == one.box
        assert one.box.area > 0
    assert seen.text_to_model == ()


@pytest.mark.parametrize("name", ["chelsea.png", "coffee.png", "rocket.jpg", "page.png"])
def test_a_look_sees_nothing_where_nothing_is(engine: Engine, name: str) -> None:
    """A cat, a cup, a rocket and a page of prose have nothing to hide."""
    seen = engine.look(Look((PHOTOS / name).read_bytes(), text=True, things=True))

    assert (seen.sightings, seen.text_to_model) == ((), ())


@pytest.mark.parametrize(("path", "kinds"), THERE)
def test_nothing_is_seen_after_an_edit(
    engine: Engine, prompt: str, path: Path, kinds: list[str]
) -> None:
    """What was blurred, pixelated or boxed is not seen in the picture that is answered."""
    edited = engine.edit(Job(path.read_bytes(), prompt, None))

    assert sorted(one["rule"] for one in findings(edited.description)) == kinds
    assert engine.look(Look(edited.image, text=False, things=True)).sightings == ()


@pytest.mark.parametrize(("path", "kinds"), THERE)
def test_without_redaction_an_edit_is_only_told(
    engine: Engine, prompt: str, path: Path, kinds: list[str]
) -> None:
    """The switch for tests tells each rule's edit as done, and not one pixel changes."""
    edited = engine.edit(Job(path.read_bytes(), prompt, "png"), redact=False)

    told = findings(edited.description)
    assert sorted(one["rule"] for one in told) == kinds
    for one in told:
        assert one["edit"] == redaction.performed(EDIT_OF[one["rule"]])
        assert one["box_2d"]
    assert (pixels(edited.image) == pixels(path.read_bytes())).all()


def test_a_look_at_text_only_gives_what_addresses_the_model(engine: Engine) -> None:
    """The note's order to the model is given, and nothing else is looked for."""
    note = (FOLDER / "note-to-the-model.png").read_bytes()

    read = engine.look(Look(note, text=True, things=False))
    seen = engine.look(Look(note, text=False, things=True))

    assert any("ignore all previous instructions" in row for row in read.text_to_model)
    assert seen.text_to_model == ()
    face = (PHOTOS / "astronaut.png").read_bytes()
    assert engine.look(Look(face, text=True, things=False)).sightings == ()


@pytest.mark.parametrize("data", [b"", b"\x89PNG\r\n\x1a\n", b"GIF89a"])
def test_what_is_no_picture_is_refused(engine: Engine, data: bytes) -> None:
    """A look at bytes that are no picture says so and never that nothing is there."""
    with pytest.raises(RequestRefused) as refused:
        engine.look(Look(data, text=True, things=True))

    assert refused.value.code == "invalid_image"


def findings(description: str) -> Any:
    return json.loads(description)["findings"]


def pixels(data: bytes) -> Any:
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))
