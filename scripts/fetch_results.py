"""fetch: the job's CSV folders from S3 to results/, each whole or not at all; and what they say, in short.

A folder is downloaded beside its place and renamed into it once it is complete and checked, so that a Ctrl-C, a
full disk or a power cut leaves the old folder, the new one or none, never a part that looks like a result. The part
that came is kept apart, and the next call goes on from there.
"""

from __future__ import annotations

import csv
import errno
import hashlib
import os
import re
import shutil
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import TYPE_CHECKING

from scripts.aws import Clients
from scripts.config import Settings
from scripts.errors import WorkflowError, doing
from scripts.files import Held, lock
from scripts.parallel import each

if TYPE_CHECKING:
    from mypy_boto3_s3.type_defs import GetObjectOutputTypeDef, ObjectTypeDef

SPLITS = ("Training", "Test")
_FOLDER = re.compile(r"(?P<kind>[a-z]+)_(?P<time>\d{8}_\d{6})")
_NEEDED = ("metadata", "stats")
_DONE = "_SUCCESS"
_INCOMING = ".incoming-"
_TIME = "%Y%m%d_%H%M%S"
_CLOCKS_DIFFER = timedelta(minutes=1)


@dataclass(frozen=True)
class Result:
    """One folder that a run of the job has written whole: `kind` metadata or stats, `time` YYYYMMDD_HHMMSS."""

    kind: str
    time: str
    prefix: str
    objects: tuple[ObjectTypeDef, ...]

    @property
    def name(self) -> str:
        return f"{self.kind}_{self.time}"

    @property
    def size(self) -> int:
        return sum(item["Size"] for item in self.objects)


def complete_runs(clients: Clients, settings: Settings) -> dict[str, list[Result]]:
    """The finished runs under the output prefix, oldest first: time -> its folders.

    A folder without _SUCCESS is still being written, or never will be; a run counts with metadata and stats both.
    """
    found: dict[tuple[str, str], list[ObjectTypeDef]] = defaultdict(list)
    with doing(f"listing {settings.uri(settings.output_prefix)}"):
        pages = clients.s3.get_paginator("list_objects_v2").paginate(
            Bucket=settings.s3_bucket, Prefix=settings.output_prefix
        )
        for item in (item for page in pages for item in page.get("Contents", [])):
            folder = _FOLDER.fullmatch(item["Key"].removeprefix(settings.output_prefix).partition("/")[0])
            if folder and not item["Key"].endswith("/"):
                found[folder["time"], folder["kind"]].append(item)
    runs: dict[str, list[Result]] = defaultdict(list)
    for (time, kind), objects in sorted(found.items()):
        prefix = f"{settings.output_prefix}{kind}_{time}/"
        if any(item["Key"] == prefix + _DONE for item in objects):
            runs[time].append(Result(kind, time, prefix, tuple(objects)))
    return {time: folders for time, folders in runs.items() if {one.kind for one in folders}.issuperset(_NEEDED)}


def to_fetch(clients: Clients, settings: Settings, *, everything: bool = False) -> list[Result]:
    """The folders of the newest run, or of every run, oldest first; never empty.

    Raises:
        WorkflowError: no run has finished.
    """
    runs = complete_runs(clients, settings)
    if not runs:
        where = settings.uri(settings.output_prefix)
        raise WorkflowError("fetching the results", f"no finished run under {where}", "`inv submit` makes one.")
    times = list(runs) if everything else list(runs)[-1:]
    return [result for time in times for result in runs[time]]


def written_between(clients: Clients, settings: Settings, start: datetime, end: datetime) -> list[Result]:
    """The folders of the run that wrote within a step's time: its own, not a newer one of somebody else.

    The job names them by the driver's clock, so a minute is allowed on either side.

    Raises:
        WorkflowError: there is none.
    """
    from_time, to_time = (
        (time.astimezone(timezone.utc) + sign * _CLOCKS_DIFFER).strftime(_TIME)
        for time, sign in ((start, -1), (end, 1))
    )
    runs = complete_runs(clients, settings)
    within = [time for time in runs if from_time <= time <= to_time]
    if not within:
        where = settings.uri(settings.output_prefix)
        raise WorkflowError("fetching the results", f"the step left no finished run under {where}", "`inv logs`.")
    return runs[within[-1]]


def is_here(result: Result, into: Path) -> bool:
    """Whether `into` already has this very folder: the same files, sizes and times, and no more."""
    folder = into / result.name
    here = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    there = {_relative(result, item): item for item in result.objects}
    return here == there.keys() and all(_is_same(folder / name, item) for name, item in there.items())


def fetch(
    clients: Clients, settings: Settings, result: Result, into: Path, advance: Callable[[int], None] = lambda _: None
) -> Path:
    """Download one folder into `into`/<name>; `advance` is told each file's bytes. The folder's path.

    Files that an earlier call brought before it was cut off are not fetched again.

    Raises:
        AwsError: an object cannot be read, or was replaced since it was listed.
        WorkflowError: the disk refuses, a key would leave the folder, or another fetch is under way.
    """
    target, incoming = into / result.name, into / f"{_INCOMING}{result.name}"
    replaced = incoming.with_name(f"{incoming.name}-replaced")
    try:
        into.mkdir(parents=True, exist_ok=True)
        with lock(into / ".lock"):
            if target.exists() and not target.is_dir():
                raise FileExistsError(errno.EEXIST, "there is a file of that name", str(target))
            incoming.mkdir(exist_ok=True)
            # Names first: one that would leave the folder stops it before a byte is written.
            jobs = [(item, _inside(incoming, _relative(result, item))) for item in result.objects]
            _forget_others(incoming, {path for _, path in jobs})
            for size in each(lambda job: _download(clients, settings.s3_bucket, *job), jobs):
                advance(size)
            if target.exists():  # what was fetched before has been changed here since
                shutil.rmtree(replaced, ignore_errors=True)  # of an earlier time that was cut off right here
                target.rename(replaced)
            incoming.rename(target)
            shutil.rmtree(replaced, ignore_errors=True)
    except Held as other:
        problem = f"another one is under way here (pid {other.pid})"
        raise WorkflowError(f"fetching {result.name}", problem, "Wait for it, then try again.") from None
    except OSError as error:
        problem = f"{error.strerror or error} ({error.filename or into})"
        remedy = "What came so far is kept apart, and not fetched again: mend it, then try again."
        raise WorkflowError(f"fetching {result.name}", problem, remedy) from error
    return target


