"""data: uploads resume where they stopped; the sample gives way to real images, never the other way round."""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from scripts.aws import Clients
from scripts.config import Settings
from scripts.errors import AwsError, UsageError, WorkflowError
from scripts.sample_images import draw, paths
from scripts.upload_data import (
    SAMPLE_LIST,
    LocalImage,
    find,
    has_sample,
    missing,
    remove_sample,
    send,
    send_sample,
)

Make = Callable[..., Settings]
DATA = "data/fruits-360/"


pytestmark = pytest.mark.usefixtures("few_labels")
FIRST = "Training/Apple Golden 1/0_100.jpg"


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A small data set with odd names and things that are no images."""
    for name in (
        "Training/Apple Braeburn/1.jpg",
        "Training/Apple Braeburn/2.JPEG",
        'Training/Pêche, "d\'été"/[1] #?%20.jpg',
        "Test/Apple Braeburn/1.jpg",
        "Test/Apple Braeburn/more/2.jpg",
        "Training/stray.jpg",
        "Training/Apple Braeburn/notes.txt",
        "elsewhere/Kiwi/1.jpg",
    ):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(f"bytes of {name}".encode())
        os.utime(path, (1_700_000_000.9, 1_700_000_000.9))
    return tmp_path


def uploaded(clients: Clients, settings: Settings, images: Any) -> list[int]:
    told: list[int] = []
    send(clients, settings, images, told.append)
    return told


def test_images_are_what_lies_under_training_and_test_and_the_rest_is_counted(tree: Path) -> None:
    source = find(tree)

    assert [image.relative for image in source.images] == [
        "Training/Apple Braeburn/1.jpg",
        "Training/Apple Braeburn/2.JPEG",
        'Training/Pêche, "d\'été"/[1] #?%20.jpg',
        "Test/Apple Braeburn/1.jpg",
        "Test/Apple Braeburn/more/2.jpg",
    ]
    assert source.others == 2


@pytest.mark.parametrize("name", [".hidden/1.jpg", "_old/1.jpg", "Kiwi/.1.jpg", "Kiwi/_1.jpg", "Kiwi/deep/.x/1.jpg"])
def test_what_is_hidden_from_the_job_is_no_image(tree: Path, name: str) -> None:
    known = find(tree)
    (tree / "Training" / name).parent.mkdir(parents=True, exist_ok=True)
    (tree / "Training" / name).touch()

    found = find(tree)

    assert (found.images, found.others) == (known.images, known.others + 1)


@pytest.mark.parametrize("made", [[], ["Training/Kiwi/readme.txt"], ["Kiwi/1.jpg"], ["Training/1.jpg"]])
def test_a_folder_without_images_says_what_to_give(tmp_path: Path, made: list[str]) -> None:
    for name in made:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()

    with pytest.raises(UsageError, match=r"no \.jpg under .*Give the folder that holds Training/ and Test/"):
        find(tmp_path)


def test_a_missing_folder_says_so(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is no such folder"):
        find(tmp_path / "gone")


def test_a_name_that_s3_cannot_hold_is_named(tree: Path) -> None:
    os.rename(tree / "Test/Apple Braeburn/1.jpg", os.fsencode(tree / "Test/Apple Braeburn") + b"/\xff.jpg")  # noqa: PTH104

    with pytest.raises(UsageError, match="no valid UTF-8 name"):
        find(tree)


def test_every_image_is_sent_as_it_is_and_counted(
    clients: Clients, settings: Settings, bucket: Any, tree: Path
) -> None:
    images = find(tree).images

    told = uploaded(clients, settings, images)

    assert sorted(told) == sorted(image.size for image in images)
    assert bucket.keys() == sorted(DATA + image.relative for image in images)
    assert all(bucket.get(DATA + image.relative) == image.path.read_bytes() for image in images)


def test_an_upload_goes_on_where_it_stopped(clients: Clients, settings: Settings, bucket: Any, tree: Path) -> None:
    images = find(tree).images
    uploaded(clients, settings, images[:2])

    assert missing(clients, settings, images) == images[2:]

    uploaded(clients, settings, images[2:])
    assert missing(clients, settings, find(tree).images) == ()


def test_a_changed_image_is_sent_again_be_it_of_another_size_or_newer(
    clients: Clients, settings: Settings, bucket: Any, tree: Path
) -> None:
    uploaded(clients, settings, find(tree).images)
    (tree / "Training/Apple Braeburn/1.jpg").write_bytes(b"longer than it was by a few bytes")
    os.utime(tree / "Training/Apple Braeburn/1.jpg", (1_700_000_000, 1_700_000_000))
    os.utime(tree / "Test/Apple Braeburn/1.jpg", (4_000_000_000, 4_000_000_000))

    assert [image.relative for image in missing(clients, settings, find(tree).images)] == [
        "Training/Apple Braeburn/1.jpg",
        "Test/Apple Braeburn/1.jpg",
    ]


def test_a_file_that_vanished_is_named_and_the_way_on_is_said(
    clients: Clients, settings: Settings, bucket: Any, tree: Path
) -> None:
    gone = LocalImage(tree / "Training/gone.jpg", "Training/Kiwi/gone.jpg", 1, 0)

    with pytest.raises(WorkflowError, match=r"gone\.jpg: No such file.*Run the same command again"):
        uploaded(clients, settings, [gone])


def test_a_missing_bucket_is_named(clients: Clients, settings: Settings, tree: Path) -> None:
    with pytest.raises(AwsError, match=r"uploading .*NoSuchBucket"):
        uploaded(clients, settings, find(tree).images)
    with pytest.raises(AwsError, match=f"listing s3://fruits-test/{DATA}: NoSuchBucket"):
        missing(clients, settings, ())


@pytest.fixture
def small_sample(bucket: Any) -> list[str]:
    """Four of the sample's images as a former upload left them, and the list that knows them."""
    names = sorted(paths())[:4]
    lines = [f"{hashlib.md5(draw(name), usedforsecurity=False).hexdigest()}  {name}" for name in names]
    bucket.put({DATA + name: draw(name) for name in names} | {DATA + SAMPLE_LIST: "\n".join(["# synthetic", *lines])})
    return names


