"""
What a user would write instead of the service, and the least that the same work can cost.

None of these leases, retries, bills, keeps what came in, or can be asked what became of a picture.
Each has as many calls under way as the service and inserts what came into one table.
"""

import asyncio
import base64
import io
import json
import multiprocessing
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, TypeAlias

import aiohttp
import asyncpg
import jsonschema
import jsonschema_rs
import openai
import pybase64

from service.edits import Edit, Request, openai_images
from service.pictures.canonical import canonical
from service.pictures.finishing import finish
from service.proof import Region
from service.proving import THUMBNAIL_SIDE
from tests.benchmarks import stub
from tests.benchmarks.contenders import upstream_of

DIALECT: Final = "openai-images"
IN_FLIGHT: Final = 16
PROCESSES: Final = 2
CONNECTIONS: Final = 8
TABLE: Final = """
    CREATE TABLE plain (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        image bytea STORAGE EXTERNAL, thumbnail bytea STORAGE EXTERNAL, description jsonb)
"""
_INSERT: Final = "INSERT INTO plain (image, thumbnail, description) VALUES ($1, $2, $3)"

Run: TypeAlias = Callable[[Sequence[bytes]], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Given:
    """What all of them are told: where to send, the version's prompt and schema, the places."""

    url: str
    prompt: str
    schema: dict[str, Any]
    regions: tuple[Region, ...]
    pool: "asyncpg.Pool[asyncpg.Record]"
    in_flight: int

    def request(self, file: bytes) -> Request:
        """Build the call for a JPEG file."""
        edit = Edit(self.prompt, file, "image/jpeg")
        return openai_images.build(edit, upstream_of(DIALECT, self.url))


@asynccontextmanager
async def script(given: Given, *, compiled: bool) -> AsyncIterator[Run]:
    """The script of the SDK's own examples; ``compiled``: its validator is made once."""
    validator = jsonschema.Draft202012Validator(given.schema)
    validate: Callable[[Any], None] = (
        validator.validate if compiled else partial(jsonschema.validate, schema=given.schema)
    )
    async with openai.AsyncOpenAI(base_url=given.url, api_key="key", max_retries=0) as client:

        async def one(file: bytes) -> None:
            response = await client.images.edit(
                model="a-model",
                prompt=given.prompt,
                image=("image.jpg", file, "image/jpeg"),
                n=1,
                response_format="b64_json",
            )
            assert response.data, "the SDK gave no data"
            (item,) = response.data
            assert item.b64_json, "the SDK gave no image"
            assert item.revised_prompt, "the SDK gave no text"
            document = json.loads(item.revised_prompt)
            validate(document)
            image = base64.b64decode(item.b64_json)
            await given.pool.execute(_INSERT, image, None, json.dumps(document))

        yield lambda files: _all(one, files, given.in_flight)


@asynccontextmanager
async def lean(given: Given, sample: bytes) -> AsyncIterator[Run]:
    """The least: one body built beforehand, slices of the answer, compiled checks, one INSERT."""
    request = given.request(sample)
    read = _reader(given.schema)
    async with _session() as session:

        async def one(_: bytes) -> None:
            image, text = read(await _posted(session, request))
            await given.pool.execute(_INSERT, image, None, text)

        yield lambda files: _all(one, files, given.in_flight)


@asynccontextmanager
async def with_pictures(given: Given, decoders: ProcessPoolExecutor) -> AsyncIterator[Run]:
    """The same with all the picture work of the service, by its own functions in processes."""
    loop, read = asyncio.get_running_loop(), _reader(given.schema)
    async with _session() as session:

        async def one(file: bytes) -> None:
            original = await loop.run_in_executor(decoders, canonical, file)
            image, text = read(await _posted(session, given.request(original.data)))
            proving = partial(finish, confined=True, thumbnail_side=THUMBNAIL_SIDE)
            asked = (original.data, image, given.regions)
            final = (await loop.run_in_executor(decoders, proving, *asked)).picture
            assert final is not None, "the stub's edit shows another picture"
            await given.pool.execute(_INSERT, final.data, final.thumbnail, text)

        yield lambda files: _all(one, files, given.in_flight)


@contextmanager
def decoding() -> Iterator[ProcessPoolExecutor]:
    """Start as many processes as the worker has decoders."""
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(PROCESSES, mp_context=spawn) as started:
        yield started


async def _all(
    one: Callable[[bytes], Awaitable[None]], files: Sequence[bytes], in_flight: int
) -> None:
    """Handle each file, at most so many at once."""
    left = iter(files)

    async def next_ones() -> None:
        for file in left:
            await one(file)

    async with asyncio.TaskGroup() as group:
        for _ in range(in_flight):
            group.create_task(next_ones())


def _reader(schema: dict[str, Any]) -> Callable[[bytes], tuple[bytes, str]]:
    """Make what cuts an answer of the stub into image and text, and checks the text."""
    validator, before = jsonschema_rs.validator_for(schema), stub.BEFORE_IMAGE[DIALECT]

    def read(body: bytes) -> tuple[bytes, str]:
        start = body.index(before) + len(before)
        end = body.index(b'"', start)
        image = pybase64.b64decode(memoryview(body)[start:end], validate=True)
        # What follows the image is the rest of one object in a list in an object.
        text: str = json.loads(b"{" + body[end + 2 : -2])["revised_prompt"]
        validator.validate(json.loads(text))
        return image, text

    return read


def _session() -> aiohttp.ClientSession:
    return aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0))


async def _posted(session: aiohttp.ClientSession, request: Request) -> bytes:
    # aiohttp warns of a large body that is not a file.
    body = io.BytesIO(request.body)
    async with session.post(request.url, data=body, headers=request.headers) as response:
        assert response.status == 200, f"the stub answered {response.status}"
        return await response.read()
