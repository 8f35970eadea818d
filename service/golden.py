"""The pictures of golden examples: read beside their ruleset, kept with its version, found."""

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path

from service import inspecting
from service.errors import InputRefused
from service.pictures.headers import Limits
from service.policy.rulesets import Example
from service.store import Conn, example_pictures, images

_STORED = "sha256:"


def paths(examples: Sequence[Example]) -> dict[int, str]:
    """Tell which examples name their pictures by path: place in the list to path."""
    return {at: one.image for at, one in enumerate(examples) if not _is_digest(one)}


def read(folder: Path, examples: Sequence[Example]) -> dict[str, images.Image]:
    """
    Read the pictures that examples name by their paths below the folder of their ruleset's file.

    Those that are not there are left out: a ruleset may be written where its pictures are not.

    Raises:
        InputRefused: ``examples_unusable`` with every file that is no picture.
    """
    found: dict[str, images.Image] = {}
    faults: list[dict[str, object]] = []
    for at, path in paths(examples).items():
        try:
            found[path] = inspecting.inspect((folder / path).read_bytes(), Limits())
        except FileNotFoundError:
            continue
        except OSError as error:
            faults.append(_fault(at, f"{folder / path}: {error.strerror}"))
        except InputRefused as error:
            faults.append(_fault(at, f"{folder / path}: {error}"))
    _refuse(faults)
    return found


async def keep(
    conn: Conn, ruleset: str, version: int, pictures: Mapping[str, images.Image]
) -> None:
    """
    Store the pictures of a version's examples; what a path means never changes.

    Raises:
        InputRefused: ``examples_unusable``: a path means another picture already.
    """
    known = await example_pictures.all_of(conn, ruleset, version)
    for path, picture in pictures.items():
        if known.get(path, picture.sha256) != picture.sha256:
            raise InputRefused(
                "examples_unusable",
                f"{path} is another picture than {ruleset}/{version} has under that name since it"
                " was made; give the new one a name of its own",
            )
        await images.add(conn, picture)
        await example_pictures.add(conn, ruleset, version, path, picture.sha256)


async def supply(
    conn: Conn, ruleset: str, version: int, examples: Sequence[Example], folder: Path
) -> None:
    """
    Store the pictures of a ruleset that came with the code, where nobody has said what they are.

    They are left out when its ruleset is seeded, so that a database begins without pictures.
    """
    if not (folder / f"{ruleset}.yaml").is_file():
        return
    async with conn.transaction():
        known = await example_pictures.all_of(conn, ruleset, version)
        missing = [one for one in examples if one.image not in known]
        await keep(conn, ruleset, version, await asyncio.to_thread(read, folder, missing))


async def inherit(conn: Conn, ruleset: str, version: int, examples: Sequence[Example]) -> None:
    """Let paths of a new version mean what they last meant, except where ``keep`` said more."""
    await example_pictures.inherit(conn, ruleset, version, list(paths(examples).values()))


async def find(conn: Conn, ruleset: str, version: int, examples: Sequence[Example]) -> list[bytes]:
    """
    Give the digest of each example's picture, in their order.

    Raises:
        InputRefused: ``examples_unusable``: there are no examples, or with every picture that is
            not stored.
    """
    if not examples:
        raise InputRefused(
            "examples_unusable", f"{ruleset}/{version} has no golden examples; write some first"
        )
    by_path = await example_pictures.all_of(conn, ruleset, version)
    named = [
        bytes.fromhex(one.image.removeprefix(_STORED))
        if _is_digest(one)
        else by_path.get(one.image)
        for one in examples
    ]
    stored = await example_pictures.stored(conn, [one for one in named if one])
    _refuse(
        [
            _fault(at, f"{one.image} is not stored; `rulesets import` its file, picture beside it")
            for at, (one, digest) in enumerate(zip(examples, named, strict=True))
            if digest not in stored
        ]
    )
    return [digest for digest in named if digest]


def _is_digest(example: Example) -> bool:
    return example.image.startswith(_STORED)


def _fault(at: int, message: str) -> dict[str, object]:
    return {"path": f"examples[{at}].image", "message": message}


def _refuse(faults: list[dict[str, object]]) -> None:
    if faults:
        raise refusal(faults)


def refusal(faults: list[dict[str, object]]) -> InputRefused:
    """Refuse pictures of examples, at least one; each fault has its ``path`` and ``message``."""
    count = "one picture" if len(faults) == 1 else f"{len(faults)} pictures"
    return InputRefused(
        "examples_unusable",
        f"{count} of golden examples cannot be used; {faults[0]['message']}",
        errors=faults,
    )
