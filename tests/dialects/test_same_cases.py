"""One table of cases; every dialect must read its own sample of each case to the same end."""

from collections.abc import Mapping

import pytest

from service.edits import Reply, outcomes
from service.edits.client import DIALECTS
from service.policy import descriptions
from tests.dialects import samples
from tests.dialects.samples import FINAL, PROMPT, READERS, SAID

READ = "read"
HOSTED = "hosted"
# What a describe-only dialect has no sample of.
IMAGE_CASES: Mapping[str, str] = {
    "text_before_image": READ,
    "text_after_image": READ,
    "drafts": READ,
    "wrong_mime": READ,
    "image_missing": "no_image",
    "image_broken": "no_image",
    "image_hosted": HOSTED,
}
CASES: Mapping[str, str] = {
    "good": READ,
    "fenced": READ,
    "thoughts": READ,
    "text_missing": "no_description",
    "echo": "no_description",
    "refused": "refused",
    "http_400": "rejected",
    "http_401": "unauthorised",
    "http_403": "unauthorised",
    "http_404": "unauthorised",
    "http_429": "rate_limited",
    "http_429_header": "rate_limited",
    "http_429_body": "rate_limited",
    "http_500": "upstream_error",
    "http_503": "upstream_error",
    "error_in_200": "upstream_error",
    "cut_off": "malformed_answer",
    "html": "malformed_answer",
    "empty": "malformed_answer",
    "array": "malformed_answer",
}
# A sample of a case that not every dialect knows.
OWN: Mapping[str, Mapping[str, str]] = {
    "openai-images": {
        "nulls": "no_image",
        "refused_by_policy": "refused",
        "refused_in_wrapping": "refused",
        "refused_in_200": "refused",
    },
    "gemini": {
        "nulls": "no_image",
        "snake_case": READ,
        "refused_output": "refused",
        "refused_parts_null": "refused",
        "refused_with_image": "refused",
        "refused_snake_case": "refused",
        "no_image": "no_image",
        "no_candidates": "no_image",
        "unknown_reason": "no_image",
        "unknown_block": "no_image",
        "too_long": "malformed_answer",
        "account_limited": "unauthorised",
        "key_invalid": "unauthorised",
        "country": "unauthorised",
        "http_429_array": "rate_limited",
        "quota_in_200": "rate_limited",
    },
    "openai-chat": {
        "nulls": "no_image",
        "thoughts_as_parts": READ,
        "thoughts_in_text": READ,
        "only_thoughts": "no_description",
        "image_hosted_in_text": HOSTED,
        "image_as_string": READ,
        "image_url_as_string": READ,
        "image_as_output_image": READ,
        "image_as_source": READ,
        "image_in_old_field": READ,
        "image_in_markdown": READ,
        "image_bare_in_text": READ,
        "image_in_part_text": READ,
        "image_is_the_text": "no_description",
        "no_choices": "no_image",
        "refused_by_filter": "refused",
        "refused_with_image": "refused",
        "refused_in_part": "refused",
        "refused_natively": "refused",
        "refused_by_status": "refused",
        "refused_as_flagged": "refused",
        "too_long": "malformed_answer",
        "unknown_reason": "no_image",
        "tool_calls": "no_image",
        "error_in_choice": "upstream_error",
        "quota_in_200": "rate_limited",
    },
    "claude-messages": {
        "nulls": "no_description",
        "text_in_blocks": READ,
        "unasked_image": READ,
        "refused_with_text": "refused",
        "too_long": "malformed_answer",
        "context_exceeded": "rejected",
        "unknown_reason": "no_description",
        "http_413": "rejected",
        "http_529": "upstream_error",
    },
}


def expected(dialect: str) -> dict[str, str]:
    images = {} if dialect == "claude-messages" else IMAGE_CASES
    return {**CASES, **images, **OWN[dialect]}


ALL = [(dialect, case, end) for dialect in READERS for case, end in expected(dialect).items()]


