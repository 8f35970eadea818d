"""The commands, and a deliver process of its own that is killed."""

import asyncio
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from service import standard_webhooks
from service.cli import commands
from service.errors import WorkFailed
from service.store import Conn
from service.store.database import Database
from tests.callbacks.conftest import Delivering
from tests.callbacks.driving import check_signed, make_due, states, subscribe, tell, tries
from tests.callbacks.receivers import Received, hangs, receiving, says
from tests.flows import processes

SECRET = standard_webhooks.new_secret()
OTHER = standard_webhooks.new_secret()
BODY = b'{"a":123}'


def captured(received: Received, line_end: bytes = b"\r\n") -> bytes:
    """Write a request down as a tool that captures them does."""
    lines = [b"POST /hooks HTTP/1.1"]
    lines += [f"{name.title()}: {value}".encode() for name, value in received.headers.items()]
    return line_end.join([*lines, b"", received.body])


def verify(path: Path, request: bytes, secret: str) -> Result:
    """Run the command on a file."""
    path.write_bytes(request)
    return CliRunner().invoke(commands, ["callbacks", "verify", str(path), "--secret", secret])


async def test_a_killed_process_loses_nothing(owner: Conn, where: Database) -> None:
    """What a killed process was sending is sent again, the same bytes by the same id."""
    never = asyncio.Event()
    async with receiving(hangs(never), says(200)) as receiver:
        told = await subscribe(owner, receiver.url)
        async with processes.deliver(where) as process:
            callback = await tell(owner)
            await receiver.until(1)
            process.kill()
            await process.wait()
        assert await states(owner) == ["waiting"]
        # Its lease is 30 s, which nobody has to wait for here.
        await make_due(owner)
        async with processes.deliver(where) as process:
            first, second = await receiver.until(2)
            (ended,) = await tries(owner, 1)
            process.terminate()
            assert await process.wait() == 0
    assert (ended["attempt"], ended["status"]) == (2, 200)
    assert (first.id, first.body) == (second.id, second.body) == (str(callback), first.body)
    for one in (first, second):
        check_signed(told.secret, one)
    assert await states(owner) == ["delivered"]


@pytest.mark.parametrize("line_end", [b"\r\n", b"\n"])
async def test_verify_finds_a_delivered_request_genuine(
    line_end: bytes, owner: Conn, delivering: Delivering, tmp_path: Path
) -> None:
    """What the deliverer sent is genuine however the capture ends its lines, and its id is told."""
    async with receiving() as receiver, delivering():
        told = await subscribe(owner, receiver.url)
        callback = await tell(owner)
        (received,) = await receiver.until(1)
    assert told.secret is not None
    request = captured(received, line_end)
    for good in (request, request + line_end):
        ran = verify(tmp_path / "request", good, told.secret)
        assert (ran.exit_code, ran.output.startswith("genuine: ")) == (0, True)
        assert f"{len(received.body)} bytes, id {callback}" in ran.output
        assert "refuses" not in ran.output


def whole(ago_s: int = 0, **changed: str) -> bytes:
    """A captured request, signed so long ago, with some headers changed or (empty) left out."""
    at = datetime.now(UTC) - timedelta(seconds=ago_s)
    sent = standard_webhooks.headers("id-1", at, BODY, [SECRET])
    sent["content-length"] = str(len(BODY))
    sent |= {name.replace("_", "-"): value for name, value in changed.items()}
    return captured(Received({name: value for name, value in sent.items() if value}, BODY))


NOT_GENUINE = {
    "another secret": (whole(), OTHER, "not genuine: no v1 signature fits: it was made with"),
    "a changed body": (
        whole().replace(b'"a"', b'"b"'),
        SECRET,
        "not genuine: no v1 signature fits: it was made with another secret, or the body was ch",
    ),
    "a cut body": (whole()[:-3], SECRET, "not as it was sent: the body has 6 bytes, not 9"),
    "a longer body": (whole() + b"{}", SECRET, "the body has 11 bytes, not 9"),
    "another time": (whole(webhook_timestamp="1614265330"), SECRET, "no v1 signature fits"),
    "no time": (whole(webhook_timestamp="now"), SECRET, "'now', not seconds since 1970"),
    "no id": (whole(webhook_id=""), SECRET, "the header webhook-id is missing"),
    "no signature": (whole(webhook_signature=""), SECRET, "webhook-signature is missing"),
    "nothing": (b"", SECRET, "the header webhook-id is missing"),
}


@pytest.mark.parametrize("kind", NOT_GENUINE)
def test_verify_says_what_is_wrong(kind: str, tmp_path: Path) -> None:
    """Whatever keeps a request from being genuine is told, and no secret with it."""
    request, secret, words = NOT_GENUINE[kind]
    ran = verify(tmp_path / "request", request, secret)
    assert isinstance(ran.exception, WorkFailed)
    assert words in str(ran.exception)
    assert "whsec_" not in str(ran.exception)


@pytest.mark.parametrize(("ago_s", "when"), [(310, "ago"), (-310, "from now")])
def test_verify_says_that_it_is_old(ago_s: int, when: str, tmp_path: Path) -> None:
    """An old capture is still found genuine, with a word that a receiver would refuse it now."""
    ran = verify(tmp_path / "request", whole(ago_s), SECRET)
    assert (ran.exit_code, ran.output.startswith("genuine: ")) == (0, True)
    # The timestamp has whole seconds.
    assert re.search(rf"a receiver refuses it: signed 3(09|1\d) s {when}, over 300 s", ran.output)


def test_verify_refuses_a_malformed_secret(tmp_path: Path) -> None:
    """What is no secret is a wrong command, and is not printed."""
    ran = verify(tmp_path / "request", whole(), "whsec_short")
    assert (ran.exit_code, "24 to 64 bytes" in ran.output) == (2, True)
    assert "whsec_short" not in ran.output
