"""The rulesets in the box, run against the local edits endpoint as anybody would."""

import json
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from service import publishing, resources
from tests.up import driving
from tests.up.driving import Up

pytestmark = pytest.mark.slow
MAX_BYTES = 1_500_000
FOLDER = resources.folder("rulesets")
# Reading text takes most of the time, and nothing else runs beside it.
BOTH_CORES = driving.environment(local_processes=2)
SOURCES = {one.ruleset.name: one for one in publishing.read([FOLDER])}
# Rules whose detectors come with the extra `local`; no detector can judge the others.
ASSESSED = {
    "privacy": {
        *("bystander-faces", "contact-details", "identity-and-payment-documents"),
        *("licence-plates", "machine-readable-codes"),
    },
    "marketplace": {"contact-details-in-listing", "off-platform-links"},
    "community": set[str](),
}


@pytest.fixture(scope="module")
def checks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, dict[str, Any]]]:
    """What `rulesets test` says of each shipped ruleset under `up`; all are run at once."""
    up = Up.start(tmp_path_factory.mktemp("shipped") / "data", env=BOTH_CORES)

    def run(name: str) -> dict[str, Any]:
        ended = driving.run("rulesets", "test", name, "--json", "--data-dir", up.data_dir)
        assert ended.code == 0, ended.err
        check: dict[str, Any] = json.loads(ended.out)
        return check

    try:
        with ThreadPoolExecutor() as threads:
            yield dict(zip(SOURCES, threads.map(run, SOURCES), strict=True))
    finally:
        up.end(signal.SIGTERM)


@pytest.mark.parametrize("name", ASSESSED)
def test_what_can_be_assessed_passes(name: str, checks: dict[str, dict[str, Any]]) -> None:
    """No example fails; just the rules with detectors are assessed, and the counts say so."""
    check = checks[name]
    judged = {one["rule"] for one in check["by_rule"] if not one["not_assessed"]}
    assert judged == ASSESSED[name]
    assert check["rules"] == {"total": len(check["by_rule"]), "assessed": len(judged)}
    assert check["examples"]["failed"] == 0
    assert check["result"] == ("passed" if judged else "not_assessed")
    for one in check["by_example"]:
        can_be = bool(judged) and judged.issuperset(one["expected"]["rules"])
        assert one["status"] == ("passed" if can_be else "not_assessed"), one


@pytest.mark.parametrize("name", ASSESSED)
def test_examples_show_every_rule_that_detectors_assess(name: str) -> None:
    """At least twelve examples, clean ones among them, and one of each rule with a detector."""
    examples = SOURCES[name].ruleset.examples
    assert len(examples) >= 12
    assert sum(one.outcome == "clean" for one in examples) >= 4
    assert {rule for one in examples for rule in one.rules} >= ASSESSED[name]


def test_pictures_are_small_and_each_is_used() -> None:
    """Nothing lies in the folder that no example names, and all of it is small."""
    used = {FOLDER / path for source in SOURCES.values() for path in source.pictures}
    lying = set((FOLDER / "examples").iterdir())
    assert lying == used
    assert sum(path.stat().st_size for path in lying) < MAX_BYTES
