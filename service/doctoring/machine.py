"""Checks of this machine: disk, file descriptors, what is installed."""

import resource
import shutil
from pathlib import Path
from typing import Final

from service import data_folder
from service.doctoring import Finding, Subject, fail, ok, warn
from service.local import missing_packages
from service.web.headroom import FULL_DISK, used_share

CLOSE_SHARE: Final = 0.9
# Beside a call's own connection: the database's, decoders, detectors, libraries, the log.
_OTHER_FILES: Final = 128


def disk_of(folder: Path, said: str) -> Finding:
    """Judge the disk that a folder is on."""
    share, free = used_share(folder), shutil.disk_usage(folder).free
    said = f"{said}; {share:.0%} of its disk used, {free / 2**30:.1f} GiB free"
    if share > FULL_DISK:
        return fail(said, f"make room: beyond {FULL_DISK:.0%} no upload is taken")
    if share > FULL_DISK * CLOSE_SHARE:
        return warn(said, f"make room soon: beyond {FULL_DISK:.0%} no upload is taken")
    return ok(said)


async def data_dir(subject: Subject) -> Finding:
    """See whether the data folder has room."""
    folder = subject.data_dir
    said = str(folder) if folder.exists() else f"{folder} is not there yet"
    return disk_of(data_folder.nearest(folder), said)


async def files(subject: Subject) -> Finding:
    """See whether a worker may open as many files as its calls take."""
    allowed, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = 2 * subject.concurrency + _OTHER_FILES
    said = f"a process may open {allowed} files, and {subject.concurrency} calls take {needed}"
    if allowed != resource.RLIM_INFINITY and allowed < needed:
        return fail(said, f"ulimit -n {needed}, or LimitNOFILE={needed} in its systemd unit")
    return ok(said)


async def extras(subject: Subject) -> Finding:
    """See whether what the settings ask for is installed."""
    missing = missing_packages()
    if not missing:
        return ok("the detectors are installed")
    said = f"not installed: {', '.join(missing)}"
    todo = "pip install 'moderation-service[local]'"
    if subject.second_look:
        return fail(f"{said}, which MODERATION_SECOND_LOOK={subject.second_look} needs", todo)
    if not subject.upstreams:
        return warn(f"{said}, which the local edits endpoint needs", todo)
    return ok(f"{said}, and nothing asks for it")
