"""
What a call costs us, beside the ``openai`` SDK and a lower limit.

Run by hand: ``python -m tests.benchmarks.client``.  Figures drift with what else the machine does,
so compare ratios within one run.
"""

import asyncio
import contextlib
import gc
import itertools
import json
import random
import statistics
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import click
from PIL import Image

from service.edits import Edit
from tests import draw, upstream
from tests.benchmarks import machine, stub
from tests.benchmarks.contenders import (
    ALL,
    DIALECT_NAMES,
    FLOOR,
    SDK,
    Call,
    Contender,
    Got,
)

IMAGE_BYTES: Final = (300_000, 1_000_000)
PROMPT_BYTES: Final = (8_000, 400_000)
PACKAGES: Final = ("aiohttp", "openai", "httpx2", "pybase64")
PROMPTS: Final = Path(__file__).parents[1] / "policy" / "samples"
NOTES: Final = """\
CPU is of the calling process with its threads and the kernel's work for it, a call; one call in \
flight, over one kept connection, the stub in a process of its own. Blocks of all clients take \
turns, each begins with a call that is not counted, and every other round goes backwards. \
Figures are medians of the rounds with the least and the most; ratios are medians of the ratios \
within a round. The floor sends ready bytes over a bare socket, reads the reply, finds the \
image's string in it and decodes that: no HTTP, no JSON, no text. The SDK's client is \
AsyncOpenAI.images.edit with base64.b64decode, and the same with pybase64."""


@dataclass(frozen=True, slots=True)
class Case:
    """What is sent and what must come back."""

    name: str
    edit: Edit
    edited: bytes
    text: str

    def folder(self, dialect: str) -> str:
        """Name the folder of the stub that has this case's answer."""
        return f"{dialect}-{len(self.edited)}"


