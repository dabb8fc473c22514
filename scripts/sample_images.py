"""A small synthetic stand-in for Fruits-360: drawn, not photographed, and each JPEG says so in its comment.

The same bytes every time, so that drawing it again uploads nothing. Labels and file names are in the real set's
style (`Apple Red Yellow 2`, `r_12_100.jpg`), 100x100 pixels on white, some classes larger than others as there.
"""

from __future__ import annotations

import io
import math
import random
from collections.abc import Iterator

from PIL import Image, ImageDraw, ImageFilter

COMMENT = "synthetic: drawn by fruits-on-emr, not a photograph"
SIZE = 100

Colour = tuple[int, int, int]

# label -> (skin, its other shade, width over height)
LABELS: dict[str, tuple[Colour, Colour, float]] = {
    "Apple Golden 1": ((222, 203, 95), (240, 226, 140), 1.0),
    "Apple Red 1": ((176, 28, 38), (214, 70, 60), 1.05),
    "Apple Red Yellow 2": ((190, 48, 40), (233, 196, 92), 1.0),
    "Apricot": ((236, 152, 62), (246, 190, 110), 1.05),
    "Avocado ripe": ((58, 44, 40), (88, 70, 60), 0.75),
    "Banana": ((232, 205, 70), (246, 228, 130), 0.45),
    "Beetroot": ((96, 26, 48), (140, 50, 80), 1.0),
    "Blueberry": ((58, 66, 112), (104, 112, 156), 1.05),
    "Cherry Wax Black": ((70, 14, 28), (120, 30, 50), 1.0),
    "Clementine": ((238, 130, 32), (250, 168, 74), 1.15),
    "Cucumber Ripe 2": ((198, 180, 78), (222, 206, 120), 0.35),
    "Grape White 3": ((172, 186, 92), (206, 216, 140), 0.85),
    "Kiwi": ((124, 92, 58), (156, 124, 82), 0.85),
    "Lemon": ((238, 210, 56), (248, 232, 120), 0.8),
    "Limes": ((98, 142, 52), (146, 180, 86), 0.9),
    "Mango Red": ((196, 84, 56), (228, 160, 70), 0.75),
    "Onion White": ((226, 216, 190), (244, 238, 220), 0.95),
    "Peach 2": ((222, 120, 82), (244, 184, 120), 1.0),
    "Pear Forelle": ((198, 96, 58), (216, 190, 90), 0.7),
    "Pepper Green": ((66, 112, 44), (112, 152, 72), 0.85),
    "Plum 3": ((84, 40, 76), (128, 78, 116), 0.9),
    "Strawberry Wedge": ((196, 38, 42), (226, 92, 80), 0.8),
    "Tomato Cherry Red": ((204, 42, 30), (232, 96, 66), 1.0),
    "Tomato not Ripened": ((132, 150, 62), (182, 186, 98), 1.1),
}


def paths() -> Iterator[str]:
    """The relative paths of the whole sample: `Training/<label>/<n>_100.jpg`, and about a third as many in Test."""
    for number, label in enumerate(sorted(LABELS)):
        training = 12 + number * 7 % 19
        for n in range(training):
            yield f"Training/{label}/{'r_' if n % 4 == 3 else ''}{n}_100.jpg"
        for n in range(training, training + training // 3):
            yield f"Test/{label}/{n}_100.jpg"


def draw(path: str) -> bytes:
    """The JPEG that belongs to one of `paths()`."""
    label = path.split("/")[1]
    chance = random.Random(path)  # noqa: S311 - the same picture for the same path
    skin, shade, ratio = LABELS[label]
    big = SIZE * 2  # drawn twice as large, then shrunk: smooth edges
    fruit = Image.new("RGB", (big, big), "white")
    pen = ImageDraw.Draw(fruit)
    height = big * chance.uniform(0.36, 0.44)
    width = min(height * ratio, big * 0.47)
    middle = big / 2
    steps = 24
    light_x, light_y = chance.uniform(-0.3, 0.3), chance.uniform(-0.35, 0.1)
    for step in range(steps):  # from the rim to the light: rings of one colour into the other
        part = step / (steps - 1)
        colour = tuple(round(a + (b - a) * part) for a, b in zip(skin, shade, strict=True))
        w, h = width * (1 - part), height * (1 - part)
        x, y = middle + light_x * width * part, middle + light_y * height * part
        pen.ellipse((x - w, y - h, x + w, y + h), fill=colour)
    for _ in range(chance.randrange(6, 22)):  # the skin's speckles
        angle, far = chance.uniform(0, math.tau), math.sqrt(chance.random()) * 0.8
        x, y = middle + math.cos(angle) * width * far, middle + math.sin(angle) * height * far
        dot = chance.uniform(0.6, 2.4)
        pen.ellipse((x - dot, y - dot, x + dot, y + dot), fill=tuple(max(0, c - chance.randrange(40)) for c in skin))
    turned = fruit.rotate(chance.uniform(0, 360), Image.Resampling.BICUBIC, fillcolor="white")
    small = turned.resize((SIZE, SIZE), Image.Resampling.LANCZOS).filter(ImageFilter.GaussianBlur(0.4))
    out = io.BytesIO()
    small.save(out, "JPEG", quality=chance.randrange(78, 95), comment=COMMENT.encode())
    return out.getvalue()
