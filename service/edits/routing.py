"""Which upstream an image goes to: by weight, and always the same one for the same image."""

from collections.abc import Sequence
from typing import Protocol, TypeVar

from service.policy import tokens
from service.policy.tokens import Size, Window

_STEPS = 2**64


class Weighted(Protocol):
    """What images can go to."""

    @property
    def weight(self) -> float:
        """Its share of the images."""


Place = TypeVar("Place", bound=Weighted)


def unable(model: str | None, size: Size, window: Window) -> str | None:
    """
    Say why an upstream must not be asked by a ruleset version; None if it may.

    Args:
        model: The only one that the ruleset is judged by, if it names one.
        size: That of the version's prompt.
    """
    if model not in (None, window.model):
        return f"upstream {window.upstream} has {window.model}, not {model}"
    return tokens.misfit(size, window)


def order(upstreams: Sequence[Place], image_sha256: bytes) -> list[Place]:
    """
    Put the upstream that the image goes to first, and those that stand in for it behind.

    The choice follows from the picture's digest, so that weights hold over many pictures and each
    goes one way; the others follow in the order in which they are configured.

    Args:
        upstreams: Where the picture may go; empty if nowhere.
        image_sha256: The raw digest of the canonical picture; its first 64 bits decide.
    """
    if not upstreams:
        return []
    first = _chosen(upstreams, image_sha256)
    return [first, *(one for one in upstreams if one is not first)]


def _chosen(upstreams: Sequence[Place], image_sha256: bytes) -> Place:
    weighted = [one for one in upstreams if one.weight > 0]
    place = int.from_bytes(image_sha256[:8], "big") * sum(one.weight for one in weighted)
    passed = 0.0
    for one in weighted:
        passed += one.weight * _STEPS
        if place < passed:
            return one
    # Rounding may leave the last step uncovered; where none has a weight, the first stands in.
    return weighted[-1] if weighted else upstreams[0]