@dataclass(frozen=True, slots=True)
class Spent:
    """One block: milliseconds a call."""

    cpu_ms: float
    wall_ms: float


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table; ``of_floor`` and ``of_sdk`` are ratios of CPU."""

    case: str
    client: str
    dialect: str
    cpu_ms: float
    cpu_ms_least: float
    cpu_ms_most: float
    wall_ms: float
    of_floor: float
    of_sdk: float


@dataclass(slots=True)
class Lane:
    """One contender in one case, and what its blocks took, one a round."""

    case: Case
    contender: Contender
    call: Call
    blocks: list[Spent]


@click.command()
@click.option("--rounds", default=15, show_default=True, type=click.IntRange(1))
@click.option("--calls", default=8, show_default=True, type=click.IntRange(1), help="In a block.")
@click.option(
    "--limit-s",
    default=150.0,
    show_default=True,
    type=click.FloatRange(0),
    help="Begin no round that would end later than this many seconds after the first.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def main(rounds: int, calls: int, limit_s: float, *, as_json: bool) -> None:
    """
    Measure what our client costs a call, beside the openai SDK and a lower limit.

    Prints a Markdown table.  Fails if a call brings another image or text than was sent; no time
    makes it fail.

    \b
    Examples:
      python -m tests.benchmarks.client
      python -m tests.benchmarks.client --rounds 3 --calls 4
      python -m tests.benchmarks.client --rounds 15 --json > client.json
    """  # noqa: D301  # click reads \b as "keep these lines"
    load = machine.Load.now()
    lanes = asyncio.run(_measured(rounds, calls, limit_s))
    facts = {
        **load.facts(*PACKAGES),
        "rounds": len(lanes[0].blocks),
        "calls a block": calls,
    }
    rows = [_row(lane, lanes) for lane in lanes]
    if as_json:
        click.echo(json.dumps({"facts": facts, "rows": [asdict(row) for row in rows]}, indent=2))
    else:
        click.echo(_report(facts, rows))


def _cases() -> list[Case]:
    text = json.dumps(upstream.description(findings=[upstream.finding("contact-details")] * 6))
    policy = "".join(path.read_text("utf-8") for path in sorted(PROMPTS.glob("*.prompt.txt")))
    return [
        Case(
            f"{image_bytes // 1000} kB image, {prompt_bytes // 1000} kB prompt",
            Edit(_cut(policy, prompt_bytes), _noise(image_bytes, 1), "image/png"),
            _noise(image_bytes, 2),
            text,
        )
        for image_bytes in IMAGE_BYTES
        for prompt_bytes in PROMPT_BYTES
    ]


def _cut(text: str, length: int) -> str:
    return (text * (length // len(text) + 1))[:length]


def _noise(size: int, seed: int) -> bytes:
    """Draw a PNG of about so many bytes: noise does not compress."""
    side = round((size / 3) ** 0.5)
    pixels = random.Random(seed).randbytes(side * side * 3)
    return draw.encoded(Image.frombytes("RGB", (side, side), pixels))


async def _measured(rounds: int, calls: int, limit_s: float) -> list[Lane]:
    cases = _cases()
    answers = {
        case.folder(dialect): stub.answer(dialect, case.edited, case.text)
        for case in cases
        for dialect in DIALECT_NAMES
    }
    async with contextlib.AsyncExitStack() as stack:
        url = stack.enter_context(stub.running(answers))
        lanes = []
        for case, contender in itertools.product(cases, ALL):
            opened = contender.opened(f"{url}/{case.folder(contender.dialect)}", case.edit)
            lanes.append(Lane(case, contender, await stack.enter_async_context(opened), []))
        # A collection must not walk again through what imports and cases have left for good.
        gc.freeze()
        for order in _rounds(lanes, rounds, limit_s):
            for lane in order:
                lane.blocks.append(await _block(lane, calls))
    return lanes


def _rounds(lanes: list[Lane], rounds: int, limit_s: float) -> Iterator[Sequence[Lane]]:
    """Give the order of each round, there and back, until the limit would be passed."""
    begun = time.monotonic()
    with click.progressbar(length=rounds, label="rounds", file=sys.stderr) as bar:
        for done in range(rounds):
            passed = time.monotonic() - begun
            if done and passed * (done + 1) / done > limit_s:
                return
            yield lanes if done % 2 == 0 else lanes[::-1]
            bar.update(1)


async def _block(lane: Lane, calls: int) -> Spent:
    """Make one call that is not counted, then those that are; each is checked off the clock."""
    _check(lane, await lane.call())
    gc.collect()
    cpu_s = wall_s = 0.0
    for _ in range(calls):
        wall, cpu = time.perf_counter(), time.process_time()
        got = await lane.call()
        cpu_s += time.process_time() - cpu
        wall_s += time.perf_counter() - wall
        _check(lane, got)
    return Spent(cpu_s * 1000 / calls, wall_s * 1000 / calls)


def _check(lane: Lane, got: Got) -> None:
    who = f"{lane.contender.name}, {lane.contender.dialect}, {lane.case.name}"
    assert got.image == lane.case.edited, f"{who}: another image came than was sent"
    if lane.contender.name != FLOOR:
        assert got.text == lane.case.text, f"{who}: another text came than was sent: {got.text!r}"


def _row(lane: Lane, lanes: list[Lane]) -> Row:
    peers = {
        (peer.contender.name, peer.contender.dialect): peer
        for peer in lanes
        if peer.case is lane.case
    }
    cpu = [block.cpu_ms for block in lane.blocks]
    return Row(
        lane.case.name,
        lane.contender.name,
        lane.contender.dialect,
        statistics.median(cpu),
        min(cpu),
        max(cpu),
        statistics.median(block.wall_ms for block in lane.blocks),
        _ratio(lane, peers[FLOOR, lane.contender.dialect]),
        _ratio(lane, peers[SDK, "openai-images"]),
    )


def _ratio(lane: Lane, to: Lane) -> float:
    pairs = zip(lane.blocks, to.blocks, strict=True)
    return statistics.median(ours.cpu_ms / theirs.cpu_ms for ours, theirs in pairs)


def _report(facts: dict[str, Any], rows: list[Row]) -> str:
    lines = [
        "| case | client | dialect | CPU ms a call | wall ms | of the floor | of the SDK |",
        "|---|---|---|---|---|---|---|",
        *(
            f"| {row.case} | {row.client} | {row.dialect} "
            f"| {row.cpu_ms:.2f} ({row.cpu_ms_least:.2f}-{row.cpu_ms_most:.2f}) "
            f"| {row.wall_ms:.2f} | {row.of_floor:.2f}x | {row.of_sdk:.2f}x |"
            for row in rows
        ),
        "",
        "; ".join(f"{name} {value}" for name, value in facts.items()),
        "",
        NOTES,
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
