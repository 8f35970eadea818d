"""Databases in which nothing has been applied yet."""

from tests.store.conftest import bare, empty

__all__ = ["bare", "empty"]
