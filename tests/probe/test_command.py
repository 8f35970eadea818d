"""`moderation upstream probe` as a user runs it: a process, its output and its exit code."""

import asyncio
import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from service.edits.client import DIALECTS
from service.probe import specimen
from tests.probe.gateway import KEY, Gateway, Given, error, images, native
from tests.up import driving
from tests.up.driving import Ended

TOML = """
[[upstream]]
name = "first"
url = "{url}/v1"
key = "{key}"

[[upstream]]
name = "second"
url = "{url}"
key = "{key}"
dialect = "gemini"
model = 'a "model"'
price_usd = 0.01
"""


async def run(
    gateway: Gateway, *arguments: str, stdin: str = "", **settings: object
) -> tuple[Ended, str]:
    """Run the command with the gateway configured; gives its end and all that it printed."""
    configured: dict[str, object] = {
        "upstream_url": f"{gateway.url}/v1",
        "upstream_key": KEY,
        **settings,
    }
    done = await asyncio.to_thread(
        subprocess.run,
        driving.command("upstream", "probe", *arguments),
        env=driving.environment(**{name: it for name, it in configured.items() if it is not None}),
        input=stdin,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert "Traceback" not in done.stderr, done.stderr
    return Ended(done.returncode, done.stdout, done.stderr), done.stdout + done.stderr


async def test_working_upstream_prints_the_settings_that_work(gateway: Gateway) -> None:
    """Exit 0; what came back, the price said before, and lines to paste, without the key."""
    ended, printed = await run(gateway, "--yes")
    assert ended.code == 0, printed
    assert "$0.058" in ended.err
    assert "256 x 256; another picture than was sent" in ended.out
    assert "a valid description; finds black-square" in ended.out
    assert "1640 in, 1287 out" in ended.out
    assert "x-request-id: req-1" in ended.out
    assert ended.out.splitlines()[-5:] == [
        f"MODERATION_UPSTREAM_URL={gateway.url}/v1",
        "MODERATION_UPSTREAM_DIALECT=openai-images",
        "MODERATION_UPSTREAM_MODEL=gemini-3.1-flash-image-preview",
        "MODERATION_UPSTREAM_PRICE_USD=0.058",
        "MODERATION_UPSTREAM_RESPONSE_FORMAT=true",
    ]
    assert KEY not in printed
    assert (gateway.called, gateway.keys) == (["openai-images"], {KEY})


async def test_printed_settings_are_accepted_and_work(gateway: Gateway) -> None:
    """What one probe of every dialect prints makes the next probe succeed by itself."""
    del gateway.given["openai-images"]
    _, printed = await run(gateway, "--yes", "--try-all")
    lines = [line.split("=", 1) for line in printed.splitlines() if line.startswith("MODERATION_")]
    pasted = {name.removeprefix("MODERATION_").lower(): value for name, value in lines}
    assert pasted["upstream_dialect"] == "gemini"
    gateway.called.clear()
    ended, _ = await run(gateway, "--yes", **pasted)
    assert (ended.code, gateway.called) == (0, ["gemini"])


async def test_nothing_is_sent_without_a_yes(gateway: Gateway) -> None:
    """A no, an empty line and no terminal at all: the price is said, no call is made, exit 1."""
    for stdin in ("n\n", "\n", ""):
        ended, _ = await run(gateway, "--try-all", stdin=stdin)
        assert ended.code == 1
        assert ended.out == ""
        assert ended.err.count("$0.058") == len(DIALECTS)
        assert f"Pay $0.174 for {len(DIALECTS)} calls?" in ended.err
    assert gateway.called == []


async def test_yes_typed_by_hand_sends(gateway: Gateway) -> None:
    """The question is answered on stdin and asked on stderr, so a document stays a document."""
    ended, _ = await run(gateway, "--json", stdin="y\n")
    assert ended.code == 0
    assert json.loads(ended.out)["works"] is True
    assert "Pay $0.058 for 1 call?" in ended.err
    assert gateway.called == ["openai-images"]


async def test_free_upstream_is_not_asked_about(gateway: Gateway) -> None:
    """A call without a price needs no agreement."""
    ended, _ = await run(gateway, upstream_price_usd=0)
    assert (ended.code, gateway.called) == (0, ["openai-images"])
    assert "Pay" not in ended.err


async def test_all_dialects_are_tried_and_the_working_one_is_told(gateway: Gateway) -> None:
    """One call in each dialect; the document holds each, and the settings of the first to work."""
    gateway.given["openai-images"] = images(text=None)
    gateway.given["openai-chat"] = error(500, "not supported model for image generation")
    ended, printed = await run(gateway, "--try-all", "--json", "--yes")
    assert ended.code == 0, printed
    document: dict[str, Any] = json.loads(ended.out)
    assert {one["dialect"]: one["fact"] for one in document["results"]} == {
        "openai-images": "text_dropped",
        "gemini": "works",
        "openai-chat": "native_only",
    }
    assert document["works"] is True
    assert (document["price_usd"], document["cost_usd"]) == (0.174, 0.116)
    assert document["settings"] == {
        "MODERATION_UPSTREAM_URL": f"{gateway.url}/v1",
        "MODERATION_UPSTREAM_DIALECT": "gemini",
        "MODERATION_UPSTREAM_MODEL": "gemini-3.1-flash-image-preview",
        "MODERATION_UPSTREAM_PRICE_USD": 0.058,
    }
    assert sorted(gateway.called) == sorted(DIALECTS)
    assert KEY not in printed


async def test_dialect_that_edits_is_preferred(gateway: Gateway) -> None:
    """Where the configured dialect brings the sent picture back, one that edited it is advised."""
    gateway.given["openai-images"] = images(image=specimen.picture())
    ended, _ = await run(gateway, "--try-all", "--json", "--yes")
    document = json.loads(ended.out)
    assert document["results"][0]["fact"] == "unchanged"
    assert document["settings"]["MODERATION_UPSTREAM_DIALECT"] == "gemini"


async def test_key_with_a_line_break_is_refused(gateway: Gateway) -> None:
    """A key copied with its line's end fits no header: exit 2 says so, and nothing is sent."""
    ended, printed = await run(gateway, "--yes", upstream_key=f"{KEY}\n")
    assert (ended.code, gateway.called) == (2, [])
    assert "line break" in ended.complaints[0]
    assert KEY not in printed


async def test_failing_upstream_gets_advice_and_exit_1(gateway: Gateway) -> None:
    """What is wrong, what to set, what to try next; no settings are called working."""
    gateway.given["openai-images"] = images(text=None)
    ended, _ = await run(gateway, "--yes")
    assert ended.code == 1
    assert "text_dropped: " in ended.out
    assert "MODERATION_UPSTREAM_DIALECT=gemini" in ended.out
    assert "moderation upstream probe --try-all" in ended.out
    assert "settings that work" not in ended.out
    assert len(ended.complaints) == 1


async def test_document_is_one_also_where_nothing_works(gateway: Gateway) -> None:
    """Exit 1 and one JSON document on stdout, whose failure a program can read."""
    gateway.given = {}
    ended, _ = await run(gateway, "--yes", "--json", "--try-all")
    document = json.loads(ended.out)
    assert (ended.code, document["works"], document["settings"]) == (1, False, None)
    assert [one["fact"] for one in document["results"]] == ["no_route"] * len(DIALECTS)


async def test_key_and_controls_of_an_answer_are_never_shown(gateway: Gateway) -> None:
    """An upstream that repeats the key, or paints the terminal, is told without both."""
    hostile = f"\x1b[31mwrong: {KEY} \u202e\u0007"
    gateway.given = {
        "openai-images": Given({"error": {"message": hostile}}, 401, {"x-request-id": KEY}),
        "gemini": native(text=hostile),
        "openai-chat": Given(hostile, 500),
    }
    for form in ("--json", "--yes"):
        ended, printed = await run(gateway, "--try-all", "--yes", form)
        assert ended.code == 1
        assert "wrong: ***" in printed
        assert KEY not in printed
        assert not {"\x1b", "\u202e", "\u0007"} & set(printed)


@pytest.mark.slow
async def test_several_upstreams_are_told_apart_by_name(gateway: Gateway, tmp_path: Path) -> None:
    """One of several is named; its settings come as lines of its table; no name is exit 2."""
    path = tmp_path / "moderation.toml"
    path.write_text(TOML.format(url=gateway.url, key=KEY), "utf-8")

    async def ask(*arguments: str) -> tuple[Ended, str]:
        return await run(gateway, *arguments, config=path, upstream_url=None, upstream_key=None)

    ended, printed = await ask("--yes", "--upstream", "second")
    assert ended.code == 0, printed
    assert gateway.called == ["gemini"]
    assert ended.out.splitlines()[-4:] == [
        f'url = "{gateway.url}/"',
        'dialect = "gemini"',
        'model = "a \\"model\\""',
        "price_usd = 0.01",
    ]
    for arguments in ((), ("--upstream", "third")):
        refused, _ = await ask("--yes", *arguments)
        assert (refused.code, refused.out) == (2, "")
        assert "first" in refused.err
        assert "second" in refused.err
    assert gateway.called == ["gemini"]


async def test_no_upstream_is_exit_2(gateway: Gateway) -> None:
    """Without a key or an address there is nothing to probe, and the setting is named."""
    ended, _ = await run(gateway, "--yes", upstream_url=None, upstream_key=None)
    assert ended.code == 2
    assert "MODERATION_UPSTREAM_KEY" in ended.complaints[0]
