"""What a run costs is said before, is exact where nothing was retried, and is never passed."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest

from service.edits import outcomes
from service.quoting import Offer
from tests import draw, rulesets, trials
from tests.conftest import PRICE, configured
from tests.fault_modes import Mode, table
from tests.flows import faulting
from tests.trials import BOTH, FACE, Bench, Golden, offer
from tests.upstream import Answer, described, error, text

NUMBERS = {name: number for number, name in enumerate(table.MODES, start=1)}
# Ends of workers, which test_kills meets.
OF_WORKERS = {"lost", "released"}
# What an edit can come to that is paid for.
PAID = sorted({name for name, rule in outcomes.TABLE.items() if rule.paid} - OF_WORKERS)


async def test_quote_is_said_without_anything_being_done(bench: Bench) -> None:
    """Without a confirmation there is only the price: each call, whom it goes to, the sum."""
    version = await bench.imported(BOTH)
    status, quote = await trials.check(bench.api.policy, version)
    assert (status, quote["calls"], quote["microusd"]) == (200, 2, 2 * PRICE)
    assert [one["image"] for one in quote["examples"]] == [one.path for one in BOTH]
    assert {one["upstream"] for one in quote["examples"]} == {"scripted"}
    assert await bench.uploads() == 0


async def test_run_costs_exactly_what_was_quoted(bench: Bench) -> None:
    """Where nothing is retried, calls and dollars of the ledger are those of the quote."""
    version = await bench.imported(BOTH)
    bench.upstream.script = [trials.right(BOTH)] * 2
    done = await bench.ran(version)
    assert (done["result"], done["calls"], done["cost_microusd"]) == ("passed", 2, 2 * PRICE)
    assert await bench.spent() == done["quoted_microusd"]


async def test_nothing_that_is_paid_for_passes_the_quote(bench: Bench) -> None:
    """Whatever every call brings: one is paid for an example, and no second one begins."""
    paid = 0
    for outcome in PAID:
        modes = {
            name: mode
            for name, mode in table.of("openai-images").items()
            if mode.outcome == outcome
        }
        done = await _met(bench, outcome, modes)
        paid += len(modes) * PRICE
        assert done["quoted_microusd"] == done["cost_microusd"] == len(modes) * PRICE, outcome
        assert await bench.spent() == paid, outcome
        assert {one["calls"] for one in done["by_example"]} == {1}, outcome
        ends = {one["got"]["outcome"] for one in done["by_example"]}
        if outcome == "described":
            assert (ends, done["result"]) == ({"clean"}, "passed")
        else:
            last = outcome if outcomes.TABLE[outcome].then == "end" else "exhausted"
            assert (ends, done["result"]) == ({last}, "failed"), outcome


async def _met(bench: Bench, outcome: str, modes: Mapping[str, Mode]) -> dict[str, Any]:
    """Run an example for each mode, which is the answer to all its calls."""
    examples = [Golden(NUMBERS[name], picture=faulting.PICTURES[name]) for name in modes]
    version = await bench.imported(examples, title=outcome)
    answers = {NUMBERS[name]: mode.answers["openai-images"] for name, mode in modes.items()}
    bench.upstream.script = [trials.each(answers)] * 1000
    settings = {key: value for mode in modes.values() for key, value in mode.settings.items()}
    # An upstream of its own, so that none is paused by the failures of another group.
    one = configured(bench.upstream.url, name=outcome, **{"timeout_s": 20.0, **settings})
    return await bench.ran(version, one)


@pytest.mark.parametrize(
    ("script", "outcome", "cost"),
    [
        ([error(500, "server_error"), error(500, "server_error"), described()], "clean", PRICE),
        ([error(429, "rate_limited"), described()], "clean", PRICE),
        ([trials.refusing()], "refused", 0),
        ([error(500, "server_error"), text("not JSON"), described()], "exhausted", PRICE),
    ],
    ids=["busy", "limited", "refused", "busy, then garbage"],
)
async def test_what_costs_nothing_is_tried_again(
    script: list[Answer], outcome: str, cost: int, bench: Bench
) -> None:
    """Free failures do not use the quote up; the one paid call may still be made, no other."""
    version = await bench.imported([Golden(2)])
    bench.upstream.script = list(script)
    done = await bench.ran(version)
    assert done["by_example"][0]["got"]["outcome"] == outcome
    assert await bench.spent() == done["cost_microusd"] == cost


async def test_repair_is_not_paid_for_above_the_quote(bench: Bench) -> None:
    """A description that would be asked for alone, for more than the one call, is not."""
    version = await bench.imported([Golden(2)])
    bench.upstream.script = [described(findings="none")]
    one = configured(bench.upstream.url)
    describer = replace(one, dialect="openai-chat", price_microusd=1)
    done = await bench.ran(version, replace(one, describer=describer))
    assert done["by_example"][0]["got"]["outcome"] == "exhausted"
    assert (len(bench.upstream.calls), await bench.spent()) == (1, PRICE)


async def test_dearer_upstream_than_was_quoted_is_never_called(bench: Bench) -> None:
    """Workers whose price has risen since make no call; the example ends without one."""
    version = await bench.imported([Golden(2)])
    done = await bench.ran(version, configured(bench.upstream.url, price_microusd=PRICE + 1))
    assert done["by_example"][0]["got"]["outcome"] == "exhausted"
    assert (bench.upstream.calls, done["result"]) == ([], "failed")


class TestTwoPrices:
    """With two upstreams that share the pictures."""

    @pytest.fixture
    def offers(self) -> Sequence[Offer]:
        return (offer(1000, "cheap"), offer(70_000, "dear"))

    async def test_each_call_is_quoted_where_it_goes(self, bench: Bench) -> None:
        """Of twelve pictures some go to either, and the ledger says what the quote said of each."""
        version = await bench.imported([Golden(number) for number in range(1, 13)])
        _, quote = await trials.check(bench.api.policy, version)
        quoted = [one["microusd"] for one in quote["examples"]]
        assert set(quoted) == {1000, 70_000}
        cheap = configured(bench.upstream.url, name="cheap", price_microusd=1000)
        dear = configured(bench.upstream.url, name="dear", price_microusd=70_000)
        done = await bench.ran(version, cheap, dear)
        assert [one["cost_microusd"] for one in done["by_example"]] == quoted
        assert await bench.spent() == done["quoted_microusd"] == quote["microusd"]

    async def test_stand_in_is_asked_only_if_it_is_not_dearer(self, bench: Bench) -> None:
        """Where its own upstream is down, a picture goes to a cheaper one, or waits for its own."""
        version = await bench.imported([Golden(number) for number in range(1, 13)])
        _, quote = await trials.check(bench.api.policy, version)
        gone = configured("http://127.0.0.1:9/v1", name="cheap", price_microusd=1000)
        dear = configured(bench.upstream.url, name="dear", price_microusd=70_000)
        run = await trials.started(bench.api.policy, version)
        own = [one["upstream"] for one in quote["examples"]]
        async with bench.working(gone, dear):
            await bench.until_running(run, own.count("cheap"))
        seen = await bench.read(run)
        for one, name in zip(seen["by_example"], own, strict=True):
            assert one["status"] == ("running" if name == "cheap" else "passed")
        back = configured(bench.upstream.url, name="cheap", price_microusd=1000)
        async with bench.working(back, dear):
            done = await bench.ended(run)
        assert (done["result"], await bench.spent()) == ("passed", quote["microusd"])


async def test_other_price_than_was_agreed_to_starts_nothing(bench: Bench) -> None:
    """Who confirms what it does not cost gets 409 with what it costs now."""
    version = await bench.imported(BOTH)
    now = {"calls": 2, "microusd": 2 * PRICE}
    for wrong in ({"calls": 1}, {"microusd": 0}):
        status, problem = await trials.check(bench.api.policy, version, confirm={**now, **wrong})
        assert (status, problem["code"], problem["errors"]) == (409, "quote_changed", [now])
    assert await bench.uploads() == 0


async def test_run_under_way_is_joined(bench: Bench) -> None:
    """A confirmation that is sent again, as after a lost answer, starts and costs nothing more."""
    version = await bench.imported(BOTH)
    runs = [await trials.started(bench.api.policy, version) for _ in range(3)]
    assert len({run["id"] for run in runs}) == 1
    assert await bench.uploads() == len(BOTH)


@pytest.mark.parametrize(
    ("digest", "faulty"),
    [
        (None, ["examples[0].image", "examples[1].image"]),
        ("0" * 64, ["examples[0].image", "examples[1].image"]),
    ],
    ids=["paths", "digest"],
)
async def test_unknown_pictures_are_named(
    digest: str | None, faulty: list[str], bench: Bench
) -> None:
    """Pictures of a version that came without them are not stored: 422 that names each."""
    source = trials.written(bench.folder, BOTH).read_text("utf-8")
    if digest:
        source = source.replace(FACE.path, f"sha256:{digest}")
    version = (await rulesets.add(bench.api.policy, source))["version"]
    status, problem = await trials.check(bench.api.policy, version)
    assert (status, problem["code"]) == (422, "examples_unusable")
    assert [one["path"] for one in problem["errors"]] == faulty


async def test_picture_that_is_stored_is_named_by_its_digest(bench: Bench) -> None:
    """An example may name any stored picture, such as one that was uploaded, by its sha256."""
    await bench.imported([FACE])
    digest = hashlib.sha256((bench.folder / FACE.path).read_bytes()).hexdigest()
    source = trials.written(bench.folder, [FACE], title="Other").read_text("utf-8")
    named = await rulesets.add(bench.api.policy, source.replace(FACE.path, f"sha256:{digest}"))
    bench.upstream.script = [trials.right([FACE])]
    assert (await bench.ran(named["version"]))["result"] == "passed"


async def test_picture_that_cannot_be_decoded_is_refused(bench: Bench) -> None:
    """A file that is a picture by its header alone is found out before anything is paid."""
    broken = replace(BOTH[1], picture=draw.png(40, 8, "red")[:-30])
    version = await bench.imported([FACE, broken])
    status, problem = await trials.check(bench.api.policy, version)
    assert (status, problem["code"]) == (422, "examples_unusable")
    assert [one["path"] for one in problem["errors"]] == ["examples[1].image"]


async def test_version_without_examples_has_nothing_to_run(bench: Bench) -> None:
    """It is said, and a version that does not exist is not found."""
    version = await bench.imported([])
    status, problem = await trials.check(bench.api.policy, version)
    assert (status, problem["code"]) == (422, "examples_unusable")
    assert (await trials.check(bench.api.policy, version + 1))[0] == 404


class TestUnpriced:
    """Where nobody can say a price."""

    @pytest.fixture(params=["nobody", "no price"])
    def offers(self, request: pytest.FixtureRequest) -> Sequence[Offer]:
        return () if request.param == "nobody" else (offer(None),)

    async def test_quote_is_impossible(self, bench: Bench) -> None:
        """Without an upstream, or its price, there is no quote and so no run."""
        version = await bench.imported(BOTH)
        status, problem = await trials.check(bench.api.policy, version)
        assert (status, problem["code"]) == (409, "quote_impossible")
