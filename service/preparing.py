"""Bringing a database up to what this code needs: checked, migrated, with the shipped rulesets."""

from service import publishing, resources
from service.store import database, migrations
from service.store.database import Database


async def prepare(where: Database) -> list[str]:
    """
    Migrate, then publish the shipped rulesets whose names are not known yet.

    Returns:
        What was new, in order: file names of migrations, then ``ruleset NAME/VERSION``.
    """
    conn = await where.connect_owner()
    try:
        await database.check(conn)
        await database.speak_json(conn)
        applied = await migrations.apply(conn, migrations.read(resources.folder("migrations")))
        seeded = await publishing.seed(conn, resources.folder("rulesets"))
    finally:
        await conn.close()
    return [*applied, *(f"ruleset {one.name}/{one.version}" for one in seeded)]
