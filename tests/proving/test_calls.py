"""Proofs of edits whose description came later, and files that no decoder survives."""

import asyncio
import os
import signal
import sys
from pathlib import Path
from typing import Final

import numpy as np
import pytest

from service.pictures.pool import Decoders
from service.store import Pool
from service.store.database import Database
from tests import draw, proving
from tests.conftest import Api
from tests.flows import driving
from tests.flows.driving import Owner
from tests.proving import ASTRONAUT, CARD, CAT, PHONE
from tests.repair import alone, edit, ledger, repairing
from tests.upstream import Upstream, answered, base64_of, described, finding

FOUND: Final = [finding("contact-details", box_2d=list(PHONE))]
SCRIBBLED: Final = proving.painted(proving.painted(CARD, PHONE, "navy"), (900, 0, 1000, 300), "red")
# About half a second of work, so that a decoder can be ended in the middle of it.
LARGE: Final = draw.encoded(proving.photo("astronaut.png").resize((6_000, 6_000)), "JPEG")


async def test_kept_picture_is_proven_by_the_description_that_came_later(
    pool: Pool,
    where: Database,
    owner: Owner,
    api: Api,
    upstream: Upstream,
    decoders: Decoders,
) -> None:
    """The first call's pixels are published in the places that the second call names."""
    upstream.script = [answered(None, base64_of(SCRIBBLED)), described(findings=FOUND)]
    async with driving.worker(pool, where, decoders, repairing(upstream.url)):
        done = await api.platform.upload(CARD, Prefer="wait=30")

    assert (done["outcome"], done["verdict"]) == ("redacted", "allow_edited")
    (proof,) = await owner.fetch("SELECT * FROM proofs")
    assert (proof["attempt"], proof["verdict"]) == (2, "changed_outside")
    assert [one["verdict"] for one in done["proof"]["regions"]] == ["proven"]
    final = proving.pixels(await proving.shown(api.platform, done))
    outside = ~proving.within(CARD, PHONE)
    assert np.array_equal(final[outside], proving.pixels(CARD)[outside])
    left, top, right, bottom = proving.corners(CARD, PHONE)
    assert (final[top + 8 : bottom - 8, left + 8 : right - 8] == (0, 0, 128)).all()


async def test_kept_picture_that_is_another_ends_the_upload(
    pool: Pool,
    where: Database,
    owner: Owner,
    upstream: Upstream,
    decoders: Decoders,
) -> None:
    """Found out only with the description: both calls are paid, and there is no third."""
    upstream.script = [answered(None, base64_of(CAT)), described()]
    async with driving.worker(pool, where, decoders, repairing(upstream.url)):
        (row,) = await driving.ended(owner, await driving.queued(pool, ASTRONAUT))

    assert (row["state"], row["outcome"], row["verdict"]) == ("failed", "unfaithful_edit", "hold")
    assert await ledger(owner, row["id"]) == [edit("no_description"), alone("unfaithful_edit")]
    (proof,) = await owner.fetch("SELECT * FROM proofs")
    assert (proof["attempt"], proof["verdict"]) == (2, "other_picture")
    await driving.message_of(owner, row["id"])
    assert upstream.script == []


def ticks(process: int) -> int:
    """Give the user CPU time of a process, in hundredths of a second; 0 once it is gone."""
    try:
        return int(Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[11])
    except FileNotFoundError:
        return 0


async def at_work(decoders: Decoders, other_than: int | None) -> int:
    """Wait until a decode child of another pid works on something large; gives its pid."""
    started: dict[int, int] = {}
    async with asyncio.timeout(20):
        while True:
            for child in decoders._children:
                spent = ticks(child.pid)
                if child.pid != other_than and spent > started.setdefault(child.pid, spent) + 5:
                    return child.pid
            await asyncio.sleep(0.002)  # the kernel sets no event of ours


@pytest.mark.skipif(sys.platform != "linux", reason="Looks into /proc.")
@pytest.mark.usefixtures("working")
async def test_edit_that_crashes_two_decoders_is_no_image(
    pool: Pool, owner: Owner, upstream: Upstream, decoders: Decoders
) -> None:
    """It ends that upload, held and paid, without a proof; the worker goes on with the next."""
    upstream.script = [described(LARGE)]
    upload = await driving.queued(pool)
    await upstream.arrived.wait()
    process = None
    for _ in range(2):
        process = await at_work(decoders, process)
        os.kill(process, signal.SIGSEGV)
    (row,) = await driving.ended(owner, upload)
    (later,) = await driving.ended(owner, await driving.queued(pool, CARD))

    assert (row["state"], row["outcome"], row["verdict"]) == ("failed", "no_image", "hold")
    await driving.check_ledger(owner, upload, ["no_image"])
    (attempt,) = await driving.attempts_of(owner, upload)
    assert "two decoders died" in attempt["detail"]
    await driving.message_of(owner, upload)
    assert (later["state"], later["outcome"]) == ("done", "clean")
    assert await owner.fetchval("SELECT array_agg(upload_id) FROM proofs") == [later["id"]]
