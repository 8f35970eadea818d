"""
Become another account, tie this process to the life of its owner, then turn into a given program.

Run as a script, by the command that ``tied_command`` spells; it imports only the standard library,
so that it starts in about 20 ms and needs no access to our packages.
"""

import ctypes
import os
import signal
import sys
from collections.abc import Sequence

_PR_SET_PDEATHSIG = 1  # linux/prctl.h


def tied_command(
    program: Sequence[str], death_signal: signal.Signals, uid: int = -1, gid: int = -1
) -> list[str]:
    """Spell the command that runs ``program`` until this process ends; a uid of -1 keeps ours."""
    told = (os.getpid(), int(death_signal), uid, gid)
    return [sys.executable, "-I", "-S", __file__, *map(str, told), *program]


def become(uid: int, gid: int) -> None:
    """Drop to this account for good, without any further group."""
    os.setgroups([])
    os.setgid(gid)
    os.setuid(uid)


def die_with(owner: int, death_signal: int) -> None:
    """
    Have the kernel send ``death_signal`` when the owner (our parent) ends; Linux only.

    Ends this process if the owner has died before the kernel was told: nobody else would.
    Source: prctl(2), PR_SET_PDEATHSIG; a change of account clears it, exec does not.
    """
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    if sys.platform == "linux":
        refused = ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, death_signal, 0, 0, 0)
        if refused:
            raise OSError("prctl refused PR_SET_PDEATHSIG")
    if os.getppid() != owner:
        sys.exit(f"process {owner}, the owner of this server, is gone")


def main(arguments: list[str]) -> None:
    """``OWNER DEATH_SIGNAL UID GID PROGRAM ARGUMENT...``; a UID of -1 keeps the account."""
    owner, death_signal, uid, gid = map(int, arguments[:4])
    if uid >= 0:
        become(uid, gid)
    die_with(owner, death_signal)
    program = arguments[4:]
    os.execv(program[0], program)  # noqa: S606 - no shell is wanted here


if __name__ == "__main__":
    main(sys.argv[1:])
