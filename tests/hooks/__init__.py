"""Hooks: messages shaped after public documentation, and what must be understood of them."""

import base64
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from service.hooks import Message
from service.hooks.settings import HookSettings

SAMPLES = Path(__file__).parent / "samples"


@dataclass(frozen=True, slots=True)
class Sample:
    """One message; ``shaped_after`` names the documentation that its shape is taken from."""

    preset: str
    shaped_after: str
    headers: dict[str, str]
    settings: dict[str, Any]
    body: bytes
    understood: list[dict[str, Any]]

    @property
    def message(self) -> Message:
        """The message as a sender posts it."""
        return Message.of(self.headers.items(), self.body)

    @property
    def hook_settings(self) -> HookSettings:
        """What the platform has set."""
        return HookSettings.model_validate(self.settings)


def load(name: str) -> Sample:
    """Read one sample; a body that is no JSON stands there in base64."""
    told = json.loads((SAMPLES / f"{name}.json").read_text())
    encoded = told.get("body_base64")
    body = json.dumps(told["body"]).encode() if encoded is None else base64.b64decode(encoded)
    return Sample(
        told["preset"],
        told["shaped_after"],
        told.get("headers", {}),
        told.get("settings", {}),
        body,
        told["understood"],
    )


NAMES = sorted(path.stem for path in SAMPLES.glob("*.json"))
EVERY = {name: load(name) for name in NAMES}
