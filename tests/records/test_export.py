"""Exports: safe in spreadsheets, noted, and refused rather than cut."""

import csv
import io

import asyncpg
import pytest

from service.embedded.server import EmbeddedPostgres
from service.store import Conn
from service.store.database import Database
from service.web import exporting
from tests.conftest import Api
from tests.web import ended, sending
from tests.web.ended import Ended

EXPORT = "/v1/records/export"
_MANY = """
    INSERT INTO cases (upload_id, platform, image_sha256, ruleset, version, state, outcome,
                       verdict, severity, rank, rules, received_at, finished_at)
    SELECT gen_random_uuid(), 'default', '', 'privacy', 1, 'failed', 'exhausted', 'hold', 0, 0,
           '{}', now(), now()
      FROM generate_series(1, $1)
"""


FORMULAS = ["=1+1", "+1", "-1+1", "@SUM(A1)", '=HYPERLINK("http://a","b")']


async def test_formulas_are_neutralised(api: Api, owner: Conn) -> None:
    """No cell of a spreadsheet begins as a formula, whatever a platform or a model wrote."""
    for number, formula in enumerate(FORMULAS):
        one = Ended("clean", "allow", day=number, external_id=formula)
        upload = await ended.add(owner, one)
        await owner.execute(
            """
            UPDATE records SET description = description || jsonb_build_object('summary', $2::text)
             WHERE upload_id = $1
            """,
            upload,
            f'\t{formula},\n"quoted"',
        )

    _, body, _ = await api.moderator.ask("GET", f"{EXPORT}?order=oldest")

    rows = list(csv.DictReader(io.StringIO(body.decode(), newline="")))
    assert [row["external_id"] for row in rows] == [f"'{formula}" for formula in FORMULAS]
    assert [row["summary"] for row in rows] == [f'\'\t{one},\n"quoted"' for one in FORMULAS]
    for row in rows:
        assert not any(cell.startswith(("=", "+", "-", "@", "\t", "\r")) for cell in row.values())


async def test_an_export_is_noted_before_it_is_sent(api: Api, owner: Conn) -> None:
    """Who exported what, and how much, is in the audit trail."""
    await ended.add(owner, Ended("clean", "allow"))

    await api.moderator.ask("GET", f"{EXPORT}?outcome=clean&format=jsonl")

    row = await owner.fetchrow("SELECT actor, detail FROM audit WHERE action = 'records.export'")
    assert row is not None
    assert row["actor"].startswith("token:")
    assert row["detail"] == {"filter": {"outcome": "clean"}, "records": 1}


@pytest.mark.slow
async def test_too_much_is_refused_and_not_cut(
    api: Api, where: Database, postgres: EmbeddedPostgres
) -> None:
    """Above the limit nothing is sent, so that nobody takes a part for the whole."""
    name = where.dsn.rpartition("@/")[2].partition("?")[0]
    superuser = await asyncpg.connect(postgres.dsn(name, "postgres"))
    # Only their number matters, so they come without uploads.
    await superuser.execute("SET session_replication_role = replica")
    await superuser.execute(_MANY, exporting.MOST + 1)
    await superuser.close()

    answer = await api.moderator.ask("GET", EXPORT)

    sending.check_problem(answer, 422, "too_many_records")


async def test_only_moderators_export(api: Api) -> None:
    """Others are refused before anything is counted."""
    for caller in (api.platform, api.policy, api.admin):
        answer = await caller.ask("GET", EXPORT)
        sending.check_problem(answer, 403, "role_not_allowed")
