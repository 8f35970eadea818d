"""Prices: the table's unless configured, and no start with a price that nobody knows."""

import re
from pathlib import Path

import pytest

from service import app, prices, settings
from service.errors import StartRefused
from service.upstreams import VENDOR_MODEL

FLASH, PRO = "gemini-3.1-flash-image-preview", "gemini-3-pro-image-preview"


def of(**given: object) -> tuple[int, str | None]:
    (upstream,) = app.upstreams_of(settings.read({"upstream_key": "key", **given}, {}))
    return upstream.price_microusd, upstream.price_version


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ({}, (58_000, prices.TABLE)),
        ({"upstream_model": PRO}, (68_000, prices.TABLE)),
        ({"upstream_model": PRO, "upstream_price_usd": 0.01}, (10_000, "configured")),
        ({"upstream_model": "unheard-of", "upstream_price_usd": 0}, (0, "configured")),
        ({"upstream_price_usd": "0.000001"}, (1, "configured")),
    ],
)
def test_configured_price_wins_over_the_table(
    given: dict[str, object], wanted: tuple[int, str]
) -> None:
    """The price and where it is from go into the ledger together."""
    assert of(**given) == wanted


def test_model_without_a_price_is_refused() -> None:
    """Nobody finds out from the bill: the message names the model, the setting and the models."""
    with pytest.raises(StartRefused) as refused:
        of(upstream_model="unheard-of")
    for part in ("MODERATION_UPSTREAM_PRICE_USD", "'unheard-of'", FLASH, PRO):
        assert part in str(refused.value)


def test_table_of_an_upstream_is_priced_alike(tmp_path: Path) -> None:
    """Each [[upstream]] takes the table's price or its own, and is named when it has neither."""
    path = tmp_path / "moderation.toml"
    head = '[[upstream]]\nurl = "http://127.0.0.1:1/v1"\n'
    path.write_text(f'{head}name = "a"\n{head}name = "b"\nmodel = "x"\nprice_usd = 0.5\n', "utf-8")
    read = settings.read({}, {"MODERATION_CONFIG": str(path)})
    found = [(one.price_microusd, one.price_version) for one in app.upstreams_of(read)]
    assert found == [(58_000, prices.TABLE), (500_000, "configured")]
    path.write_text(f'{head}name = "mine"\nmodel = "x"\n', "utf-8")
    with pytest.raises(StartRefused, match=r"\[\[upstream\]\] mine: price_usd is not set"):
        app.upstreams_of(settings.read({}, {"MODERATION_CONFIG": str(path)}))


@pytest.mark.parametrize("model", prices.PRICES)
def test_every_price_has_a_source_and_a_date(model: str) -> None:
    """A number without its source cannot be checked."""
    price = prices.PRICES[model]
    assert price.microusd > 0
    assert price.source
    assert re.fullmatch(r"20\d\d(-\d\d){0,2}", price.date)


def test_the_default_model_is_in_the_table() -> None:
    """A key alone is enough to start."""
    assert VENDOR_MODEL in prices.PRICES
