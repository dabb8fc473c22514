"""A cluster's logs in S3, mirrored into a folder here: listed, not guessed; only what is new or has grown is fetched.

EMR's layout: https://docs.aws.amazon.com/emr/latest/ManagementGuide/emr-plan-debugging.html. Bodies are streamed to
disk and unpacked from there, so that memory stays small whatever their size.
"""

from __future__ import annotations

import gzip
import tempfile
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from scripts.aws import Clients
from scripts.diagnosis import LogFile, log_files, of_folder, plain_name
from scripts.errors import WorkflowError, doing
from scripts.parallel import each

_CHUNK = 1 << 20


@dataclass(frozen=True)
class Stored:
    """A log in S3; `name` is its key below the cluster's logs."""

    key: str
    name: str
    size: int
    version: str


@dataclass
class Mirror:
    """The logs under `prefix` (`logs/emr/j-…/`) of `bucket`, in `folder`."""

    clients: Clients
    bucket: str
    prefix: str
    folder: Path
    fetched: dict[str, Stored] = field(default_factory=dict)

    def listed(self, below: str) -> list[Stored]:
        """What lies under a folder of the cluster's logs; empty where there is nothing (yet).

        Raises:
            AwsError: the bucket refuses, or is gone.
        """
        start = self.prefix + below
        with doing(f"listing {self.uri(start)}"):
            pages = self.clients.s3.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=start)
            return [
                Stored(item["Key"], item["Key"].removeprefix(self.prefix), item["Size"], item["ETag"])
                for page in pages
                for item in page.get("Contents", [])
                if not item["Key"].endswith("/")
            ]

    def fetch(self, stored: Iterable[Stored]) -> None:
        """Bring what is not here yet, or has changed since.

        Raises:
            WorkflowError: it cannot be written here, or a key would leave the folder.
            AwsError: it cannot be read.
        """
        missing = [one for one in stored if self.fetched.get(one.key) != one]
        for one in missing:
            self.path_of(one)  # names first: one that would leave the folder stops it before a byte is written
        try:
            for one in each(self._fetch, missing):
                self.fetched[one.key] = one
        except OSError as error:
            problem = f"{error.strerror or error} ({error.filename or self.folder})"
            raise WorkflowError("writing the logs", problem, "Make room, or mend the permissions.") from error

    def files(self) -> list[LogFile]:
        """All that is here, the likeliest to tell a cause first."""
        return log_files(
            (self.path_of(one), plain_name(one.name), self.uri(one.key))
            for one in sorted(self.fetched.values(), key=str)
        )

    def path_of(self, stored: Stored) -> Path:
        """Where a log is kept here.

        Raises:
            WorkflowError: its key is made so that it would lead out of the folder.
        """
        path = PurePosixPath(stored.name)
        if path.is_absolute() or ".." in path.parts or "\\" in stored.name or "\0" in stored.name:
            raise WorkflowError("fetching the logs", f"the key {stored.key!r} would leave its folder", "")
        return self.folder / plain_name(stored.name)

    def uri(self, key: str) -> str:
        return f"s3://{self.bucket}/{key}"

    def _fetch(self, stored: Stored) -> Stored:
        path = self.path_of(stored)
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=path.parent, prefix=".fetching-") as scratch:
            packed, plain = Path(scratch) / "packed", Path(scratch) / "plain"
            with doing(f"fetching {self.uri(stored.key)}"), packed.open("wb") as file:
                body = self.clients.s3.get_object(Bucket=self.bucket, Key=stored.key)["Body"]
                for chunk in body.iter_chunks(_CHUNK):
                    file.write(chunk)
            unpack(packed, plain).replace(path)
        return stored


def unpack(packed: Path, plain: Path) -> Path:
    """The file to read: `plain`, decompressed from `packed`, or `packed` itself where it is not compressed at all.

    Of one that is cut short, what can be read is kept.
    """
    with packed.open("rb") as file:
        if file.read(2) != b"\x1f\x8b":
            return packed
    with gzip.open(packed) as source, plain.open("wb") as target:
        try:
            # read1: what came before the cut, where read() would give up all that it had buffered.
            for chunk in iter(lambda: source.read1(_CHUNK), b""):
                target.write(chunk)
        except (EOFError, gzip.BadGzipFile, zlib.error):
            target.write(b"\n[the log is cut short here]\n")
    return plain


@contextmanager
def unpacked(folder: Path) -> Iterator[list[LogFile]]:
    """The logs in a folder of this machine, packed or not, for the time of the block; the folder stays as it is."""
    with tempfile.TemporaryDirectory() as scratch:
        here = [(file.path, file.path.relative_to(folder).as_posix()) for file in of_folder(folder)]
        yield log_files(
            (unpack(path, Path(scratch) / str(n)), plain_name(name), "") for n, (path, name) in enumerate(here)
        )
