"""Runs of golden examples: what comes of them, and that nobody else is touched by them."""

from dataclasses import replace
from pathlib import Path

import asyncpg
import pytest

from service import administering, publishing
from service.administering import Order
from service.errors import InputRefused
from tests import draw, rulesets, trials
from tests.flows import driving
from tests.trials import BOTH, FACE, PLAIN, Bench
from tests.upstream import described, finding

PLATFORM = "golden-examples"


async def test_each_example_and_each_rule_is_told(bench: Bench) -> None:
    """Of three examples one passes, one fails and one could not be assessed; rules are counted."""
    plates = trials.Golden(3, ("plates",), "redacted")
    version = await bench.imported([*BOTH, plates])
    wrongly = described(findings=[finding("faces")])
    blind = described(not_assessed=["plates"])
    bench.upstream.script = [trials.each({1: wrongly, 2: wrongly, 3: blind})] * 3
    done = await bench.ran(version)
    assert done["result"] == "failed"
    assert [one["status"] for one in done["by_example"]] == ["passed", "failed", "not_assessed"]
    assert [one["got"] for one in done["by_example"]] == [
        {"rules": ["faces"], "outcome": "redacted"},
        {"rules": ["faces"], "outcome": "redacted"},
        {"rules": [], "outcome": "not_assessed"},
    ]
    assert done["by_example"][1]["expected"] == {"rules": [], "outcome": "clean"}
    assert done["by_example"][2]["not_assessed"] == ["plates"]
    counts = {"total": 3, "running": 0, "passed": 1, "failed": 1, "not_assessed": 1, "assessed": 2}
    assert done["examples"] == counts
    assert done["rules"] == {"total": 2, "assessed": 2}
    confusion = {one.pop("rule"): tuple(one.values()) for one in done["by_rule"]}
    assert confusion == {"faces": (1, 1, 0, 1, 0), "plates": (0, 0, 0, 2, 1)}


async def test_runs_are_kept_with_their_version(bench: Bench) -> None:
    """Each run can be read later, the newest first, page by page; not under another version."""
    version = await bench.imported([PLAIN])
    other = await bench.imported([PLAIN], title="Other")
    runs = [await bench.ran(version) for _ in range(3)]
    status, page, _ = await bench.api.moderator.ask(
        "GET", f"{trials.place(version)}/checks?limit=2"
    )
    assert status == 200
    assert [one["id"] for one in page["items"]] == [runs[2]["id"], runs[1]["id"]]
    where = f"{trials.place(version)}/checks?limit=2&cursor={page['next']}"
    _, rest, _ = await bench.api.admin.ask("GET", where)
    assert ([one["id"] for one in rest["items"]], rest["next"]) == ([runs[0]["id"]], None)
    assert {one["result"] for one in (*page["items"], *rest["items"])} == {"passed"}
    status, problem, _ = await bench.api.policy.ask(
        "GET", f"{trials.place(other)}/checks/{runs[0]['id']}"
    )
    assert (status, problem["code"]) == (404, "not_found")


async def test_draft_is_run_under_its_own_version_and_the_live_one_stays(bench: Bench) -> None:
    """A draft's examples are judged by the draft's prompt, and what is live does not change."""
    live = await bench.imported([], draft=False)
    draft = await bench.imported([PLAIN], title="Second")
    await bench.ran(draft)
    (call,) = bench.upstream.calls
    assert f'version="{draft}"' in call.prompt
    assert "Second" in call.prompt
    status, found, _ = await bench.api.policy.ask("GET", "/v1/rulesets/shop")
    assert (status, found["live_version"]) == (200, live)
    versions = await bench.owner.fetch("SELECT DISTINCT version FROM uploads")
    assert [row["version"] for row in versions] == [draft]


