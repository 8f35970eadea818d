"""Commands that list platforms and set what they may use."""

import math
from collections.abc import Callable
from pathlib import Path

import click
from pydantic import BaseModel, ValidationError

from service import administering, enrolling
from service.commands import DATA_DIR, connected, print_table
from service.hooks.settings import HookSettings
from service.hooks.stores import FetchingSettings
from service.store import Conn, platforms
from service.store.platforms import Platform
from service.web.platforms import PlatformList, PlatformView

NONE = "none"


def _amount(least: float, most: float, kind: type[float]) -> Callable[[str], float | str]:
    """Read a number within bounds, or the word none."""

    def read(text: str) -> float | str:
        try:
            number = kind(text)
        except ValueError:
            number = math.nan
        if text == NONE or least <= number <= most:
            return NONE if text == NONE else number
        raise click.BadParameter(f"{text!r} is not allowed; allowed: {least} to {most}, or {NONE}")

    return read


def _settings(model: type[BaseModel]) -> Callable[[str], BaseModel | str]:
    """Read a file of settings, or the word none; what is wrong is told without any value."""

    def read(text: str) -> BaseModel | str:
        if text == NONE:
            return NONE
        try:
            return model.model_validate_json(Path(text).read_bytes())
        except OSError as error:
            raise click.BadParameter(f"{text}: {error.strerror}") from error
        except ValidationError as error:
            raise click.BadParameter(f"{text}: {error}") from error

    return read


@click.group("platforms")
def platforms_group() -> None:
    """
    List platforms and set what they may use.

    \b
    Example:
      moderation platforms set photo-club --max-uploads-per-day 10000
    """


@platforms_group.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@DATA_DIR
def platforms_list(data_dir: Path | None, *, as_json: bool) -> None:
    """
    List platforms, their settings and their use today.

    Days are UTC's.  A dash is the service's own default ruleset, or no limit.

    \b
    Example:
      moderation platforms list --json
    """
    found = connected(data_dir, platforms.listed)
    if as_json:
        click.echo(
            PlatformList(items=[PlatformView.of(one) for one in found]).model_dump_json(indent=2)
        )
        return
    print_table(
        (
            "platform",
            "ruleset",
            "reuse",
            "requests/s",
            "uploads/day",
            "today",
            "bytes/day",
            "today",
        ),
        [
            (
                one.name,
                one.default_ruleset or "-",
                _shown(one.reuse),
                _shown(one.max_requests_per_s),
                _shown(one.max_uploads_per_day),
                one.uploads_today,
                _shown(one.max_bytes_per_day),
                one.bytes_today,
            )
            for one in found
        ],
    )


@platforms_group.command("set")
@click.argument("name")
@click.option(
    "--default-ruleset", help="By which uploads are judged that name no ruleset, or none."
)
@click.option("--reuse/--no-reuse", default=None, help="Whether an image sent again is free.")
@click.option(
    "--max-requests-per-s",
    type=_amount(*enrolling.RATES, float),
    metavar="NUMBER",
    help="Of all its tokens together, or none.",
)
@click.option(
    "--max-uploads-per-day",
    type=_amount(0, enrolling.MOST, int),
    metavar="NUMBER",
    help="Accepted within a day (UTC), or none.",
)
@click.option(
    "--max-bytes-per-day",
    type=_amount(0, enrolling.MOST, int),
    metavar="NUMBER",
    help="Of the images accepted within a day (UTC), or none.",
)
@click.option(
    "--fetching",
    type=_settings(FetchingSettings),
    metavar="FILE",
    help="JSON of the hosts and stores that images are fetched from, or none.",
)
@click.option(
    "--hooks",
    type=_settings(HookSettings),
    metavar="FILE",
    help="JSON of the settings of its upload hooks, or none.",
)
@DATA_DIR
def platforms_set(name: str, data_dir: Path | None, **given: object) -> None:
    """
    Set what a platform may use; others stay.

    The word none takes a setting back.  An unknown platform is added.

    \b
    Examples:
      moderation platforms set photo-club --default-ruleset marketplace --max-requests-per-s 20
      moderation platforms set photo-club --max-uploads-per-day none
    """
    settings = {
        one: None if value == NONE else value for one, value in given.items() if value is not None
    }

    async def put(conn: Conn) -> Platform:
        async with conn.transaction():
            await enrolling.ensure(conn, name, administering.ACTOR)
            return await enrolling.change(conn, name, settings, administering.ACTOR)

    done = connected(data_dir, put)
    told = ", ".join(f"{one} {_shown(getattr(done, one))}" for one in platforms.SETTINGS)
    click.echo(f"{done.name}: {told}")


def _shown(value: object) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, dict):
        return "set"
    return "-" if value is None else f"{value:g}" if isinstance(value, float) else str(value)
