"""Replies stored as files, one per dialect and case, and the readers that they are given to."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from service.edits import (
    Answer,
    AttemptFailed,
    Reply,
    claude_messages,
    gemini,
    openai_chat,
    openai_images,
)
from service.edits.replies import Description, Hosted

FOLDER = Path(__file__).parents[1] / "samples"
PROMPT = (FOLDER / "prompt.txt").read_text("utf-8")
SAID = '{"summary": "A street.", "findings": []}'
FINAL = b"the final picture"

Read = Callable[[Reply, str], Answer | Hosted | Description]

READERS: Mapping[str, Read] = {
    "openai-images": openai_images.read,
    "gemini": gemini.read,
    "openai-chat": openai_chat.read,
    "claude-messages": claude_messages.read_description,
}


@dataclass(frozen=True, slots=True)
class Seen:
    """How a reply was read: what came of it (``address`` in place of an image), or the failure."""

    text: str | None = None
    image: bytes | None = None
    address: str | None = None
    tokens: tuple[int | None, int | None] = (None, None)
    cached: int | None = None
    failure: AttemptFailed | None = None

    @property
    def outcome(self) -> str:
        if self.failure:
            return self.failure.outcome
        return "read" if self.address is None else "hosted"


def document(dialect: str, case: str) -> dict[str, Any]:
    stored: dict[str, Any] = json.loads((FOLDER / dialect / f"{case}.json").read_text("utf-8"))
    return stored


def reply(dialect: str, case: str) -> Reply:
    """Make the reply that a sample holds; ``raw`` is a body that is no JSON."""
    stored = document(dialect, case)
    body = stored["raw"] if "raw" in stored else json.dumps(stored["body"])
    return Reply(stored["status"], stored["headers"], body.encode())


def names(dialect: str) -> set[str]:
    return {path.stem for path in (FOLDER / dialect).glob("*.json")}


def seen(read: Read, given: Reply, prompt: str = PROMPT) -> Seen:
    """Read a reply; only the one typed failure is caught, so anything else fails the test."""
    try:
        answer = read(given, prompt)
    except AttemptFailed as failure:
        return Seen(failure=failure)
    if isinstance(answer, Answer):
        tokens = (answer.input_tokens, answer.output_tokens)
        return Seen(answer.text, answer.image, tokens=tokens, cached=answer.cached_tokens)
    counted, tokens = answer.tokens, (answer.tokens.input, answer.tokens.output)
    if isinstance(answer, Hosted):
        return Seen(answer.said, None, answer.address, tokens, counted.cached)
    return Seen(answer.text, tokens=tokens, cached=counted.cached)


def body(given: object) -> Reply:
    return Reply(200, {}, json.dumps(given).encode())
