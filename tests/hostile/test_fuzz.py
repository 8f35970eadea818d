"""A short run of ``tests.fuzz_pictures``; README has the long one."""

from tests import fuzz_pictures
from tests.hostile import damage, stills


async def test_damaged_pictures_crash_nothing() -> None:
    """Each of 150 damaged files is refused, unreadable or decoded, and some are each of these."""
    happened = await fuzz_pictures.run(150, seed=7)
    assert happened[fuzz_pictures.CRASHES] == 0, happened
    ends = {name: times for name, times in happened.items() if name != fuzz_pictures.DEATHS}
    assert sum(ends.values()) == 150
    assert {"refused not_an_image", "unreadable", "decoded"} <= ends.keys()


def test_a_seed_gives_the_same_files() -> None:
    """What a run found can be found again."""
    assert [*fuzz_pictures.damaged(50, 3)] == [*fuzz_pictures.damaged(50, 3)]


def test_the_corpus_is_the_same_each_time() -> None:
    """A seed gives the same files, and another seed flips other bits."""
    once, again, other = (
        [case.data for case in (*stills.cases(), *damage.cases(seed))] for seed in (1, 1, 2)
    )
    assert once == again
    assert len(once) == len(other)
    assert once != other
