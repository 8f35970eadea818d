"""Pictures drawn for tests and for the demo: flat ones, and ones with text or codes on them."""

import io

from PIL import Image, ImageDraw, ImageFont

Colour = str | tuple[int, int, int]


def encoded(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    """Encode a picture."""
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def png(width: int, height: int, colour: Colour) -> bytes:
    """A flat picture."""
    return encoded(Image.new("RGB", (width, height), colour))


def jpeg(width: int, height: int, colour: Colour) -> bytes:
    """A flat photo."""
    return encoded(Image.new("RGB", (width, height), colour), "JPEG", quality=95)


def animation(frames: int) -> bytes:
    """An animated GIF with a colour a frame."""
    pictures = [Image.new("RGB", (32, 32), (index * 9 % 256, 80, 120)) for index in range(frames)]
    return encoded(pictures[0], "GIF", save_all=True, append_images=pictures[1:])


def card(lines: list[tuple[str, int]], size: tuple[int, int] = (900, 520)) -> Image.Image:
    """A card with one line of text under another; each with its size in points."""
    image = Image.new("RGB", size, "#f7f3ea")
    draw = ImageDraw.Draw(image)
    top = 50
    for line, points in lines:
        draw.text((60, top), line, fill="#1c2733", font=ImageFont.load_default(size=points))
        top += round(points * 1.7)
    return image
