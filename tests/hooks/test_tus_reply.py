"""Replies that tusd understands: only what each of its hooks looks at."""

import json
from typing import Any

import pytest

from service.hooks import tus

SAID = {"verdict": "block"}
REFUSED = {
    "StatusCode": 422,
    "Body": json.dumps(SAID),
    "Header": {"Content-Type": "application/json"},
}


@pytest.mark.parametrize(
    ("hook", "expected"),
    [
        ("pre-create", {"HTTPResponse": REFUSED, "RejectUpload": True}),
        ("post-receive", {"HTTPResponse": REFUSED, "StopUpload": True}),
        ("pre-finish", {"HTTPResponse": REFUSED}),
        ("post-finish", {}),
        ("post-terminate", {}),
    ],
)
def test_a_refusal_is_said_as_each_hook_hears_it(hook: str, expected: dict[str, Any]) -> None:
    """Only pre-create rejects and only post-receive stops; a hook after the fact says nothing."""
    assert tus.reply(hook, 422, SAID) == expected


def test_what_passes_leaves_the_answer_as_it_is() -> None:
    """Without a status the client still gets 204, which has headers and no body."""
    assert tus.reply("pre-finish") == {}
    link = {"Link": '<https://example.org/v1/uploads/1>; rel="related"'}
    assert tus.reply("pre-finish", None, SAID, link) == {"HTTPResponse": {"Header": link}}
    assert tus.reply("pre-create", 201, SAID, link) == {
        "HTTPResponse": {
            "StatusCode": 201,
            "Body": json.dumps(SAID),
            "Header": {**link, "Content-Type": "application/json"},
        }
    }
