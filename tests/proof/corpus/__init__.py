"""
Pairs of an original and an edited picture with a known truth, made from a seed.
What the modules share stands here.
"""

from dataclasses import dataclass

from PIL import Image

from service.proof import Region

Box = tuple[int, int, int, int]  # left, top, right, bottom in pixels, as Pillow has it


@dataclass(frozen=True, slots=True)
class Scene:
    """A picture and the places on it that show something: faces, lines of text, details."""

    image: Image.Image
    places: tuple[Box, ...]


@dataclass(frozen=True, slots=True)
class Pair:
    """
    What was sent and what came back.

    ``proper`` tells whether the edit did what the regions ask; ``travel`` what else happened to
    the picture on its way.
    """

    kind: str
    travel: str
    proper: bool
    original: Image.Image
    edited: Image.Image
    regions: tuple[Region, ...]
