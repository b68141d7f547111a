"""Folders of photographs, drawn: coloured shapes in noise, of odd sizes, named as people name them."""

from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

SHAPES = {"Dreiecke": 3, "Fünfecke": 5, "round things": 40}
"""Name of a class, with an umlaut and with a space, and corners of what its images show."""


def picture(corners: int, random: np.random.Generator) -> Image.Image:
    """Draw one bright shape in noise."""
    width, height = (int(side) for side in random.integers(37, 90, 2))
    image = Image.fromarray(random.integers(0, 110, (height, width, 3), dtype=np.uint8))
    radius = min(width, height) * random.uniform(0.3, 0.45)
    colour = tuple(int(value) for value in random.integers(150, 256, 3))
    ImageDraw.Draw(image).regular_polygon(
        (width / 2, height / 2, radius), corners, rotation=int(random.integers(360)), fill=colour
    )
    return image


def draw_folder(root: Path, count: int, *, seed: int = 0) -> None:
    """Draw `count` images of each shape; the first of a class is grey, the second is for printing (CMYK)."""
    random = np.random.default_rng(seed)
    for name, corners in SHAPES.items():
        (root / name).mkdir(parents=True)
        for number in range(count):
            image = picture(corners, random).convert({0: "L", 1: "CMYK"}.get(number, "RGB"))
            image.save(root / name / f"Bild {number:03} für mich.jpg", quality=90)
