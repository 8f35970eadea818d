"""Puts a population into a database: as the service leaves it, or quickly in bulk."""

import hashlib
import json
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from itertools import islice

from service.store import Conn
from service.store.cases import Place
from tests.records import population
from tests.records.population import Made

IMAGE = hashlib.sha256(b"picture").digest()
_BATCH = 2000
_VERSION = """
    INSERT INTO ruleset_versions (ruleset, version, sha256, source, content, prompt, prompt_sha256,
                                  schema, author)
    VALUES ($1, $2, sha256($3), '', $4::text::jsonb, '', sha256(''), '{}', 'test')
"""
_INDEXES = """
    SELECT indrelid::regclass AS of, conname AS key, indexrelid::regclass AS name,
           pg_get_indexdef(indexrelid) AS definition, pg_get_constraintdef(k.oid) AS key_definition
      FROM pg_index LEFT JOIN pg_constraint AS k ON k.conindid = indexrelid AND k.contype = 'p'
     WHERE indrelid = ANY ('{cases,case_tags,case_words}'::regclass[])
       AND NOT (indrelid = 'cases'::regclass AND indisunique)  -- Others refer to these.
"""
_COUNTS = """
    SELECT count_cases(added, 1), count_rules(added, 1)
      FROM (SELECT array_agg(c) AS added FROM cases AS c GROUP BY c.received_at::date) AS days
"""
_UPLOADS = (
    *("id", "platform", "external_id", "image_sha256", "canonical_sha256", "ruleset", "version"),
    *("state", "outcome", "verdict", "attempt", "received_at", "finished_at"),
)
_ATTEMPTS = (
    *("upload_id", "attempt", "upstream", "model", "prompt_sha256", "sent_sha256"),
    *("reserved_microusd", "outcome", "charged", "cost_microusd", "finished_at"),
)
_RECORDS = (
    *("upload_id", "attempt", "edited_sha256", "thumbnail_sha256", "description", "outcome"),
    *("severity", "rules"),
)
_CASES = (
    *("upload_id", "platform", "external_id", "image_sha256", "ruleset", "version", "state"),
    *("outcome", "verdict", "severity", "rank", "rules", "model", "received_at", "finished_at"),
    *("decision", "decided_at"),
)
_TAGS = ("tag", "received_at", "rank", "upload_id")
_WORDS = ("upload_id", "received_at", "rank", "words")
Row = Sequence[object]


async def prepare(conn: Conn) -> None:
    """Add the platforms, rulesets and the one picture that all uploads share."""
    await conn.executemany(
        "INSERT INTO platforms (name) VALUES ($1)", [(name,) for name in population.PLATFORMS]
    )
    await conn.execute(
        "INSERT INTO images (sha256, mime, width, height, data)"
        " VALUES ($1, 'image/png', 8, 8, 'picture')",
        IMAGE,
    )
    for ruleset in range(population.RULESETS):
        name = f"ruleset-{ruleset}"
        await conn.execute("INSERT INTO rulesets (name) VALUES ($1)", name)
        for version in range(1, population.VERSIONS + 1):
            content = json.dumps(population.content(ruleset))
            await conn.execute(_VERSION, name, version, f"{name}/{version}".encode(), content)


async def add(conn: Conn, made: Iterable[Made]) -> None:
    """Add uploads as the service does, so that their cases are made by the database."""
    many = list(made)
    async with conn.transaction():
        for one in many:
            # A picture of each one's own, since the upload must name one.
            await conn.execute(
                "INSERT INTO images (sha256, mime, width, height, data)"
                " VALUES ($1, 'image/png', 8, 8, '') ON CONFLICT DO NOTHING",
                one.sha256,
            )
        await _copy(conn, "uploads", _UPLOADS, many, _uploads)
        await _copy(conn, "attempts", _ATTEMPTS, many, _attempts)
        await _copy(conn, "records", _RECORDS, many, _records)
    if decided := [(one.id, one.decision) for one in many if one.decision]:
        await conn.executemany(
            "UPDATE cases SET decision = $2, decided_at = finished_at WHERE upload_id = $1", decided
        )


