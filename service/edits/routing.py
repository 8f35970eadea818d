"""Which upstream an image goes to: by weight, and always the same one for the same image."""

from collections.abc import Sequence

from service.edits import Upstream

_STEPS = 2**64


def choose(upstreams: Sequence[Upstream], image_sha256: bytes) -> Upstream:
    """
    Choose by the picture's digest, so that weights hold over many and each goes one way.

    Args:
        upstreams: At least one; weights above zero.
        image_sha256: The raw digest of the canonical picture; its first 64 bits decide.
    """
    place = int.from_bytes(image_sha256[:8], "big") * sum(one.weight for one in upstreams)
    passed = 0.0
    for one in upstreams:
        passed += one.weight * _STEPS
        if place < passed:
            return one
    return upstreams[-1]  # Rounding may leave the last step uncovered.
