"""Commands that keep tokens and rulesets."""

import json
from pathlib import Path
from typing import Any
from uuid import UUID

import click

from service import administering, app, auth, publishing
from service.commands import DATA_DIR, connected
from service.errors import WorkFailed
from service.policy.rulesets import Ruleset
from service.policy.tokens import Window
from service.store import rulesets, tokens
from service.upstreams import VENDOR_MODEL


@click.group("tokens")
def tokens_group() -> None:
    """
    Make, list and end bearer tokens.

    In the database of MODERATION_DATABASE_URL, else in that of a running `up`.

    \b
    Example:
      moderation tokens create --role moderator
    """


@tokens_group.command("create")
@click.option("--role", type=click.Choice(auth.ROLES), required=True)
@click.option("--platform", help="The platform it stands for; exactly with --role platform.")
@DATA_DIR
def tokens_create(role: auth.Role, platform: str | None, data_dir: Path | None) -> None:
    """
    Make a token; it is shown once.

    \b
    Examples:
      moderation tokens create --role moderator
      moderation tokens create --role platform --platform photo-club
    """
    click.echo(connected(data_dir, lambda conn: administering.create_token(conn, role, platform)))


@tokens_group.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@DATA_DIR
def tokens_list(data_dir: Path | None, *, as_json: bool) -> None:
    """
    List tokens, without their values.

    Columns: id, role, platform, when it was created and when it was revoked.

    \b
    Example:
      moderation tokens list --json
    """
    rows: list[dict[str, Any]] = [
        {
            "id": str(one.id),
            "role": one.role,
            "platform": one.platform,
            "created_at": one.created_at.isoformat(),
            "revoked_at": one.revoked_at.isoformat() if one.revoked_at else None,
        }
        for one in connected(data_dir, tokens.listed)
    ]
    if as_json:
        click.echo(json.dumps({"items": rows}, indent=2))
        return
    for row in rows:
        click.echo("  ".join(str(value or "-") for value in row.values()))


@tokens_group.command("revoke")
@click.argument("token_id", type=click.UUID)
@DATA_DIR
def tokens_revoke(token_id: UUID, data_dir: Path | None) -> None:
    """
    End a token at once, by its id as `tokens list` shows it.

    \b
    Example:
      moderation tokens revoke 01a202ec-db8a-7196-8662-b6f753f353c6
    """
    if not connected(data_dir, lambda conn: administering.revoke_token(conn, token_id)):
        raise WorkFailed(f"no token {token_id}, or it was revoked before")


@click.group("rulesets")
def rulesets_group() -> None:
    """
    Check and publish rulesets.

    In the database of MODERATION_DATABASE_URL, else in that of a running `up`.

    \b
    Example:
      moderation rulesets check rulesets/
    """


@rulesets_group.command("check")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
def rulesets_check(files: tuple[Path, ...]) -> None:
    """
    Check ruleset files, offline and free.

    Every fault is told with its line and column, and where a ruleset is too long for an upstream.

    \b
    Example:
      moderation rulesets check rulesets/
    """
    for source in publishing.read(files):
        size = publishing.check(source.ruleset, _windows(source.ruleset))
        click.echo(
            f"{source.path}: good; {len(source.ruleset.rules)} rules, prompt of {size.chars}"
            f" characters, about {size.tokens} tokens"
        )


@rulesets_group.command("import")
@click.argument("folder", type=click.Path(path_type=Path))
@DATA_DIR
def rulesets_import(folder: Path, data_dir: Path | None) -> None:
    """
    Make a folder's rulesets live, each as a version.

    The same content twice is one version.  If one of them is refused, none goes live.

    \b
    Example:
      moderation rulesets import rulesets/
    """
    sources = [(one, _windows(one.ruleset)) for one in publishing.read([folder])]
    for source, windows in sources:
        publishing.check(source.ruleset, windows)
    for source, windows in sources:
        done = connected(
            data_dir,
            lambda conn, source=source, windows=windows: publishing.publish(
                conn, source.ruleset, source.text, administering.ACTOR, windows
            ),
        )
        click.echo(f"{done.name}/{done.version} {'is new and live' if done.new else 'is live'}")


@rulesets_group.command("list")
@DATA_DIR
def rulesets_list(data_dir: Path | None) -> None:
    """
    List rulesets with their live versions.

    \b
    Example:
      moderation rulesets list
    """
    for row in connected(data_dir, rulesets.listed):
        click.echo(f"{row['name']}/{row['live_version']}  {row['title']}")


def _windows(ruleset: Ruleset) -> list[Window]:
    """Tell what the upstreams take; where none is configured, the ruleset's or default model."""
    return [
        Window(one.name, one.model, one.max_prompt_chars, one.context_tokens)
        for one in app.load().upstream
    ] or [Window("default", ruleset.model or VENDOR_MODEL)]
