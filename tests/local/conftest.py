"""One engine and one running endpoint for the whole folder; pictures are drawn here."""

import asyncio
import io
import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pytest_asyncio
import skimage
import zxingcpp
from PIL import Image, ImageDraw, ImageFont

from service.local.engine import Engine, loaded
from service.local.server import serve

CARD_LINES = (
    "Maria Oliveira",
    "maria.oliveira@example.com",
    "Tel. +44 20 7946 0958",
    "@mariaoliveira",
    "https://www.example.com/maria",
    "4111 1111 1111 1111",
)

MakePrompt = Callable[..., str]
Draw = Callable[..., bytes]


@pytest.fixture(scope="session")
def engine() -> Engine:
    return loaded()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def local_url() -> AsyncIterator[str]:
    """Run the endpoint in this process on a free port, with one pool child."""
    told: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    serving = asyncio.create_task(
        serve(host="127.0.0.1", port=0, processes=1, ready=told.set_result)
    )
    await asyncio.wait((serving, told), return_when=asyncio.FIRST_COMPLETED)
    if serving.done():
        serving.result()
    yield told.result()
    serving.cancel()
    await asyncio.gather(serving, return_exceptions=True)


@pytest.fixture(scope="session")
def photo() -> Callable[[str], bytes]:
    """Read one of scikit-image's example pictures by file name."""
    folder = Path(skimage.__file__).parent / "data"
    return lambda name: (folder / name).read_bytes()


@pytest.fixture(scope="session")
def draw() -> Draw:
    """Draw lines of text as a PNG."""

    def drawn(*lines: str, size: int = 34) -> bytes:
        image = Image.new("RGB", (900, 40 + 2 * size * len(lines)), "white")
        pen = ImageDraw.Draw(image)
        for row, line in enumerate(lines):
            pen.text(
                (60, 20 + 2 * size * row),
                line,
                fill="black",
                font=ImageFont.load_default(size=size),
            )
        return as_png(image)

    return drawn


@pytest.fixture(scope="session")
def card(draw: Draw) -> bytes:
    return draw(*CARD_LINES)


@pytest.fixture(scope="session")
def poster() -> bytes:
    """Draw a QR code and an EAN-13 code on one sheet."""
    image = Image.new("RGB", (800, 400), "white")
    formats = zxingcpp.BarcodeFormat
    for text, form, scale, at in (
        ("https://example.com/a", formats.QRCode, 6, (60, 80)),
        ("4006381333931", formats.EAN13, 3, (400, 90)),
    ):
        code = zxingcpp.create_barcode(text, form).to_image(scale=scale)
        image.paste(Image.fromarray(np.array(code)), at)
    return as_png(image)


@pytest.fixture(scope="session")
def make_prompt() -> MakePrompt:
    """Write a prompt as the service does, from rows of rule id, edit and hints (None for none)."""

    def made(*rules: tuple[str, str, str | None], ids: list[str] | None = None) -> str:
        blocks = []
        for name, edit, hints in rules:
            look = "" if hints is None else f"\nLook for: {hints}"
            blocks.append(
                f"Rule {name}: About {name}\nPolicy: Free text\nthat spans lines.\n"
                f"Should not:\n- be seen\nCan:\n- be told\nSeverity: 3 (high)\nEdit: {edit}\n"
                f"Verdict: allow_edited{look}"
            )
        body = "\n\n".join(["A policy", "Goal: to test\nScope: all", *blocks])
        schema = json.dumps(schema_of([name for name, _, _ in rules] if ids is None else ids))
        return (
            f'<ruleset name="privacy" version="3" sha256="{"0" * 64}">\n{body}\n</ruleset>\n\n'
            f"<description-schema>\n{schema}\n</description-schema>\n\nDo it."
        )

    return made


@pytest.fixture(scope="session")
def make_schema() -> Callable[[list[str]], dict[str, Any]]:
    return schema_of


def schema_of(ids: list[str]) -> dict[str, Any]:
    step = {"type": "integer", "minimum": 0, "maximum": 1000}
    box = {"type": "array", "prefixItems": [step] * 4, "minItems": 4, "maxItems": 4}
    edits = ["none", "blur", "pixelate", "box", "remove", "block_image"]
    finding = {
        "rule": {"enum": ids},
        "rationale": {"type": "string"},
        "severity": {"type": "integer", "minimum": 1, "maximum": 4},
        "confidence": {"type": "number", "minimum": 0, "maximum": 1},
        "box_2d": {"anyOf": [box, {"type": "null"}]},
        "edit": {"enum": edits},
    }
    strings = {"type": "array", "items": {"type": "string"}}
    fields = {
        "summary": {"type": "string"},
        "alt_text": {"type": "string"},
        "findings": {"type": "array", "items": closed(finding)},
        "not_assessed": {"type": "array", "items": {"enum": ids}},
        "text_to_model": strings,
    }
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **closed(fields)}


def closed(fields: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": fields,
        "required": list(fields),
        "additionalProperties": False,
    }


def as_png(image: Image.Image) -> bytes:
    target = io.BytesIO()
    image.save(target, "PNG")
    return target.getvalue()
