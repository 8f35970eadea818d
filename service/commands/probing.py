"""The command that finds out what an upstream really does."""

import asyncio
import dataclasses
import json
import shlex
from collections.abc import Iterator, Sequence
from typing import Any

import click

from service import app
from service.edits import Upstream
from service.errors import WorkFailed
from service.prices import MICRO
from service.probe import advising, asking
from service.probe.asking import Report


@click.group("upstream")
def upstream_group() -> None:
    """
    Find out what an upstream really does.

    \b
    Example:
      moderation upstream probe
    """


@upstream_group.command("probe")
@click.option("--upstream", "name", help="Which [[upstream]] table, where several are configured.")
@click.option("--try-all", is_flag=True, help="One paid call in every dialect, on the same host.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@click.option("--yes", is_flag=True, help="Do not ask before paying.")
def probe(name: str | None, *, try_all: bool, as_json: bool, yes: bool) -> None:
    """
    Make one paid call and say what works.

    Sends a drawn picture with a ruleset of two rules; says whether image and description came
    back, and which settings work.  Says the price first.  Needs no database, so the call is not in
    the ledger.  Exit code 1 if nothing worked or nothing was sent.

    \b
    Examples:
      MODERATION_UPSTREAM_KEY=... moderation upstream probe
      moderation upstream probe --try-all --yes --json > probe.json
    """
    configured = app.load()
    upstream = asking.chosen(app.upstreams_of(configured), name)
    calls = asking.calls(upstream, try_all=try_all)
    _agree(calls, yes=yes)
    reports = asyncio.run(asking.run(calls))
    working = [pair for pair in zip(calls, reports, strict=True) if pair[1].works]
    # One that edits is better than one that does not; of those, the configured one comes first.
    working.sort(key=lambda pair: pair[1].fact != "works")
    settings = advising.settings(working[0][0]) if working else None
    if as_json:
        click.echo(_document(upstream, reports, settings))
    else:
        for line in _lines(reports, settings, table=configured.has_tables):
            click.echo(line)
        if not working and not try_all:
            click.echo("\nOne paid call in every dialect: moderation upstream probe --try-all")
    if not working:
        raise WorkFailed("no call brought back an image and a valid description; see the advice")


def _agree(calls: Sequence[Upstream], *, yes: bool) -> None:
    """Say what it costs and ask, on stderr; WorkFailed if the answer is no."""
    for call in calls:
        where = advising.shown_url(call.url)
        price = _dollars(call.price_microusd / MICRO)
        click.echo(f"1 call to {where}, {call.dialect}, {call.model}: {price}", err=True)
    total = sum(call.price_microusd for call in calls)
    count = "1 call" if len(calls) == 1 else f"{len(calls)} calls"
    question = f"Pay {_dollars(total / MICRO)} for {count}?"
    if total and not yes and not click.confirm(question, err=True):
        raise WorkFailed("nothing was sent")


def _document(
    upstream: Upstream, reports: Sequence[Report], settings: dict[str, Any] | None
) -> str:
    document = {
        "upstream": upstream.name,
        "works": settings is not None,
        "price_usd": round(sum(report.price_usd for report in reports), 6),
        "cost_usd": round(sum(report.cost_usd for report in reports), 6),
        "settings": settings and {_variable(name): value for name, value in settings.items()},
        "results": [dataclasses.asdict(report) for report in reports],
    }
    return json.dumps(document, indent=2, ensure_ascii=False)


def _lines(
    reports: Sequence[Report], settings: dict[str, Any] | None, *, table: bool
) -> Iterator[str]:
    for report in reports:
        yield f"{report.dialect}, {report.model} at {report.url}"
        yield from (f"  {name:<12} {value}" for name, value in _rows(report) if value)
        yield f"  {report.fact}: {report.advice}"
        yield ""
    if settings is None:
        return
    if table:
        yield "The settings that work, for its [[upstream]] table (the key stays as it is):"
        yield from (f"{name} = {json.dumps(value)}" for name, value in settings.items())
    else:
        yield "The settings that work (the key stays as it is):"
        yield from (f"{_variable(name)}={_word(value)}" for name, value in settings.items())


def _rows(report: Report) -> Iterator[tuple[str, str]]:
    yield "image", _image(report)
    yield "text", _text(report)
    status = f"HTTP {report.status}" if report.status else "no answer"
    by = f" by {report.answered_model}" if report.answered_model else ""
    yield "answer", f"{status} after {report.latency_s:.2f} s{by}"
    if report.input_tokens is not None or report.output_tokens is not None:
        yield "tokens", f"{report.input_tokens} in, {report.output_tokens} out"
    yield "cost", _dollars(report.cost_usd)
    for name, value in report.request_ids.items():
        yield "id", f"{name}: {value}"
    yield "retry after", f"{report.retry_after_s:g} s" if report.retry_after_s else ""
    yield "failure", report.detail or ""
    yield "it said", report.said or ""


def _image(report: Report) -> str:
    image = report.image
    if image is None:
        return "none"
    compared = {
        True: "another picture than was sent",
        False: "the very picture that was sent",
        None: "lossy, so it cannot be told whether it was edited",
    }[image.changed]
    return f"{image.mime}, {image.width} x {image.height}; {compared}"


def _text(report: Report) -> str:
    text = report.text
    if text is None:
        return "none"
    if text.valid:
        return f"a valid description; finds {', '.join(text.findings) or 'nothing'}"
    kind = "JSON that is no description" if text.json else "no JSON object"
    return f"{kind}: {' '.join(text.faults)}"


def _variable(name: str) -> str:
    return f"MODERATION_UPSTREAM_{name.upper()}"


def _word(value: str | float) -> str:
    return shlex.quote(value if isinstance(value, str) else json.dumps(value))


def _dollars(amount: float) -> str:
    return f"${amount:.6f}".rstrip("0").rstrip(".")
