"""Golden examples through the whole service: what the tests write, ask and read."""

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aiohttp import web

from service import publishing
from service.edits import Upstream as Configured
from service.pictures.pool import Decoders
from service.policy.tokens import Window
from service.quoting import Offer
from service.store import Pool
from service.store.database import Database
from tests import draw
from tests.conftest import PRICE, Api, Caller, configured
from tests.flows import driving
from tests.flows.driving import Owner
from tests.rulesets import source
from tests.upstream import Answer, Call, Upstream, described, error, finding

NAME = "shop"
_SPENT = "SELECT coalesce(sum(cost_microusd), 0)::bigint FROM attempts"
_OPEN = "SELECT count(*) FROM attempts WHERE finished_at IS NULL"


@dataclass(frozen=True, slots=True)
class Bench:
    """The API, its database, the scripted endpoint, and a folder for rulesets."""

    api: Api
    pool: Pool
    where: Database
    owner: Owner
    upstream: Upstream
    folder: Path

    async def imported(
        self, examples: "Sequence[Golden]", *, title: str = "Shop", draft: bool = True
    ) -> int:
        """Write a ruleset with its pictures and make it a version; give its number."""
        path = written(self.folder, examples, title=title)
        async with self.pool.acquire() as conn:
            (done,) = await publishing.take(
                conn, publishing.read([path]), "tests", lambda _: (), draft=draft
            )
        return done.version

    async def ran(self, version: int, *upstreams: Configured) -> dict[str, Any]:
        """Run a version's examples to their ends, by the scripted endpoint; give what came."""
        run = await started(self.api.policy, version)
        async with self.working(*upstreams):
            return await self.ended(run)

    @asynccontextmanager
    async def working(self, *upstreams: Configured) -> AsyncIterator[None]:
        """Run a worker against these upstreams, else the scripted endpoint."""
        ones = upstreams or (configured(self.upstream.url),)
        decoders = Decoders(1)
        await decoders.start()
        try:
            async with driving.worker(self.pool, self.where, decoders, *ones):
                yield
        finally:
            await decoders.stop()

    async def until_running(self, run: dict[str, Any], count: int) -> None:
        """Hurry the uploads of a run until no more than so many have not ended."""

        async def so_many() -> bool:
            await driving.hurry(self.owner)
            return bool((await self.read(run))["examples"]["running"] <= count)

        await driving.until(so_many, f"{count} examples are left")

    async def ended(self, run: dict[str, Any]) -> dict[str, Any]:
        """Hurry the uploads of a run to their ends; give what came of it."""
        rows = await self.owner.fetch(
            "SELECT upload_id FROM trial_examples WHERE trial_id = $1::uuid", run["id"]
        )
        uploads = [row["upload_id"] for row in rows]
        await driving.ended(self.owner, *uploads, press=driving.forgive)
        return await self.read(run)

    async def read(self, run: dict[str, Any]) -> dict[str, Any]:
        """Read a run as it stands."""
        where = f"{place(run['version'], run['ruleset'])}/checks/{run['id']}"
        status, body, _ = await self.api.policy.ask("GET", where)
        assert status == 200, body
        found: dict[str, Any] = body
        return found

    async def spent(self) -> int:
        """Tell what the whole ledger says was paid; no call is under way."""
        assert await self.owner.fetchval(_OPEN) == 0
        return int(await self.owner.fetchval(_SPENT))

    async def uploads(self) -> int:
        """Count the uploads there are."""
        return int(await self.owner.fetchval("SELECT count(*) FROM uploads"))


@dataclass(frozen=True, slots=True)
class Golden:
    """An example whose picture is flat and as many pixels wide as its number, or of these bytes."""

    number: int
    rules: tuple[str, ...] = ()
    outcome: str = "clean"
    picture: bytes | None = None

    @property
    def path(self) -> str:
        return f"examples/{self.number}.png"


FACE = Golden(1, ("faces",), "redacted")
PLAIN = Golden(2)
BOTH = (FACE, PLAIN)


def offer(price: int | None = PRICE, upstream: str = "scripted", weight: float = 1.0) -> Offer:
    """An upstream as the API knows it."""
    model = "gemini-3.1-flash-image-preview"
    return Offer(Window(upstream, model, None, None), price, weight)


def lines(examples: Sequence[Golden]) -> str:
    """Write examples as a ruleset has them."""
    if not examples:
        return ""
    rows = [
        json.dumps({"image": one.path, "rules": list(one.rules), "outcome": one.outcome})
        for one in examples
    ]
    return "examples:\n" + "".join(f"  - {row}\n" for row in rows)


def written(place: Path, examples: Sequence[Golden], name: str = NAME, title: str = "Shop") -> Path:
    """Write a ruleset with its examples and their pictures; give its file."""
    (place / "examples").mkdir(parents=True, exist_ok=True)
    for one in examples:
        data = one.picture or draw.png(one.number, 8, "red")
        (place / one.path).write_bytes(data)
    path = place / f"{name}.yaml"
    path.write_text(
        source("faces", "plates", name=name, title=title, more=lines(examples)), "utf-8"
    )
    return path


def place(version: int, name: str = NAME) -> str:
    """Give the address of a version."""
    return f"/v1/rulesets/{name}/versions/{version}"


async def check(caller: Caller, version: int, name: str = NAME, **body: Any) -> tuple[int, Any]:
    """Ask for a quote or, confirmed, for a run."""
    status, answer, _ = await caller.ask("POST", f"{place(version, name)}/check", json=body)
    return status, answer


async def started(caller: Caller, version: int, name: str = NAME) -> dict[str, Any]:
    """Start a run for what it is quoted at."""
    status, quote = await check(caller, version, name)
    assert status == 200, quote
    price = {key: quote[key] for key in ("calls", "microusd")}
    status, begun, headers = await caller.ask(
        "POST", f"{place(version, name)}/check", json={"confirm": price}
    )
    assert status == 202, begun
    assert headers["Location"] == f"{place(version, name)}/checks/{begun['id']}"
    assert begun["quoted_microusd"] == quote["microusd"]
    found: dict[str, Any] = begun
    return found


def width(image: bytes) -> int:
    """Tell how wide a PNG is, which is the number of its example."""
    return int.from_bytes(image[16:20])


def each(answers: Mapping[int, Answer]) -> Answer:
    """Answer the picture of each example, by its number, in its own way."""

    async def answer(call: Call, request: web.Request) -> web.StreamResponse:
        return await answers[width(call.image)](call, request)

    return answer


def right(examples: Sequence[Golden]) -> Answer:
    """Answer each picture with just what its example expects."""
    return each(
        {one.number: described(findings=[finding(rule) for rule in one.rules]) for one in examples}
    )


def refusing() -> Answer:
    """Answer that the model will not."""
    return error(400, "moderation_blocked")
