"""
The dialect ``openai-images``: multipart ``POST {base}/images/edits``.

Source: CreateImageEditRequest and ImagesResponse of the public OpenAI specification; where gateways
differ from it is noted at the place.
"""

import json
import math
import re
import secrets
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import Any

from service.edits import Answer, AttemptFailed, Edit, Reply, Request, Upstream, outcomes, reading

_EXTENSIONS = {"image/png": "png", "image/jpeg": "jpg", "image/webp": "webp"}
# LiteLLM wraps the code and leaves the original JSON inside error.message, so the words are
# looked for in the whole body.
_REFUSAL = re.compile(
    r"moderation_blocked|content_policy_violation|image_generation_user_error|prompt_blocked"
    r"|content_filter|PROHIBITED_CONTENT|IMAGE_SAFETY|blocked by .{0,40}safety",
    re.IGNORECASE,
)
# Starting at the word keeps the search linear, however many backslashes an answer is made of.
_RETRY_INFO = re.compile(r'retryDelay\\*"\s*:\s*\\*"(\d{1,9}(?:\.\d{1,9})?)s')
_KEPT_CHARACTERS = 4000
# An error says what it is at its beginning; searching 64 MB for words would hold up the process.
_SEARCHED_CHARACTERS = 64 * 1024


def build(edit: Edit, upstream: Upstream) -> Request:
    """Build the request; the picture's own name never goes out."""
    fields = {"model": upstream.model, "prompt": edit.prompt, "n": "1"}
    if upstream.response_format:
        fields["response_format"] = "b64_json"
    boundary = f"moderation-{secrets.token_hex(16)}"
    parts = [
        f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
        for name, value in fields.items()
    ]
    file_name = f"image.{_EXTENSIONS[edit.mime]}"
    parts += [
        f'--{boundary}\r\nContent-Disposition: form-data; name="image"; filename="{file_name}"\r\n'
        f"Content-Type: {edit.mime}\r\n\r\n".encode(),
        edit.image,
        f"\r\n--{boundary}--\r\n".encode(),
    ]
    headers = {"Content-Type": f"multipart/form-data; boundary={boundary}"}
    if upstream.key:
        headers["Authorization"] = f"Bearer {upstream.key}"
    return Request(f"{upstream.url.rstrip('/')}/images/edits", headers, b"".join(parts))


def read(reply: Reply, prompt: str) -> Answer:
    """
    Read the reply.

    Raises:
        AttemptFailed: With the outcome that the table knows.
    """
    text = reply.body.decode("utf-8", "replace")
    kept = text[:_KEPT_CHARACTERS]
    if reply.status != 200:
        searched = text[:_SEARCHED_CHARACTERS]
        raise AttemptFailed(
            _failure(reply.status, searched),
            f"HTTP {reply.status}",
            status=reply.status,
            text=kept,
            retry_after_s=_retry_after(reply.headers, searched),
        )
    answer = _json_object(text)
    error = answer.get("error")
    if error:
        outcome = "refused" if _refuses(json.dumps(error)) else "upstream_error"
        raise AttemptFailed(outcome, "an error in a 200", status=200, text=kept)
    said = reading.description_text(answer, prompt)
    try:
        image = reading.image_bytes(answer)
    except AttemptFailed as failure:
        raise AttemptFailed(failure.outcome, str(failure), status=200, text=said) from failure
    if image is None:
        outcome = "refused" if _refuses(text) else "no_image"
        raise AttemptFailed(outcome, "the answer has no image", status=200, text=said or kept)
    if said is None:
        raise AttemptFailed("no_description", "the answer has no text", status=200)
    usage = answer.get("usage")
    usage = usage if isinstance(usage, dict) else {}
    return Answer(image, said, _count(usage, "input_tokens"), _count(usage, "output_tokens"))


def _failure(status: int, text: str) -> str:
    if status == 429:
        return "rate_limited"
    if status in (408, 409, 425) or status >= 500:
        return "upstream_error"
    if _refuses(text):
        return "refused"
    if status in (401, 403, 404):
        return "unauthorised"
    return "rejected"


def _refuses(text: str) -> bool:
    return _REFUSAL.search(text, 0, _SEARCHED_CHARACTERS) is not None


def _json_object(text: str) -> dict[str, Any]:
    try:
        answer = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise AttemptFailed(
            "malformed_answer",
            f"200 without JSON: {error}",
            status=200,
            text=text[:_KEPT_CHARACTERS],
        ) from error
    if not isinstance(answer, dict):
        raise AttemptFailed("malformed_answer", "200 without a JSON object", status=200)
    return answer


def _count(usage: dict[str, Any], name: str) -> int | None:
    value = usage.get(name)
    return value if type(value) is int and 0 <= value < 2**31 else None


def _retry_after(headers: Mapping[str, str], text: str) -> float | None:
    """
    Find how long to wait: in headers (milliseconds, seconds, LiteLLM's copy) or in the body.

    Source: Google's RetryInfo is in the body only; LiteLLM moves the header to llm_provider-*.
    """
    for name, unit in (
        ("retry-after-ms", 1000.0),
        ("retry-after", 1.0),
        ("llm_provider-retry-after", 1.0),
    ):
        seconds = _seconds(headers.get(name, ""), headers.get("date", ""))
        if seconds is not None:
            return outcomes.clamped_retry_after(seconds / unit)
    found = _RETRY_INFO.search(text)
    return outcomes.clamped_retry_after(float(found[1])) if found else None


def _seconds(value: str, date: str) -> float | None:
    """Read a number, or an HTTP date by the upstream's own clock, since ours may differ."""
    try:
        seconds = float(value)
    except ValueError:
        try:
            return (parsedate_to_datetime(value) - parsedate_to_datetime(date)).total_seconds()
        except (ValueError, TypeError):  # The one with a zone and the other without is a TypeError.
            return None
    return None if math.isnan(seconds) else seconds
