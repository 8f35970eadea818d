"""The command that runs a version's golden examples through the service."""

import asyncio
import json
import sys
from collections import Counter
from collections.abc import Callable, Coroutine, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias
from urllib.parse import quote

import click

from service import submitting
from service.client import Client
from service.commands import DATA_DIR, in_dollars, print_table, reaching
from service.commands.versions import AS_JSON, VERSION, Reference
from service.errors import WorkFailed

Check: TypeAlias = dict[str, Any]
Opened: TypeAlias = AbstractAsyncContextManager[Client]
POLL_S = 0.5


@click.command("test")
@VERSION
@click.option("--yes", is_flag=True, help="Do not ask before paying.")
@click.option("--last", is_flag=True, help="Start nothing; show the last run, or follow it.")
@click.option("--url", help="Address of the service.  [MODERATION_PUBLIC_URL]")
@AS_JSON
@DATA_DIR
def rulesets_test(
    version: Reference,
    url: str | None,
    data_dir: Path | None,
    *,
    yes: bool,
    last: bool,
    as_json: bool,
) -> None:
    """
    Run a version's golden examples.

    Of a NAME alone the newest version.  The pictures go through a running service like any upload,
    and cost as much: the price is said first, and asked for if there is one.  It is never passed,
    since what failed and was paid for is not tried again.

    The token is MODERATION_TOKEN (role policy), or the one that `up` keeps in its data folder.
    Exit code 1 if an example failed or came back without a description.  What could not be assessed
    is counted apart.

    \b
    Examples:
      moderation rulesets test privacy
      moderation rulesets test privacy@4 --yes --json > check.json
      moderation rulesets test privacy --last
    """
    service = partial(submitting.opened, *reaching.reached("policy", url, data_dir))
    place = asyncio.run(_place(service(), version))
    price = None if last else _agreed(asyncio.run(_quoted(service(), place)), yes=yes)
    check = _watched(partial(_followed, service(), place, price))
    if as_json:
        click.echo(json.dumps(check, indent=2, ensure_ascii=False))
    else:
        _show(check)
    if check["result"] == "failed":
        raise WorkFailed(f"golden examples of {_named(check)} did not pass")


async def _place(service: Opened, version: Reference) -> str:
    """Tell where the version is that was named, else the newest."""
    path = f"/v1/rulesets/{quote(version.name, safe='')}"
    async with service as client:
        number = version.version or (await client.json("GET", path))["newest_version"]
    return f"{path}/versions/{number}"


async def _quoted(service: Opened, place: str) -> dict[str, Any]:
    async with service as client:
        return await client.json("POST", f"{place}/check")


async def _followed(
    service: Opened, place: str, price: dict[str, int] | None, tell: Callable[[Check], None]
) -> Check:
    """Start a run for the price that was agreed to, else take the last one; wait for its end."""
    async with service as client:
        if price is not None:
            check = await client.json("POST", f"{place}/check", json={"confirm": price})
        else:
            page = await client.json("GET", f"{place}/checks?limit=1")
            if not page["items"]:
                raise WorkFailed("these golden examples were never run; leave --last out")
            check = page["items"][0]
        path = f"{place}/checks/{check['id']}"
        tell(check)
        while check["result"] == "running":
            await asyncio.sleep(POLL_S)
            check = await client.json("GET", path)
            tell(check)
        return await client.json("GET", path)


def _agreed(offered: Mapping[str, Any], *, yes: bool) -> dict[str, int]:
    """Say what the run costs, on stderr, and ask if it costs anything; give what is agreed to."""
    calls = Counter((one["upstream"], one["model"], one["microusd"]) for one in offered["examples"])
    for (upstream, model, microusd), count in calls.items():
        click.echo(
            f"{_calls(count)} to {upstream} ({model}), {in_dollars(microusd)} each", err=True
        )
    total = in_dollars(offered["microusd"])
    question = f"Pay at most {total} for {_calls(offered['calls'])}?"
    if offered["microusd"] and not yes and not click.confirm(question, err=True):
        raise WorkFailed("nothing was sent")
    return {name: offered[name] for name in ("calls", "microusd")}


def _watched(follow: Callable[[Callable[[Check], None]], Coroutine[Any, Any, Check]]) -> Check:
    """Follow a run behind a progress bar."""
    shown = 0

    def tell(check: Check) -> None:
        nonlocal shown
        counts = check["examples"]
        bar.length = counts["total"]
        bar.update(counts["total"] - counts["running"] - shown)
        shown = counts["total"] - counts["running"]

    try:
        with click.progressbar(length=0, label="examples", file=sys.stderr) as bar:
            return asyncio.run(follow(tell))
    except KeyboardInterrupt:
        raise WorkFailed("stopped watching; the run goes on, and --last shows it") from None


def _show(check: Mapping[str, Any]) -> None:
    rows = [_example(one) for one in check["by_example"]]
    print_table(("example", "result", "expected", "found"), rows)
    click.echo()
    kinds = ("true_positives", "false_negatives", "false_positives", "true_negatives")
    print_table(
        ("rule", "found", "missed", "found wrongly", "rightly not found", "not assessed"),
        [
            (one["rule"], *(one[kind] for kind in kinds), one["not_assessed"])
            for one in check["by_rule"]
        ],
    )
    examples, rules = check["examples"], check["rules"]
    result = check["result"].replace("_", " ")
    click.echo(
        f"\n{_named(check)} {result}: assessed {rules['assessed']} of {rules['total']}"
        f" rules, {examples['assessed']} of {examples['total']} examples"
        f" ({examples['passed']} passed, {examples['failed']} failed);"
        f" {_calls(check['calls'])}, {in_dollars(check['cost_microusd'])}"
        f" of at most {in_dollars(check['quoted_microusd'])}"
    )


def _example(one: Mapping[str, Any]) -> Sequence[str]:
    expected, got = one["expected"], one["got"]
    result = one["status"].replace("_", " ")
    return one["image"], result, _side(expected), _side(got)


def _side(side: Mapping[str, Any]) -> str:
    return ": ".join(part for part in (side["outcome"] or "-", ", ".join(side["rules"])) if part)


def _calls(count: int) -> str:
    return "1 call" if count == 1 else f"{count} calls"


def _named(check: Mapping[str, Any]) -> str:
    return f"{check['ruleset']}@{check['version']}"
