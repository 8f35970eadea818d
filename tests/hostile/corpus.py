"""The whole corpus, the same for the same seed."""

from collections.abc import Iterator

from tests.hostile import bombs, damage, moving, stills
from tests.hostile.cases import Case

SEED = 20_261_122


def build(seed: int = SEED) -> Iterator[Case]:
    """Make one case after another; the large ones come last."""
    yield from stills.cases()
    yield from moving.cases()
    yield from damage.cases(seed)
    yield from bombs.cases()
