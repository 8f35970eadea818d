"""One demonstration and one running service for the whole folder."""

import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.up import driving, photos
from tests.up.driving import Ended, Up


@dataclass(frozen=True, slots=True)
class Demonstrated:
    """A finished `up --demo --once` and the folder it worked in."""

    ended: Ended
    data_dir: Path


@pytest.fixture(scope="session")
def demonstrated(tmp_path_factory: pytest.TempPathFactory) -> Demonstrated:
    """Run the demonstration once, in a folder that was not there."""
    folder = tmp_path_factory.mktemp("demo") / "a folder" / "data"
    ended = driving.run("up", "--demo", "--once", "--port", 0, "--data-dir", folder)
    return Demonstrated(ended, folder)


@pytest.fixture(scope="session")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    """A running `up` that tests may wound but not end."""
    up = Up.start(tmp_path_factory.mktemp("up") / "data")
    yield up
    up.end(signal.SIGTERM)


@pytest.fixture(scope="session")
def album(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of six photos."""
    folder = tmp_path_factory.mktemp("album")
    photos.write(folder, 6)
    return folder
