"""A database in which many uploads have ended long ago, filled by whole tables at a time."""

import sys
import time
from collections.abc import Sequence
from typing import Final

from service.store import Conn, rulesets
from tests.benchmarks.filling import PLATFORM
from tests.benchmarks.pictures import RULESET

# RFC 9562 section 5.7: 48 bits of milliseconds, a version, and what is random.
_ID: Final = """(lpad(to_hex((extract(epoch FROM {at}) * 1000)::bigint), 12, '0')
    || '7' || substr({random}, 1, 3) || '8' || substr({random}, 4, 15))::uuid"""
_MADE: Final = f"""
    CREATE TEMPORARY TABLE made AS
    SELECT {_ID.format(at="at", random="random")} AS id, at, sha256(n::text::bytea) AS sha256
      FROM (SELECT n, md5(n::text) AS random, now() - ($1::bigint - n) * interval '30 days' / $1
              FROM generate_series(1, $1::bigint) AS n) AS drawn (n, random, at)
"""
_TABLES: Final = (
    """INSERT INTO images (sha256, mime, width, height, data, created_at)
       SELECT sha256, 'image/jpeg', 8, 8, sha256, at FROM made""",
    """INSERT INTO uploads (id, platform, image_sha256, canonical_sha256, ruleset, version, state,
                            outcome, verdict, attempt, charges, due_at, received_at, finished_at,
                            leads)
       SELECT id, $1, sha256, sha256, $2, $3, 'done', 'clean', 'allow', 1, 1, at, at,
              at + interval '20 s', true FROM made""",
    """INSERT INTO attempts (upload_id, attempt, upstream, model, prompt_sha256, sent_sha256,
                             reserved_microusd, started_at, outcome, charged, cost_microusd,
                             finished_at)
       SELECT id, 1, 'benchmark', 'a-model', sha256, sha256, 58000, at, 'described', true, 58000,
              at + interval '20 s' FROM made""",
    """INSERT INTO records (upload_id, attempt, edited_sha256, thumbnail_sha256, description,
                            outcome, severity, rules, created_at)
       SELECT id, 1, sha256, sha256, '{"summary": "A plain picture.", "alt_text": "A picture.",
              "findings": [], "not_assessed": [], "text_to_model": []}', 'clean', 0, '{}', at
         FROM made""",
    """INSERT INTO cases (upload_id, platform, image_sha256, ruleset, version, state, outcome,
                          verdict, severity, rank, rules, model, received_at, finished_at)
       SELECT id, $1, sha256, $2, $3, 'done', 'clean', 'allow', 0,
              4 * 10::bigint ^ 16 + extract(epoch FROM at) * 1000000, '{}', 'a-model', at,
              at + interval '20 s' FROM made""",
)
_COUNTS: Final = """
    SELECT count_cases(added, 1) FROM (
        SELECT array_agg(c) AS added FROM cases AS c GROUP BY c.received_at::date) AS days
"""
_INDEXES: Final = """
    SELECT indexrelid::regclass AS name, pg_get_indexdef(indexrelid) AS definition
      FROM pg_index WHERE indrelid = 'cases'::regclass AND NOT indisunique
"""
_JOBS: Final = f"""
    INSERT INTO uploads (id, platform, image_sha256, ruleset, version)
    SELECT {_ID.format(at="clock_timestamp()", random="random")}, $1, $2, $3, $4
      FROM (SELECT md5(random()::text || n) FROM generate_series(1, $5::integer) AS n)
           AS drawn (random)
"""


async def fill(conn: Conn, count: int) -> None:
    """Add uploads that are done, with what triggers make of them; needs a superuser."""
    began = time.monotonic()
    await conn.execute("INSERT INTO platforms (name) VALUES ($1) ON CONFLICT DO NOTHING", PLATFORM)
    where = (PLATFORM, RULESET, await rulesets.live(conn, RULESET))
    indexes = await conn.fetch(_INDEXES)
    async with conn.transaction():
        await conn.execute("SET LOCAL session_replication_role = replica")
        await conn.execute(_MADE, count)
        for one in indexes:
            await conn.execute(f"DROP INDEX {one['name']}")
        for statement in _TABLES:
            await conn.execute(statement, *(where if "$1" in statement else ()))
        for one in indexes:
            await conn.execute(one["definition"])
        await conn.execute(_COUNTS)
        await conn.execute("DROP TABLE made")
    await conn.execute("VACUUM ANALYZE")
    # What was filled is on disk before anything is measured.
    await conn.execute("CHECKPOINT")
    sys.stderr.write(f"{count} finished uploads in {time.monotonic() - began:.0f} s\n")


async def queue(conn: Conn, count: int, platform: str = PLATFORM) -> None:
    """Add uploads of one tiny picture that are due at once."""
    sha256 = await conn.fetchval("SELECT sha256('queued'::bytea)")
    await conn.execute("INSERT INTO platforms (name) VALUES ($1) ON CONFLICT DO NOTHING", platform)
    await conn.execute(
        "INSERT INTO images (sha256, mime, width, height, data)"
        " VALUES ($1, 'image/png', 8, 8, $1) ON CONFLICT DO NOTHING",
        sha256,
    )
    arguments: Sequence[object] = (platform, sha256, RULESET, await rulesets.live(conn, RULESET))
    await conn.execute(_JOBS, *arguments, count)
