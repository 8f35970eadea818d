"""Errors by status, errors inside a 200, and images that look like images and are none."""

import json
from typing import Any

import pytest

from service.edits import Reply
from tests.dialects import samples
from tests.dialects.samples import FINAL, READERS, SAID, Seen

PICTURE = "data:image/png;base64,dGhlIGZpbmFsIHBpY3R1cmU="
DRAFT = "data:image/png;base64,YSBkcmFmdA=="


def read_chat(message: Any, **choice: Any) -> Seen:
    body = {"choices": [{"message": message, **choice}]}
    return samples.seen(READERS["openai-chat"], samples.body(body))


def read_parts(*parts: Any) -> Seen:
    body = {"candidates": [{"content": {"parts": [{"text": SAID}, *parts]}}]}
    return samples.seen(READERS["gemini"], samples.body(body))


@pytest.mark.parametrize("dialect", READERS)
@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        (204, "rejected"),
        (302, "rejected"),
        (402, "unauthorised"),
        (408, "upstream_error"),
        (409, "upstream_error"),
        (413, "rejected"),
        (425, "upstream_error"),
        (502, "upstream_error"),
        (504, "upstream_error"),
        (529, "upstream_error"),
    ],
)
def test_status_without_a_body_has_its_outcome(dialect: str, status: int, outcome: str) -> None:
    """The rarer statuses mean the same in every dialect."""
    assert samples.seen(READERS[dialect], Reply(status, {}, b"")).outcome == outcome


@pytest.mark.parametrize("dialect", READERS)
@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        ("out of quota", "upstream_error"),
        ({"message": "PROHIBITED_CONTENT"}, "refused"),
        ({"code": 400, "message": "content_filter"}, "refused"),
        ({"code": 502, "message": "content_filter"}, "upstream_error"),
        ({"code": "429"}, "rate_limited"),
        ({"code": 401}, "unauthorised"),
        ({"code": 400}, "rejected"),
        ({"code": 200}, "upstream_error"),
        ({"code": "invalid"}, "upstream_error"),
        ({"code": [429]}, "upstream_error"),
    ],
)
def test_error_inside_a_200_counts_by_its_code(dialect: str, error: Any, outcome: str) -> None:
    """A gateway's code means what the status would; without one the words of a refusal count."""
    body = {**samples.document(dialect, "good")["body"], "error": error}
    seen = samples.seen(READERS[dialect], samples.body(body))
    assert seen.outcome == outcome
    assert seen.failure is not None
    assert seen.failure.status == 200


def test_error_inside_a_choice_counts_by_its_code() -> None:
    """A choice with an error is no answer, be it finished with image and text."""
    message = {"content": SAID, "images": [PICTURE]}
    seen = read_chat(message, finish_reason="stop", error={"code": 429, "message": "slow down"})
    assert seen.outcome == "rate_limited"


@pytest.mark.parametrize("status", [400, 403])
def test_flagged_picture_pauses_nothing(status: int) -> None:
    """A picture that a gateway flags ends alone; taken for a bad key it would stop all calls."""
    given = samples.reply("openai-chat", "refused_as_flagged")
    seen = samples.seen(READERS["openai-chat"], Reply(status, {}, given.body))
    assert seen.outcome == "refused"


@pytest.mark.parametrize(
    "data", ["päng!", "a b c d", "QQ==\n!", "QQ", "data:image/png;base64,?", "gs://files/a.png"]
)
def test_image_that_is_not_base64_is_no_image(data: str) -> None:
    """Half-read base64 is never handed on as a picture, and what was said is kept."""
    for seen in (
        read_parts({"inlineData": {"data": data}}),
        read_chat({"content": SAID, "images": [{"image_url": {"url": data}}]}),
    ):
        assert seen.outcome == "no_image"
        assert seen.failure is not None
        assert seen.failure.text == SAID


@pytest.mark.parametrize(
    "message",
    [
        {"content": f"<think>![]({DRAFT})</think>{SAID}"},
        {"content": [{"type": "text", "text": SAID}, {"type": "reasoning", "image_url": DRAFT}]},
        {"content": SAID, "images": [{"image_url": DRAFT, "thought": True}]},
        {"content": SAID, "reasoning_content": f"![]({DRAFT})"},
    ],
)
def test_chat_image_of_a_thought_is_no_image(message: Any) -> None:
    """A draft in a thought is never the edited picture, wherever thoughts stand."""
    assert read_chat(message).outcome == "no_image"


def test_chat_strings_among_the_parts_are_no_images() -> None:
    """A stray string beside the parts does not replace the picture."""
    parts = [{"type": "text", "text": SAID}, {"type": "image_url", "image_url": PICTURE}, "bye"]
    seen = read_chat({"content": parts})
    assert (seen.image, seen.text) == (FINAL, SAID)


def test_chat_takes_the_field_for_images_before_the_text() -> None:
    """Where a gateway repeats a draft inside the text, the field made for images counts."""
    seen = read_chat({"content": f"![]({DRAFT}){SAID}", "images": [PICTURE]})
    assert (seen.image, seen.text) == (FINAL, SAID)


def test_chat_thoughts_left_open_are_no_description() -> None:
    """A text that is all thought says nothing."""
    seen = read_chat({"content": f"<think>{SAID}", "images": [PICTURE]})
    assert seen.outcome == "no_description"


def test_claude_text_of_another_block_is_left_out() -> None:
    """Only text blocks are the answer, though others may carry a field of that name."""
    blocks = [{"type": "thinking", "text": "hm"}, {"type": "text", "text": SAID}, {"text": "hm"}]
    seen = samples.seen(READERS["claude-messages"], samples.body({"content": blocks}))
    assert seen.text == SAID


@pytest.mark.parametrize("data", ["", None, 7, ["QQ=="]])
def test_gemini_part_without_bytes_is_passed_over(data: Any) -> None:
    """An empty part after the picture is not the final picture."""
    parts = ({"inlineData": {"data": "QQ=="}}, {"inlineData": {"mimeType": "a/b", "data": data}})
    assert read_parts(*parts).image == b"A"


def test_gemini_block_of_the_prompt_counts_in_any_case() -> None:
    """A reason in small letters is the same reason."""
    raw = json.dumps({"promptFeedback": {"blockReason": "jailbreak"}}).encode()
    assert samples.seen(READERS["gemini"], Reply(200, {}, raw)).outcome == "refused"
