"""What is read beside the answer: tokens from the cache, and the id of the request."""

from typing import Any

import pytest

from service.edits import Reply, replies
from tests.dialects import samples
from tests.dialects.samples import READERS

# Where a dialect counts what it read from its cache.
CACHED: dict[str, dict[str, Any]] = {
    "openai-images": {"usage": {"input_tokens": 9, "input_tokens_details": {"cached_tokens": 7}}},
    "gemini": {"usageMetadata": {"promptTokenCount": 9, "cachedContentTokenCount": 7}},
    "openai-chat": {"usage": {"prompt_tokens": 9, "prompt_tokens_details": {"cached_tokens": 7}}},
    "claude-messages": {"usage": {"input_tokens": 2, "cache_read_input_tokens": 7}},
}


@pytest.mark.parametrize("dialect", READERS)
@pytest.mark.parametrize(
    ("value", "cached"), [(7, 7), (0, 0), (-1, None), ("7", None), (2**31, None)]
)
def test_cached_tokens_are_counted(dialect: str, value: Any, cached: int | None) -> None:
    """Each dialect's count is found where it stands, and only a count is one."""
    body = {**samples.document(dialect, "good")["body"], **_with(CACHED[dialect], value)}
    seen = samples.seen(READERS[dialect], samples.body(body))
    assert seen.cached == cached
    if value == 7:
        assert seen.tokens[0] == 9


def test_cached_tokens_are_found_in_snake_case() -> None:
    """Google's own client writes its fields so, and gateways hand that on."""
    usage = {"prompt_token_count": 9, "cached_content_token_count": 7}
    body = {**samples.document("gemini", "snake_case")["body"]}
    body.pop("usageMetadata", None)
    seen = samples.seen(READERS["gemini"], samples.body({**body, "usage_metadata": usage}))
    assert (seen.tokens[0], seen.cached) == (9, 7)


@pytest.mark.parametrize("dialect", READERS)
@pytest.mark.parametrize("details", [None, "7", [7], {"cached_tokens": [7]}])
def test_odd_details_are_no_count(dialect: str, details: Any) -> None:
    """Whatever stands in place of the details, the answer is read."""
    usage = {"input_tokens_details": details, "prompt_tokens_details": details}
    body = {**samples.document(dialect, "good")["body"], "usage": usage, "usageMetadata": details}
    seen = samples.seen(READERS[dialect], samples.body(body))
    assert (seen.outcome, seen.cached) == ("read", None)


@pytest.mark.parametrize(
    ("headers", "found"),
    [
        ({"x-request-id": "req_1"}, "req_1"),
        ({"request-id": "req_1"}, "req_1"),
        ({"cf-ray": "ray", "x-oneapi-request-id": "202611", "date": "x"}, "202611"),
        ({"cf-ray": "ray", "x-request-id": " "}, "ray"),
        ({"x-request-id": "a\x1b[31m\u202eb\ud800 c"}, "a[31mb c"),
        ({"x-request-id": "a" * 9000}, "a" * 200),
        ({"server": "nginx"}, None),
        ({}, None),
    ],
)
def test_id_of_the_request_is_found_and_harmless(
    headers: dict[str, str], found: str | None
) -> None:
    """The likeliest header gives the id, bounded and without what a terminal would obey."""
    assert replies.request_id(Reply(200, headers, b"")) == found


def _with(usage: dict[str, Any], value: Any) -> dict[str, Any]:
    """Put another value in place of the seven."""
    return {
        key: _with(item, value) if isinstance(item, dict) else value if item == 7 else item
        for key, item in usage.items()
    }
