"""
How long pictures hold up the event loop: ``python -m tests.benchmarks.heartbeat``.

A worker's leases are renewed by the loop that hands pictures to the children.  For each size eight
uploads' worth of picture work (canonical picture, proof, final picture) runs at once, while a task
that only sleeps tells by how much it was late.
"""

import asyncio
import time
from pathlib import Path

import click

from service.looking import BLIND
from service.pictures.pool import Decoders
from service.policy import rulesets
from service.proving import THUMBNAIL_SIDE, Prover
from tests import draw, proving

RULESET = rulesets.parse((Path(__file__).parents[2] / "rulesets" / "privacy.yaml").read_bytes())
FOUND = {"findings": [{"rule": "bystander-faces", "box_2d": list(proving.FACE)}]}
PAUSE_S = 0.002
AT_ONCE = 8


async def measure(megapixels: float) -> tuple[float, list[float]]:
    """Give the seconds that all took, and the sorted delays in seconds."""
    side = int((megapixels * 1e6) ** 0.5)
    photo = proving.photo("astronaut.png").resize((side, side))
    file = draw.encoded(photo, "JPEG", quality=95)
    decoders = Decoders(2)
    await decoders.start()
    try:
        began = time.perf_counter()
        work = asyncio.gather(*(_picture_work(decoders, file) for _ in range(AT_ONCE)))
        delays = []
        while not work.done():
            before = time.perf_counter()
            await asyncio.sleep(PAUSE_S)
            delays.append(time.perf_counter() - before - PAUSE_S)
        await work
        return time.perf_counter() - began, sorted(delays)
    finally:
        await decoders.stop()


async def _picture_work(decoders: Decoders, file: bytes) -> None:
    canonical = await decoders.canonical(file, thumbnail_side=THUMBNAIL_SIDE)
    await Prover(decoders, BLIND).prove(RULESET, canonical.data, file, FOUND)


@click.command(help=__doc__)
def main() -> None:
    """Print a table."""
    click.echo("| megapixels | seconds | delay p99 ms | longest ms |\n|---:|---:|---:|---:|")
    for megapixels in (1, 12, 40):
        took, delays = asyncio.run(measure(megapixels))
        p99, longest = delays[len(delays) * 99 // 100], delays[-1]
        click.echo(f"| {megapixels} | {took:.1f} | {p99 * 1e3:.1f} | {longest * 1e3:.1f} |")


if __name__ == "__main__":
    main()