async def test_nobody_else_sees_golden_uploads(bench: Bench) -> None:
    """No callback is written, no platform reads them, and records have them only if asked for."""
    version = await bench.imported(BOTH)
    bench.upstream.script = [trials.right(BOTH)] * 2
    done = await bench.ran(version)
    own = await driving.queued(bench.pool, draw.png(30, 8, "blue"), ruleset="privacy")
    async with bench.working():
        await driving.ended(bench.owner, own)
    callbacks = await bench.owner.fetch("SELECT upload_id FROM callbacks")
    assert [row["upload_id"] for row in callbacks] == [own]
    golden = {one["upload"] for one in done["by_example"]}
    for upload in golden:
        assert (await bench.api.platform.ask("GET", f"/v1/uploads/{upload}"))[0] == 404
    _, records, _ = await bench.api.moderator.ask("GET", "/v1/records")
    assert [one["id"] for one in records["items"]] == [str(own)]
    _, asked, _ = await bench.api.moderator.ask("GET", f"/v1/records?platform={PLATFORM}")
    assert {one["id"] for one in asked["items"]} == golden


async def test_nobody_gets_a_token_of_the_golden_platform(bench: Bench) -> None:
    """The platform is the service's own; a token of it would see and send its uploads."""
    async with bench.pool.acquire() as conn:
        with pytest.raises(InputRefused, match="service's own platform"):
            await administering.create_token(conn, Order("platform", PLATFORM))


@pytest.mark.parametrize("role", ["platform", "moderator", "admin"])
async def test_only_policy_staff_run_examples(role: str, bench: Bench) -> None:
    """Others may not even ask for a quote."""
    version = await bench.imported(BOTH)
    status, problem = await trials.check(getattr(bench.api, role), version)
    assert (status, problem["code"]) == (403, "role_not_allowed")


async def test_who_ran_what_is_audited(bench: Bench) -> None:
    """The trail names the version, the actor and the price agreed to."""
    version = await bench.imported([PLAIN])
    run = await trials.started(bench.api.policy, version)
    (entry,) = await bench.owner.fetch("SELECT * FROM audit WHERE action = 'ruleset.check'")
    assert (entry["subject"], entry["actor"]) == (f"shop/{version}", run["actor"])
    assert entry["actor"].startswith("token:")
    assert entry["detail"] == {
        "trial": run["id"],
        "calls": 1,
        "microusd": run["quoted_microusd"],
    }


async def test_what_a_run_was_is_never_rewritten(bench: Bench) -> None:
    """Neither the application nor the owner changes runs; nobody raises an upload's ceiling."""
    await trials.started(bench.api.policy, await bench.imported([PLAIN]))
    for table, column in (
        ("trials", "quoted_microusd"),
        ("trial_examples", "position"),
        ("example_pictures", "version"),
    ):
        for statement in (
            f"UPDATE {table} SET {column} = {column}",
            f"DELETE FROM {table}",
            f"TRUNCATE {table} CASCADE",
        ):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await bench.pool.execute(statement)
            with pytest.raises(asyncpg.RestrictViolationError):
                await bench.owner.execute(statement)
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await bench.pool.execute("UPDATE uploads SET max_cost_microusd = 1000000")


async def test_path_never_means_another_picture(bench: Bench) -> None:
    """The same content with another picture under the same name is refused, with what to do."""
    await bench.imported(BOTH)
    with pytest.raises(InputRefused, match="give the new one a name of its own"):
        await bench.imported([FACE, replace(PLAIN, picture=draw.png(9, 9, "blue"))])


def test_files_that_are_no_pictures_are_all_named_at_import(tmp_path: Path) -> None:
    """They are faults of the ruleset's file, each at its place."""
    path = trials.written(tmp_path, BOTH)
    for one in BOTH:
        (tmp_path / one.path).write_text("no picture")
    with pytest.raises(InputRefused) as caught:
        publishing.read([path])
    faults = [(fault["file"], fault["path"]) for fault in caught.value.errors or []]
    assert faults == [(str(path), f"examples[{at}].image") for at in range(2)]