def _download(clients: Clients, bucket: str, item: ObjectTypeDef, path: Path) -> int:
    if _is_same(path, item):
        return item["Size"]
    digest = hashlib.md5(usedforsecurity=False)
    with doing(f"fetching s3://{bucket}/{item['Key']}"):
        # IfMatch: the object that was listed, not one that has since taken its place.
        answer = clients.s3.get_object(Bucket=bucket, Key=item["Key"], IfMatch=item["ETag"])
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as file:
            for chunk in answer["Body"].iter_chunks(1 << 20):
                digest.update(chunk)
                file.write(chunk)
            written = file.tell()
    if written != item["Size"] or not _agrees(digest.hexdigest(), item["ETag"].strip('"'), answer):
        path.unlink()
        problem = f"what came ({written} bytes) is not what was listed ({item['Size']} bytes)"
        raise WorkflowError(f"fetching {path.name}", problem, "Try again.")
    os.utime(path, (_epoch(item["LastModified"]),) * 2)  # last: a file with its time is a file that is whole
    return written


def _agrees(digest: str, etag: str, answer: GetObjectOutputTypeDef) -> bool:
    """Whether the MD5 is the ETag's, where the ETag is one: not of a multipart upload, nor under a KMS key."""
    is_md5 = re.fullmatch(r"[0-9a-f]{32}", etag) and "kms" not in str(answer.get("ServerSideEncryption", ""))
    return not is_md5 or digest == etag


def _is_same(path: Path, item: ObjectTypeDef) -> bool:
    try:
        here = path.stat()
    except FileNotFoundError:
        return False
    return here.st_size == item["Size"] and int(here.st_mtime) == _epoch(item["LastModified"])


def _relative(result: Result, item: ObjectTypeDef) -> str:
    return item["Key"].removeprefix(result.prefix)


def _inside(folder: Path, relative: str) -> Path:
    """The path of an S3 key under `folder`.

    Raises:
        WorkflowError: the key is made so that it would lead out of it.
    """
    parts = relative.split("/")
    if any(part in ("", ".", "..") for part in parts) or "\\" in relative or "\0" in relative:
        raise WorkflowError("fetching", f"the key {relative!r} would leave its folder", "Remove it from the bucket.")
    return folder.joinpath(*parts)


def _epoch(time: datetime) -> int:
    return int(time.timestamp())


def _forget_others(folder: Path, wanted: set[Path]) -> None:
    """Remove what an earlier fetch left that does not belong to the result any more."""
    for path in folder.rglob("*"):
        if path.is_file() and path not in wanted:
            path.unlink()


@dataclass(frozen=True)
class Summary:
    """What a run's statistics say: images in all, by split, by label; and what is odd about them."""

    images: int
    splits: dict[str, int]
    labels: dict[str, int]
    warnings: tuple[str, ...] = field(default=())

    def largest(self, count: int = 10) -> list[tuple[str, int]]:
        return sorted(self.labels.items(), key=lambda one: (-one[1], one[0]))[:count]

    def smallest(self, count: int = 10) -> list[tuple[str, int]]:
        return sorted(self.labels.items(), key=lambda one: (one[1], one[0]))[:count]


def summarise(folder: Path) -> Summary:
    """Read a fetched stats_… folder (split,label,count).

    Raises:
        WorkflowError: it is not what the job writes.
    """
    splits: Counter[str] = Counter()
    labels: Counter[str] = Counter()
    pairs = set()
    try:
        for split, label, count in _rows(folder):
            splits[split] += count
            labels[label] += count
            pairs.add((split, label))
    except (OSError, KeyError, TypeError, ValueError, csv.Error) as error:
        raise WorkflowError(f"reading {folder.name}", f"it is not the job's statistics ({error!r})", "") from error
    warnings = [f"there is no {split} image at all" for split in SPLITS if not splits[split]]
    if not warnings:
        for split in SPLITS:
            without = sorted(label for label in labels if (split, label) not in pairs)
            if without:
                named = ", ".join(without[:3]) + (", …" if len(without) > 3 else "")
                warnings.append(f"{len(without)} label(s) have no {split} image: {named}")
    return Summary(splits.total(), dict(splits), dict(labels), tuple(warnings))


def summarise_newest(results: Sequence[Result], into: Path) -> Summary:
    """The summary of the newest run among fetched results."""
    return summarise(into / [one.name for one in results if one.kind == "stats"][-1])


def _rows(folder: Path) -> Iterator[tuple[str, str, int]]:
    for path in sorted(folder.glob("*.csv")):
        with path.open(newline="", encoding="utf-8") as file:
            for row in csv.DictReader(file):
                yield row["split"], row["label"], int(row["count"])
