"""
Draw the pictures of the shipped rulesets' golden examples: ``python -m tests.golden_examples``.

The photos come from the scikit-image wheel, whose documentation names their terms.  In the public
domain are the astronaut (NASA) and the rocket (SpaceX); CC0 are the cat (Stefan van der Walt), the
coffee (Rachel Michetti), the man with a camera (Lav Varshney) and the horse (Andreas Preuss).

Everything written on the pictures is made up: the telephone numbers are those that Ofcom and the
North American plan keep for drama, the domains those that RFC 2606 keeps for examples, the card
and account numbers those that payment companies and registries print in their manuals.
"""

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import skimage
import zxingcpp
from PIL import Image, ImageDraw, ImageFont

from tests import draw

FOLDER = Path(__file__).parents[1] / "rulesets" / "examples"
# Longest sides, and colours of a drawing: enough for a model, little in a repository.
PHOTO_PX = 400
CARD_PX = 640
COLOURS = 32

CARDS: Mapping[str, list[tuple[str, int]]] = {
    "business-card": [
        ("Mara Lindqvist", 46),
        ("Ceramics and repairs", 28),
        ("mara.lindqvist@example.org", 32),
        ("Tel. +44 20 7946 0958", 32),
    ],
    "profile-handle": [("Follow my kitchen", 44), ("@mara_makes_pots", 40)],
    "bank-details": [
        ("Please transfer the rent to", 32),
        ("IBAN DE89 3704 0044 0532 0130 00", 34),
        ("by the third of the month", 32),
    ],
    "payment-card": [
        ("EXAMPLE BANK", 40),
        ("4111 1111 1111 1111", 46),
        ("VALID THRU 08/29", 28),
    ],
    "passport": [
        ("PASSPORT", 44),
        ("UTOPIA", 30),
        ("ERIKSSON, ANNA MARIA", 30),
        ("P<UTOERIKSSON<<ANNA<MARIA<<<<<<<<<<<<<<<<<<<", 24),
        ("L898902C36UTO7408122F1204159ZE184226B<<<<<10", 24),
    ],
    "price-list": [
        ("Soup of the day   4.50", 38),
        ("Lentils with rice   8.90", 38),
        ("Apple cake   3.20", 38),
        ("Open from 11 to 22", 30),
    ],
    "emergency-poster": [("In an emergency", 44), ("call 112", 60), ("Stay calm and wait", 32)],
    "note-with-phone": [("Buy directly from me:", 38), ("call +44 20 7946 0321", 40)],
    "shop-link": [("More of this in my own shop", 36), ("www.example.com/maras-shop", 38)],
    "messenger-handle": [("Ask for the price in chat", 36), ("@mara_sells_pots", 40)],
    "size-chart": [
        ("Size   Chest   Length", 38),
        ("S      92     68", 38),
        ("M      98     70", 38),
    ],
    "medicine-box": [
        ("AMOXICILLIN", 52),
        ("500 mg, 20 tablets", 36),
        ("Prescription only", 32),
    ],
    "replica-label": [("Designer watch", 42), ("1:1 replica, first copy", 40)],
    "discount-badge": [("LAST ONE!", 60), ("-50 % guaranteed", 48)],
    "recipe": [("Bread for two days", 44), ("500 g flour, 350 g water", 34), ("10 g salt", 34)],
    "drug-menu": [
        ("Menu of the week", 40),
        ("Cocaine 1 g   80", 38),
        ("MDMA 10 pills   60", 38),
        ("delivered tonight", 34),
    ],
    "threat-note": [
        ("I know when you come home.", 36),
        ("Tonight I will beat you up", 36),
        ("with this hammer.", 36),
    ],
    "fasting-goal": [
        ("Day 9 without food", 44),
        ("Hunger is beautiful.", 38),
        ("Who eats has lost.", 38),
    ],
    "dehumanising-poster": [
        ("All immigrants are vermin", 42),
        ("and belong in cages", 42),
    ],
    "helpline-poster": [
        ("You are not alone.", 46),
        ("Talk to somebody today.", 38),
        ("We listen, day and night.", 38),
    ],
    "home-address-note": [
        ("This liar lives at", 40),
        ("12 Example Road, Springfield.", 40),
        ("Go and make him pay!", 40),
    ],
    "opening-hours": [("Library", 48), ("Monday to Friday 10 to 18", 34), ("Closed on Sunday", 34)],
}


