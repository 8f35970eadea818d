"""The command that shows what a hook would understand; nothing is sent and nothing is read."""

import json
from pathlib import Path
from typing import Any

import click
from pydantic import ValidationError

from service.commands import print_table
from service.errors import InputRefused, WorkFailed
from service.hooks import Fault, Ignored, Item, Link, Message, Result, StoredObject, presets
from service.hooks.settings import HookSettings

FILE = click.Path(path_type=Path, exists=True, dir_okay=False)


@click.group("hooks")
def hooks_group() -> None:
    """
    See what upload hooks understand.

    \b
    Example:
      moderation hooks try event.json --preset s3
    """


@hooks_group.command("try")
@click.argument("file", type=FILE)
@click.option(
    "--preset", type=click.Choice(list(presets.PRESETS)), required=True, help="Whose message it is."
)
@click.option("--header", "headers", multiple=True, help="A header of it, as NAME: VALUE.")
@click.option("--settings", type=FILE, help="Hook settings of a platform (JSON).")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def hooks_try(
    file: Path, preset: str, headers: tuple[str, ...], settings: Path | None, *, as_json: bool
) -> None:
    """
    Show what a hook would understand of a message.

    FILE is the body that a sender would post.  Nothing is sent or stored, and no signature is
    checked.  Exit code 1 if something in it cannot be used.

    \b
    Examples:
      moderation hooks try event.json --preset s3
      moderation hooks try photo.png --preset cloudevents --header "ce-specversion: 1.0" ...
      moderation hooks try ours.json --preset generic --settings hooks.json --json
    """
    message = Message.of([_header(one) for one in headers], file.read_bytes())
    results = presets.read(preset, message, _settings(settings))
    if as_json:
        shown = [_document(result) for result in results]
        click.echo(json.dumps({"items": shown}, indent=2, ensure_ascii=False))
    else:
        print_table(("understood", "external id", "what"), list(map(_row, results)))
    faults = sum(isinstance(result, Fault) for result in results)
    if faults:
        raise WorkFailed(f"{faults} of {len(results)} cannot be used")


def _header(line: str) -> tuple[str, str]:
    name, colon, value = line.partition(":")
    if not (colon and name.strip()):
        raise click.BadParameter(f"{line!a} is not NAME: VALUE", param_hint="--header")
    return name.strip(), value.strip()


def _settings(file: Path | None) -> HookSettings:
    if file is None:
        return HookSettings()
    try:
        return HookSettings.model_validate_json(file.read_bytes())
    except ValidationError as error:
        faults: list[dict[str, object]] = [
            {"file": str(file), "path": "/".join(map(str, one["loc"])), "message": one["msg"]}
            for one in error.errors(include_input=False)
        ]
        raise InputRefused(
            "validation_failed", f"{file} holds no hook settings", errors=faults
        ) from error


def _document(result: Result) -> dict[str, Any]:
    match result:
        case Item():
            return {
                "understood": "image",
                "source": _source(result),
                "external_id": result.external_id,
                "metadata": result.metadata,
                "event_id": result.event_id,
            }
        case Ignored():
            return {"understood": "ignored", "reason": result.reason}
        case Fault():
            return {"understood": "fault", "place": result.place, "message": result.message}


def _source(item: Item) -> dict[str, Any]:
    match item.source:
        case Link():
            return {"url": item.source.url}
        case StoredObject():
            told = item.source
            return {"bucket": told.bucket, "key": told.key, "version": told.version}
        case bytes():
            return {"image_bytes": len(item.source)}


def _row(result: Result) -> tuple[str, str, str]:
    match result:
        case Item():
            told = {name: value for name, value in _source(result).items() if value is not None}
            said = ", ".join(f"{name} {value}" for name, value in told.items())
            return "image", result.external_id or "-", said
        case Ignored():
            return "ignored", "-", result.reason
        case Fault():
            return "fault", "-", result.message
