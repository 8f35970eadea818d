"""Why a model stopped: every known reason has its outcome, and an unknown one is no result."""

from typing import Any

import pytest

from service.edits import claude_messages, gemini, openai_chat, outcomes
from tests.dialects import samples
from tests.dialects.samples import READERS, SAID, Seen

# finishReason and blockReason as google-genai 3.4.0 lists them.
GEMINI_STOPS = {
    "refused": (
        "SAFETY RECITATION BLOCKLIST PROHIBITED_CONTENT SPII IMAGE_SAFETY MODEL_ARMOR"
        " IMAGE_PROHIBITED_CONTENT IMAGE_RECITATION ESCALATION"
    ),
    "no_image": "LANGUAGE OTHER IMAGE_OTHER NO_IMAGE",
    "malformed_answer": (
        "MAX_TOKENS CONTINUATION MALFORMED_RESPONSE MALFORMED_FUNCTION_CALL UNEXPECTED_TOOL_CALL"
        " TOO_MANY_TOOL_CALLS"
    ),
    "rejected": "MISSING_THOUGHT_SIGNATURE",
    "unauthorised": "PUP_LIMITED_DISABLED",
}
GEMINI_BLOCKS = {
    "refused": "SAFETY OTHER BLOCKLIST PROHIBITED_CONTENT IMAGE_SAFETY MODEL_ARMOR JAILBREAK"
}
ODD: tuple[Any, ...] = ("NEXT_YEAR", "STOP ", "🛑", 1, 0, True, False, ["STOP"], {"STOP": 1})


def pairs(table: dict[str, str]) -> list[tuple[str, str]]:
    return [(reason, end) for end, reasons in table.items() for reason in reasons.split()]


def good(dialect: str) -> Any:
    return samples.document(dialect, "good")["body"]


def read_gemini(*, candidate: dict[str, Any] | None = None, **answer: Any) -> Seen:
    body = {**good("gemini"), **answer}
    body["candidates"][0].update(candidate or {})
    return samples.seen(READERS["gemini"], samples.body(body))


def read_chat(reason: Any) -> Seen:
    body = good("openai-chat")
    body["choices"][0]["finish_reason"] = reason
    return samples.seen(READERS["openai-chat"], samples.body(body))


def read_claude(reason: Any) -> Seen:
    body = {**good("claude-messages"), "stop_reason": reason}
    return samples.seen(READERS["claude-messages"], samples.body(body))


@pytest.mark.parametrize(("reason", "end"), pairs(GEMINI_STOPS))
def test_gemini_reason_to_stop_has_its_outcome(reason: str, end: str) -> None:
    """A reason counts even where image and text are there, in any case and either spelling."""
    for candidate in (
        {"finishReason": reason},
        {"finishReason": reason.lower()},
        {"finishReason": None, "finish_reason": reason},
    ):
        assert read_gemini(candidate=candidate).outcome == end


@pytest.mark.parametrize(("reason", "end"), pairs(GEMINI_BLOCKS))
def test_gemini_block_of_the_prompt_has_its_outcome(reason: str, end: str) -> None:
    """A blocked prompt counts even where candidates are there."""
    assert read_gemini(promptFeedback={"blockReason": reason}).outcome == end
    assert read_gemini(prompt_feedback={"block_reason": reason}).outcome == end


def test_tables_hold_what_the_tests_hold() -> None:
    """No reason is in a table without a test, and every outcome is one of the outcomes' table."""
    assert dict(pairs(GEMINI_STOPS)) == gemini.STOPS
    assert dict(pairs(GEMINI_BLOCKS)) == gemini.BLOCKS
    for table in (gemini.STOPS, gemini.BLOCKS, openai_chat.STOPS, claude_messages.STOPS):
        assert set(table.values()) <= outcomes.TABLE.keys()


@pytest.mark.parametrize("reason", [None, "", "STOP", "stop", "FINISH_REASON_UNSPECIFIED"])
def test_gemini_finished_answer_is_read(reason: str | None) -> None:
    """A finished answer, or one whose gateway lost the reason, is read; the checks come later."""
    assert read_gemini(candidate={"finishReason": reason}).text == SAID


@pytest.mark.parametrize("reason", ODD)
def test_gemini_unknown_reason_is_no_result(reason: Any) -> None:
    """What is unknown is never taken for finished, be it with image and text."""
    assert read_gemini(candidate={"finishReason": reason}).outcome == "no_image"
    assert read_gemini(promptFeedback={"blockReason": reason}).outcome == "no_image"


@pytest.mark.parametrize(
    "feedback", [None, {}, [], "SAFETY", {"blockReason": None}, {"blockReason": ""}]
)
def test_gemini_feedback_without_a_reason_blocks_nothing(feedback: Any) -> None:
    """Safety ratings alone, or an empty feedback, say nothing against an answer."""
    assert read_gemini(promptFeedback=feedback).text == SAID


@pytest.mark.parametrize("name", ["finishMessage", "finish_message"])
def test_gemini_explanation_is_kept(name: str) -> None:
    """The only words of a blocked answer are kept for people."""
    body = {"candidates": [{"content": {}, "finishReason": "IMAGE_SAFETY", name: "Because."}]}
    failure = samples.seen(READERS["gemini"], samples.body(body)).failure
    assert failure is not None
    assert failure.text == "Because."
    assert "IMAGE_SAFETY" in str(failure)


