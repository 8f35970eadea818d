"""Reading metrics as Prometheus does."""

import aiohttp
from prometheus_client.parser import text_string_to_metric_families

# The name of a sample with its labels, and the value.
Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


async def scrape(url: str) -> Samples:
    """Read what stands at an address, every sample of it."""
    async with aiohttp.ClientSession() as session, session.get(url) as response:
        assert response.status == 200
        assert response.headers["Content-Type"].startswith("text/plain; version=")
        return parsed(await response.text())


def parsed(text: str) -> Samples:
    """Parse Prometheus' text format."""
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def value(samples: Samples, name: str, **labels: str) -> float:
    """Give the one sample of this name and these labels; 0 where there is none."""
    return samples.get((f"moderation_{name}", frozenset(labels.items())), 0.0)


def ours(samples: Samples) -> set[str]:
    """The names of what is ours."""
    return {name for name, _ in samples if name.startswith("moderation_")}