@pytest.mark.parametrize(("dialect", "case", "end"), ALL)
def test_sample_is_read_to_its_end(dialect: str, case: str, end: str) -> None:
    """Each sample ends as the table says; a good one gives the model's text and final image."""
    given = samples.reply(dialect, case)
    seen = samples.seen(READERS[dialect], given)
    assert seen.outcome == end, seen.failure
    if seen.failure:
        assert seen.failure.outcome in outcomes.TABLE
        assert seen.failure.status == given.status
        return
    assert seen.text is not None
    assert descriptions.parse(seen.text)[0] == {"summary": "A street.", "findings": []}
    if case != "fenced":
        assert seen.text == SAID
    if end == HOSTED:
        assert seen.address == "https://files.example.org/edited.png"
    elif dialect == "claude-messages":
        assert seen.image is None
    elif case == "wrong_mime":
        assert seen.image is not None
        assert seen.image.startswith(b"\xff\xd8\xff")
    else:
        assert seen.image == FINAL
    assert seen.tokens == (300, 1120)


@pytest.mark.parametrize("dialect", READERS)
def test_samples_and_table_hold_the_same_cases(dialect: str) -> None:
    """A dialect without a sample of a case, or a sample that no case reads, is found."""
    assert samples.names(dialect) == set(expected(dialect))


def test_every_configurable_dialect_is_in_the_table() -> None:
    """A dialect that can be configured cannot be forgotten here."""
    assert set(DIALECTS) <= set(READERS)


@pytest.mark.parametrize("dialect", READERS)
@pytest.mark.parametrize(
    ("case", "wait_s"), [("http_429", None), ("http_429_header", 31), ("http_429_body", 31)]
)
def test_wait_is_read_from_header_and_body(dialect: str, case: str, wait_s: float | None) -> None:
    """What the upstream asks for is found wherever it stands, and nothing is made up."""
    failure = samples.seen(READERS[dialect], samples.reply(dialect, case)).failure
    assert failure is not None
    assert failure.retry_after_s == wait_s


@pytest.mark.parametrize("dialect", READERS)
@pytest.mark.parametrize(
    ("headers", "wait_s"),
    [
        ({"retry-after-ms": "4500", "retry-after": "9"}, 4.5),
        ({"llm_provider-retry-after": "12"}, 12),
        ({"retry-after": "0"}, 1),
        ({"retry-after": "86400"}, 300),
        ({"retry-after": "nan"}, None),
        (
            {
                "retry-after": "Sun, 22 Nov 2026 10:00:40 GMT",
                "date": "Sun, 22 Nov 2026 10:00:00 GMT",
            },
            40,
        ),
        ({"retry-after": "Sun, 22 Nov 2026 10:00:40 GMT"}, None),
    ],
)
def test_wait_is_understood_and_clamped(
    dialect: str, headers: dict[str, str], wait_s: float | None
) -> None:
    """Every dialect reads the same header forms and stays within 1 to 300 seconds."""
    failure = samples.seen(READERS[dialect], Reply(429, headers, b"{}")).failure
    assert failure is not None
    assert failure.retry_after_s == wait_s


@pytest.mark.parametrize("dialect", READERS)
@pytest.mark.parametrize(
    ("case", "kept"),
    [("http_400", None), ("html", "Sign in"), ("http_503", "Temporarily")],
)
def test_failure_keeps_the_body_for_people(dialect: str, case: str, kept: str | None) -> None:
    """What an upstream wrote instead of an answer can be read afterwards."""
    failure = samples.seen(READERS[dialect], samples.reply(dialect, case)).failure
    assert failure is not None
    assert failure.text
    assert kept is None or kept in failure.text


@pytest.mark.parametrize("dialect", READERS)
def test_text_that_quotes_the_ruleset_is_no_echo(dialect: str) -> None:
    """A description may quote the ruleset; only an echo is turned away."""
    stored = samples.document(dialect, "good")["body"]
    said = SAID.replace("A street.", PROMPT.splitlines()[2])
    quoting = _with_text(stored, said)
    assert samples.seen(READERS[dialect], samples.body(quoting)).text == said


def _with_text(value: object, said: str) -> object:
    """Replace the model's text wherever it stands."""
    if isinstance(value, dict):
        return {key: _with_text(item, said) for key, item in value.items()}
    if isinstance(value, list):
        return [_with_text(item, said) for item in value]
    return said if value == SAID else value
