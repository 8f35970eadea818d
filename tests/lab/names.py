"""A DNS server that answers as a case tells it to, each time differently if need be (RFC 1035)."""

import ipaddress
import socket
import struct
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Final

ADDRESS: Final = ("127.0.0.1", 53)
_VERSIONS: Final = {1: 4, 28: 6}  # A and AAAA: the version of the address in each.
_CNAME: Final = 5
_AT_ONCE: Final = 0  # The time to live in seconds: nobody may remember an answer.
_ANSWER, _UNKNOWN = 0x8180, 0x8183
Rounds = Sequence[Sequence[str]]


class NameServer:
    """
    Answers from ``names``: name to what is answered the first time, the second time, and so on.

    An answer is a list of addresses; ``=NAME`` says that the name is another one's alias.
    """

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(ADDRESS)
        self._names: Mapping[str, Rounds] = {}
        self._asked: Counter[tuple[str, int]] = Counter()

    def fileno(self) -> int:
        """Let a loop watch it."""
        return self._socket.fileno()

    def become(self, names: Mapping[str, Rounds]) -> None:
        """Begin anew with other names."""
        self._names, self._asked = names, Counter()

    def answer(self) -> None:
        """Answer one question."""
        asked, asker = self._socket.recvfrom(512)
        labels, at = [], 12
        while asked[at]:
            labels.append(asked[at + 1 : at + 1 + asked[at]].decode("latin-1"))
            at += 1 + asked[at]
        name, kind = ".".join(labels).lower(), int.from_bytes(asked[at + 1 : at + 3], "big")
        records = self._records(name, kind)
        code = _ANSWER if name in self._names else _UNKNOWN
        head = struct.pack("!5H", code, 1, len(records), 0, 0)
        question = asked[12 : at + 5]
        self._socket.sendto(asked[:2] + head + question + b"".join(records), asker)

    def _records(self, name: str, kind: int) -> list[bytes]:
        rounds = self._names.get(name, ((),))
        answer = rounds[min(self._asked[name, kind], len(rounds) - 1)]
        self._asked[name, kind] += 1
        records = []
        for value in answer:
            if value.startswith("="):
                records.append(_record(name, _CNAME, _spelt(value[1:])))
                records += self._records(value[1:], kind)
            elif ipaddress.ip_address(value).version == _VERSIONS.get(kind):
                records.append(_record(name, kind, ipaddress.ip_address(value).packed))
        return records


def _spelt(name: str) -> bytes:
    return b"".join(bytes([len(part)]) + part.encode() for part in name.split(".")) + b"\0"


def _record(name: str, kind: int, value: bytes) -> bytes:
    return _spelt(name) + struct.pack("!HHIH", kind, 1, _AT_ONCE, len(value)) + value
