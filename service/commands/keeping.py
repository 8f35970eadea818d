"""Commands that keep tokens."""

import json
from pathlib import Path
from typing import Any
from uuid import UUID

import click

from service import administering, auth
from service.commands import DATA_DIR, connected
from service.errors import WorkFailed
from service.store import tokens


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
