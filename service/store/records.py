"""What one successful attempt wrote, and the moderators' query over all that has ended."""

import re
from datetime import UTC, datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
)

from service.store import Conn, Row
from service.store.platforms import GOLDEN
from service.store.uploads import VIEW

_ADD = """
    INSERT INTO records (upload_id, attempt, edited_sha256, thumbnail_sha256, description,
                         outcome, severity, rules, edit_attempt, raw_sha256)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
"""
# Every filter is one condition with one parameter; `{}` is its place.
_WHERE = {
    "state": "u.state = {}",
    "outcome": "u.outcome = {}",
    "verdict": "u.verdict = {}",
    "platform": "u.platform = {}",
    "ruleset": "u.ruleset = {}",
    "version": "u.version = {}",
    "rule": "r.rules @> ARRAY[{}::text]",
    "min_severity": "r.severity >= {}",
    "received_from": "u.received_at >= {}",
    "received_to": "u.received_at < {}",
    "external_id": "u.external_id = {}",
    "sha256": "u.image_sha256 = decode({}, 'hex')",
}


def _in_utc(moment: datetime) -> datetime:
    try:
        return moment.astimezone(UTC)
    except OverflowError as error:
        raise ValueError("this moment is outside the years 1 to 9999 in UTC") from error


def _written(value: object) -> object:
    """Refuse a number, which would be taken for seconds since 1970."""
    if isinstance(value, datetime) or (isinstance(value, str) and re.match(r"\d{4}-", value)):
        return value
    raise ValueError("Input should be a time such as 2026-11-01T00:00:00Z")


Moment = Annotated[AwareDatetime, BeforeValidator(_written), AfterValidator(_in_utc)]
Word = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f]+$")]


class Filter(BaseModel):
    """Which uploads that are done or failed; every field given must match."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    state: Literal["done", "failed"] | None = None
    outcome: (
        Literal[
            "clean",
            "redacted",
            "violating",
            "not_assessed",
            "refused",
            "no_image",
            "no_description",
            "invalid_description",
            "unfaithful_edit",
            "exhausted",
            "unreadable",
            "not_fetched",
        ]
        | None
    ) = None
    verdict: Literal["allow", "allow_edited", "hold", "block"] | None = None
    platform: Word | None = None
    ruleset: Word | None = None
    version: Annotated[int, Field(ge=1, lt=2**31)] | None = None
    rule: Word | None = Field(None, description="the id of a rule among the findings")
    min_severity: Annotated[int, Field(ge=1, le=4)] | None = None
    received_from: Moment | None = Field(None, description="received at or after this time")
    received_to: Moment | None = Field(None, description="received before this time")
    external_id: Word | None = None
    sha256: Annotated[str, StringConstraints(pattern="^[0-9a-f]{64}$")] | None = Field(
        None, description="of the received bytes"
    )


async def add(
    conn: Conn,
    upload: UUID,
    attempt: int,
    *,
    edited_sha256: bytes,
    thumbnail_sha256: bytes,
    description: dict[str, object],
    outcome: str,
    severity: int,
    rules: list[str],
    edit_attempt: int | None,
    raw_sha256: bytes | None,
) -> None:
    """
    Write the record of the attempt that succeeded; severity and rules are its columns.

    ``edit_attempt`` brought the edited image, where an earlier attempt than this one did;
    ``raw_sha256`` names the image as the upstream gave it, where that is kept.
    """
    await conn.execute(
        _ADD,
        upload,
        attempt,
        edited_sha256,
        thumbnail_sha256,
        description,
        outcome,
        severity,
        rules,
        edit_attempt,
        raw_sha256,
    )


async def find(conn: Conn, wanted: Filter, *, after: UUID | None, limit: int) -> list[Row]:
    """
    List ended uploads, the newest first, from behind the id ``after``.

    Those of golden examples are no pictures of people's; they are listed as their platform's only.
    """
    conditions = ["u.state IN ('done', 'failed')"]
    values: list[str | int | datetime | UUID] = []
    if wanted.platform is None:
        values.append(GOLDEN)
        conditions.append("u.platform <> $1")
    for name, value in wanted.model_dump(exclude_none=True).items():
        values.append(value)
        conditions.append(_WHERE[name].format(f"${len(values)}"))
    if after is not None:
        values.append(after)
        conditions.append(f"u.id < ${len(values)}")
    values.append(limit)
    query = f"{VIEW} WHERE {' AND '.join(conditions)} ORDER BY u.id DESC LIMIT ${len(values)}"
    return await conn.fetch(query, *values)
