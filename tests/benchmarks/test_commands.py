"""Each benchmark of the service runs to its end, with sizes that measure nothing."""

import json
import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

CHECKOUT = Path(__file__).parents[2]
SMALL = {
    "pipeline": "--rounds 1 --share 0.02",
    "claim": "--rows 2000 --rounds 1 --jobs 40 --seconds 1",
    "memory": "--calls 20 --hold 5 --rounds 1 --images 40",
    "cold_start": "--rounds 1",
    "throughput": "--rounds 1 --uploads 20",
    "flood": "--flood 200 --seconds 3 --rounds 1",
    "soak": "--minutes 0.5 --rate 1 --kill-every 5",
}


@pytest.mark.slow
@pytest.mark.parametrize("name", SMALL)
def test_a_benchmark_reports(name: str) -> None:
    """It ends well, and its JSON has rows, and bars with figures."""
    done = subprocess.run(
        [sys.executable, "-m", f"tests.benchmarks.{name}", *SMALL[name].split(), "--json"],
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    report: dict[str, Any] = json.loads(done.stdout)
    assert all(report["tables"])
    assert report["bars"]
    assert all(math.isfinite(bar["figure"]) for bar in report["bars"])
