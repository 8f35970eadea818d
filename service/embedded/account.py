"""The account that the embedded Postgres runs as: ours, or as root one that is not root."""

import os
import pwd
import shutil
import signal
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from service.errors import StartRefused
from service.tied_exec import tied_command

Privileges = Literal["auto", "namespace", "nobody"]

# Nothing else of our environment (keys, PG* variables) is the server's business.
_INHERITED = ("PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "TMPDIR")
_NAMESPACE_ID = "65534"
_PROBE_S = 10.0


@dataclass(frozen=True, slots=True)
class Account:
    """
    Who the server is.

    ``uid`` and ``gid`` own its files as seen from outside; ``drops`` says that a process must
    become them; ``prefix`` is a program that runs the server in a user namespace.
    """

    uid: int
    gid: int
    drops: bool = False
    prefix: tuple[str, ...] = ()

    def command(self, program: Sequence[str | Path], death_signal: signal.Signals) -> list[str]:
        """Spell the command that runs ``program`` as this account until our process ends."""
        uid, gid = (self.uid, self.gid) if self.drops else (-1, -1)
        return tied_command([*self.prefix, *map(str, program)], death_signal, uid, gid)

    def run(
        self, program: Sequence[str | Path], timeout_s: float
    ) -> subprocess.CompletedProcess[str]:
        """
        Run a program to its end as this account; its output is text, its exit status unchecked.

        Raises:
            StartRefused: It took longer than ``timeout_s``.

        """
        try:
            return subprocess.run(
                self.command(program, signal.SIGKILL),
                capture_output=True,
                check=False,
                cwd="/",
                env=environment(),
                stdin=subprocess.DEVNULL,
                text=True,
                timeout=timeout_s,
            )
        except subprocess.TimeoutExpired as late:
            raise StartRefused(
                f"{program[0]} took longer than {timeout_s:.0f} s to finish"
            ) from late

    def first_closed(self, folder: Path) -> Path | None:
        """Find the topmost path on the way to ``folder``, itself included, that is closed."""
        way = [*reversed(folder.parents), folder]
        loop = 'for at; do [ -x "$at" ] || { printf %s "$at"; exit 1; }; done'
        tried = self.run(["/bin/sh", "-c", loop, "sh", *way], _PROBE_S)
        return Path(tried.stdout or folder) if tried.returncode else None


def environment() -> dict[str, str]:
    """All that the server and its tools see of our environment; messages come in English."""
    kept = {name: os.environ[name] for name in _INHERITED if name in os.environ}
    return {**kept, "LC_ALL": "C"}


def choose(privileges: Privileges) -> Account:
    """
    Pick the account: ours, unless we are root, which Postgres refuses to run as.

    Root's server runs in a user namespace of its own, where root's files belong to uid 65534, and
    where the system forbids that (Docker's default seccomp profile does), as the user ``nobody``.

    Raises:
        StartRefused: What ``privileges`` asks for is not possible here.

    """
    uid, gid = os.geteuid(), os.getegid()
    if uid != 0:
        if privileges != "auto":
            raise StartRefused(f"privileges {privileges!r} is for root, not for uid {uid}")
        return Account(uid, gid)
    if privileges != "nobody":
        namespaced = _namespaced(uid, gid)
        if namespaced is not None:
            return namespaced
        if privileges == "namespace":
            raise StartRefused("this system allows no user namespace (unshare --user)")
    return _nobody()


def adopt(tree: Path, account: Account) -> None:
    """
    Give a folder of ours, and all in it, to the server's account.

    The topmost folder changes hands last, so that a half-done change is done again.

    Raises:
        StartRefused: It belongs to neither root, ``nobody`` nor the account.

    """
    owner = tree.lstat().st_uid
    if owner == account.uid:
        return
    if os.geteuid() != 0 or owner not in {0, _nobody().uid}:
        raise StartRefused(f"{tree} belongs to uid {owner} and we run as uid {os.geteuid()}")
    for _, folders, files, at in os.fwalk(tree):
        for name in (*folders, *files):
            os.chown(name, account.uid, account.gid, dir_fd=at, follow_symlinks=False)
    os.chown(tree, account.uid, account.gid)


def _namespaced(uid: int, gid: int) -> Account | None:
    unshare = shutil.which("unshare")
    if unshare is None:
        return None
    ids = (f"--map-user={_NAMESPACE_ID}", f"--map-group={_NAMESPACE_ID}")
    account = Account(uid, gid, prefix=(unshare, "--user", *ids))
    tried = account.run(["/bin/sh", "-c", "id -u"], _PROBE_S)
    return account if tried.stdout.strip() == _NAMESPACE_ID else None


def _nobody() -> Account:
    try:
        nobody = pwd.getpwnam("nobody")
    except KeyError as missing:
        raise StartRefused(
            "Postgres does not run as root and there is no user nobody: start as another user"
        ) from missing
    return Account(nobody.pw_uid, nobody.pw_gid, drops=True)