async def test_new_version_keeps_the_pictures_of_its_paths(bench: Bench) -> None:
    """Who edits a ruleset over HTTP, without the files, has the pictures that the paths meant."""
    first = await bench.imported(BOTH)
    edited = trials.written(bench.folder, BOTH, title="Edited").read_text("utf-8")
    second = (await rulesets.add(bench.api.policy, edited))["version"]
    assert second == first + 1
    bench.upstream.script = [trials.right(BOTH)] * 2
    assert (await bench.ran(second))["result"] == "passed"


class TestPublishing:
    """Golden examples stand before a release."""

    async def test_version_whose_examples_failed_is_not_published(self, bench: Bench) -> None:
        """409 examples_failed, and the live version stays; with a reason it is overridden."""
        live = await bench.imported([], draft=False)
        version = await bench.imported(BOTH)
        assert (await bench.ran(version))["result"] == "failed"  # It finds no face.
        path = f"{trials.place(version)}/publish"
        policy = bench.api.policy
        for body in ({}, {"reason": "because"}):
            status, problem, _ = await policy.ask("POST", path, json=body)
            assert (status, problem["code"]) == (409, "examples_failed")
        assert (await policy.ask("GET", "/v1/rulesets/shop"))[1]["live_version"] == live
        reason = "the example is out of date"
        done = await rulesets.publish(policy, version, override=True, reason=reason)
        assert (done["examples"], done["release"]["override"]) == ("failed", True)
        assert done["release"]["reason"] == reason
        entry = await bench.owner.fetchrow(
            "SELECT * FROM audit WHERE action = 'ruleset.publish' ORDER BY id DESC LIMIT 1"
        )
        assert entry is not None
        assert entry["subject"] == f"shop/{version}"
        assert (entry["detail"]["override"], entry["detail"]["reason"]) == (True, reason)

    async def test_last_run_that_has_ended_counts(self, bench: Bench) -> None:
        """Not run, then failed, then passed; one that is under way changes nothing yet."""
        version = await bench.imported(BOTH)
        path = f"{trials.place(version)}/publish"
        await bench.ran(version)
        bench.upstream.script = [trials.right(BOTH)] * 2
        await trials.started(bench.api.policy, version)
        status, problem, _ = await bench.api.policy.ask("POST", path)
        assert (status, problem["code"]) == (409, "examples_failed")
        assert (await bench.ran(version))["result"] == "passed"
        assert (await rulesets.publish(bench.api.policy, version))["examples"] == "passed"

    async def test_typed_failure_is_never_a_pass(self, bench: Bench) -> None:
        """An example whose upload failed says nothing of the ruleset, so the run has not passed."""
        version = await bench.imported([PLAIN])
        bench.upstream.script = [trials.refusing()]
        done = await bench.ran(version)
        assert (done["by_example"][0]["status"], done["result"]) == ("not_assessed", "failed")
        status, problem, _ = await bench.api.policy.ask("POST", f"{trials.place(version)}/publish")
        assert (status, problem["code"]) == (409, "examples_failed")

    async def test_what_nobody_could_assess_is_published_and_said(self, bench: Bench) -> None:
        """An upstream that can judge no rule stops nobody, and the answer says so."""
        version = await bench.imported(BOTH)
        bench.upstream.script = [described(not_assessed=["faces", "plates"])] * 2
        done = await bench.ran(version)
        assert (done["result"], done["rules"]["assessed"]) == ("not_assessed", 0)
        assert (await rulesets.publish(bench.api.policy, version))["examples"] == "not_assessed"

    async def test_version_whose_examples_never_ran_may_be_published(self, bench: Bench) -> None:
        """As imports from git need; the answer says so."""
        version = await bench.imported(BOTH)
        assert (await rulesets.publish(bench.api.policy, version))["examples"] == "not_run"
