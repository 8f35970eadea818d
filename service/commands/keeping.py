"""Commands that keep tokens."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import click

from service import administering, auth
from service.commands import DATA_DIR, connected
from service.errors import WorkFailed
from service.store import Conn, tokens


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
@click.option("--name", help="What it is for; shown by `tokens list`.")
@click.option(
    "--scope",
    "scopes",
    type=click.Choice(auth.SCOPES),
    multiple=True,
    metavar="SUBJECT:read|write",
    help="All that it may do, of what its role may; once for each.",
)
@click.option(
    "--expires",
    "expires_at",
    type=click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"]),
    help="When it ends (UTC); never, if not given.",
)
@DATA_DIR
def tokens_create(
    role: auth.Role,
    platform: str | None,
    name: str | None,
    scopes: tuple[str, ...],
    expires_at: datetime | None,
    data_dir: Path | None,
) -> None:
    """
    Make a token; it is shown once.

    \b
    Examples:
      moderation tokens create --role moderator
      moderation tokens create --role platform --platform photo-club
      moderation tokens create --role admin --name bills --scope costs:read --expires 2027-12-31
    """
    ends = expires_at and expires_at.replace(tzinfo=UTC)
    order = administering.Order(role, platform, name, scopes or None, ends)
    click.echo(connected(data_dir, lambda conn: administering.create_token(conn, order)).token)


@tokens_group.command("rotate")
@click.argument("token_id", type=click.UUID)
@click.option(
    "--hours",
    type=click.FloatRange(0, 24 * 365),
    default=24,
    show_default=True,
    help="How long the old one goes on working.",
)
@DATA_DIR
def tokens_rotate(token_id: UUID, hours: float, data_dir: Path | None) -> None:
    """
    Replace a token; the new one is shown once.

    It may do what the old one may.  The old one ends by itself after --hours.

    \b
    Example:
      moderation tokens rotate 01a202ec-db8a-7196-8662-b6f753f353c6 --hours 48
    """

    async def rotate(conn: Conn) -> administering.Made:
        return await administering.rotate_token(conn, token_id, timedelta(hours=hours))

    click.echo(connected(data_dir, rotate).token)


@tokens_group.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@DATA_DIR
def tokens_list(data_dir: Path | None, *, as_json: bool) -> None:
    """
    List tokens, without their values.

    Columns: id, role, platform, name, scopes, and when it was created, expires, was last used and
    was revoked.

    \b
    Example:
      moderation tokens list --json
    """
    rows: list[dict[str, Any]] = [
        {
            "id": str(one.id),
            "role": one.role,
            "platform": one.platform,
            "name": one.name,
            "scopes": one.scopes,
            "created_at": one.created_at.isoformat(),
            "expires_at": one.expires_at and one.expires_at.isoformat(),
            "last_used_at": one.last_used_at and one.last_used_at.isoformat(),
            "revoked_at": one.revoked_at and one.revoked_at.isoformat(),
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