def card(lines: list[tuple[str, int]]) -> Image.Image:
    """A card as high as its lines, and no larger than can well be read."""
    image = draw.card(lines, (760, 80 + sum(round(points * 1.7) for _, points in lines)))
    image.thumbnail((CARD_PX, CARD_PX))
    return image


def coded(text: str, kind: zxingcpp.BarcodeFormat, title: str, scale: int) -> Image.Image:
    """A card with a code that a telephone can read."""
    image = draw.card([(title, 44)], (640, 560))
    pixels = np.array(
        zxingcpp.write_barcode_to_image(zxingcpp.create_barcode(text, kind), scale=scale)
    )
    image.paste(Image.fromarray(pixels), (60, 170))
    return image


def plate() -> Image.Image:
    """The back of a car with a British plate."""
    image = Image.new("RGB", (640, 420), "#8d99a6")
    drawn = ImageDraw.Draw(image)
    drawn.rounded_rectangle((60, 60, 580, 380), 40, fill="#7b1e28")
    for left in (90, 490):
        drawn.rectangle((left, 180, left + 60, 230), fill="#c9453a")
    drawn.rectangle((190, 250, 450, 330), fill="#f5c518", outline="black", width=3)
    drawn.text((212, 266), "AB12 CDE", fill="black", font=ImageFont.load_default(size=44))
    return image


def photo(name: str) -> Image.Image:
    """A photo of the wheel, made small."""
    image = Image.open(Path(skimage.__file__).parent / "data" / name).convert("RGB")
    image.thumbnail((PHOTO_PX, PHOTO_PX))
    return image


def lettered(name: str, words: str, points: int = 24) -> Image.Image:
    """A photo with a band of words over its lower edge."""
    image = photo(name)
    drawn = ImageDraw.Draw(image)
    drawn.rectangle((0, image.height - 2 * points, image.width, image.height), fill="#fff8d6")
    font = ImageFont.load_default(size=points)
    drawn.text((12, image.height - 2 * points + points // 3), words, fill="#222", font=font)
    return image


def watermarked() -> Image.Image:
    """A photo with the repeated mark of an agency that does not exist."""
    image = photo("coffee.png")
    drawn = ImageDraw.Draw(image, "RGBA")
    for row in range(4):
        place = (20 + 60 * (row % 2), 20 + 70 * row)
        font = ImageFont.load_default(size=30)
        drawn.text(place, "(c) Example Stock Agency", fill=(255, 255, 255, 150), font=font)
    return image


PHOTOS: Mapping[str, Callable[[], Image.Image]] = {
    "astronaut": lambda: photo("astronaut.png"),
    "astronaut-with-address": lambda: lettered("astronaut.png", "write to crew@example.org"),
    "cat": lambda: photo("chelsea.png"),
    "coffee": lambda: photo("coffee.png"),
    "coffee-for-sale": lambda: lettered("coffee.png", "Cheaper by WhatsApp: +44 20 7946 0321", 19),
    "coffee-from-an-agency": watermarked,
    "horse": lambda: photo("horse.png"),
    "man-from-the-side": lambda: photo("camera.png"),
    "rocket": lambda: photo("rocket.jpg"),
}
DRAWINGS: Mapping[str, Callable[[], Image.Image]] = {
    "ticket-with-code": lambda: coded(
        "https://example.com/tickets?id=4711", zxingcpp.BarcodeFormat.QRCode, "OPEN AIR", 10
    ),
    "parcel-with-barcode": lambda: coded(
        "PARCEL-20261122", zxingcpp.BarcodeFormat.Code128, "Your parcel", 3
    ),
    "payment-code": lambda: coded(
        "https://example.com/pay?to=mara", zxingcpp.BarcodeFormat.QRCode, "Scan and pay me here", 10
    ),
    "number-plate": plate,
}


def write(folder: Path) -> None:
    """Write all of them."""
    folder.mkdir(exist_ok=True)
    for name, made in PHOTOS.items():
        made().save(folder / f"{name}.jpg", quality=85)
    cards = {name: card(lines) for name, lines in CARDS.items()}
    for name, image in (cards | {name: made() for name, made in DRAWINGS.items()}).items():
        image.quantize(COLOURS).save(folder / f"{name}.png", optimize=True)


if __name__ == "__main__":
    write(FOLDER)
