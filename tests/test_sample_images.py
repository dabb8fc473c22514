"""The synthetic sample: always the same, in the real set's style, and marked as what it is."""

from __future__ import annotations

import io
import re
from collections import Counter

import pytest
from PIL import Image

from scripts.sample_images import COMMENT, LABELS, draw, paths
from scripts.upload_data import SAMPLE_SIZE


def test_24_labels_each_with_training_and_test_images() -> None:
    found = Counter(tuple(path.split("/")[:2]) for path in paths())

    assert {label for _, label in found} == set(LABELS)
    assert len(LABELS) == 24
    assert all(found["Training", label] > found["Test", label] > 0 for label in LABELS)
    assert len({found["Training", label] for label in LABELS}) > 5


def test_names_are_unique_and_in_the_real_sets_style() -> None:
    names = list(paths())

    assert len(set(names)) == len(names)
    assert all(re.fullmatch(r"(Training|Test)/[A-Z][A-Za-z0-9 ]*/(r_)?\d+_100\.jpg", name) for name in names)


@pytest.mark.parametrize("path", ["Training/Kiwi/0_100.jpg", "Test/Banana/40_100.jpg"])
def test_an_image_is_a_valid_small_jpeg_that_says_it_is_drawn(path: str) -> None:
    image = Image.open(io.BytesIO(draw(path)))
    image.load()

    assert (image.format, image.mode, image.size) == ("JPEG", "RGB", (100, 100))
    assert image.info["comment"] == COMMENT.encode()
    assert "synthetic" in COMMENT


def test_the_size_that_the_progress_bar_is_told_is_about_right() -> None:
    names = sorted(paths())
    some = names[::11]

    assert abs(sum(len(draw(name)) for name in some) / len(some) * len(names) / SAMPLE_SIZE - 1) < 0.1


def test_the_same_path_is_the_same_picture_and_another_is_another() -> None:
    assert draw("Training/Kiwi/0_100.jpg") == draw("Training/Kiwi/0_100.jpg")
    assert len({draw(f"Training/Kiwi/{n}_100.jpg") for n in range(5)}) == 5
