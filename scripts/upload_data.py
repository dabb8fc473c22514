"""data: images to s3://<bucket>/<DATA_PREFIX>: a person's own Training/Test tree, or a small synthetic sample.

The sample gives way to real images (it knows its own by a list it leaves), and never the other way round.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from scripts.aws import Clients
from scripts.config import Settings
from scripts.errors import UsageError, WorkflowError, doing
from scripts.fetch_results import SPLITS
from scripts.parallel import each
from scripts.sample_images import COMMENT, draw, paths
from scripts.verify_setup import IMAGE_ENDINGS

SAMPLE_LIST = "SYNTHETIC_SAMPLE.txt"
SAMPLE_SIZE = 1_470_000  # bytes, about: Pillow's releases differ a little


@dataclass(frozen=True)
class LocalImage:
    """An image on disk, and where it belongs under the data prefix."""

    path: Path
    relative: str
    size: int
    modified: int


@dataclass(frozen=True)
class Source:
    """What a folder holds: its images, in order, and how many files are something else."""

    images: tuple[LocalImage, ...]
    others: int


@dataclass(frozen=True)
class Stored:
    size: int
    modified: datetime
    etag: str


def missing(clients: Clients, settings: Settings, images: Sequence[LocalImage]) -> tuple[LocalImage, ...]:
    """Those of the images that the bucket does not have yet.

    It has one when there is an object of its size that is no older than the file (as `aws s3 sync` decides): so an
    upload that was cut off goes on where it stopped.

    Raises:
        AwsError: the bucket cannot be listed.
    """
    stored = _stored(clients, settings)

    def is_there(image: LocalImage) -> bool:
        there = stored.get(image.relative)
        return bool(there and there.size == image.size and there.modified.timestamp() >= image.modified)

    return tuple(image for image in images if not is_there(image))


def send(clients: Clients, settings: Settings, images: Sequence[LocalImage], advance: Callable[[int], None]) -> None:
    """Upload the images, many at once; `advance` is told each one's bytes.

    Raises:
        WorkflowError: a file cannot be read.
        AwsError: the bucket refuses. What was sent stays; the same command goes on from there.
    """

    def put(image: LocalImage) -> int:
        key = settings.data_prefix + image.relative
        with doing(f"uploading {image.relative}"), image.path.open("rb") as file:
            clients.s3.put_object(Bucket=settings.s3_bucket, Key=key, Body=file, ContentType="image/jpeg")
        return image.size

    try:
        for size in each(put, images):
            advance(size)
    except OSError as error:
        problem = f"{error.filename}: {error.strerror}"
        raise WorkflowError("uploading images", problem, "Run the same command again: it goes on from here.") from error


def send_sample(clients: Clients, settings: Settings, advance: Callable[[int], None] = lambda _: None) -> int:
    """Upload the synthetic sample; the number of its images. `advance` is told each one's bytes.

    Raises:
        UsageError: there are images of somebody's own under the data prefix.
        AwsError: the bucket refuses.
    """
    stored = _stored(clients, settings)
    listed = _sample_list(clients, settings, stored)
    names = set(paths())

    def is_ours(name: str, etag: str) -> bool:
        return listed.get(name) == etag or (name in names and _md5(draw(name)) == etag)

    for name, there in stored.items():
        if name.lower().endswith(IMAGE_ENDINGS) and not is_ours(name, there.etag):
            problem = f"{settings.uri(settings.data_prefix)} has images that are not its own, such as {name}"
            raise UsageError("uploading the sample", problem, "Use them as they are, or choose another DATA_PREFIX.")
    drawn = {name: draw(name) for name in sorted(names)}
    digests = {name: _md5(content) for name, content in drawn.items()}
    # The list goes first: a sample that was cut off half way is still known for what it is.
    lines = [f"# {COMMENT}. `inv data --from DIR` removes these files before it uploads real ones."]
    lines += [f"{digests[name]}  {name}" for name in drawn]
    with doing("uploading the sample's list"):
        text = "\n".join(lines) + "\n"
        clients.s3.put_object(Bucket=settings.s3_bucket, Key=settings.data_prefix + SAMPLE_LIST, Body=text.encode())

    def put(name: str) -> int:
        if name not in stored or stored[name].etag != digests[name]:
            key = settings.data_prefix + name
            with doing(f"uploading {name}"):
                clients.s3.put_object(Bucket=settings.s3_bucket, Key=key, Body=drawn[name], ContentType="image/jpeg")
        return len(drawn[name])

    for size in each(put, drawn):
        advance(size)
    return len(drawn)


def _md5(content: bytes) -> str:
    """What S3 calls the ETag of an object that was put whole (and not under a KMS key)."""
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


def has_sample(clients: Clients, settings: Settings) -> bool:
    """Whether what lies under the data prefix is the synthetic sample."""
    with doing(f"listing {settings.uri(settings.data_prefix)}"):
        answer = clients.s3.list_objects_v2(Bucket=settings.s3_bucket, Prefix=settings.data_prefix + SAMPLE_LIST)
    return answer["KeyCount"] > 0


def remove_sample(clients: Clients, settings: Settings) -> int:
    """Remove the synthetic sample, where it is there: only files that are, byte for byte, those it put. How many.

    Raises:
        AwsError: the bucket refuses.
        UsageError: what has their names may be somebody's own.
        WorkflowError: some of them could not be removed.
    """
    stored = _stored(clients, settings)
    listed = _sample_list(clients, settings, stored)
    doomed = [name for name, digest in listed.items() if name in stored and stored[name].etag == digest]
    # Where a bucket encrypts with a KMS key an ETag is no MD5, and nothing can be told from it.
    doubtful = [name for name in listed if name in stored and name not in doomed]
    if doubtful:
        where = settings.uri(settings.data_prefix)
        problem = (
            f"{len(doubtful)} images under {where} bear the sample's names, such as {doubtful[0]}, but may be yours"
        )
        raise UsageError("removing the synthetic sample", problem, f"Remove them and {SAMPLE_LIST}, or keep both out.")
    if SAMPLE_LIST in stored:
        doomed.append(SAMPLE_LIST)  # last: a removal that is cut off can be taken up again
    for start in range(0, len(doomed), 1000):
        keys = [{"Key": settings.data_prefix + name} for name in doomed[start : start + 1000]]
        with doing("removing the synthetic sample"):
            answer = clients.s3.delete_objects(Bucket=settings.s3_bucket, Delete={"Objects": keys, "Quiet": True})  # type: ignore[typeddict-item]
        if answer.get("Errors"):
            first = answer["Errors"][0]
            raise WorkflowError("removing the synthetic sample", f"{first.get('Key')}: {first.get('Message')}", "")
    return max(0, len(doomed) - 1)


def find(source: Path) -> Source:
    """The images under Training/<label>/ and Test/<label>/ of a folder.

    Raises:
        UsageError: the folder is missing or cannot be read, or has no such image.
    """
    doing_what, remedy = f"reading {source}", "Give the folder that holds Training/ and Test/."
    if not source.is_dir():
        raise UsageError(doing_what, "there is no such folder", remedy)
    images, others = [], 0
    try:
        for path in (path for split in SPLITS for path in _files(source / split)):
            relative = path.relative_to(source).as_posix()
            hidden = any(part.startswith((".", "_")) for part in relative.split("/"))  # to Hadoop, and so to the job
            if path.suffix.lower() not in IMAGE_ENDINGS or relative.count("/") < 2 or hidden or not path.is_file():
                others += 1
                continue
            relative.encode()  # S3's keys are UTF-8
            stat = path.stat()
            images.append(LocalImage(path, relative, stat.st_size, int(stat.st_mtime)))
    except OSError as error:
        raise UsageError(doing_what, f"{error.filename}: {error.strerror}", "Mend it, then try again.") from error
    except UnicodeEncodeError as error:
        raise UsageError(doing_what, f"{relative!r} is no valid UTF-8 name", "Rename the file.") from error
    if not images:
        raise UsageError(doing_what, "there is no .jpg under Training/<label>/ or Test/<label>/ in it", remedy)
    return Source(tuple(images), others)


def _files(folder: Path) -> Iterator[Path]:
    for where, folders, names in os.walk(folder):
        folders.sort()
        yield from (Path(where) / name for name in sorted(names))


def _stored(clients: Clients, settings: Settings) -> dict[str, Stored]:
    """What lies under the data prefix: path below it -> what the listing says."""
    with doing(f"listing {settings.uri(settings.data_prefix)}"):
        pages = clients.s3.get_paginator("list_objects_v2").paginate(
            Bucket=settings.s3_bucket, Prefix=settings.data_prefix
        )
        return {
            item["Key"].removeprefix(settings.data_prefix): Stored(
                item["Size"], item["LastModified"], item["ETag"].strip('"')
            )
            for page in pages
            for item in page.get("Contents", [])
        }


def _sample_list(clients: Clients, settings: Settings, stored: dict[str, Stored]) -> dict[str, str]:
    """The sample's own list: path -> MD5; empty where there is no sample."""
    if SAMPLE_LIST not in stored:
        return {}
    with doing("reading the sample's list"):
        body = clients.s3.get_object(Bucket=settings.s3_bucket, Key=settings.data_prefix + SAMPLE_LIST)["Body"].read()
    lines = body.decode(errors="replace").splitlines()
    return {line[34:]: line[:32] for line in lines if len(line) > 34 and not line.startswith("#")}
