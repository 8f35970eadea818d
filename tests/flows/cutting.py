"""A proxy before Postgres that cuts the connection at a chosen statement: a fault on the wire."""

import asyncio
import contextlib
import struct
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from service.store.database import Database

Choice = Callable[[bytes], bool]
# The client's messages that run a statement: Query and Execute; Parse carries the text.
_RUNS, _PARSE, _BIND, _READY = b"QE", b"P", b"B", b"Z"


@dataclass(slots=True)
class Cutter:
    """
    Forwards everything until ``before`` or ``after`` chooses a statement; then cuts, once.

    A choice is asked at each statement, with its text (of a simple query, else of what was parsed
    under the name that is run).  ``before``: the statement does not reach the server.  ``after``:
    the server has answered, and the client never hears it.  ``texts`` is what was asked so far.
    """

    dsn: str = ""
    before: Choice | None = None
    after: Choice | None = None
    cuts: int = 0
    texts: list[bytes] = field(default_factory=list)

    async def serve(
        self, target: Path, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        try:
            server_reader, server_writer = await asyncio.open_unix_connection(str(target))
        except OSError:
            # The server is away, which the client learns at once.
            writer.transport.abort()
            return
        ready = asyncio.Event()
        deaf = asyncio.Event()
        back = asyncio.create_task(_answers(server_reader, writer, ready, deaf))
        try:
            with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
                await self._requests(reader, server_writer, ready, deaf)
        finally:
            back.cancel()
            await asyncio.gather(back, return_exceptions=True)
            for side in (server_writer, writer):
                side.transport.abort()

    async def _requests(
        self,
        reader: asyncio.StreamReader,
        server: asyncio.StreamWriter,
        ready: asyncio.Event,
        deaf: asyncio.Event,
    ) -> None:
        length = await reader.readexactly(4)
        server.write(length + await reader.readexactly(struct.unpack(">I", length)[0] - 4))
        parsed: dict[bytes, bytes] = {}
        bound = b""
        while True:
            head = await reader.readexactly(5)
            body = await reader.readexactly(struct.unpack(">I", head[1:])[0] - 4)
            kind = head[:1]
            if kind == _PARSE:
                parsed[body.partition(b"\0")[0]] = body
            if kind == _BIND:
                bound = body.split(b"\0", 2)[1]
            if kind in _RUNS:
                text = body if kind == b"Q" else parsed[bound]
                self.texts.append(text)
                if self.before is not None and self.before(text):
                    self.before, self.cuts = None, self.cuts + 1
                    return
                if self.after is not None and self.after(text):
                    self.after, self.cuts = None, self.cuts + 1
                    deaf.set()
                    ready.clear()
            server.write(head + body)
            # A statement is answered at its Sync, which a simple query brings along.
            if deaf.is_set() and kind in b"QS":
                await ready.wait()
                return


async def _answers(
    server: asyncio.StreamReader,
    client: asyncio.StreamWriter,
    ready: asyncio.Event,
    deaf: asyncio.Event,
) -> None:
    with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
        while True:
            head = await server.readexactly(5)
            body = await server.readexactly(struct.unpack(">I", head[1:])[0] - 4)
            if not deaf.is_set():
                client.write(head + body)
            if head[:1] == _READY:
                ready.set()
    # The server has gone: the client learns it as it would without us between them.
    client.close()


@contextlib.asynccontextmanager
async def cutter(where: Database) -> AsyncIterator[tuple[Cutter, Database]]:
    """Listen on loopback before this database; give the proxy and the database behind it."""
    address = urlsplit(where.dsn)
    options = parse_qs(address.query)
    target = Path(options["host"][0]) / f".s.PGSQL.{options['port'][0]}"
    proxy = Cutter()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await proxy.serve(target, reader, writer)

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    proxy.dsn = f"postgresql://{address.netloc}127.0.0.1:{port}{address.path}?sslmode=disable"
    try:
        yield proxy, replace(where, dsn=proxy.dsn)
    finally:
        server.close()
