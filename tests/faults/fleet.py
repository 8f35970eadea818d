"""The processes of a service, kept alive as a supervisor does."""

import asyncio
import contextlib
from asyncio.subprocess import Process
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from service.store.database import Database
from tests.flows import driving, processes
from tests.flows.processes import Origin

# Shorter ones are lost where two cores have much else to do.
LEASE_S = 3.0
# What a call may take beyond what it does take.
CALL_S = 5.0
# What a supervisor waits before it starts again what did not start.
RESTART_S = 0.3


@dataclass(slots=True)
class Fleet:
    """
    Keeps so many processes of each role alive, with these settings beside what each needs.

    ``addresses`` are those of the APIs that live; while ``going`` is not set, what ends is not
    started again; ``refusals`` are what processes said that did not start.
    """

    roles: Mapping[str, int]
    where: Database
    upstream_url: str
    origin: Origin
    data_dir: Path
    settings: Mapping[str, str]
    alive: dict[str, list[Process]] = field(default_factory=dict)
    addresses: list[str] = field(default_factory=list)
    started: int = 0
    refusals: list[str] = field(default_factory=list)
    going: asyncio.Event = field(default_factory=asyncio.Event)

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator["Fleet"]:
        """Start everything, wait until it works, and end it after the block."""
        self.going.set()
        self.alive = {role: [] for role in self.roles}
        keepers = [
            asyncio.create_task(self._keep(role))
            for role, many in self.roles.items()
            for _ in range(many)
        ]
        try:
            await self.complete()
            yield self
        finally:
            for keeper in keepers:
                keeper.cancel()
            await asyncio.gather(*keepers, return_exceptions=True)

    async def complete(self) -> None:
        """Wait until as many processes as there should be are at work."""

        async def whole() -> bool:
            return all(len(self.alive[role]) == many for role, many in self.roles.items())

        try:
            await driving.until(whole, "every process is at work")
        except AssertionError as error:
            raise AssertionError(f"{error}; {self.refusals[-3:]}") from error

    async def _keep(self, role: str) -> None:
        while True:
            await self.going.wait()
            try:
                async with self._started(role) as process:
                    self.started += 1
                    self.alive[role].append(process)
                    try:
                        await process.wait()
                    finally:
                        self.alive[role].remove(process)
            except AssertionError as error:
                # It refuses to start while the database is away.
                self.refusals.append(str(error)[:2000])
                await asyncio.sleep(RESTART_S)

    @contextlib.asynccontextmanager
    async def _started(self, role: str) -> AsyncIterator[Process]:
        if role == "serve":
            served = processes.serve(
                self.where, origin=self.origin, data_dir=self.data_dir, **self.settings
            )
            async with served as (process, address):
                self.addresses.append(address)
                try:
                    yield process
                finally:
                    self.addresses.remove(address)
        elif role == "work":
            async with processes.work(
                self.where,
                self.upstream_url,
                lease_s=LEASE_S,
                grace_s=5.0,
                origin=self.origin,
                concurrency=8,
                **self.settings,
            ) as process:
                yield process
        else:
            async with processes.deliver(
                self.where, origin=self.origin, **self.settings
            ) as process:
                yield process