async def bulk(conn: Conn, made: Iterable[Made], told: Callable[[int], None]) -> None:
    """Add uploads and their cases without triggers or foreign keys; needs a superuser."""
    indexes = await conn.fetch(_INDEXES)
    await conn.execute("SET session_replication_role = replica")
    for one in indexes:
        table, key = one["of"], one["key"]
        await conn.execute(
            f"ALTER TABLE {table} DROP CONSTRAINT {key}" if key else f"DROP INDEX {one['name']}"
        )
    source, done = iter(made), 0
    while many := list(islice(source, _BATCH * 10)):
        await _copy(conn, "uploads", _UPLOADS, many, _uploads)
        await _copy(conn, "attempts", _ATTEMPTS, many, _attempts)
        await _copy(conn, "records", _RECORDS, many, _records)
        await _copy(conn, "cases", _CASES, many, _cases)
        await _copy(conn, "case_words", _WORDS, many, _words)
        await _copy(conn, "case_tags", _TAGS, many, _tags)
        done += len(many)
        told(done)
    for one in indexes:
        table, key = one["of"], f"ADD CONSTRAINT {one['key']} {one['key_definition']}"
        await conn.execute(f"ALTER TABLE {table} {key}" if one["key"] else one["definition"])
    await conn.execute(_COUNTS)
    await conn.execute("SET session_replication_role = origin")


async def _copy(
    conn: Conn,
    table: str,
    columns: Sequence[str],
    many: list[Made],
    lines: Callable[[Made], Iterable[Row]],
) -> None:
    async def source() -> AsyncIterator[bytes]:
        for begin in range(0, len(many), _BATCH):
            part = many[begin : begin + _BATCH]
            yield "".join(_line(row) for one in part for row in lines(one)).encode()

    await conn.copy_to_table(table, source=source(), columns=columns, format="text")


def _line(values: Row) -> str:
    return "\t".join("\\N" if value is None else str(value) for value in values) + "\n"


def _hex(digest: bytes) -> str:
    # Both COPY and bytea take a backslash away.
    return f"\\\\x{digest.hex()}"


def _array(items: Iterable[str]) -> str:
    return f"{{{','.join(items)}}}"


def _uploads(one: Made) -> Iterator[Row]:
    yield (
        *(one.id, one.platform, one.external_id, _hex(one.sha256), _hex(IMAGE), one.ruleset),
        *(one.version, one.state, one.outcome, one.verdict, 1, one.received_at, one.finished_at),
    )


def _attempts(one: Made) -> Iterator[Row]:
    if one.model is not None:
        outcome = "described" if one.state == "done" else one.outcome
        yield (
            *(one.id, 1, "scripted", one.model, _hex(IMAGE), _hex(IMAGE)),
            *(58_000, outcome, True, 58_000, one.finished_at),
        )


def _records(one: Made) -> Iterator[Row]:
    if one.state == "done":
        yield (
            *(one.id, 1, _hex(IMAGE), _hex(IMAGE), one.description, one.outcome, one.severity),
            _array(one.worst),
        )


def _cases(one: Made) -> Iterator[Row]:
    yield (
        *(one.id, one.platform, one.external_id, _hex(one.sha256), one.ruleset, one.version),
        *(
            one.state,
            one.outcome,
            one.verdict,
            one.severity,
            _rank(one),
            _array(one.worst),
            one.model,
        ),
        *(one.received_at, one.finished_at, one.decision, one.decision and one.finished_at),
    )


def _words(one: Made) -> Iterator[Row]:
    yield (one.id, one.received_at, _rank(one), population.tsvector(one.words))


def _tags(one: Made) -> Iterator[Row]:
    rank = _rank(one)
    for tag in population.expected_tags(one):
        yield (tag, one.received_at, rank, one.id)


def _rank(one: Made) -> int:
    return Place(one.severity, one.received_at, one.id).rank
