"""Rulesets become immutable versions, rendered once and for all; files go live in one step."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from service import golden, releasing
from service.errors import InputRefused, WorkFailed
from service.policy import descriptions, prompt, rulesets, tokens, yaml_nodes
from service.policy.tokens import Size, Window
from service.releasing import Order, Windows
from service.store import Conn, audit
from service.store import rulesets as store
from service.store.images import Image

# Who wrote the rulesets that come with the code.
SHIPPED = "moderation"


@dataclass(frozen=True, slots=True)
class Imported:
    """Content that is a version; ``new`` is False where the same content was one already."""

    name: str
    version: int
    new: bool


@dataclass(frozen=True, slots=True)
class Source:
    """A ruleset file, read and checked, with the pictures of its examples by their paths."""

    path: Path
    text: str
    ruleset: rulesets.Ruleset
    pictures: Mapping[str, Image]

    @property
    def missing(self) -> list[str]:
        """The paths of examples that have no picture beside the file."""
        named = golden.paths(self.ruleset.examples).values()
        return [path for path in named if path not in self.pictures]


@dataclass(frozen=True, slots=True)
class Preview:
    """What a source would come to: its prompt as the next version's, and what is live now."""

    ruleset: rulesets.Ruleset
    prompt: str
    live: rulesets.Ruleset | None


def read(paths: Sequence[Path]) -> list[Source]:
    """
    Read and check ruleset files; a folder stands for the ``*.yaml`` in it.

    Raises:
        InputRefused: ``ruleset_invalid`` with every fault of every file, each with its ``file``.
        WorkFailed: A path that cannot be read, or a folder without rulesets.
    """
    sources: list[Source] = []
    faults: list[dict[str, object]] = []
    for path in paths:
        files = sorted(path.glob("*.yaml")) if path.is_dir() else [path]
        if not files:
            raise WorkFailed(f"{path} holds no *.yaml file")
        for file in files:
            try:
                sources.append(_source(file))
            except OSError as error:
                raise WorkFailed(f"cannot read {file}: {error.strerror}") from error
            except InputRefused as error:
                faults += _in_file(file, error)
    _refuse(faults)
    return sources


def _source(file: Path) -> Source:
    data = file.read_bytes()
    ruleset = rulesets.parse(data)
    pictures = golden.read(file.parent, ruleset.examples)
    return Source(file, data.decode(), ruleset, pictures)


def check(ruleset: rulesets.Ruleset, windows: Sequence[Window]) -> Size:
    """
    Tell how long the prompt of the ruleset's first version is; refuse what ``releasing.fit`` does.

    Offline and free.
    """
    text = prompt.render(rulesets.Version(ruleset, 1, rulesets.digest(ruleset)))
    releasing.fit(ruleset.name, ruleset.model, text, windows)
    return tokens.measure(text)


async def submit(
    conn: Conn, name: str, source: bytes, author: str, note: str | None = None
) -> Imported:
    """
    Keep what somebody wrote as a draft; the name may be new, the same content is one version.

    Raises:
        InputRefused: ``ruleset_invalid`` with every fault at its line and column.  Nothing was
            changed.
    """
    async with conn.transaction():
        live = await store.lock(conn, name)
        ruleset = await _parse(conn, name, live, source)
        return await _keep(conn, ruleset, source.decode(), author, note)


async def preview(conn: Conn, name: str, source: bytes) -> Preview:
    """
    Tell what a source would come to if it were kept as a draft; nothing is kept.

    Raises:
        InputRefused: As ``submit``.
    """
    async with conn.transaction(isolation="repeatable_read", readonly=True):
        known = next(iter(await store.listed(conn, name)), None)
        live = known["live_version"] if known else None
        ruleset = await _parse(conn, name, live, source)
        number = known["newest_version"] + 1 if known else 1
        old = None if live is None else (await store.contents(conn, name))[live - 1]
    version = rulesets.Version(ruleset, number, rulesets.digest(ruleset))
    return Preview(ruleset, prompt.render(version), old and rulesets.of_content(old))


async def _parse(conn: Conn, name: str, live: int | None, source: bytes) -> rulesets.Ruleset:
    """Read a source of this ruleset, as it follows from the versions there are."""
    earlier = await _earlier(conn, name, live)
    ruleset = await asyncio.to_thread(rulesets.parse, source, earlier)
    if ruleset.name != name:
        place = yaml_nodes.read(source).places["name",]
        message = f"name is {ruleset.name!r}; this address keeps versions of {name!r} only."
        fault = {"line": place.line, "column": place.column, "path": "name", "message": message}
        raise InputRefused("ruleset_invalid", message, errors=[fault])
    return ruleset


