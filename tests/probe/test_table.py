"""The table of advice and what a probe sends, without a call."""

import io
from dataclasses import replace

from PIL import Image

from service.edits import outcomes
from service.edits.client import DIALECTS
from service.probe import advising, specimen
from service.probe.advising import Facts
from tests.conftest import configured
from tests.probe.gateway import KEY


def test_drawn_picture_is_what_it_should_be() -> None:
    """It is a PNG of 256 x 256 pixels: one colour, and black in the middle only."""
    image = Image.open(io.BytesIO(specimen.picture()))
    assert (image.format, image.mode, image.size) == ("PNG", "RGB", (256, 256))
    assert sorted(image.getcolors() or []) == [(64 * 64, (0, 0, 0)), (61440, (216, 201, 163))]
    assert image.crop((96, 96, 160, 160)).getcolors() == [(64 * 64, (0, 0, 0))]


def test_every_outcome_has_its_own_advice() -> None:
    """Only what ends no probe's call (a lost worker, a proof) falls to the row of the unknown."""
    unknown = {
        name for name in outcomes.TABLE if advising.advice(Facts(name, 418)).fact == "unknown"
    }
    assert unknown == {"lost", "released", "unfaithful_edit"}


def test_only_a_described_call_works() -> None:
    """No row that says it works fits any other outcome: a failure is never advised as working."""
    assert {row.outcomes for row in advising.TABLE if row.works} == {("described",)}


def test_every_sentence_can_be_filled_in_and_names_no_model_twice() -> None:
    """Each row makes a sentence for each dialect; the configured model is no candidate."""
    for dialect in DIALECTS:
        upstream = configured("http://u:p@h/v1", dialect=dialect, model=advising.CANDIDATES[0])
        for row in advising.TABLE:
            said = advising.sentence(row, Facts("rejected", 418), upstream)
            assert "{" not in said
            assert "u:p" not in said
            assert f"candidates: {upstream.model}," not in said
            assert f"UPSTREAM_DIALECT={dialect}" not in said


def test_settings_never_hold_the_key() -> None:
    """What is printed to be pasted has neither the key nor a password in the address."""
    upstream = replace(configured("https://user:pass@host/v1?k=1"), key=KEY)
    shown = str(advising.settings(upstream))
    assert "https://***@host/v1'" in shown
    assert KEY not in shown
    assert "pass" not in shown
