"""Answers whose image is missing, elsewhere, or not what it is called; the text is clean."""

import struct
import zlib

from tests import draw
from tests.fault_modes import CLEAN, IMAGE, Mode, edits, merged
from tests.upstream import EDITED, answered, base64_of, sent


def _mode(image: str, outcome: str, seen: str) -> Mode:
    return Mode(edits(answered(CLEAN, image)), outcome, seen)


def _holding(image: bytes, outcome: str, seen: str) -> Mode:
    return _mode(base64_of(image), outcome, seen)


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def _bomb(side: int, rows: int) -> bytes:
    """Make a PNG of one bit a pixel that says it is a square; ``rows`` are really in it."""
    header = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
    body = zlib.compress(bytes(1 + side // 8) * rows, 1)
    chunks = _chunk(b"IHDR", header) + _chunk(b"IDAT", body) + _chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + chunks


_HALF = len(EDITED) // 2
_WIRED = base64_of(EDITED)
NO_IMAGE = {
    "base64_broken": _mode("not base64 at all!", "no_image", "new-api, wire 6"),
    "base64_cut": _mode(_WIRED[:-3], "no_image", "wire 6"),
    "base64_with_a_hole": _mode(f"{_WIRED[:40]}\n{_WIRED[40:]}", "no_image", "wire 6"),
    "image_elsewhere": _mode("https://cdn.example.net/a.png", "no_image", "wire 6"),
    "image_inside": _mode("http://169.254.169.254/a.png", "no_image", "chatgpt2api#146"),
    "image_in_a_file": _mode("file:///etc/passwd", "no_image", "open-webui#24565"),
    "image_in_a_bucket": _mode("gs://files/a.png", "no_image", "Vertex"),
    "image_truncated": _holding(EDITED[:_HALF], "no_image", "CLIProxyAPI#5363"),
    "image_without_end": _holding(
        draw.jpeg(640, 480, "teal")[:2000], "no_image", "CLIProxyAPI#5363"
    ),
    "image_of_zeros": _holding(bytes(4096), "no_image", "hardening R11"),
    "image_damaged": _holding(
        EDITED[:_HALF] + bytes(8) + EDITED[_HALF + 8 :], "no_image", "hardening R11"
    ),
    "image_is_html": _holding(b"<!doctype html><p>Gone</p>", "no_image", "an expired link"),
    "image_is_svg": _holding(
        b'<svg xmlns="http://www.w3.org/2000/svg" width="64" height="48"/>',
        "no_image",
        "hardening R9",
    ),
    "image_is_json": _holding(CLEAN.encode(), "no_image", "wire 6"),
    "image_is_pdf": _holding(b"%PDF-1.7\n", "no_image", "hardening R9"),
    "image_is_bmp": _holding(b"BM" + bytes(200), "no_image", "hardening R9"),
    "bomb_in_the_header": _holding(_bomb(100_000, 1), "no_image", "hardening R9"),
    "bomb": _holding(_bomb(20_000, 20_000), "no_image", "hardening R11"),
    "text_alone": Mode(edits(answered(CLEAN)), "no_image", "wire 2"),
    "refusal_alone": Mode(
        edits(answered("I'm sorry, but I can't help with editing this image.")),
        "no_image",
        "wire 2",
    ),
    "nothing": Mode(edits(answered(None)), "no_image", "wire 6"),
}
# Readable, and not the picture that was sent.
UNFAITHFUL = {
    "another_picture": _holding(draw.png(64, 48, "black"), "unfaithful_edit", "hardening R11"),
    "image_of_one_pixel": _holding(draw.png(1, 1, "black"), "unfaithful_edit", "gemimg#16"),
    "image_moving": _holding(draw.animation(3), "unfaithful_edit", "hardening R10"),
}
HARMLESS = {
    "label_wrong": _mode(sent(kind="JPEG"), "described", "python-genai#1824"),
    "size_changed": _mode(sent(times=2), "described", "pico-banana-400k#22"),
    "draft_first": Mode(
        edits(answered(CLEAN, base64_of(b"a draft"), IMAGE)), "described", "apiyi, wire 2"
    ),
}
MODES = merged(NO_IMAGE, UNFAITHFUL, HARMLESS)
