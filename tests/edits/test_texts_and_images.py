"""Reading 200 answers: where the text is, which image is the final one, and what is no answer."""

import base64
import json
import time
from typing import Any

import pytest

from service.edits import Answer, AttemptFailed, Reply, reading
from service.edits.client import DIALECTS

DRAFT, FINAL = b"the draft", b"the final picture"
PROMPT = "".join(f"Rule {number}: what it forbids, in its own words. " for number in range(120))
SAID = '{"summary": "A street.", "findings": []}'


def encoded(image: bytes) -> str:
    return base64.b64encode(image).decode()


IMAGE = {"b64_json": encoded(FINAL)}


def read(body: Any, status: int = 200, prompt: str = PROMPT) -> Answer:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    answer = DIALECTS["openai-images"].read(Reply(status, {}, raw), prompt)
    assert isinstance(answer, Answer)
    return answer


def failure(body: Any, prompt: str = PROMPT) -> AttemptFailed:
    with pytest.raises(AttemptFailed) as caught:
        read(body, prompt=prompt)
    return caught.value


PLACES: dict[str, dict[str, Any]] = {
    "revised_prompt": {"data": [{**IMAGE, "revised_prompt": SAID}]},
    "item_text": {"data": [{**IMAGE, "text": SAID}]},
    "item_content": {"data": [{**IMAGE, "content": SAID}]},
    "item_content_parts": {
        "data": [{**IMAGE, "content": [{"type": "text", "text": SAID[:9]}, {"text": SAID[9:]}]}]
    },
    "item_description": {"data": [{**IMAGE, "description": SAID}]},
    "item_of_its_own": {"data": [IMAGE, {"text": SAID}]},
    "first_item": {"data": [{"revised_prompt": SAID, "b64_json": ""}, IMAGE]},
    "top_level": {"data": [IMAGE], "text": SAID},
    "chat_message": {"data": [IMAGE], "choices": [{"message": {"content": SAID}}]},
    "chat_parts": {
        "data": [IMAGE],
        "choices": [
            None,
            {"message": {"content": [{"type": "image_url"}, {"type": "text", "text": SAID}]}},
        ],
    },
    "behind_an_echo": {"data": [{**IMAGE, "revised_prompt": PROMPT, "text": SAID}]},
    "behind_empty_texts": {"data": [{**IMAGE, "revised_prompt": None, "text": " "}], "text": SAID},
}


@pytest.mark.parametrize("place", PLACES)
def test_text_is_found_wherever_gateways_put_it(place: str) -> None:
    """Each place that a gateway may use gives the model's text, whole."""
    answer = read(PLACES[place])
    assert (answer.text, answer.image) == (SAID, FINAL)


ECHOES = {
    "whole": PROMPT,
    "reflowed": PROMPT.replace(". ", ".\n  "),
    "wrapped": f"Edit the picture as follows: {PROMPT} Return one picture.",
    "truncated": PROMPT[:500],
    "truncated_with_dots": PROMPT[:497] + "...",
    "tail": PROMPT[-700:],
}


@pytest.mark.parametrize("shape", ECHOES)
def test_echo_of_the_prompt_is_no_description(shape: str) -> None:
    """The ruleset echoed back, whole or in part, never counts as what the model said."""
    assert failure({"data": [{**IMAGE, "revised_prompt": ECHOES[shape]}]}).outcome == (
        "no_description"
    )


def test_description_that_quotes_the_ruleset_is_no_echo() -> None:
    """A text of which only a part stands in the prompt is the model's own."""
    said = json.dumps({"summary": PROMPT[:200], "findings": "x" * 200})
    assert read({"data": [{**IMAGE, "revised_prompt": said}]}).text == said


def test_thoughts_are_neither_image_nor_text() -> None:
    """An item marked as a thought is skipped, wherever it stands."""
    thought = {"b64_json": encoded(DRAFT), "revised_prompt": "I wonder", "thought": True}
    answer = read({"data": [thought, {**IMAGE, "revised_prompt": SAID}, thought]})
    assert (answer.text, answer.image) == (SAID, FINAL)


def test_last_image_wins() -> None:
    """Drafts come before the final picture, which alone is taken."""
    drafts = [{"b64_json": encoded(DRAFT), "revised_prompt": "a draft"}] * 3
    answer = read({"data": [*drafts, {**IMAGE, "revised_prompt": SAID}]})
    assert (answer.text, answer.image) == (SAID, FINAL)


def test_data_url_is_an_image() -> None:
    """A data address in ``url`` or ``b64_json`` holds the bytes itself."""
    address = f"data:image/png;base64,{encoded(FINAL)}"
    for key in ("url", "b64_json"):
        assert read({"data": [{key: address, "text": SAID}]}).image == FINAL


