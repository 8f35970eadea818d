"""Rulesets from files become immutable versions, rendered once and for all."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from service.errors import InputRefused, WorkFailed
from service.policy import descriptions, prompt, rulesets, tokens
from service.policy.tokens import Size, Window
from service.store import Conn, audit
from service.store import rulesets as store


@dataclass(frozen=True, slots=True)
class Imported:
    """What became of one file; ``new`` is False where the same content was a version already."""

    name: str
    version: int
    new: bool


@dataclass(frozen=True, slots=True)
class Source:
    """A ruleset file, read and checked."""

    path: Path
    text: str
    ruleset: rulesets.Ruleset


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
                data = file.read_bytes()
                sources.append(Source(file, data.decode("utf-8", "replace"), rulesets.parse(data)))
            except OSError as error:
                raise WorkFailed(f"cannot read {file}: {error.strerror}") from error
            except InputRefused as error:
                faults += [{"file": str(file), **fault} for fault in error.errors or []]
    if faults:
        raise InputRefused("ruleset_invalid", f"{len(faults)} faults", errors=faults)
    return sources


def check(ruleset: rulesets.Ruleset, windows: Sequence[Window]) -> Size:
    """
    Tell how long the prompt of the ruleset's first version is; see ``publish`` for what is refused.

    Offline and free.
    """
    return tokens.measure(_prompt(rulesets.Version(ruleset, 1, rulesets.digest(ruleset)), windows))


async def publish(
    conn: Conn,
    ruleset: rulesets.Ruleset,
    source: str,
    author: str,
    windows: Sequence[Window] = (),
) -> Imported:
    """
    Keep the content as a version and make it live; the same content twice is one version.

    Args:
        windows: Those of all configured upstreams; where none are told, any ruleset may go live.

    Raises:
        InputRefused: ``model_unknown`` if no upstream has the model that the ruleset names,
            ``ruleset_too_long`` if one that may judge it does not take the prompt.  Nothing was
            changed.
    """
    sha256 = rulesets.digest(ruleset)
    async with conn.transaction():
        await store.lock(conn, ruleset.name)
        known = await store.find(conn, ruleset.name, bytes.fromhex(sha256))
        number = known or await store.next_number(conn, ruleset.name)
        version = rulesets.Version(ruleset, number, sha256)
        text = _prompt(version, windows)
        if known is None:
            await store.add(conn, _rendered(version, text, source, author))
        await store.publish(conn, ruleset.name, number)
        await audit.add(conn, author, "ruleset.publish", f"{ruleset.name}/{number}", sha256=sha256)
    return Imported(ruleset.name, number, known is None)


async def seed(conn: Conn, folder: Path) -> list[Imported]:
    """Publish the folder's rulesets whose names are not known yet; what staff published stays."""
    seeded: list[Imported] = []
    for source in read([folder]):
        async with conn.transaction():
            # Others may start at the same time, and staff may publish meanwhile.
            await store.lock(conn, source.ruleset.name)
            if await store.live(conn, source.ruleset.name) is None:
                seeded.append(await publish(conn, source.ruleset, source.text, "moderation"))
    return seeded


def _prompt(version: rulesets.Version, windows: Sequence[Window]) -> str:
    """Render the prompt of a version that every upstream which may judge by it takes."""
    ruleset = version.ruleset
    models = sorted({one.model for one in windows})
    if windows and ruleset.model not in (None, *models):
        raise InputRefused(
            "model_unknown",
            f"ruleset {ruleset.name} is judged by model {ruleset.model} only, which no upstream"
            f" has; allowed are {', '.join(models)}",
        )
    text = prompt.render(version)
    size = tokens.measure(text)
    asked = [one for one in windows if ruleset.model in (None, one.model)]
    if reasons := [reason for one in asked if (reason := tokens.misfit(size, one))]:
        raise InputRefused(
            "ruleset_too_long", f"ruleset {ruleset.name} is too long: {'; '.join(reasons)}"
        )
    return text


def _rendered(version: rulesets.Version, text: str, source: str, author: str) -> store.NewVersion:
    content: dict[str, Any] = version.ruleset.model_dump(mode="json")
    return store.NewVersion(
        ruleset=version.ruleset.name,
        version=version.number,
        sha256=bytes.fromhex(version.sha256),
        source=source,
        content=content,
        prompt=text,
        prompt_sha256=bytes.fromhex(prompt.sha256(text)),
        schema=descriptions.schema(version.ruleset),
        author=author,
    )
