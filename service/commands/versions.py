"""What the commands about rulesets share: how a version is named, and who may judge by it."""

import re
from typing import NamedTuple

import click

from service import app, catalogue, quoting
from service.policy.tokens import Window
from service.store import Conn

AS_JSON = click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")


class Reference(NamedTuple):
    """A version by its number; None for the one that the command takes if none is named."""

    name: str
    version: int | None


def reference(_: click.Context, __: click.Parameter, value: str | None) -> Reference | None:
    """Read ``NAME`` or ``NAME@VERSION``; a usage error where it is neither."""
    if value is None:
        return None
    found = re.fullmatch(r"([^@]+)(?:@([1-9][0-9]{0,8}))?", value)
    if found is None:
        raise click.BadParameter(f"{value!r} is neither NAME nor NAME@VERSION, such as privacy@3")
    return Reference(found[1], int(found[2]) if found[2] else None)


VERSION = click.argument("version", metavar="NAME[@VERSION]", callback=reference)


async def live(conn: Conn, wanted: Reference) -> int:
    """Tell the version that is named, else the live one, else the newest."""
    if wanted.version is not None:
        return wanted.version
    found = await catalogue.ruleset(conn, wanted.name)
    return found.live_version or found.newest_version


async def newest(conn: Conn, wanted: Reference) -> int:
    """Tell the version that is named, else the newest."""
    return wanted.version or (await catalogue.ruleset(conn, wanted.name)).newest_version


def offers() -> list[quoting.Offer]:
    """Tell what the configured upstreams take and cost."""
    return quoting.offers_of(app.load().upstream)


def windows(model: str | None) -> list[Window]:
    """Tell what the upstreams take that may judge by a ruleset, which may name a model."""
    return quoting.windows(offers(), model)
