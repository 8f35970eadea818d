"""An undo window that is not over while a test looks, and people who review."""

from datetime import timedelta

import pytest

from service.reviewing import Terms
from service.store import Pool
from tests.conftest import Api
from tests.reviews.people import People


@pytest.fixture
def terms() -> Terms:
    """How long things take here: nothing is due by itself while a test looks."""
    return Terms(undo=timedelta(minutes=5))


@pytest.fixture
def people(api: Api, pool: Pool) -> People:
    """Who makes moderators."""
    return People(api, pool)
