"""A database in use gets its cases: those that had ended before, and those that end meanwhile."""

from pathlib import Path

from service.embedded.server import EmbeddedPostgres
from service.store import database, migrations
from tests.conftest import fresh_database
from tests.records import filling
from tests.records.population import Population
from tests.records.test_counts import check

OURS = Path(__file__).parents[2] / "migrations"
FIRST = 11


async def test_what_had_ended_gets_its_cases(postgres: EmbeddedPostgres) -> None:
    """After the migrations every ended upload has its case, tags, words and counts, once."""
    needed = migrations.read(OURS)
    made = list(Population(4, findings=2).made(1300))
    async with fresh_database(postgres, template="template1") as where:
        owner = await where.connect_owner()
        await database.speak_json(owner)
        await migrations.apply(owner, [one for one in needed if one.version < FIRST])
        await filling.prepare(owner)
        await filling.add(owner, [one for one in made if one.decision is None])
        await migrations.apply(owner, needed)

        await check(owner)
        ended = sum(one.decision is None for one in made)
        assert await owner.fetchval("SELECT count(*) FROM cases") == ended
        await filling.add(owner, [one for one in made if one.decision is not None])
        await check(owner)
        await owner.close()


async def test_words_of_another_language(postgres: EmbeddedPostgres) -> None:
    """When the language is changed, all words are read anew as that language has them."""
    async with fresh_database(postgres, template="template1") as where:
        owner = await where.connect_owner()
        await migrations.apply(owner, migrations.read(OURS))
        await filling.prepare(owner)
        await filling.add(owner, Population(4, findings=1).made(5))
        await owner.execute("UPDATE search_settings SET language = 'english'")
        words = await owner.fetch(
            "SELECT w.words = d.words AS same, d.words <> to_tsvector('simple', 'x') AS other"
            "  FROM case_words AS w JOIN derived_cases AS d USING (upload_id)"
        )
        assert len(words) == 5
        assert all(row["same"] for row in words)
        await owner.close()
