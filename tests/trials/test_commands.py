"""`moderation rulesets test` as policy staff run it: as a process, against the API."""

import asyncio
import json
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from service.quoting import Offer
from service.store.database import Database
from tests import trials
from tests.conftest import configured
from tests.trials import BOTH, PLAIN, Bench, offer
from tests.up import driving
from tests.up.driving import Ended
from tests.upstream import hanging


async def test_examples_are_run_and_shown(bench: Bench) -> None:
    """Exit 0; the price stands on stderr, and the counts of rules, examples and dollars at last."""
    await bench.imported([])
    await bench.imported(BOTH)
    bench.upstream.script = [trials.right(BOTH)] * 2
    async with bench.working():
        ended = await _run(bench, "shop", "--yes")
    assert ended.code == 0, ended.err
    assert "2 calls to scripted (gemini-3.1-flash-image-preview), $0.058 each" in ended.err
    assert ended.out.splitlines()[-1] == (
        "shop@2 passed: assessed 2 of 2 rules, 2 of 2 examples (2 passed, 0 failed);"
        " 2 calls, $0.116 of at most $0.116"
    )
    assert "examples/1.png  passed  redacted: faces  redacted: faces" in ended.out


async def test_failing_example_is_exit_code_1(bench: Bench) -> None:
    """--json prints the whole run as one document, also where it has not passed."""
    version = await bench.imported(BOTH)
    async with bench.working():
        ended = await _run(bench, f"shop@{version}", "--yes", "--json")
    assert ended.code == 1
    document = json.loads(ended.out)
    assert [one["status"] for one in document["by_example"]] == ["failed", "passed"]
    assert ended.complaints == ["moderation: golden examples of shop@1 did not pass"]


async def test_nothing_is_paid_without_an_answer(bench: Bench) -> None:
    """Without --yes it asks; where nobody answers, nothing is sent."""
    await bench.imported(BOTH)
    ended = await _run(bench, "shop")
    assert ended.code == 1
    assert "Pay at most $0.116 for 2 calls? [y/N]" in ended.err
    assert await bench.uploads() == 0


class TestFree:
    """Where calls cost nothing."""

    @pytest.fixture
    def offers(self) -> Sequence[Offer]:
        return (offer(0),)

    async def test_what_is_free_is_not_asked_for(self, bench: Bench) -> None:
        """No question is put where there is nothing to pay."""
        await bench.imported([PLAIN])
        free = configured(bench.upstream.url, price_microusd=0)
        async with bench.working(free):
            ended = await _run(bench, "shop")
        assert ended.code == 0, ended.err


async def test_run_goes_on_without_its_watcher(bench: Bench) -> None:
    """Ctrl-C stops the watching alone; --last finds the run, follows it and shows what came."""
    version = await bench.imported([PLAIN])
    go_on = asyncio.Event()
    bench.upstream.script = [hanging(go_on)]
    async with bench.working():
        watcher = _begin(bench, "shop", "--yes")
        await bench.upstream.arrived.wait()
        watcher.send_signal(signal.SIGINT)
        _, err = await asyncio.to_thread(watcher.communicate)
        assert watcher.returncode == 1
        assert "stopped watching; the run goes on, and --last shows it" in err
        go_on.set()
        ended = await _run(bench, f"shop@{version}", "--last", "--json")
    assert ended.code == 0, ended.err
    assert json.loads(ended.out)["result"] == "passed"
    assert len(bench.upstream.calls) == 1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("nobody",), "there is no ruleset 'nobody'"),
        (("shop@7",), "ruleset 'shop' has no version 7"),
        (("shop",), "shop/1 has no golden examples"),
        (("shop", "--last"), "these golden examples were never run"),
    ],
)
async def test_refusal_is_one_line(arguments: Sequence[str], said: str, bench: Bench) -> None:
    """What cannot be run is said, with exit code 1."""
    await bench.imported([])
    ended = await _run(bench, *arguments)
    assert ended.code == 1
    (complaint,) = ended.complaints
    assert said in complaint


async def test_pictures_come_with_import(bench: Bench, where: Database, tmp_path: Path) -> None:
    """
    `import` stores the pictures beside the file, so that the server can run them without it.

    One that is not there is told, at `check` too; it is refused where it would be run.
    """
    path = trials.written(tmp_path, BOTH)
    done = await asyncio.to_thread(
        lambda: driving.run("rulesets", "import", path, "--draft", database_url=where.dsn)
    )
    assert done.code == 0, done.err
    status, quote = await trials.check(bench.api.policy, 1)
    assert (status, quote["calls"]) == (200, 2)
    (tmp_path / PLAIN.path).unlink()
    again = await asyncio.to_thread(driving.run, "rulesets", "check", path)
    assert again.code == 0
    assert f"{path}: the picture {PLAIN.path} of an example is not there" in again.err


async def _run(bench: Bench, *arguments: str) -> Ended:
    """Run the command to its end, beside the API and the workers of this process."""
    process = _begin(bench, *arguments)
    out, err = await asyncio.to_thread(process.communicate)
    return Ended(process.returncode, out, err)


def _begin(bench: Bench, *arguments: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        driving.command("rulesets", "test", *arguments, "--url", bench.api.url),
        env=driving.environment(token=bench.api.policy.token),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
