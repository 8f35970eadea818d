"""Which upstream an image goes to: by weight, and always the same one for the same image."""

from collections.abc import Sequence

from service.edits import Upstream

_STEPS = 2**64


def order(upstreams: Sequence[Upstream], image_sha256: bytes) -> list[Upstream]:
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


def _chosen(upstreams: Sequence[Upstream], image_sha256: bytes) -> Upstream:
    weighted = [one for one in upstreams if one.weight > 0]
    place = int.from_bytes(image_sha256[:8], "big") * sum(one.weight for one in weighted)
    passed = 0.0
    for one in weighted:
        passed += one.weight * _STEPS
        if place < passed:
            return one
    # Rounding may leave the last step uncovered; where none has a weight, the first stands in.
    return weighted[-1] if weighted else upstreams[0]
