"""Reading answers that are not 200: what failed, and how long the upstream asks us to wait."""

import json
import time
from typing import Any

import pytest

from service.edits import AttemptFailed, Reply, outcomes
from service.edits.client import DIALECTS

PROMPT = "The prompt."
NOW = "Sun, 22 Nov 2026 10:00:00 GMT"


def error(code: str, message: str = "no", **more: Any) -> dict[str, Any]:
    return {"error": {"message": message, "type": "error", "param": None, "code": code, **more}}


def failure(status: int, body: Any, headers: dict[str, str] | None = None) -> AttemptFailed:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    with pytest.raises(AttemptFailed) as caught:
        DIALECTS["openai-images"].read(Reply(status, headers or {}, raw), PROMPT)
    return caught.value


BLOCKED = error(
    "moderation_blocked",
    "Your request was rejected by the safety system.",
    type="image_generation_user_error",
    moderation_details={"moderation_stage": "input", "categories": ["sexual"]},
)
WRAPPED = error(
    "400", f"litellm.BadRequestError: OpenAIException - {json.dumps(BLOCKED)}", type=None
)


@pytest.mark.parametrize(
    ("status", "body", "outcome"),
    [
        (400, BLOCKED, "refused"),
        (400, error("content_policy_violation"), "refused"),
        (400, WRAPPED, "refused"),
        (400, error("prompt_blocked"), "refused"),
        (400, error("content_filter"), "refused"),
        (403, BLOCKED, "refused"),
        (422, error("x", "The image was blocked by our safety system"), "refused"),
        (400, error("invalid_value"), "rejected"),
        (400, {"detail": "Part exceeded maximum size of 1024KB."}, "rejected"),
        (402, error("insufficient_quota"), "unauthorised"),
        (413, b"<html>too large</html>", "rejected"),
        (302, b"", "rejected"),
        (204, b"", "rejected"),
        (401, error("invalid_api_key"), "unauthorised"),
        (403, error("token_group_disabled"), "unauthorised"),
        (404, error("model_not_found"), "unauthorised"),
        (408, b"", "upstream_error"),
        (409, error("conflict"), "upstream_error"),
        (425, b"", "upstream_error"),
        (429, error("rate_limit_exceeded"), "rate_limited"),
        (429, BLOCKED, "rate_limited"),
        (500, error("x", "no image returned"), "upstream_error"),
        (500, BLOCKED, "upstream_error"),
        (502, b"<html>Bad gateway</html>", "upstream_error"),
        (503, b"", "upstream_error"),
        (504, b"", "upstream_error"),
        (529, error("overloaded_error"), "upstream_error"),
    ],
)
def test_status_and_body_give_the_outcome(status: int, body: Any, outcome: str) -> None:
    """Every answer that is not 200 has one outcome of the table, its status and its text."""
    failed = failure(status, body)
    assert failed.outcome == outcome
    assert failed.outcome in outcomes.TABLE
    assert failed.status == status
    assert failed.text == (body if isinstance(body, bytes) else json.dumps(body).encode()).decode()


RETRY_INFO = {
    "error": {
        "code": 429,
        "status": "RESOURCE_EXHAUSTED",
        "details": [
            {"@type": "type.googleapis.com/google.rpc.QuotaFailure"},
            {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "31s"},
        ],
    }
}


@pytest.mark.parametrize(
    ("headers", "body", "wait_s"),
    [
        ({"retry-after": "7"}, {}, 7),
        ({"retry-after": "2.5"}, {}, 2.5),
        ({"retry-after": "0"}, {}, 1),
        ({"retry-after": "-5"}, {}, 1),
        ({"retry-after": "86400"}, {}, 300),
        ({"retry-after": "inf"}, {}, 300),
        ({"retry-after": "nan"}, {}, None),
        ({"retry-after": "soon"}, {}, None),
        ({"retry-after": ""}, {}, None),
        ({"retry-after-ms": "4500"}, {}, 4.5),
        ({"retry-after-ms": "20"}, {}, 1),
        ({"retry-after-ms": "4500", "retry-after": "9"}, {}, 4.5),
        ({"retry-after-ms": "nan", "retry-after": "9"}, {}, 9),
        ({"llm_provider-retry-after": "12"}, {}, 12),
        ({"retry-after": "Sun, 22 Nov 2026 10:00:40 GMT", "date": NOW}, {}, 40),
        ({"retry-after": "Sun, 22 Nov 2026 09:00:00 GMT", "date": NOW}, {}, 1),
        ({"retry-after": "Mon, 23 Nov 2026 10:00:00 GMT", "date": NOW}, {}, 300),
        ({"retry-after": "Sun, 22 Nov 2026 10:00:40 GMT"}, {}, None),
        ({"retry-after": "Sun, 22 Nov 2026 10:00:40 -0000", "date": NOW}, {}, None),
        ({}, RETRY_INFO, 31),
        ({}, error("429", json.dumps(RETRY_INFO)), 31),
        ({}, error("429", json.dumps(error("429", json.dumps(RETRY_INFO)))), 31),
        ({}, {"retryDelay": "0.5s"}, 1),
        ({}, {"retryDelay": "4000s"}, 300),
        ({}, {"retryDelay": "soon"}, None),
        ({"retry-after": "3"}, RETRY_INFO, 3),
        ({"retry-after": "soon"}, RETRY_INFO, 31),
        ({}, {}, None),
    ],
)
def test_wait_is_found_and_clamped(
    headers: dict[str, str], body: Any, wait_s: float | None
) -> None:
    """Headers first, then the body; always 1 to 300 seconds; None where nothing can be read."""
    assert failure(429, body, headers).retry_after_s == wait_s


@pytest.mark.parametrize("body", [b"\\" * 20_000_000, b'retryDelay\\"' * 1_500_000])
def test_huge_error_is_read_at_once(body: bytes) -> None:
    """An error of many megabytes is searched at its beginning only, and little of it is kept."""
    began = time.monotonic()
    failed = failure(400, body)
    assert time.monotonic() - began < 2
    assert failed.outcome == "rejected"
    assert failed.text is not None
    assert len(failed.text) <= 4000


@pytest.mark.parametrize(("failures", "most_s"), [(1, 1), (2, 2), (4, 8), (7, 60), (10_000, 60)])
def test_backoff_doubles_up_to_a_minute(failures: int, most_s: float) -> None:
    """A wait is its whole step less at most a quarter, and never over a minute."""
    waits = [outcomes.backoff_s(failures) for _ in range(200)]
    assert all(0.75 * most_s <= wait <= most_s for wait in waits)
    assert len(set(waits)) > 1
