"""What only one protocol can say: reasons to stop, fields of refusals, places of text and image."""

from typing import Any

from tests.fault_modes import CLEAN, IMAGE, Mode, merged
from tests.upstream import EDITED, Answer, answered, base64_of, document, items

_URL = f"data:image/png;base64,{IMAGE}"
_DRAFT = base64_of(b"a draft")
_TEXT_PART = {"text": CLEAN}
_IMAGE_PART = {"inlineData": {"mimeType": "image/png", "data": IMAGE}}
_WORDS = {"finishMessage": "Unable to show the generated image."}


def _images(answer: Answer, outcome: str, seen: str) -> Mode:
    return Mode({"openai-images": answer}, outcome, seen)


def _gemini(answer: Answer, outcome: str, seen: str) -> Mode:
    return Mode({"gemini": answer}, outcome, seen)


def _chat(answer: Answer, outcome: str, seen: str) -> Mode:
    return Mode({"openai-chat": answer}, outcome, seen)


def _candidate(content: Any, reason: Any = "STOP", **more: Any) -> dict[str, Any]:
    return {"content": content, "finishReason": reason, **more}


def _candidates(*candidates: Any, **more: Any) -> Answer:
    return document({"candidates": list(candidates), **more})


def _parts(*parts: Any, reason: Any = "STOP") -> Answer:
    return _candidates(_candidate({"role": "model", "parts": list(parts)}, reason))


def _message(message: Any, reason: Any = "stop", **more: Any) -> Answer:
    return document({"choices": [{"message": message, "finish_reason": reason, **more}]})