async def take(
    conn: Conn, sources: Sequence[Source], author: str, windows: Windows, *, draft: bool = False
) -> list[Imported]:
    """
    Make files versions, and live unless they are to stay drafts: all of them or none.

    Raises:
        InputRefused: ``ruleset_invalid`` where they do not follow from the versions there are, and
            as ``publish``.  Nothing was changed.
    """
    faults: list[dict[str, object]] = []
    # In one order, so that two imports at once wait for each other and never in a circle.
    sources = sorted(sources, key=lambda one: one.ruleset.name)
    async with conn.transaction():
        for source in sources:
            live = await store.lock(conn, source.ruleset.name)
            earlier = await _earlier(conn, source.ruleset.name, live)
            try:
                await asyncio.to_thread(rulesets.parse, source.text, earlier)
            except InputRefused as error:
                faults += _in_file(source.path, error)
        _refuse(faults)
        return [
            await _keep(conn, one.ruleset, one.text, author, pictures=one.pictures)
            if draft
            else await publish(
                conn, one.ruleset, one.text, author, windows(one.ruleset.model), one.pictures
            )
            for one in sources
        ]


async def publish(
    conn: Conn,
    ruleset: rulesets.Ruleset,
    source: str,
    author: str,
    windows: Sequence[Window] = (),
    pictures: Mapping[str, Image] | None = None,
) -> Imported:
    """
    Keep the content as a version and make it live; the same content twice is one version.

    Whoever does so at the same time comes before or after, and the later one is live.

    Args:
        windows: Those of all configured upstreams; where none are told, any ruleset may go live.
        pictures: Those that golden examples name by their paths, as far as they are at hand.

    Raises:
        InputRefused: As ``releasing.publish`` and ``golden.keep``.  Nothing was changed.
    """
    async with conn.transaction():
        kept = await _keep(conn, ruleset, source, author, pictures=pictures)
        order = Order(author)
        await releasing.publish(conn, kept.name, kept.version, order, lambda _: windows)
    return kept


async def seed(conn: Conn, folder: Path) -> list[Imported]:
    """Publish the folder's rulesets whose names are not known yet; what staff published stays."""
    seeded: list[Imported] = []
    for source in read([folder]):
        async with conn.transaction():
            # Others may start at the same time, and staff may publish meanwhile.
            if await store.lock(conn, source.ruleset.name) is None:
                bare = replace(source, pictures={})
                seeded += await take(conn, [bare], SHIPPED, lambda _: ())
    return seeded


async def _earlier(conn: Conn, name: str, live: int | None) -> list[dict[str, Any]]:
    """
    Give each version's content, and last the rules whose ids are in use.

    Those are the newest version's and the live one's, which a rollback may have brought back.
    """
    contents = await store.contents(conn, name)
    if live is not None:
        used = {
            rule["id"]: rule for one in (contents[live - 1], contents[-1]) for rule in one["rules"]
        }
        contents.append({"rules": list(used.values())})
    return contents


async def _keep(
    conn: Conn,
    ruleset: rulesets.Ruleset,
    source: str,
    author: str,
    note: str | None = None,
    pictures: Mapping[str, Image] | None = None,
) -> Imported:
    """Make the content a version, unless it is one, with its pictures; in one transaction."""
    name, sha256 = ruleset.name, bytes.fromhex(rulesets.digest(ruleset))
    async with conn.transaction():
        await store.lock(conn, name)
        known = await store.find(conn, name, sha256)
        number = known or await store.next_number(conn, name)
        if known is None:
            await _add(conn, rulesets.Version(ruleset, number, sha256.hex()), source, author, note)
        await golden.keep(conn, name, number, pictures or {})
        if known is None:
            await golden.inherit(conn, name, number, ruleset.examples)
    return Imported(name, number, new=known is None)


async def _add(
    conn: Conn, version: rulesets.Version, source: str, author: str, note: str | None
) -> None:
    name, number, sha256 = version.ruleset.name, version.number, version.sha256
    text = prompt.render(version)
    await store.add(
        conn,
        store.NewVersion(
            ruleset=name,
            version=number,
            sha256=bytes.fromhex(sha256),
            source=source,
            content=rulesets.content(version.ruleset),
            prompt=text,
            prompt_sha256=bytes.fromhex(prompt.sha256(text)),
            schema=descriptions.schema(version.ruleset),
            author=author,
            note=note,
        ),
    )
    await audit.add(conn, author, "ruleset.draft", f"{name}/{number}", sha256=sha256)


def _in_file(file: Path, error: InputRefused) -> list[dict[str, object]]:
    return [{"file": str(file), **fault} for fault in error.errors or []]


def _refuse(faults: list[dict[str, object]]) -> None:
    if faults:
        count = "one fault" if len(faults) == 1 else f"{len(faults)} faults"
        raise InputRefused("ruleset_invalid", f"the rulesets have {count}", errors=faults)
