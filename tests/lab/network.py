"""
Makes the network namespace of this process a whole internet: every address is this machine.

Sources: rtnetlink(7), netdevice(7); a local route to everything is what Linux calls AnyIP.
"""

import errno
import fcntl
import os
import socket
import struct
import subprocess
from pathlib import Path
from typing import Final

from tests.lab import names

# Addresses that belong to nobody's private network; only in here are they this machine's.
PUBLIC: Final = ("93.184.216.34", "2606:2800:220:1::1")
_SET_FLAGS, _UP, _RUNNING = 0x8914, 0x1, 0x40
_NEW_ADDRESS, _NEW_ROUTE = 20, 24
_REQUEST, _ACKNOWLEDGE, _CREATE = 0x1, 0x4, 0x400
_LOCAL_TABLE, _STATIC, _HOST, _LOCAL = 255, 4, 254, 2
_ALL_PACKETS: Final = 0x0003
_IPV4, _IPV6, _TCP = 0x0800, 0x86DD, 6
_SYN, _ACK = 0x02, 0x10
_FILES: Final = {
    "/etc/resolv.conf": f"nameserver {names.ADDRESS[0]}\noptions timeout:1 attempts:1\n",
    "/etc/nsswitch.conf": "hosts: files dns\n",
    "/etc/hosts": "127.0.0.1 localhost\n::1 localhost ip6-localhost\n",
}


def build(folder: Path) -> None:
    """Bring up the one interface there is, with every address on it, and a resolver of our own."""
    for path, text in _FILES.items():
        file = folder / Path(path).name
        file.write_text(text)
        # Seen in this mount namespace alone, and gone with it.
        subprocess.run(["mount", "--bind", file, path], check=True)
    with socket.socket() as any_socket:
        flags = struct.pack("16sH14x", b"lo", _UP | _RUNNING)
        fcntl.ioctl(any_socket, _SET_FLAGS, flags)
    interface = socket.if_nametoindex("lo")
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW) as kernel:
        for address in PUBLIC:
            family = socket.AF_INET6 if ":" in address else socket.AF_INET
            number = socket.inet_pton(family, address)
            # The resolver asks for a family only if an address of it stands on an interface.
            _ask(
                kernel,
                _NEW_ADDRESS,
                struct.pack("=BBBBI", family, 8 * len(number), 0, 0, interface)
                + b"".join(_attribute(kind, number) for kind in (1, 2)),
            )
            _ask(
                kernel,
                _NEW_ROUTE,
                struct.pack("=8BI", family, 0, 0, 0, _LOCAL_TABLE, _STATIC, _HOST, _LOCAL, 0)
                + _attribute(4, struct.pack("=I", interface)),
            )


def _attribute(kind: int, value: bytes) -> bytes:
    return struct.pack("=HH", 4 + len(value), kind) + value


def _ask(kernel: socket.socket, kind: int, body: bytes) -> None:
    flags = _REQUEST | _ACKNOWLEDGE | _CREATE
    kernel.sendto(struct.pack("=IHHII", 16 + len(body), kind, flags, 1, 0) + body, (0, 0))
    failure = -struct.unpack_from("=i", kernel.recv(4096), 16)[0]
    if failure and failure != errno.EEXIST:
        raise OSError(failure, os.strerror(failure))


class Wire:
    """Notes every connection that anybody in here begins, whether or not somebody answers it."""

    def __init__(self) -> None:
        self._socket = socket.socket(
            socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(_ALL_PACKETS)
        )
        self._socket.setblocking(False)
        self._begun: set[tuple[str, int]] = set()

    def fileno(self) -> int:
        """Let a loop watch it, so that nothing is dropped for want of room."""
        return self._socket.fileno()

    def read(self) -> None:
        """Read what has gone over the wire."""
        while True:
            try:
                packet, where = self._socket.recvfrom(65536)
            except BlockingIOError:
                return
            if begun := _begun(where[1], packet):
                self._begun.add(begun)

    def begun(self) -> list[tuple[str, int]]:
        """Give each address and port that a connection was begun to, and forget them."""
        self.read()
        found, self._begun = sorted(self._begun), set()
        return found


def _begun(protocol: int, packet: bytes) -> tuple[str, int] | None:
    """Read the destination of a segment that opens a connection; None from any other packet."""
    if protocol == _IPV4 and packet[9] == _TCP:
        address, segment = socket.inet_ntoa(packet[16:20]), packet[(packet[0] & 0xF) * 4 :]
    elif protocol == _IPV6 and packet[6] == _TCP:
        address, segment = socket.inet_ntop(socket.AF_INET6, packet[24:40]), packet[40:]
    else:
        return None
    opens = segment[13] & (_SYN | _ACK) == _SYN
    return (address, int.from_bytes(segment[2:4])) if opens else None