# Each with image and text beside it, which must not be believed.
FINISH_REASONS = {
    "refused": (
        *("SAFETY", "RECITATION", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII", "IMAGE_SAFETY"),
        *("IMAGE_PROHIBITED_CONTENT", "IMAGE_RECITATION", "MODEL_ARMOR", "ESCALATION"),
    ),
    "no_image": ("LANGUAGE", "OTHER", "NO_IMAGE", "IMAGE_OTHER", "SOMETHING_NEW", 7),
    "malformed_answer": (
        *("MAX_TOKENS", "CONTINUATION", "MALFORMED_RESPONSE", "MALFORMED_FUNCTION_CALL"),
        *("UNEXPECTED_TOOL_CALL", "TOO_MANY_TOOL_CALLS"),
    ),
    "rejected": ("MISSING_THOUGHT_SIGNATURE",),
    "unauthorised": ("PUP_LIMITED_DISABLED",),
}
BLOCK_REASONS = {
    "refused": (
        *("SAFETY", "OTHER", "BLOCKLIST", "PROHIBITED_CONTENT", "IMAGE_SAFETY", "MODEL_ARMOR"),
        "JAILBREAK",
    ),
    "no_image": ("SOMETHING_NEW",),
}
CHAT_REASONS = {
    "refused": ("content_filter", "safety", "refusal"),
    "malformed_answer": ("length", "max_tokens"),
    "upstream_error": ("error",),
    "no_image": ("tool_calls", "something_new", ["stop"]),
}
REASONS = {
    **{
        f"finish_{reason}": _gemini(
            _parts(_TEXT_PART, _IMAGE_PART, reason=reason), outcome, "google-genai types, wire 3"
        )
        for outcome, reasons in FINISH_REASONS.items()
        for reason in reasons
    },
    **{
        f"block_{reason}": _gemini(
            answered(CLEAN, IMAGE, promptFeedback={"blockReason": reason}), outcome, "wire 3"
        )
        for outcome, reasons in BLOCK_REASONS.items()
        for reason in reasons
    },
    **{
        f"stopped_by_{reason}": _chat(
            _message({"content": CLEAN, "images": [_URL]}, reason), outcome, "OpenAI specification"
        )
        for outcome, reasons in CHAT_REASONS.items()
        for reason in reasons
    },
}
GEMINI = {
    "prompt_blocked_without_candidates": _gemini(
        document({"promptFeedback": {"blockReason": "PROHIBITED_CONTENT"}}), "refused", "wire 3"
    ),
    "content_empty": _gemini(
        _candidates(_candidate({}, "IMAGE_SAFETY", **_WORDS)), "refused", "wire 3"
    ),
    "parts_null": _gemini(
        _candidates(_candidate({"parts": None}, "NO_IMAGE", **_WORDS)), "no_image", "gemimg#5"
    ),
    "content_null": _gemini(_candidates(_candidate(None)), "no_image", "wire 3"),
    "candidates_null": _gemini(document({"candidates": None}), "no_image", "wire 3"),
    "candidates_empty": _gemini(_candidates(), "no_image", "wire 3"),
    "candidates_missing": _gemini(document({"modelVersion": "7"}), "no_image", "wire 3"),
    "candidate_is_text": _gemini(_candidates(CLEAN), "no_image", "wire 3"),
    "first_candidate_refused": _gemini(
        _candidates(_candidate({}, "SAFETY"), _candidate({"parts": [_TEXT_PART, _IMAGE_PART]})),
        "refused",
        "wire 3",
    ),
    "thoughts_alone": _gemini(
        _parts({**_TEXT_PART, "thought": True}, {**_IMAGE_PART, "thought": True}),
        "no_image",
        "wire 2",
    ),
    "text_is_thought": _gemini(
        _parts({**_TEXT_PART, "thought": True}, _IMAGE_PART), "no_description", "wire 2"
    ),
    "image_is_thought": _gemini(
        _parts(_TEXT_PART, {**_IMAGE_PART, "thought": True}), "no_image", "wire 2"
    ),
    "image_cut_by_tokens": _gemini(
        _parts(_TEXT_PART, {"inlineData": {"data": base64_of(EDITED)[:40]}}, reason="MAX_TOKENS"),
        "malformed_answer",
        "wire 3",
    ),
    "error_beside_a_refusal": _gemini(
        document({"error": {"code": 400, "message": "blocked: PROHIBITED_CONTENT"}}),
        "refused",
        "wire 3",
    ),
    "second_candidate": _gemini(
        _candidates(_candidate({"parts": [_TEXT_PART, _IMAGE_PART]}), _candidate({}, "SAFETY")),
        "described",
        "wire 3",
    ),
    "snake_case": _gemini(
        _parts(_TEXT_PART, {"inline_data": {"mime_type": "image/png", "data": IMAGE}}),
        "described",
        "wire 2",
    ),
    "text_behind": _gemini(_parts(_IMAGE_PART, _TEXT_PART), "described", "apiyi, wire 2"),
    "text_in_pieces": _gemini(
        _parts({"text": CLEAN[:20]}, _IMAGE_PART, {"text": CLEAN[20:]}), "described", "wire 2"
    ),
    "thoughts_first": _gemini(
        _parts(
            {"text": "Let me see.", "thought": True},
            {"inlineData": {"data": _DRAFT}, "thought": True},
            _TEXT_PART,
            _IMAGE_PART,
        ),
        "described",
        "wire 6",
    ),
    "native_counts_garbled": _gemini(
        answered(
            CLEAN, IMAGE, usageMetadata={"promptTokenCount": "many", "thoughtsTokenCount": -1}
        ),
        "described",
        "wire 3",
    ),
}
CHAT = {
    "refusal_field": _chat(
        _message({"content": CLEAN, "images": [_URL], "refusal": "I can't help with that."}),
        "refused",
        "OpenAI specification",
    ),
    "refusal_part": _chat(
        _message({"content": [{"type": "refusal", "refusal": "No."}], "images": [_URL]}),
        "refused",
        "OpenAI specification",
    ),
    "choice_error": _chat(
        _message({"content": CLEAN, "images": [_URL]}, error={"code": 502, "message": "lost"}),
        "upstream_error",
        "OpenRouter's error page",
    ),
    "choice_refused": _chat(
        _message({"content": "", "images": []}, error={"message": "PROHIBITED_CONTENT"}),
        "refused",
        "OpenRouter's error page",
    ),
    "choices_null": _chat(document({"choices": None}), "no_image", "wire 2"),
    "choices_empty": _chat(document({"choices": []}), "no_image", "wire 2"),
    "choices_missing": _chat(document({"id": "7"}), "no_image", "wire 2"),
    "message_null": _chat(_message(None), "no_image", "CliRelay#1039"),
    "message_is_text": _chat(_message(CLEAN), "no_image", "wire 2"),
    "first_choice_refused": _chat(
        document(
            {
                "choices": [
                    {"message": {"refusal": "No."}, "finish_reason": "stop"},
                    {"message": {"content": CLEAN, "images": [_URL]}, "finish_reason": "stop"},
                ]
            }
        ),
        "refused",
        "OpenAI specification",
    ),
    "message_content_null": _chat(
        _message({"content": None, "images": [_URL]}), "no_description", "rikkahub#899"
    ),
    "text_is_reasoning": _chat(
        _message({"content": None, "reasoning_content": CLEAN, "images": [_URL]}),
        "no_description",
        "LiteLLM, wire 2",
    ),
    "thought_open": _chat(
        _message({"content": f"<think>{CLEAN}", "images": [_URL]}), "no_description", "wire 2"
    ),
    "image_in_thought": _chat(
        _message({"content": f"<think>![]({_URL})</think>{CLEAN}"}), "no_image", "wire 2"
    ),
    "image_in_reasoning": _chat(
        _message({"content": CLEAN, "reasoning_content": f"![]({_URL})"}), "no_image", "wire 2"
    ),
    "markdown_elsewhere": _chat(
        _message({"content": f"![image](https://cdn.example.net/a.png)\n{CLEAN}"}),
        "no_image",
        "crazyrouter, wire 2",
    ),
    "images_of_null": _chat(
        _message({"content": CLEAN, "images": [None, {"image_url": None}]}), "no_image", "wire 2"
    ),
    "markdown": _chat(_message({"content": f"![image]({_URL})\n{CLEAN}"}), "described", "wire 2"),
    "content_parts": _chat(
        _message(
            {
                "content": [
                    {"type": "text", "text": CLEAN},
                    {"type": "image_url", "image_url": {"url": _URL}},
                ]
            }
        ),
        "described",
        "nexara, wire 2",
    ),
    "old_image_field": _chat(
        _message({"content": CLEAN, "image": {"url": _URL}}), "described", "LiteLLM < 1.77, wire 2"
    ),
    "thought_first": _chat(
        _message({"content": f"<think>![]({_URL})</think>{CLEAN}", "images": [_URL]}),
        "described",
        "wire 2",
    ),
}
IMAGES = {
    "data_empty": _images(items(), "no_image", "LiteLLM, wire 6"),
    "data_null": _images(document({"data": None}), "no_image", "wire 1"),
    "data_missing": _images(document({"created": 1}), "no_image", "wire 1"),
    "data_object": _images(
        document({"data": {"b64_json": IMAGE, "revised_prompt": CLEAN}}), "no_image", "wire 1"
    ),
    "data_of_null": _images(document({"data": [None]}), "no_image", "wire 1"),
    "data_empty_refused": _images(
        document({"data": [], "message": "finishReason: IMAGE_SAFETY"}), "refused", "wire 6"
    ),
    "both_null": _images(
        items({"b64_json": None, "url": None, "revised_prompt": CLEAN}), "no_image", "wire 1"
    ),
    "image_number": _images(items({"b64_json": 7, "revised_prompt": CLEAN}), "no_image", "wire 1"),
    "item_is_thought": _images(
        items({"b64_json": IMAGE, "revised_prompt": CLEAN, "thought": True}), "no_image", "wire 6"
    ),
    "text_null": _images(
        items({"b64_json": IMAGE, "url": None, "revised_prompt": None}), "no_description", "wire 1"
    ),
    "text_list": _images(
        items({"b64_json": IMAGE, "revised_prompt": [CLEAN]}), "no_description", "wire 2"
    ),
    "thought_item_first": _images(
        items({"b64_json": _DRAFT, "thought": True}, {"b64_json": IMAGE, "text": CLEAN}),
        "described",
        "LiteLLM, wire 2",
    ),
    "data_url": _images(items({"url": _URL, "revised_prompt": CLEAN}), "described", "wire 6"),
    "data_url_as_base64": _images(
        items({"b64_json": _URL, "revised_prompt": CLEAN}), "described", "wire 6"
    ),
    "text_on_top": _images(items({"b64_json": IMAGE}, text=CLEAN), "described", "wire 2"),
    "error_null": _images(
        items({"b64_json": IMAGE, "text": CLEAN}, error=None), "described", "wire 1"
    ),
    "counts_garbled": _images(
        items({"b64_json": IMAGE, "text": CLEAN}, usage=["many"]), "described", "wire 1"
    ),
}
MODES = merged(REASONS, GEMINI, CHAT, IMAGES)
