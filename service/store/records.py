"""What one successful attempt wrote, and by what records are looked for."""

import re
from contextlib import suppress
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

from service.errors import InputRefused
from service.store import Conn
from service.store.platforms import GOLDEN

_ADD = """
    INSERT INTO records (upload_id, attempt, edited_sha256, thumbnail_sha256, description,
                         outcome, severity, rules, edit_attempt, raw_sha256)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
"""
# What another table says of a case.  The columns that pages are sorted by are compared too, so that
# the order of its indexes can be that of the page; `{1}` is the place of what is said of those,
# which the planner does not carry over by itself.
_SAID = """(c.upload_id, c.received_at, c.rank) IN (
               SELECT c.upload_id, c.received_at, c.rank FROM {table} AS c
                WHERE {said} AND {{1}})"""
# Every filter is one condition with one parameter, whose place is `{0}`.  Tags say of each rule how
# severe it is at least.  A path that is a condition by itself must hold; any other must find
# something.
_WHERE = {
    "state": "c.state = {0}",
    "outcome": "c.outcome = {0}",
    "verdict": "c.verdict = {0}",
    "decision": "CASE WHEN {0}::text = 'none' THEN c.decision IS NULL ELSE c.decision = {0} END",
    "platform": "c.platform = {0}",
    "ruleset": "c.ruleset = {0}",
    "version": "c.version = {0}",
    "rule": _SAID.format(table="case_tags", said="c.tag = 'rule:' || {0}::text"),
    "min_severity": "c.severity >= {0}",
    "category": _SAID.format(table="case_tags", said="c.tag = 'category:' || {0}::text"),
    "model": "c.model = {0}",
    "text": _SAID.format(table="case_words", said="c.words @@ {0}::text::tsquery"),
    "where": """
        (SELECT CASE WHEN jsonb_path_query_array('{{}}', {0}::text::jsonpath, '{{}}', true)
                          IN ('[true]', '[false]', '[null]')
                     THEN r.description @@ {0}::text::jsonpath
                     ELSE r.description @? {0}::text::jsonpath END
           FROM records AS r WHERE r.upload_id = c.upload_id)""",
    "received_from": "c.received_at >= {0}",
    "received_to": "c.received_at < {0}",
    "external_id": "c.external_id = {0}",
    "sha256": "c.image_sha256 = decode({0}, 'hex')",
}
_TIMES = ("received_from", "received_to")
# What other tables say, the fewest cases first.
_ELSEWHERE = ("rule", "category", "text")
# What words stand with tells pages too, so that of many matches only those shown are looked up.
_OF_WORDS = {
    "text": "c.words @@ {0}::text::tsquery",
    **{name: _WHERE[name] for name in _TIMES},
}
_SAYS_TOO = """c.upload_id IN (
               SELECT w.upload_id FROM case_words AS w WHERE w.words @@ {0}::text::tsquery)"""
_GOLDEN = "c.upload_id NOT IN (SELECT g.upload_id FROM cases AS g WHERE g.platform = {0})"
_WORDS = "SELECT websearch_to_tsquery(language, $1)::text FROM search_settings"
_FAULT = "SELECT message, place FROM fault_in_path($1)"


def _in_utc(moment: datetime) -> datetime:
    try:
        return moment.astimezone(UTC)
    except OverflowError as error:
        raise ValueError("this moment is outside the years 1 to 9999 in UTC") from error


def _written(value: object) -> object:
    """Read a text; a number is refused, which would be taken for seconds since 1970."""
    if isinstance(value, str) and re.match(r"\d{4}-\d\d-\d\d[Tt ]", value):
        with suppress(ValueError):
            return datetime.fromisoformat(value)
    if isinstance(value, datetime):
        return value
    raise ValueError("Input should be a time such as 2026-11-01T00:00:00Z")


