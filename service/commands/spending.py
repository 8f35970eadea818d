"""Commands about money: what calls cost, and the budgets that stop them."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from service import budgeting, costing
from service.commands import DATA_DIR, connected, in_dollars, print_table
from service.errors import WorkFailed
from service.store import Conn, budgets, costs

DAY = click.DateTime(["%Y-%m-%d"])


@click.command("costs")
@click.option(
    "--by", type=click.Choice(costs.BY), default="day", show_default=True, help="What to sum by."
)
@click.option("--from", "begin", type=DAY, help="First day (UTC); else this month's first.")
@click.option("--to", "end", type=DAY, help="The day after the last (UTC).")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@DATA_DIR
def costs_command(
    by: costs.By,
    begin: datetime | None,
    end: datetime | None,
    data_dir: Path | None,
    *,
    as_json: bool,
) -> None:
    """
    Show what calls cost this month.

    The projection is month to date x length of the month / time of it passed (at least a day).

    \b
    Examples:
      moderation costs --by model
      moderation costs --from 2026-11-01 --to 2026-11-08 --json
    """
    begin, end = (one and one.replace(tzinfo=UTC) for one in (begin, end))
    found = connected(data_dir, lambda conn: costing.read(conn, by, begin, end))
    if as_json:
        click.echo(json.dumps(found.model_dump(mode="json", by_alias=True), indent=2))
        return
    rows = [
        (one.key, one.calls, one.images_done, in_dollars(one.cost_microusd)) for one in found.items
    ]
    print_table((by, "calls", "images done", "cost"), rows)
    click.echo(
        f"month to date {in_dollars(found.month_to_date_microusd)}, "
        f"projected {in_dollars(found.projection_microusd)}"
    )


@click.group("budgets")
def budgets_group() -> None:
    """
    Set, list and remove budgets.

    A SCOPE is global, platform:NAME or ruleset:NAME.  Uploads without room wait; they never fail.

    \b
    Example:
      moderation budgets set global month 500
    """


@budgets_group.command("set")
@click.argument("scope")
@click.argument("period", type=click.Choice(budgeting.PERIODS))
@click.argument("dollars")
@click.option(
    "--warn", type=click.FloatRange(0, 1), default=0.8, show_default=True, help="Share to warn at."
)
@DATA_DIR
def budgets_set(scope: str, period: str, dollars: str, warn: float, data_dir: Path | None) -> None:
    """
    Set what may be spent a day or a month.

    Days and months are UTC's.  What waits for this budget asks again for room at once.

    \b
    Examples:
      moderation budgets set global day 20
      moderation budgets set platform:photo-club month 99.50 --warn 0.5
    """
    limit = budgeting.microusd(dollars)

    async def put(conn: Conn) -> int:
        return await budgeting.put(conn, scope, period, limit, warn)

    woken = connected(data_dir, put)
    click.echo(f"{scope} may spend {in_dollars(limit)} a {period}; {woken} waiting ask again")


@budgets_group.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@DATA_DIR
def budgets_list(data_dir: Path | None, *, as_json: bool) -> None:
    """
    List budgets and what is used of them.

    Spent and reserved are of the day or month (UTC) that runs.

    \b
    Example:
      moderation budgets list --json
    """
    rows: list[dict[str, Any]] = [
        {**row, "starts_on": row["starts_on"].isoformat()}
        for row in connected(data_dir, budgets.listed)
    ]
    if as_json:
        click.echo(json.dumps({"items": rows}, indent=2))
        return
    money = ("limit_microusd", "spent_microusd", "reserved_microusd")
    print_table(
        ("scope", "period", "starts on", "limit", "spent", "reserved"),
        [
            (
                row["scope"],
                row["period"],
                row["starts_on"],
                *(in_dollars(row[one]) for one in money),
            )
            for row in rows
        ],
    )


@budgets_group.command("remove")
@click.argument("scope")
@click.argument("period", type=click.Choice(budgeting.PERIODS))
@DATA_DIR
def budgets_remove(scope: str, period: str, data_dir: Path | None) -> None:
    """
    Remove a budget; nothing is limited by it any more.

    \b
    Example:
      moderation budgets remove platform:photo-club month
    """
    if connected(data_dir, lambda conn: budgeting.remove(conn, scope, period)) is None:
        raise WorkFailed(f"there is no budget of {scope} a {period}")
