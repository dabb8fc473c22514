"""Makes buckets of images as large as a benchmark wants, quickly: a few hundred real JPEGs under very many names."""

from __future__ import annotations

import io
import os
import random
from pathlib import Path

from PIL import Image

LABELS = 120
PICTURES = 240  # distinct ones; the median is about 5 kB, as fruits-360's
TRAINING_SHARE = 0.75


def make_bucket(folder: Path, images: int) -> None:
    """Make Training|Test/<label>/<n>_100.jpg under the new `folder`: hard links, so no disk and seconds at any size."""
    pictures = draw(folder.with_name(folder.name + ".pictures"))
    of_label = -(-images // LABELS)
    for label in range(LABELS):
        count = min(of_label, images - label * of_label)
        training = round(count * TRAINING_SHARE)
        for split, numbers in (("Training", range(training)), ("Test", range(training, count))):
            home = folder / split / f"Apple Braeburn {label}"
            home.mkdir(parents=True)
            for number in numbers:
                os.link(pictures[number % PICTURES], home / f"{'r_' if number % 3 == 0 else ''}{number}_100.jpg")


def draw(folder: Path) -> list[Path]:
    """Draw PICTURES noisy JPEGs of 100 by 100 pixels, the same ones every time."""
    folder.mkdir(parents=True)
    chance = random.Random(1)  # noqa: S311 - no secret
    paths = []
    for number in range(PICTURES):
        content = io.BytesIO()
        noise = bytes(int(chance.gauss(128, 12 + number / 12)) & 255 for _ in range(100 * 100))
        Image.frombytes("L", (100, 100), noise).convert("RGB").save(content, "JPEG", quality=chance.randint(50, 90))
        paths.append(folder / f"{number}.jpg")
        paths[-1].write_bytes(content.getvalue())
        os.utime(paths[-1], (1_736_936_625 + number,) * 2)
    return paths
