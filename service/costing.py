"""What calls cost: the answer of the API and of the command line."""

from datetime import datetime

from pydantic import BaseModel, Field

from service.errors import InputRefused
from service.store import Conn, costs


class CostItem(BaseModel):
    """What the calls of one day, platform, ruleset or model cost."""

    key: str = Field(description="the day (UTC), platform, ruleset or model")
    calls: int
    images_done: int = Field(description="calls that brought an image with its description")
    cost_microusd: int
    reserved_microusd: int = Field(description="of calls under way, not yet in cost_microusd")


class Costs(BaseModel):
    """Sums over the ledger, and how the month is going."""

    by: costs.By
    begin: datetime = Field(serialization_alias="from")
    end: datetime = Field(serialization_alias="to")
    items: list[CostItem]
    month_to_date_microusd: int
    projection_microusd: int = Field(
        description="month to date x length of the month / time of it passed (at least a day)"
    )


async def read(
    conn: Conn,
    by: costs.By,
    begin: datetime | None,
    end: datetime | None,
    *,
    now: datetime | None = None,
) -> Costs:
    """
    Sum up the calls begun from ``begin`` up to before ``end``; of this month if not given.

    Raises:
        InputRefused: There is no time between the two.
    """
    month = await costs.month(conn, now=now)
    begin, end = begin or month["begins"], end or month["ends"]
    if begin >= end:
        raise InputRefused(
            "validation_failed", f"from ({begin.isoformat()}) must be before to ({end.isoformat()})"
        )
    rows = await costs.sums(conn, by, begin, end)
    return Costs(
        by=by,
        begin=begin,
        end=end,
        items=[CostItem.model_validate(dict(row)) for row in rows],
        month_to_date_microusd=month["month_to_date_microusd"],
        projection_microusd=month["projection_microusd"],
    )
