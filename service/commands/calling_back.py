"""Commands about callbacks: where they go, and whether a captured one is genuine."""

import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, BinaryIO

import click

from service import administering, app, callbacks, standard_webhooks, subscribing
from service.commands import DATA_DIR, connected
from service.errors import WorkFailed
from service.standard_webhooks import TOLERANCE, SignatureRefused
from service.store import endpoints

MOST_SHOWN = 10_000


@click.group("endpoints")
def endpoints_group() -> None:
    """
    Say where platforms are called back.

    \b
    Example:
      moderation endpoints add --platform photo-club --url https://photo.example/hooks
    """


@endpoints_group.command("add")
@click.option("--platform", required=True, help="Whose uploads it is told of.")
@click.option("--url", required=True, help="https, or http on port 80.")
@click.option(
    "--event",
    "events",
    multiple=True,
    type=click.Choice(sorted(callbacks.EVENTS.values())),
    help="May be repeated; all if absent.",
)
@DATA_DIR
def endpoints_add(platform: str, url: str, events: tuple[str, ...], data_dir: Path | None) -> None:
    """
    Add an endpoint; its secret is shown once.

    \b
    Example:
      moderation endpoints add --platform photo-club --url https://photo.example/hooks
    """
    hosts = app.load(data_dir=data_dir).callback_hosts
    added = connected(
        data_dir,
        lambda conn: subscribing.add(
            conn, administering.ACTOR, platform, url, events or None, hosts
        ),
    )
    click.echo(f"{added.endpoint.id}  {added.secret}")


@endpoints_group.command("list")
@click.option("--platform", help="Only its own.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@DATA_DIR
def endpoints_list(platform: str | None, data_dir: Path | None, *, as_json: bool) -> None:
    """
    List endpoints, without their secrets.

    Columns: id, platform, state, events, address.

    \b
    Example:
      moderation endpoints list --json
    """
    found = connected(data_dir, lambda conn: endpoints.listed(conn, platform, None, MOST_SHOWN))
    rows: list[dict[str, Any]] = [
        {
            "id": str(one.id),
            "platform": one.platform,
            "state": "disabled" if one.disabled_at else "failing" if one.failing_since else "well",
            "events": ",".join(one.events),
            "url": one.url,
        }
        for one in found
    ]
    if as_json:
        click.echo(json.dumps({"items": rows}, indent=2))
        return
    for row in rows:
        click.echo("  ".join(row.values()))


@click.group("callbacks")
def callbacks_group() -> None:
    """
    Look at callbacks as a receiver does.

    \b
    Example:
      moderation callbacks verify request.txt --secret whsec_...
    """


@callbacks_group.command("verify")
@click.argument("file", type=click.File("rb"))
@click.option("--secret", required=True, envvar="SECRET", help="The endpoint's.  [SECRET]")
def callbacks_verify(file: BinaryIO, secret: str) -> None:
    """
    Check the signature of a captured request.

    FILE (- for stdin) is the request as it came: headers, an empty line, and the bytes of the body.

    \b
    Example:
      moderation callbacks verify request.txt --secret whsec_...
    """
    sent, body = _taken_apart(file.read())
    told = sent.get("content-length", "")
    if told.isascii() and told.isdigit() and int(told) != len(body):
        raise WorkFailed(f"not as it was sent: the body has {len(body)} bytes, not {told}")
    try:
        at = standard_webhooks.verify([secret], sent, body)
    except SignatureRefused as error:
        raise WorkFailed(f"not genuine: {error}") from error
    except ValueError as error:
        raise click.UsageError(f"--secret: {error}") from error
    click.echo(f"genuine: signed at {at.isoformat()}, {len(body)} bytes, id {sent['webhook-id']}")
    age = datetime.now(UTC) - at
    if abs(age) > TOLERANCE:
        when = "ago" if age > timedelta() else "from now"
        click.echo(
            f"a receiver refuses it: signed {abs(age).total_seconds():.0f} s {when}, over 300 s"
        )


def _taken_apart(request: bytes) -> tuple[dict[str, str], bytes]:
    """Split a request into headers, by names in lower case, and body; its first line may lack."""
    begin, *rest = re.split(rb"\r?\n\r?\n", request, maxsplit=1)
    body = b"".join(rest)
    fields = (line.partition(":") for line in begin.decode("latin-1").splitlines())
    sent = {name.strip().lower(): value.strip() for name, colon, value in fields if colon}
    # Editors end a file with a line break that was never sent.
    trimmed = body.removesuffix(b"\n").removesuffix(b"\r")
    return sent, trimmed if sent.get("content-length") == str(len(trimmed)) else body