def test_the_sample_is_sent_whole_once_with_a_list_that_says_what_it_is(
    clients: Clients, settings: Settings, bucket: Any
) -> None:
    told: list[int] = []
    sample = sorted(paths())
    bucket.s3.put_bucket_versioning(Bucket="fruits-test", VersioningConfiguration={"Status": "Enabled"})

    assert send_sample(clients, settings, told.append) == len(sample) == len(told)
    assert bucket.keys(DATA) == sorted([DATA + name for name in sample] + [DATA + SAMPLE_LIST])
    assert bucket.get(DATA + sample[0]) == draw(sample[0])
    assert sum(told) == sum(len(draw(name)) for name in sample)
    assert b"synthetic" in bucket.get(DATA + SAMPLE_LIST)
    assert has_sample(clients, settings)

    send_sample(clients, settings)
    versions = bucket.s3.list_object_versions(Bucket="fruits-test", Prefix=DATA + "T")["Versions"]
    assert len(versions) == len(sample)


def test_the_list_goes_first_so_that_half_a_sample_is_known_and_can_be_removed(
    clients: Clients, settings: Settings, bucket: Any
) -> None:
    def cut_off(_: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        send_sample(clients, settings, cut_off)
    half = [key for key in bucket.keys(DATA) if key.endswith(".jpg")]

    assert 0 < len(half) < len(list(paths()))
    assert has_sample(clients, settings)
    assert remove_sample(clients, settings) == len(half)
    assert bucket.keys() == []


def test_the_sample_makes_way_whole_and_other_files_stay(
    clients: Clients, settings: Settings, bucket: Any, small_sample: list[str]
) -> None:
    bucket.put({DATA + "readme.txt": "mine", "data/other/1.jpg": "mine"})

    assert remove_sample(clients, settings) == len(small_sample)

    assert bucket.keys() == [DATA + "readme.txt", "data/other/1.jpg"]
    assert not has_sample(clients, settings)


def test_no_sample_is_nothing_to_remove(clients: Clients, settings: Settings, bucket: Any) -> None:
    bucket.put({DATA + FIRST: "a real photograph"})

    assert remove_sample(clients, settings) == 0
    assert bucket.keys() == [DATA + FIRST]


def test_a_real_image_under_one_of_the_samples_names_is_neither_removed_nor_drawn_over(
    clients: Clients, settings: Settings, bucket: Any, small_sample: list[str]
) -> None:
    bucket.put({DATA + small_sample[1]: "a real photograph"})

    with pytest.raises(UsageError, match="may be yours"):
        remove_sample(clients, settings)
    with pytest.raises(UsageError, match="images that are not its own"):
        send_sample(clients, settings)

    assert bucket.get(DATA + small_sample[1]) == b"a real photograph"
    assert has_sample(clients, settings)


@pytest.mark.parametrize("name", ["Training/Kiwi/mine.JPEG", FIRST], ids=["other name", "name of the sample's"])
def test_the_sample_is_never_put_among_real_images(
    clients: Clients, settings: Settings, bucket: Any, name: str
) -> None:
    bucket.put({DATA + name: "a real photograph"})

    with pytest.raises(UsageError, match="images that are not its own") as caught:
        send_sample(clients, settings)

    assert name in str(caught.value)
    assert bucket.keys() == [DATA + name]
    assert bucket.get(DATA + name) == b"a real photograph"


def test_a_removal_that_s3_refuses_is_an_error(clients: Clients, settings: Settings, s3_answers: Any) -> None:
    listed = {"Key": DATA + SAMPLE_LIST, "Size": 1, "LastModified": datetime(2025, 1, 15), "ETag": '"x"'}
    refusal = {"Key": DATA + SAMPLE_LIST, "Code": "AccessDenied", "Message": "Access Denied"}
    s3_answers.add_response("list_objects_v2", {"Contents": [listed]})
    s3_answers.add_response("get_object", {"Body": io.BytesIO(b"# nothing in it")})
    s3_answers.add_response("delete_objects", {"Errors": [refusal]})

    with pytest.raises(WorkflowError, match=r"removing the synthetic sample: .*Access Denied"):
        remove_sample(clients, settings)