@pytest.mark.parametrize(
    "embedded",
    [
        f"![edited](data:image/png;base64,{encoded(FINAL)})",
        f"data:image/jpeg;base64,{encoded(FINAL)}",
        "![](https://example.org/a.png)",
    ],
)
def test_pictures_inside_the_text_are_left_out(embedded: str) -> None:
    """A markdown image or data address in the text is not part of what the model said."""
    answer = read({"data": [{**IMAGE, "text": f"{embedded}\n{SAID}"}]})
    assert answer.text == SAID


NO_IMAGE: dict[str, Any] = {
    "empty_data": {"created": 1, "data": []},
    "null_data": {"created": 1, "data": None},
    "absent_data": {"created": 1},
    "data_is_a_string": {"data": "abc"},
    "items_are_not_objects": {"data": ["abc", None, 7]},
    "empty_image_with_text": {"data": [{"b64_json": "", "revised_prompt": SAID}]},
    "text_without_image": {"data": [{"revised_prompt": SAID}]},
    "only_a_thought": {"data": [{**IMAGE, "revised_prompt": SAID, "thought": True}]},
    "address_of_a_file": {"data": [{"url": "file:///etc/passwd", "text": SAID}]},
    "address_of_a_bucket": {"data": [{"url": "gs://bucket/a.png", "text": SAID}]},
    "truncated_base64": {"data": [{"b64_json": encoded(FINAL)[:-3], "text": SAID}]},
    "not_base64": {"data": [{"b64_json": "päng!", "text": SAID}]},
    "image_is_no_string": {"data": [{"b64_json": {"a": 1}, "text": SAID}]},
}


@pytest.mark.parametrize("shape", NO_IMAGE)
def test_answer_without_readable_image_is_no_image(shape: str) -> None:
    """However the picture is missing, the answer is ``no_image``, and what was said is kept."""
    failed = failure(NO_IMAGE[shape])
    assert (failed.outcome, failed.status) == ("no_image", 200)
    if shape != "only_a_thought" and SAID in str(NO_IMAGE[shape]):
        assert failed.text == SAID


def test_image_without_text_is_no_description() -> None:
    """A picture alone proves nothing about the rules; it is kept for the repair of its text."""
    failed = failure({"data": [IMAGE]})
    assert (failed.outcome, failed.image) == ("no_description", FINAL)


@pytest.mark.parametrize(
    ("body", "outcome"),
    [
        ({"error": {"code": "moderation_blocked"}}, "refused"),
        ({"error": {"message": "PROHIBITED_CONTENT"}, "data": []}, "refused"),
        ({"data": [], "promptFeedback": {"blockReason": "IMAGE_SAFETY"}}, "refused"),
        ({"error": {"message": "no channel is free"}}, "upstream_error"),
        ({"error": "out of quota", "data": [{**IMAGE, "text": SAID}]}, "upstream_error"),
        (b"<html>Bad gateway</html>", "malformed_answer"),
        (b"", "malformed_answer"),
        (b"[1, 2]", "malformed_answer"),
        (b'"text"', "malformed_answer"),
        (b'{"created": 1, "data": [{"b64_json": "aGk', "malformed_answer"),
        (b"[" * 100_000, "malformed_answer"),
        (b'{"created": ' + b"9" * 10_000 + b"}", "malformed_answer"),
        (b"\xff\xfe{\x00}\x00", "malformed_answer"),
    ],
)
def test_200_that_is_no_answer_has_its_outcome(body: Any, outcome: str) -> None:
    """An error inside a 200 and whatever is not a JSON object are typed, never raised raw."""
    assert failure(body).outcome == outcome


@pytest.mark.parametrize(
    ("usage", "counted"),
    [
        ({"input_tokens": 300, "output_tokens": 1120}, (300, 1120)),
        ({"input_tokens": "300", "output_tokens": -1}, (None, None)),
        ({"input_tokens": 2**31, "output_tokens": True}, (None, None)),
        ("none", (None, None)),
        (None, (None, None)),
    ],
)
def test_usage_counts_only_what_the_ledger_can_hold(
    usage: Any, counted: tuple[int | None, int | None]
) -> None:
    """Token counts that are no 31-bit numbers are left out instead of failing the answer."""
    answer = read({"data": [{**IMAGE, "text": SAID}], "usage": usage})
    assert (answer.input_tokens, answer.output_tokens) == counted


@pytest.mark.parametrize("piece", ["![", "![](", "![a](b(", "data:image/a", "\\", "a b "])
def test_hostile_text_is_read_in_linear_time(piece: str) -> None:
    """A text made to slow a search down is read in well under the seconds it once took."""
    # More brackets than this are refused before anything is searched.
    text = piece * min(2_000_000 // len(piece), 400_000)
    began = time.monotonic()
    failed = read({"data": [{**IMAGE, "text": text}]})
    assert len(failed.text) <= reading._LONGEST
    assert time.monotonic() - began < 5
