"""What the tests of the doctor share."""

import socket

from service.doctoring.examining import Line


def line(lines: list[Line], check: str) -> Line:
    """The one line of a check."""
    (found,) = [one for one in lines if one.check == check]
    return found


def closed_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])
