"""Answers made to break a reader: whatever comes, it is an answer or one typed failure."""

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from service.edits import Reply, outcomes
from tests.dialects import samples
from tests.dialects.samples import READERS, SAID, Seen

JUNK: tuple[Any, ...] = (None, True, 0, -1, 1.5, "", "x", "\ud800", [], [None], [[]], {}, {"a": 1})
KEYS = sorted(
    {
        *("candidates", "content", "parts", "text", "inlineData", "inline_data", "data", "thought"),
        *("finishReason", "finishMessage", "promptFeedback", "blockReason", "usageMetadata"),
        *("promptTokenCount", "candidatesTokenCount", "error", "code", "message", "choices"),
        *("finish_reason", "images", "image", "image_url", "url", "refusal", "type", "usage"),
        *("prompt_tokens", "stop_reason", "input_tokens", "b64_json", "revised_prompt", "fileData"),
        *("fileUri", "source"),
    }
)
WORDS = (
    "",
    "STOP",
    "stop",
    "end_turn",
    "text",
    "image_url",
    "image",
    "QQ==",
    "data:image/png",
    SAID,
)
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from([*WORDS, "data:image/png;base64,QQ==", "http://127.0.0.1/x", 429, "404"])
)
SHAPES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=5)
    ),
    max_leaves=25,
)
FUZZ = settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow], database=None
)


def judged(dialect: str, reply: Reply) -> Seen:
    """Read a reply and hold what must be true of any."""
    seen = samples.seen(READERS[dialect], reply)
    if seen.failure:
        assert seen.failure.outcome in outcomes.TABLE
        assert seen.failure.text is None or len(seen.failure.text) <= 512 * 1024
        assert len(str(seen.failure)) < 1000
        return seen
    assert seen.text or seen.address
    assert all(count is None or 0 <= count < 2**31 for count in seen.tokens)
    return seen


@pytest.mark.parametrize("dialect", READERS)
@given(shape=SHAPES)
@FUZZ
def test_any_json_is_an_answer_or_a_typed_failure(dialect: str, shape: Any) -> None:
    """Shapes made of the dialects' own words never raise anything but the one failure."""
    judged(dialect, samples.body(shape))
    judged(dialect, Reply(400, {}, json.dumps(shape).encode()))


@pytest.mark.parametrize("dialect", READERS)
@given(raw=st.binary(max_size=60), status=st.integers(100, 599))
@FUZZ
def test_any_bytes_are_a_typed_failure(dialect: str, raw: bytes, status: int) -> None:
    """Bytes that are no answer are a failure with every status."""
    assert judged(dialect, Reply(status, {"retry-after": repr(raw)}, raw)).failure


@pytest.mark.parametrize("dialect", READERS)
def test_any_field_may_be_anything(dialect: str) -> None:
    """Each field of each good sample, replaced by each kind of junk or left out, is survived."""
    for case in sorted(samples.names(dialect)):
        stored = samples.document(dialect, case)
        for changed in _spoiled(stored.get("body")):
            judged(dialect, Reply(stored["status"], stored["headers"], changed))


@pytest.mark.parametrize("dialect", READERS)
def test_cut_at_any_byte_is_a_typed_failure(dialect: str) -> None:
    """A body that ends early, wherever it ends, is never read as a whole one."""
    raw = samples.reply(dialect, "good").body
    for length in range(len(raw)):
        assert judged(dialect, Reply(200, {}, raw[:length])).outcome == "malformed_answer"


@pytest.mark.parametrize("dialect", READERS)
@pytest.mark.parametrize("depth", [900, 950, 980, 985, 990, 995, 1000, 100_000])
def test_deep_nesting_is_a_typed_failure(dialect: str, depth: int) -> None:
    """Nesting up to and beyond what the parser bears is a typed failure, wherever it stands."""
    nest = "[" * depth + "]" * depth
    for name in ("error", "usage", "data", "refusal", "finishReason"):
        assert judged(dialect, Reply(200, {}, f'{{"{name}": {nest}}}'.encode())).failure
    inside = f'{{"choices": [{{"error": {nest}}}]}}'
    assert judged(dialect, Reply(200, {}, inside.encode())).failure
    refusal = f'{{"choices": [{{"finish_reason": {nest}, "message": {{"refusal": {nest}}}}}]}}'
    assert judged(dialect, Reply(200, {}, refusal.encode())).failure
    image = '{"image": ' * depth + "1" + "}" * depth
    message = f'{{"choices": [{{"message": {image}}}]}}'
    assert judged(dialect, Reply(200, {}, message.encode())).failure


@pytest.mark.parametrize("dialect", READERS)
@pytest.mark.parametrize(
    "piece",
    ["a b ", "![", "![a](b(", "data:image/a", "data:image/png;base64,", "<think>", " ", "{", "\\"],
)
def test_huge_text_is_read_in_linear_time(dialect: str, piece: str) -> None:
    """Megabytes made to slow a search down take no longer than megabytes of prose."""
    # More brackets than this are refused before anything is searched.
    huge = (piece * min(2_000_000 // len(piece), 400_000)).ljust(2_000_000, ".")
    good = json.dumps(samples.document(dialect, "good")["body"])
    raw = good.replace(json.dumps(SAID), json.dumps(huge)).encode()
    assert len(raw) > 2_000_000
    began = time.monotonic()
    seen = judged(dialect, Reply(200, {}, raw))
    assert time.monotonic() - began < 5
    assert seen.text is None or len(seen.text) <= 512 * 1024


@pytest.mark.parametrize("dialect", READERS)
@pytest.mark.parametrize("piece", ["\\", 'retryDelay\\"', "blocked by ", "API key"])
def test_huge_error_is_read_at_once(dialect: str, piece: str) -> None:
    """An error of many megabytes is searched at its beginning only, and little of it is kept."""
    body = piece.encode() * (20_000_000 // len(piece))
    began = time.monotonic()
    failure = judged(dialect, Reply(400, {}, body)).failure
    assert time.monotonic() - began < 2
    assert failure is not None
    assert failure.text is not None
    assert len(failure.text) <= 4000


def _spoiled(document: Any) -> Iterator[bytes]:
    """Give the document once for each of its places and each junk that can stand there."""
    for path in list(_paths(document)):
        for junk in JUNK:
            yield json.dumps(_replaced(document, path, junk)).encode()


def _paths(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    yield path
    inner: Any = value.items() if isinstance(value, dict) else ()
    inner = enumerate(value) if isinstance(value, list) else inner
    for key, item in inner:
        yield from _paths(item, (*path, key))


def _replaced(value: Any, path: tuple[str | int, ...], junk: Any) -> Any:
    if not path:
        return junk
    changed = value.copy()
    changed[path[0]] = _replaced(value[path[0]], path[1:], junk)
    return changed
