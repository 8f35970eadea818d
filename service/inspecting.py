"""What is cheap and certain of a picture that came in: its type, size and digest."""

import hashlib

from service.errors import InputRefused
from service.pictures import headers
from service.store import images


def inspect(data: bytes, limits: headers.Limits) -> images.Image:
    """
    Read the header of a file and name it by its digest.

    Raises:
        InputRefused: It is empty, larger than is allowed, or no picture by its header.
    """
    if not data:
        raise InputRefused("empty_body", "the image is empty")
    if len(data) > limits.max_bytes:
        raise InputRefused(
            "body_too_large", f"the image is {len(data)} bytes; allowed: {limits.max_bytes}"
        )
    header = headers.read(data)
    headers.check_limits(header, limits)
    return images.Image(
        sha256=hashlib.sha256(data).digest(),
        mime=header.mime,
        width=header.width,
        height=header.height,
        frames=header.frames,
        data=data,
    )
