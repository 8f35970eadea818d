"""Tables of statements that the database itself must refuse, each by its own kind of constraint."""

from collections.abc import Iterable, Mapping
from typing import TypeAlias

import asyncpg

from tests.flows.driving import Owner

CHECK = asyncpg.CheckViolationError
DENIED = asyncpg.InsufficientPrivilegeError
FOREIGN = asyncpg.ForeignKeyViolationError
HISTORY = asyncpg.RestrictViolationError
TORN = asyncpg.IntegrityConstraintViolationError
UNIQUE = asyncpg.UniqueViolationError
# A name to the statement, and the kind of constraint that refuses it.
Refused: TypeAlias = Mapping[str, tuple[str, type[asyncpg.PostgresError]]]


async def check_refused(conn: Owner, refused: Refused) -> None:
    """Run each statement, which must be refused by its kind, at the latest at commit."""
    met: dict[str, object] = {}
    for name, (statement, kind) in refused.items():
        try:
            await _try(conn, statement)
            met[name] = None
        except asyncpg.PostgresError as error:
            met[name] = kind if isinstance(error, kind) else error
    assert met == {name: kind for name, (_, kind) in refused.items()}


async def check_allowed(conn: Owner, statements: Iterable[str]) -> None:
    """Run statements without a fault, which pass: so that a table of refused ones can fail."""
    for statement in statements:
        await _try(conn, statement)


async def _try(conn: Owner, statement: str) -> None:
    transaction = conn.transaction()
    await transaction.start()
    try:
        await conn.execute(statement)
        await conn.execute("SET CONSTRAINTS ALL IMMEDIATE")
    finally:
        await transaction.rollback()
