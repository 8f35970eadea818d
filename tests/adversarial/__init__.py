"""
Pictures with text that addresses the model or the reviewer, and harmless ones that look alike.
What the modules share stands here.
"""

from dataclasses import dataclass

from PIL import Image


@dataclass(frozen=True, slots=True)
class Case:
    """One picture: how its text is put there, what it says, and whether it addresses the model."""

    kind: str
    text: str
    image: Image.Image
    addresses: bool
