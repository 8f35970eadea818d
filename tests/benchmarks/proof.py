"""
Prints what edit proof catches and costs, as Markdown: ``python -m tests.benchmarks.proof``.

The table is over the generated corpus; the times are CPU milliseconds of one process.

Set ``OPENBLAS_NUM_THREADS=1`` for the times, as the child has it: more threads only spin.
"""

import argparse
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Callable

import numpy as np
from PIL import Image

from service.proof import Pixels, Rect, Region
from service.proof.confining import confine
from service.proof.proving import Proof, prove
from tests.proof.corpus import scenes
from tests.proof.corpus.edits import PROPER
from tests.proof.corpus.pairs import KINDS, pairs

_VERDICTS = ("proven", "changed_outside", "not_redacted", "other_picture")
_REGIONS = (
    Region((100, 100, 500, 400), "blur", "a"),
    Region((200, 500, 600, 900), "pixelate", "b"),
    Region((700, 200, 750, 900), "box", "c"),
)


def main() -> None:
    """Run the corpus and the clock."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=1, help="of the corpus")
    parser.add_argument("--pairs", type=int, default=500, help="how many")
    parser.add_argument("--list", action="store_true", help="name every wrong one on stderr")
    asked = parser.parse_args()
    found = counted(asked.seed, asked.pairs, listed=asked.list)
    sys.stdout.write(f"{table(found)}\n\n{times()}\n")


def counted(seed: int, count: int, *, listed: bool) -> dict[str, Counter[str]]:
    """Prove every pair; count verdicts by kind."""
    found: dict[str, Counter[str]] = defaultdict(Counter)
    for index, pair in enumerate(pairs(seed, count)):
        proof = prove(np.asarray(pair.original), np.asarray(pair.edited), pair.regions)
        found[pair.kind][proof.verdict] += 1
        if listed and (proof.verdict == "proven") != pair.proper:
            sys.stderr.write(f"\r{index} {pair.kind} ({pair.travel}): {_told(proof)}\n")
        sys.stderr.write(f"\r{index + 1} of {count}")
    sys.stderr.write("\n")
    return found


def _told(proof: Proof) -> str:
    regions = [
        (one.verdict, one.remaining and (one.remaining.left, one.remaining.moved), one.region.box)
        for one in proof.regions
    ]
    around = proof.outside and (proof.outside.changed, proof.outside.tiles)
    where = proof.registration
    met = f"agreement {where.agreement:.2f} there {where.there:.2f}"
    return f"{proof.verdict} {met} {around} {regions}"


def table(found: dict[str, Counter[str]]) -> str:
    """Write the counts as a Markdown table."""
    lines = [
        "| kind | pairs | " + " | ".join(_VERDICTS) + " | caught | false alarms |",
        "|---|" + "---:|" * (len(_VERDICTS) + 3),
    ]
    for proper in (True, False):
        kinds = [kind for kind in KINDS if (kind in PROPER) == proper]
        lines.extend(_row(kind, found[kind], proper=proper) for kind in kinds)
        total = sum((found[kind] for kind in kinds), Counter[str]())
        lines.append(_row("**all proper**" if proper else "**all others**", total, proper=proper))
    return "\n".join(lines)


def _row(name: str, verdicts: Counter[str], *, proper: bool) -> str:
    total = verdicts.total()
    share = f"{1 - verdicts['proven'] / total:.1%}" if total else ""
    counts = " | ".join(str(verdicts[one]) for one in _VERDICTS)
    return (
        f"| {name} | {total} | {counts} | {'' if proper else share} | {share if proper else ''} |"
    )


def times() -> str:
    """Time prove and confine at 1 and 12 megapixels, the edited picture of equal and other size."""
    lines = [
        "| original | edited | prove, ms | confine, ms | confine, all enforced, ms |",
        "|---|---|---:|---:|---:|",
    ]
    photo = scenes.opened("astronaut.png")
    for size in ((1152, 896), (4000, 3000)):
        original = photo.resize(size, Image.Resampling.BICUBIC)
        edited = np.array(original)
        for region in _REGIONS:
            edited[region.rect(Rect.whole(edited)).slices] = 90
        for other in (size, (1024, 768)):
            resized = Image.fromarray(edited).resize(other)
            lines.append(_timed(np.asarray(original), np.asarray(resized)))
    return "\n".join(lines)


def _timed(original: Pixels, edited: Pixels) -> str:
    proof = prove(original, edited, _REGIONS)
    view = proof.registration.view
    found = [
        _cpu_ms(lambda: prove(original, edited, _REGIONS)),
        _cpu_ms(lambda: confine(original, view, _REGIONS)),
        _cpu_ms(lambda: confine(original, view, _REGIONS, enforce=range(3))),
    ]
    sizes = [f"{one.shape[1]} x {one.shape[0]}" for one in (original, edited)]
    return f"| {sizes[0]} | {sizes[1]} | " + " | ".join(f"{one:.0f}" for one in found) + " |"


def _cpu_ms(work: Callable[[], object]) -> float:
    """Take the median of seven runs: other tenants of the machine only ever slow it down."""
    spent = []
    for _ in range(7):
        begun = time.process_time()
        work()
        spent.append((time.process_time() - begun) * 1000)
    return float(np.median(spent))


if __name__ == "__main__":
    main()
