"""Uploads whose every call is answered by one fault mode: how they are run, and how they end."""

import contextlib
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from uuid import UUID

import pytest

from service.edits import Upstream as Configured
from service.edits import outcomes
from service.pictures.pool import Decoders
from service.store import Pool
from service.store.database import Database
from tests import draw
from tests.conftest import configured
from tests.fault_modes import Mode, table
from tests.flows import driving
from tests.flows.driving import Owner
from tests.upstream import Upstream

PICTURES = {name: draw.png(number, 8, "red") for number, name in enumerate(table.MODES, start=1)}
# An instant in which an upload was allowed cannot be missed, as it could be by polling.
WATCH = """
    CREATE TABLE verdicts_seen (upload_id uuid, verdict text);
    CREATE FUNCTION see_verdict() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
    SET search_path FROM CURRENT AS $$
    BEGIN
        INSERT INTO verdicts_seen VALUES (NEW.id, NEW.verdict);
        RETURN NULL;
    END $$;
    CREATE TRIGGER see_verdict AFTER INSERT OR UPDATE ON uploads
        FOR EACH ROW EXECUTE FUNCTION see_verdict();
"""
_SEEN = "SELECT array_agg(DISTINCT verdict) FROM verdicts_seen WHERE upload_id = $1"


def first_of(dialects: Iterable[str]) -> list[object]:
    """Give all dialects as parameters; those after the first are slow."""
    first, *others = dialects
    return [first, *(pytest.param(one, marks=pytest.mark.slow) for one in others)]


@dataclass(frozen=True, slots=True)
class End:
    """How an upload ends, all verdicts that it ever had, and the outcomes of its calls."""

    state: str
    outcome: str
    verdicts: set[str]
    calls: list[str]


@dataclass(frozen=True, slots=True)
class Bench:
    """One watched database, and workers for one group of modes after another."""

    pool: Pool
    where: Database
    owner: Owner
    upstream: Upstream
    decoders: Decoders

    @contextlib.asynccontextmanager
    async def working(
        self, modes: Mapping[str, Mode], one: Configured
    ) -> AsyncIterator[dict[str, UUID]]:
        """Queue a picture for each mode, and run a worker; the value is name to upload."""
        uploads = {name: await driving.queued(self.pool, PICTURES[name]) for name in modes}
        async with driving.worker(self.pool, self.where, self.decoders, one):
            yield uploads

    def calls(self) -> Counter[str]:
        """Count the calls that arrived, by mode."""
        return Counter(driving.name_of(call, table.MODES) for call in self.upstream.calls)

    async def end(self, upload: UUID) -> End:
        """Tell how an upload ended; its ledger and its callback are checked."""
        row = await driving.row(self.owner, upload)
        calls = [one["outcome"] for one in await driving.attempts_of(self.owner, upload)]
        await driving.check_ledger(self.owner, upload, calls)
        message = await driving.message_of(self.owner, upload)
        assert (message["data"]["links"]["edited"] is None) == (row["state"] == "failed")
        return End(row["state"], row["outcome"], await self.verdicts(upload), calls)

    async def verdicts(self, upload: UUID) -> set[str]:
        """Give every verdict that an upload ever had."""
        return set(await self.owner.fetchval(_SEEN, upload))


async def check_all(
    bench: Bench,
    modes: Mapping[str, Mode],
    expected: Callable[[Mode], End],
    *,
    dialect: str = "openai-images",
    describer: str | None = None,
) -> None:
    """Let an upload meet each mode, and check their ends, the calls made and the records kept."""
    uploads: dict[str, UUID] = {}
    for number, group in enumerate(_groups(modes)):
        # An upstream for each group, with the settings that its modes need.
        settings = {key: value for mode in group.values() for key, value in mode.settings.items()}
        one = configured(
            bench.upstream.url, name=f"number {number}", **{"timeout_s": 20.0, **settings}
        )
        describing = replace(one, dialect=describer) if describer else None
        one = replace(one, dialect=dialect, describer=describing)
        async with bench.working(group, one) as queued:
            await driving.ended(bench.owner, *queued.values(), press=driving.forgive)
        uploads |= queued
    ends = {name: await bench.end(upload) for name, upload in uploads.items()}
    wrong = {name: end for name, end in ends.items() if end != expected(modes[name])}
    assert not wrong, wrong
    assert bench.calls() == {name: len(end.calls) for name, end in ends.items()}
    assert max(bench.calls().values()) <= outcomes.MAX_ATTEMPTS
    recorded = {row["upload_id"] for row in await bench.owner.fetch("SELECT * FROM records")}
    assert recorded == {uploads[name] for name in modes if modes[name].outcome == "described"}


def _groups(modes: Mapping[str, Mode]) -> Iterator[dict[str, Mode]]:
    """Put modes of one outcome together, except those whose wait would hold the others up."""
    groups: dict[str, dict[str, Mode]] = {}
    for name, mode in modes.items():
        alone = mode.outcome == "rate_limited"
        groups.setdefault(name if alone else mode.outcome, {})[name] = mode
    yield from groups.values()


def end(outcome: str, calls: list[str]) -> End:
    """Expect a clean end, or a failed one that was never anything but held."""
    if outcome == "described":
        return End("done", "clean", {"hold", "allow"}, calls)
    return End("failed", outcome, {"hold"}, calls)
