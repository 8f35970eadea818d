"""
Records what the official clients send: ``python -m tests.record_clients``, run by hand.

It needs the packages openai, google-genai and anthropic, of which the project needs none at run
time; install the missing ones into a folder of their own and put that on PYTHONPATH.
"""

import base64
import importlib
import json
import threading
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.metadata import version
from typing import Any, Final

from tests import draw
from tests.dialects import samples, wire

FOLDER: Final = samples.FOLDER / "clients"
PROMPT, TASK, KEY, MODEL = "The ruleset.", "This is the picture.", "secret-key", "a-model"
PICTURE = draw.png(8, 8, "teal")
# Headers whose value is part of the protocol.
VERSIONS: Final = ("anthropic-version",)


class Recorder(BaseHTTPRequestHandler):
    """Answers with the good sample of the dialect and keeps what was asked."""

    dialect = ""
    kept: Mapping[str, Any] = {}

    def do_POST(self) -> None:
        """Keep one request."""
        body = self.rfile.read(int(self.headers["Content-Length"]))
        Recorder.kept = {
            "method": self.command,
            "path": self.path,
            "headers": sorted(name.lower() for name in self.headers),
            "versions": {name: value for name in VERSIONS if (value := self.headers[name])},
            **wire.shape(self.headers["Content-Type"], body),
        }
        answer = samples.reply(Recorder.dialect, "good").body
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the base's name
        """Say nothing."""


def images_edit(url: str) -> None:
    client: Any = importlib.import_module("openai").OpenAI(base_url=f"{url}/v1", api_key=KEY)
    image = ("image.png", PICTURE, "image/png")
    client.images.edit(model=MODEL, prompt=PROMPT, image=image, n=1, response_format="b64_json")


def chat(url: str, modalities: tuple[str, ...] = ("text", "image")) -> None:
    client: Any = importlib.import_module("openai").OpenAI(base_url=f"{url}/v1", api_key=KEY)
    picture = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{_base64()}"}}
    client.chat.completions.create(
        model=MODEL,
        modalities=list(modalities),
        messages=[
            {"role": "system", "content": PROMPT},
            {"role": "user", "content": [picture, {"type": "text", "text": TASK}]},
        ],
    )


def chat_description(url: str) -> None:
    chat(url, ("text",))


def generate_content(url: str) -> None:
    genai: Any = importlib.import_module("google.genai")
    types = genai.types
    # Since 3.x the client's own default is v1; the route that gateways document is v1beta.
    options = types.HttpOptions(base_url=url, api_version="v1beta")
    client = genai.Client(api_key=KEY, http_options=options)
    picture = types.Part.from_bytes(data=PICTURE, mime_type="image/png")
    client.models.generate_content(
        model=MODEL,
        contents=[types.Content(role="user", parts=[picture, types.Part(text=TASK)])],
        config=types.GenerateContentConfig(
            system_instruction=types.Content(parts=[types.Part(text=PROMPT)]),
            response_modalities=["TEXT", "IMAGE"],
        ),
    )


def messages(url: str) -> None:
    client: Any = importlib.import_module("anthropic").Anthropic(base_url=url, api_key=KEY)
    source = {"type": "base64", "media_type": "image/png", "data": _base64()}
    content = [{"type": "image", "source": source}, {"type": "text", "text": TASK}]
    client.messages.create(
        model=MODEL,
        max_tokens=8192,
        system=PROMPT,
        messages=[{"role": "user", "content": content}],
    )


CALLS: Mapping[str, tuple[str, str, Callable[[str], None]]] = {
    "images_edit": ("openai", "openai-images", images_edit),
    "chat_completions": ("openai", "openai-chat", chat),
    "chat_completions_description": ("openai", "openai-chat", chat_description),
    "generate_content": ("google-genai", "gemini", generate_content),
    "messages": ("anthropic", "claude-messages", messages),
}


def main() -> None:
    """Make each call once and write down what arrived."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    with ThreadingHTTPServer(("127.0.0.1", 0), Recorder) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        for name, (package, dialect, call) in CALLS.items():
            Recorder.dialect, Recorder.kept = dialect, {}
            call(f"http://127.0.0.1:{server.server_port}")
            recorded = {"client": f"{package} {version(package)}", **Recorder.kept}
            (FOLDER / f"{name}.json").write_text(json.dumps(recorded, indent=2) + "\n", "utf-8")
        server.shutdown()


def _base64() -> str:
    return base64.b64encode(PICTURE).decode()


if __name__ == "__main__":
    main()
