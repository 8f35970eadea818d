"""From an upload to a verified callback, through `up` as a user runs it."""

import asyncio
import signal
from pathlib import Path

from tests import draw
from tests.callbacks.driving import check_signed
from tests.callbacks.receivers import receiving
from tests.up import driving
from tests.up.driving import Up


async def test_an_upload_is_called_back_by_up(tmp_path: Path) -> None:
    """An endpoint added in a shell is told of an upload's end, signed, by what `up` runs."""
    folder = tmp_path / "data"
    env = driving.environment(callback_hosts="127.0.0.1, localhost")
    async with receiving() as receiver:
        up = await asyncio.to_thread(Up.start, folder, env=env)
        try:
            added = await asyncio.to_thread(
                driving.run,
                *("endpoints", "add", "--platform", "default", "--url", receiver.url),
                *("--data-dir", folder),
                callback_hosts="127.0.0.1",
            )
            assert added.code == 0, added.err
            _, secret = added.out.split()
            image = draw.png(60, 40, "olive")
            accepted = await asyncio.to_thread(up.ask, "/v1/uploads", data=image)
            (received,) = await receiver.until(1)
            message = check_signed(secret, received)
            assert message["data"]["id"] == accepted["id"]
        finally:
            ended = await asyncio.to_thread(up.end, signal.SIGTERM)
    assert ended.code == 0, ended.err
    assert "Traceback" not in ended.err