def test_gemini_explanation_of_a_block_is_kept() -> None:
    """A blocked prompt's message is kept for people."""
    feedback = {"blockReason": "OTHER", "blockReasonMessage": "Not this one."}
    failure = read_gemini(promptFeedback=feedback).failure
    assert failure is not None
    assert failure.text == "Not this one."


def test_text_of_a_stopped_answer_is_kept() -> None:
    """Where nothing explains the stop, what the model said is kept instead."""
    for seen in (
        read_gemini(candidate={"finishReason": "OTHER", "finishMessage": " "}),
        read_chat("length"),
        read_claude("max_tokens"),
    ):
        assert seen.failure is not None
        assert seen.failure.text == SAID


def test_only_the_first_candidate_counts() -> None:
    """Image and text are never put together from two answers."""
    parts = ({"text": SAID}, {"inlineData": {"data": "QQ=="}})
    body: Any = {"candidates": [{"content": {"parts": [part]}} for part in parts]}
    assert samples.seen(READERS["gemini"], samples.body(body)).outcome == "no_image"
    messages = [{"content": SAID}, {"images": ["data:image/png;base64,QQ=="]}]
    body = {"choices": [{"message": message} for message in messages]}
    assert samples.seen(READERS["openai-chat"], samples.body(body)).outcome == "no_image"


@pytest.mark.parametrize(
    ("reason", "end"),
    [
        *[(reason, "read") for reason in (None, "", "stop", "STOP", "end_turn", "eos")],
        *openai_chat.STOPS.items(),
        ("tool_calls", "no_image"),
        ("function_call", "no_image"),
        *[(odd, "no_image") for odd in ODD],
    ],
)
def test_chat_reason_to_stop_has_its_outcome(reason: Any, end: str) -> None:
    """Only a finished answer is read, be it with image and text."""
    assert read_chat(reason).outcome == end


@pytest.mark.parametrize(
    ("reason", "end"),
    [
        *[(reason, "read") for reason in (None, "", "end_turn", "stop_sequence")],
        *claude_messages.STOPS.items(),
        *[(odd, "no_description") for odd in ODD],
    ],
)
def test_claude_reason_to_stop_has_its_outcome(reason: Any, end: str) -> None:
    """Only a finished answer is read, be it with text."""
    assert read_claude(reason).outcome == end


@pytest.mark.parametrize("reason", ["content_filter", "length", "next_year"])
def test_description_alone_stops_like_an_edit(reason: str) -> None:
    """A chat's text-only reply fails as its edit would; without an image that is no_description."""
    body = good("openai-chat")
    body["choices"][0]["finish_reason"] = reason
    seen = samples.seen(openai_chat.read_description, samples.body(body))
    ends = {"content_filter": "refused", "length": "malformed_answer"}
    assert seen.outcome == ends.get(reason, "no_description")


@pytest.mark.parametrize("image", ["good", "image_missing", "image_hosted", "image_in_markdown"])
def test_description_alone_needs_no_image(image: str) -> None:
    """The chat's text-only reading takes the text, whether or not a picture came as well."""
    given = samples.reply("openai-chat", image)
    seen = samples.seen(openai_chat.read_description, given)
    assert (seen.text, seen.tokens) == (SAID, (300, 1120))


@pytest.mark.parametrize(
    ("usage", "counted"),
    [
        ({"promptTokenCount": 7, "candidatesTokenCount": 5, "thoughtsTokenCount": 4}, (7, 9)),
        ({"promptTokenCount": 7, "candidatesTokenCount": 5}, (7, 5)),
        ({"prompt_token_count": 7, "thoughts_token_count": 4}, (7, 4)),
        ({"promptTokenCount": True, "candidatesTokenCount": "5"}, (None, None)),
        ({"promptTokenCount": -7, "candidatesTokenCount": 2.5}, (None, None)),
        ({"promptTokenCount": 2**31, "candidatesTokenCount": 2**31 - 1}, (None, 2**31 - 1)),
        ({"candidatesTokenCount": 2**31 - 1, "thoughtsTokenCount": 1}, (None, None)),
        ([], (None, None)),
    ],
)
def test_gemini_thoughts_count_as_output(
    usage: Any, counted: tuple[int | None, int | None]
) -> None:
    """Thoughts are billed as output; a count that the ledger cannot hold is left out."""
    assert read_gemini(usageMetadata=usage).tokens == counted


def test_url_alphabet_of_base64_is_read() -> None:
    """Google's own client writes base64 in the alphabet of URLs, and gateways pass it on."""
    picture = {"inlineData": {"data": "-_8="}}
    body = {"candidates": [{"content": {"parts": [{"text": SAID}, picture]}}]}
    assert samples.seen(READERS["gemini"], samples.body(body)).image == b"\xfb\xff"
    message = {"content": f"data:image/png;base64,-_8=\n{SAID}"}
    chat = samples.seen(READERS["openai-chat"], samples.body({"choices": [{"message": message}]}))
    assert (chat.image, chat.text) == (b"\xfb\xff", SAID)
