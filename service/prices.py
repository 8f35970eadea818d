"""What models cost where an upstream's price is not configured: pure data, and its one reader."""

from collections.abc import Mapping
from dataclasses import dataclass

from service.errors import StartRefused

MICRO = 1_000_000
# Stands in the ledger beside each cost; it changes with the table.
TABLE = "table 2026-11"
CONFIGURED = "configured"


@dataclass(frozen=True, slots=True)
class Price:
    """Microdollars an image, where that was read, and when."""

    microusd: int
    source: str
    date: str


PRICES: Mapping[str, Price] = {
    "gemini-3.1-flash-image-preview": Price(58_000, "Wisdom Gate by JuheAPI, article", "2026"),
    "gemini-3-pro-image-preview": Price(68_000, "Wisdom Gate by JuheAPI, article", "2026"),
}


def of(model: str, usd: float | None, setting: str) -> tuple[int, str]:
    """
    Tell an image's price in microdollars, and where it is from.

    Raises:
        StartRefused: Neither ``setting`` (which gave ``usd``) nor the table says a price.
    """
    if usd is not None:
        return round(usd * MICRO), CONFIGURED
    if model not in PRICES:
        raise StartRefused(
            f"{setting} is not set and the price table has no {model!r}; set it to the price of "
            f"one image in dollars, or take a model of the table: {', '.join(sorted(PRICES))}"
        )
    return PRICES[model].microusd, TABLE
