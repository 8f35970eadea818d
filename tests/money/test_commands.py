"""The commands about money, as a person at a shell meets them."""

import asyncio
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from service import budgeting
from service.errors import InputRefused
from service.store import Pool
from service.store.database import Database
from tests.conftest import PRICE
from tests.flows.driving import Owner
from tests.money import books
from tests.money.books import Call
from tests.up import driving
from tests.up.driving import Ended


async def run(where: Database, *arguments: object) -> Ended:
    return await asyncio.to_thread(driving.run, *arguments, database_url=where.dsn)


async def test_budgets_are_set_listed_and_removed(where: Database, pool: Pool) -> None:
    """Each act works on the database and stands in the audit trail; what is used is shown."""
    async with pool.acquire() as conn:
        assert await books.enter(conn, await books.claimed(pool))
    done = await run(where, "budgets", "set", "global", "day", "1")
    assert (done.code, done.out) == (0, "global may spend $1.00 a day; 0 waiting ask again\n")
    done = await run(where, "budgets", "set", "platform:default", "month", "99.058", "--warn", "1")
    assert done.code == 0, done.err

    listed = await run(where, "budgets", "list")
    today = datetime.now(UTC).date()
    assert [line.split() for line in listed.out.splitlines()] == [
        ["scope", "period", "starts", "on", "limit", "spent", "reserved"],
        ["global", "day", str(today), "$1.00", "$0.00", "$0.058"],
        ["platform:default", "month", str(today.replace(day=1)), "$99.058", "$0.00", "$0.058"],
    ]
    items = json.loads((await run(where, "budgets", "list", "--json")).out)["items"]
    assert [(item["limit_microusd"], item["warn_share"]) for item in items] == [
        (1_000_000, 0.8),
        (99_058_000, 1.0),
    ]

    assert (await run(where, "budgets", "remove", "global", "day")).code == 0
    again = await run(where, "budgets", "remove", "global", "day")
    assert (again.code, again.complaints) == (1, ["moderation: there is no budget of global a day"])
    told = await pool.fetch("SELECT actor, action, subject FROM audit WHERE action ~ '^budget'")
    assert [tuple(row) for row in told] == [
        ("command line", "budget.set", "global"),
        ("command line", "budget.set", "platform:default"),
        ("command line", "budget.remove", "global"),
    ]


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (("set", "platform:nobody", "day", "1"), "'platform:nobody' is no scope"),
        (("set", "ruleset:nothing", "day", "1"), "'ruleset:nothing' is no scope"),
        (("set", "everything", "day", "1"), "'everything' is no scope"),
        (("set", "global", "week", "1"), "'week' is not one of 'day', 'month'"),
        (("set", "global", "day", "a lot"), "'a lot' is no amount of dollars"),
        (("set", "global", "day", "1", "--warn", "80"), "80.0 is not in the range"),
    ],
)
async def test_a_wrong_budget_is_refused_and_sets_nothing(
    arguments: tuple[str, ...], named: str, where: Database, pool: Pool
) -> None:
    """A misspelt scope would limit nothing without a word, so it is exit code 2."""
    done = await run(where, "budgets", *arguments)
    assert done.code == 2
    assert named in done.err
    assert await pool.fetchval("SELECT count(*) FROM budgets") == 0


@pytest.mark.parametrize(
    ("text", "microusd"),
    [("0", 0), ("1", 1_000_000), ("0.058", 58_000), ("0.000001", 1), ("1e3", 10**9)],
)
def test_dollars_are_read_exactly(text: str, microusd: int) -> None:
    """No binary fraction stands between what is typed and what is limited."""
    assert budgeting.microusd(text) == microusd


@pytest.mark.parametrize(
    "text", ["", "-1", "-0.5", "nan", "inf", "$5", "1,50", "0.0000001", "1e10", "1e999999999"]
)
def test_what_is_no_amount_is_refused(text: str) -> None:
    """The refusal shows what was typed and what is allowed."""
    with pytest.raises(InputRefused, match="is no amount of dollars; allowed"):
        budgeting.microusd(text)


async def test_costs_are_shown_as_a_table_and_as_json(where: Database, owner: Owner) -> None:
    """The table has what the API answers, in dollars; --json is the API's own document."""
    day = datetime(2025, 3, 1, tzinfo=UTC)
    await books.write(
        owner, [Call(day, "described", PRICE, "club"), Call(day, "refused", 0, "shop")]
    )
    bounds = ("--by", "platform", "--from", "2025-03-01", "--to", "2025-03-02")
    shown = await run(where, "costs", *bounds)
    assert (shown.code, shown.out.splitlines()) == (
        0,
        [
            "platform  calls  images done  cost",
            "club      1      1            $0.058",
            "shop      1      0            $0.00",
            "month to date $0.00, projected $0.00",
        ],
    )
    document = json.loads((await run(where, "costs", *bounds, "--json")).out)
    assert [item["key"] for item in document["items"]] == ["club", "shop"]
    assert (document["from"], document["to"]) == ("2025-03-01T00:00:00Z", "2025-03-02T00:00:00Z")
    backwards = await run(where, "costs", "--from", "2025-03-02", "--to", "2025-03-01")
    assert backwards.code == 2
    assert "must be before to" in backwards.complaints[0]


@pytest.mark.parametrize("command", [("work",), ("up", "--port", "0")])
async def test_a_model_without_a_price_does_not_start(
    command: tuple[str, ...], where: Database, tmp_path: Path
) -> None:
    """Exit code 2 before anything is started, naming the setting."""
    done = await asyncio.to_thread(
        driving.run,
        *command,
        database_url=where.dsn,
        data_dir=tmp_path / "data",
        upstream_key="key",
        upstream_model="unheard-of",
    )
    assert done.code == 2
    (said,) = done.complaints
    assert "MODERATION_UPSTREAM_PRICE_USD is not set" in said
    assert not (tmp_path / "data").exists()