Moment = Annotated[AwareDatetime, BeforeValidator(_written), AfterValidator(_in_utc)]
Word = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f]+$")]
Path = Annotated[str, StringConstraints(min_length=1, max_length=1000, pattern=r"^[^\x00]+$")]


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
    decision: Literal["none", "allow", "allow_edited", "block", "escalate"] | None = Field(
        None, description="what a person decided; none where nobody has"
    )
    platform: Word | None = None
    ruleset: Word | None = None
    version: Annotated[int, Field(ge=1, lt=2**31)] | None = None
    rule: Word | None = Field(None, description="the id of a rule among the findings")
    min_severity: Annotated[int, Field(ge=1, le=4)] | None = Field(
        None, description="of the rule, where one is given; else of any finding"
    )
    category: Word | None = Field(
        None, description="a name that another taxonomy has for a rule among the findings"
    )
    model: Word | None = Field(None, description="that was asked last")
    text: Word | None = Field(
        None, description='words of summary and rationales: all, "a phrase", this or that, -not'
    )
    where: Path | None = Field(
        None, description="an SQL/JSON path over the description, which finds something in it"
    )
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


async def conditions(
    conn: Conn, wanted: Filter, values: list[object], behind: str = "true"
) -> list[str]:
    """
    Spell a filter as SQL conditions on ``cases AS c`` and append their parameters to ``values``.

    Golden examples are no pictures of people's; they are found as their platform's only.

    Args:
        behind: Where the page begins, as ``cases.behind`` spells it; it is one of the conditions.

    Raises:
        InputRefused: ``path_invalid``; ``errors`` has the position, from 0.
    """
    given = wanted.model_dump(exclude_none=True)
    if "rule" in given:
        given["rule"] += f":{given.pop('min_severity', 1)}"
    if "text" in given:
        given["text"] = await conn.fetchval(_WORDS, given["text"])
    if "where" in given:
        await _check_path(conn, given["where"])
    if "platform" not in given:
        values.append(GOLDEN)
        spelt = [f"c.platform <> ${len(values)}"]
    else:
        spelt = []
    places = {}
    for name, value in given.items():
        values.append(value)
        places[name] = f"${len(values)}"
    sorted_by = [behind, *(_WHERE[name].format(places[name]) for name in _TIMES if name in places)]
    shared = " AND ".join(sorted_by)
    spelt.append(behind)
    first = next((name for name in _ELSEWHERE if name in places), None)
    if first and "where" in places:
        # Few descriptions that are read hold what a path asks for; only those cases are looked up.
        path = _WHERE["where"].format(places.pop("where"))
        spelt.append(_WHERE[first].format(places.pop(first), f"{shared} AND {path}"))
    if first and first != "text" and "text" in places:
        # Two tables that are each compared by three columns seem to have next to nothing in common,
        # and what follows from that takes minutes.
        spelt.append(_SAYS_TOO.format(places.pop("text")))
    return [*spelt, *(_WHERE[name].format(at, shared) for name, at in places.items())]


async def sifted(
    conn: Conn, wanted: Filter, values: list[object], behind: str
) -> tuple[str, list[str]]:
    """
    Spell a filter as the table ``c`` that tells a page's cases best, and conditions on it.

    Arguments and errors are those of ``conditions``.
    """
    given = wanted.model_dump(exclude_none=True)
    if "text" not in given or not given.keys() <= _OF_WORDS.keys():
        return "cases", await conditions(conn, wanted, values, behind)
    given["text"] = await conn.fetchval(_WORDS, given["text"])
    values.append(GOLDEN)
    spelt = [_GOLDEN.format(f"${len(values)}"), behind]
    for name, value in given.items():
        values.append(value)
        spelt.append(_OF_WORDS[name].format(f"${len(values)}"))
    return "case_words", spelt


async def _check_path(conn: Conn, path: str) -> None:
    fault = await conn.fetchrow(_FAULT, path)
    if fault is not None and fault["message"] is not None:
        message, place = fault["message"], fault["place"]
        raise InputRefused(
            "path_invalid",
            f"where: {message}, behind {path[:place][-40:]!r} (position {place})",
            errors=[{"field": "where", "message": message, "position": place}],
        )
