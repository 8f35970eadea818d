"""Releases: a version goes live, or an earlier one again; of two people at once one wins."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Literal

from pydantic import BaseModel

from service import catalogue
from service.catalogue import ReleaseView
from service.errors import InputRefused
from service.policy import tokens
from service.policy.tokens import Window
from service.scoring import Result
from service.store import Conn, Row, audit, releases, trials
from service.store import rulesets as store
from service.store.releases import Kind, NewRelease

# Gives what the upstreams take that may judge by a ruleset, which may name a model.
Windows = Callable[[str | None], Sequence[Window]]
Examples = Result | Literal["none", "not_run"]


@dataclass(frozen=True, slots=True)
class Order:
    """
    Who wants a release, and how.

    ``override``: although golden examples failed; then there is a ``reason``.  ``expected``: the
    live versions that it may replace, as entity tags; None for whichever is live when it is asked.
    """

    actor: str
    reason: str | None = None
    override: bool = False
    expected: Collection[str] | None = None


class Released(BaseModel):
    """
    The version that is live now, and the release that made it so; null where it was live already.

    ``examples`` tells how the version's golden examples stand.
    """

    name: str
    live_version: int
    release: ReleaseView | None
    examples: Examples


async def publish(conn: Conn, name: str, version: int, order: Order, windows: Windows) -> Released:
    """
    Make a version the live one.

    Raises:
        InputRefused: ``not_found``, ``ruleset_moved`` if another release was faster,
            ``second_person_needed``, ``examples_failed``, ``model_unknown`` or
            ``ruleset_too_long`` (see ``fit``).  Nothing was changed.
    """
    if order.override and not order.reason:
        raise InputRefused("validation_failed", "override needs a reason, which is kept")
    seen = await _seen(conn, name, order)
    async with conn.transaction():
        await _hold(conn, name, seen)
        row = await catalogue.find(conn, name, version)
        examples = await _examples(conn, row)
        if version == seen:
            return Released(name=name, live_version=version, release=None, examples=examples)
        live = None if seen is None else await catalogue.find(conn, name, seen)
        _refuse_author(row, live, order.actor)
        if examples == "failed" and not order.override:
            raise InputRefused(
                "examples_failed",
                f"golden examples of {name}/{version} failed; put them right, or override it with"
                " a reason",
            )
        overridden = examples == "failed"
        release = await _enter(conn, "publish", row, seen, order, windows, overridden=overridden)
        return Released(name=name, live_version=version, release=release, examples=examples)


async def rollback(
    conn: Conn, name: str, version: int | None, order: Order, windows: Windows
) -> Released:
    """
    Make a version live that was live before; without a number, the one that the live one replaced.

    Whoever wrote it may do so, and golden examples are not asked: it was released once.

    Raises:
        InputRefused: As ``publish``, and ``rollback_impossible`` where the version never was live.
    """
    seen = await _seen(conn, name, order)
    async with conn.transaction():
        await _hold(conn, name, seen)
        released = await releases.listed(conn, name)
        number = releases.before(released) if version is None else version
        if number is None:
            raise InputRefused(
                "rollback_impossible", f"no version of {name} was live before {seen or 'any'}"
            )
        row = await catalogue.find(conn, name, number)
        examples = await _examples(conn, row)
        if number == seen:
            return Released(name=name, live_version=number, release=None, examples=examples)
        if row["state"] == "draft":
            known = sorted({one.version for one in released})
            raise InputRefused(
                "rollback_impossible",
                f"{name}/{number} never was live, so publish it; live were {known}",
            )
        release = await _enter(conn, "rollback", row, seen, order, windows)
        return Released(name=name, live_version=number, release=release, examples=examples)


def fit(name: str, model: str | None, prompt: str, windows: Sequence[Window]) -> None:
    """
    Refuse what an upstream that may judge by it does not take; where none are told, nothing.

    Raises:
        InputRefused: ``model_unknown`` if no upstream has the model that the ruleset names,
            ``ruleset_too_long`` if one that may judge it does not take the prompt.
    """
    models = sorted({one.model for one in windows})
    if windows and model not in (None, *models):
        raise InputRefused(
            "model_unknown",
            f"ruleset {name} is judged by model {model} only, which no upstream has; allowed are"
            f" {', '.join(models)}",
        )
    size = tokens.measure(prompt)
    asked = [one for one in windows if model in (None, one.model)]
    if reasons := [reason for one in asked if (reason := tokens.misfit(size, one))]:
        raise InputRefused("ruleset_too_long", f"ruleset {name} is too long: {'; '.join(reasons)}")


async def _seen(conn: Conn, name: str, order: Order) -> int | None:
    """Read what is live before the lock is waited for, so that a faster release is noticed."""
    seen = await store.live(conn, name)
    if order.expected is not None and str(seen or 0) not in order.expected:
        raise await _moved(conn, name, f"not {' or '.join(order.expected) or 'any'}")
    return seen


async def _hold(conn: Conn, name: str, seen: int | None) -> None:
    if await store.lock(conn, name) != seen:
        raise await _moved(conn, name, f"no longer {seen or 'none'}")


async def _moved(conn: Conn, name: str, instead: str) -> InputRefused:
    """Name the release that was faster, and who made it."""
    released = await releases.listed(conn, name)
    if not released:
        return InputRefused("ruleset_moved", f"no version of {name} is live, {instead}")
    last = released[-1]
    at = last.at.isoformat()
    return InputRefused(
        "ruleset_moved",
        f"version {last.version} of {name} is live, {instead}: {last.actor} released it at {at}",
        errors=[{"version": last.version, "actor": last.actor, "at": at}],
    )


def _refuse_author(row: Row, live: Row | None, actor: str) -> None:
    """Refuse the version's own author where it, or the live one, asks for a second person."""
    asked = [
        one for one in (row, live) if one and one["content"].get("review", {}).get("second_person")
    ]
    if asked and row["author"] == actor:
        raise InputRefused(
            "second_person_needed",
            f"{row['ruleset']}/{row['version']} is of {actor}; review.second_person of version"
            f" {asked[0]['version']} wants another person to publish it",
        )


async def _examples(conn: Conn, row: Row) -> Examples:
    """Tell how the version's golden examples stand by their last run that has ended."""
    if not row["content"].get("examples"):
        return "none"
    return await trials.last(conn, row["ruleset"], row["version"])


async def _enter(
    conn: Conn,
    kind: Kind,
    row: Row,
    seen: int | None,
    order: Order,
    windows: Windows,
    *,
    overridden: bool = False,
) -> ReleaseView:
    """Make a version live, and enter who did it, in the caller's transaction."""
    name, version = row["ruleset"], row["version"]
    model = row["content"].get("model")
    fit(name, model, row["prompt"], windows(model))
    release = await releases.add(
        conn, NewRelease(name, version, kind, order.actor, order.reason, overridden, seen)
    )
    await store.publish(conn, name, version)
    facts = {
        "sha256": row["sha256"],
        "previous_version": seen,
        "reason": order.reason,
        **({"override": True} if overridden else {}),
    }
    await audit.add(conn, order.actor, f"ruleset.{kind}", f"{name}/{version}", **facts)
    return ReleaseView.model_validate(release)
