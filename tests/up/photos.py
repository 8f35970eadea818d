"""Real photos to send: pieces of scikit-image's pictures in several sizes and two formats."""

from pathlib import Path

import skimage
from PIL import Image

FOLDER = Path(skimage.__file__).parent / "data"
NAMES = ("astronaut.png", "chelsea.png", "coffee.png", "rocket.jpg", "camera.png")
# Left, top, right, bottom as shares of the picture.
PIECES = ((0.0, 0.0, 1.0, 1.0), (0.1, 0.1, 0.9, 0.7), (0.0, 0.3, 0.6, 1.0), (0.4, 0.0, 1.0, 0.8))


def write(folder: Path, count: int, *, wider: int = 0) -> list[Path]:
    """
    Write as many different photos, every other one as JPEG, some in a folder inside.

    ``wider`` by some pixels, they are others than before, whose results are not reused.
    """
    written = []
    for number in range(count):
        name, piece = NAMES[number % len(NAMES)], PIECES[number // len(NAMES) % len(PIECES)]
        with Image.open(FOLDER / name) as opened:
            width, height = opened.size
            left, top, right, bottom = piece
            cut = opened.crop(
                (
                    round(left * width),
                    round(top * height),
                    round(right * width),
                    round(bottom * height),
                )
            )
            cut.thumbnail((160 + 40 * (number % 4) + wider, height))
            kind = "jpg" if number % 2 else "png"
            place = folder if number % 3 else folder / "more"
            place.mkdir(parents=True, exist_ok=True)
            path = place / f"{number:02d}-{Path(name).stem}.{kind}"
            cut.convert("RGB").save(path)
        written.append(path)
    return written
