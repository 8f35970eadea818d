"""Commands that keep tokens and rulesets."""

import asyncio
import json
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, TypeVar
from uuid import UUID

import click

from service import administering, app, auth, publishing
from service.errors import WorkFailed
from service.store import rulesets, tokens

Result = TypeVar("Result")


@click.group("tokens")
def tokens_group() -> None:
    """Make, list and end bearer tokens."""


@tokens_group.command("create")
@click.option("--role", type=click.Choice(auth.ROLES), required=True)
@click.option("--platform", help="The platform it stands for; exactly with --role platform.")
def tokens_create(role: auth.Role, platform: str | None) -> None:
    """
    Make a token; it is shown once.

    \b
    Examples:
      moderation tokens create --role moderator
      moderation tokens create --role platform --platform photo-club
    """
    click.echo(_connected(lambda conn: administering.create_token(conn, role, platform)))


@tokens_group.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def tokens_list(*, as_json: bool) -> None:
    """List tokens, without their values."""
    rows: list[dict[str, Any]] = [
        {
            "id": str(one.id),
            "role": one.role,
            "platform": one.platform,
            "created_at": one.created_at.isoformat(),
            "revoked_at": one.revoked_at.isoformat() if one.revoked_at else None,
        }
        for one in _connected(tokens.listed)
    ]
    if as_json:
        click.echo(json.dumps({"items": rows}, indent=2))
        return
    for row in rows:
        click.echo("  ".join(str(value or "-") for value in row.values()))


@tokens_group.command("revoke")
@click.argument("token_id", type=click.UUID)
def tokens_revoke(token_id: UUID) -> None:
    """End a token at once, by its id."""
    if not _connected(lambda conn: administering.revoke_token(conn, token_id)):
        raise WorkFailed(f"no token {token_id}, or it was revoked before")


@click.group("rulesets")
def rulesets_group() -> None:
    """Check and publish rulesets."""


@rulesets_group.command("check")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
def rulesets_check(files: tuple[Path, ...]) -> None:
    """
    Check ruleset files, offline and free: every fault with its line and column.

    \b
    Example:
      moderation rulesets check rulesets/
    """
    for source in publishing.read(files):
        rules = len(source.ruleset.rules)
        length = publishing.prompt_length(source.ruleset)
        click.echo(f"{source.path}: good; {rules} rules, prompt of {length} characters")


@rulesets_group.command("import")
@click.argument("folder", type=click.Path(path_type=Path))
def rulesets_import(folder: Path) -> None:
    """Make a folder's rulesets versions and live; the same content twice is one version."""
    for source in publishing.read([folder]):
        done = _connected(
            lambda conn, source=source: publishing.publish(
                conn, source.ruleset, source.text, administering.ACTOR
            )
        )
        click.echo(f"{done.name}/{done.version} {'is new and live' if done.new else 'is live'}")


@rulesets_group.command("list")
def rulesets_list() -> None:
    """List rulesets with their live versions."""
    for row in _connected(rulesets.listed):
        click.echo(f"{row['name']}/{row['live_version']}  {row['title']}")


def _connected(work: Callable[..., Coroutine[Any, Any, Result]]) -> Result:
    configured = app.load()

    async def run() -> Result:
        async with app.connected(configured) as conn:
            return await work(conn)

    return asyncio.run(run())
