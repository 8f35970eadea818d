"""The command line's way through the client: many files, and faults in a command's words."""

from pathlib import Path

import pytest

from service import submitting
from service.errors import InputRefused, ServiceError, WorkFailed
from service.submitting import Job
from tests import draw
from tests.client.relay import Fault, problem, relaying, says
from tests.conftest import Api


def jobs(folder: Path, number: int) -> list[Job]:
    """So many different pictures."""
    for index in range(number):
        (folder / f"{index:02d}.png").write_bytes(draw.png(8 + index, 8, "teal"))
    return submitting.find([folder], None)


async def test_many_files_come_back_in_their_order(api: Api, tmp_path: Path) -> None:
    """More than are sent at once all arrive, each told of when it is done with."""
    sent = jobs(tmp_path, submitting.SENT_AT_ONCE * 2 + 1)
    told: list[object] = []
    async with submitting.opened(api.url, api.platform.token) as client:
        items = await submitting.submit(client, sent, wait=False, finished=told.append)
    assert [item["path"] for item in items] == [job.shown for job in sent]
    assert [item["external_id"] for item in items] == [job.shown for job in sent]
    assert len({item["id"] for item in items}) == len(sent) == len(told)


async def test_a_full_quota_is_a_problem_of_each_file(api: Api, tmp_path: Path) -> None:
    """Files over a quota that lasts are refused at once, and those before them stay sent."""
    full = problem(429, "quota_exceeded", Retry_After="3600")
    async with (
        relaying(api.url, full) as between,
        submitting.opened(between.url, api.platform.token) as client,
    ):
        items = await submitting.submit(
            client, jobs(tmp_path, 2), wait=False, finished=lambda _: None
        )
    (refused,) = [item for item in items if "problem" in item]
    assert (refused["problem"]["status"], refused["problem"]["code"]) == (429, "quota_exceeded")
    assert len(between.seen) == 2


ENDED: dict[str, tuple[Fault, type[ServiceError], str]] = {
    "token": (problem(401, "token_invalid"), WorkFailed, "refuses the token: the detail of"),
    "role": (problem(403, "role_not_allowed"), WorkFailed, "refuses the token: the detail of"),
    "busy": (problem(503, "overloaded", Retry_After="600"), WorkFailed, "has no time: the detail"),
    "refused": (problem(409, "quote_changed"), InputRefused, "the detail of quote_changed"),
    "another service": (says(200), WorkFailed, "is not this service"),
}


@pytest.mark.parametrize("kind", ENDED)
async def test_faults_end_a_command_in_its_own_words(kind: str, api: Api) -> None:
    """What a command cannot go on from says whose fault it is; a refusal keeps its code."""
    fault, error, words = ENDED[kind]
    async with relaying(api.url, fault) as between:
        with pytest.raises(error, match=words) as caught:
            async with submitting.opened(between.url, api.platform.token) as client:
                await client.json("GET", "/v1/uploads")
    assert caught.value.code == ("quote_changed" if error is InputRefused else "work_failed")
    assert "moderation up" not in str(caught.value)
