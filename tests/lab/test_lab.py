"""The one fetcher in a network where every internal address answers: it must reach none of them."""

import itertools
import json
import os
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from tests.lab.cases import CASES, Case
from tests.lab.inside import IMAGE, SECRET
from tests.lab.network import PUBLIC

# A namespace of its own for the network, the mounts and the processes: all of it ends with them.
ALONE = ("unshare", "--net", "--mount", "--pid", "--fork", "--kill-child")
LIMIT_S = 120
ALLOWED = set(itertools.product(PUBLIC, (80, 443)))
UNGUARDED = {
    "literal": Case("http://10.1.2.3/", ways=("unguarded",)),
    "name": Case("http://x.example.com/", {"x.example.com": [["fd00::7"]]}, ways=("unguarded",)),
    "rebinding": Case(
        "http://x.example.com/",
        {"x.example.com": [[PUBLIC[0]], ["169.254.169.254"]]},
        ways=("unguarded", "unguarded"),
    ),
    "redirect": Case(
        "http://x.example.com/",
        {"x.example.com": [[PUBLIC[1]]]},
        {"/": [(302, "http://127.0.0.1/")]},
        ways=("unguarded",),
    ),
}
pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root may make a network namespace")
Tries = list[dict[str, Any]]


@pytest.fixture(scope="module")
def came() -> dict[str, Tries]:
    """Send the fetcher after every case; what came of each way, and where connections began."""
    cases = {**CASES, **{f"unguarded {name}": case for name, case in UNGUARDED.items()}}
    run = subprocess.run(
        [*ALONE, sys.executable, "-m", "tests.lab.inside"],
        cwd=Path(__file__).parents[2],
        input=json.dumps({name: asdict(case) for name, case in cases.items()}),
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    found: dict[str, Tries] = json.loads(run.stdout)
    return found


@pytest.mark.parametrize("name", CASES)
def test_no_connection_to_an_internal_address_is_begun(came: dict[str, Tries], name: str) -> None:
    """Connections go to public addresses on 80 and 443 alone, and what is public is fetched."""
    case, tries = CASES[name], came[name]
    for way, tried in zip(case.ways, tries, strict=True):
        assert {tuple(one) for one in tried["begun"]} <= ALLOWED, (way, tried)
        assert SECRET not in tried["came"]
    for way, tried in zip(case.reached, tries, strict=False):
        assert tried["came"] == ("200" if way == "post" else IMAGE), (way, tried)


def test_the_lab_sees_what_an_unguarded_client_does(came: dict[str, Tries]) -> None:
    """The same network lets a careless client in by each of these roads, and notes it."""
    for name, address in (
        ("literal", "10.1.2.3"),
        ("name", "fd00::7"),
        ("rebinding", "169.254.169.254"),
        ("redirect", "127.0.0.1"),
    ):
        last = came[f"unguarded {name}"][-1]
        assert last["came"] == SECRET, name
        assert [address, 80] in last["begun"]
