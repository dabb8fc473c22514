"""A cluster's logs: written locally while a process runs, then gzip'd to LogUri in EMR's layout.

    <LogUri>/<cluster>/steps/<step>/{controller,stdout,stderr,syslog}.gz
    <LogUri>/<cluster>/containers/<application>/<container>/{stdout,stderr}.gz
    <LogUri>/<cluster>/node/<instance>/bootstrap-actions/<n>/{controller,stdout,stderr}.gz

`log_archive.py` says when.
"""

import gzip
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import Protocol


class ObjectStore(Protocol):
    """What is needed of S3. See `local_emr.s3`."""

    def put_file(self, bucket: str, key: str, source: Path | bytes) -> None: ...

    def path_of(self, bucket: str, key: str) -> Path: ...


def split_uri(uri: str) -> tuple[str, str]:
    """(bucket, key) of s3://bucket/key, whatever the scheme's letters."""
    bucket, _, key = uri.partition("://")[2].partition("/")
    return bucket, key


def log_key(log_uri: str, cluster_id: str, name: str) -> tuple[str, str]:
    """(bucket, key) of a cluster's log under a LogUri."""
    bucket, prefix = split_uri(log_uri)
    return bucket, "/".join(part for part in (prefix.strip("/"), cluster_id, name) if part)


def upload(s3: ObjectStore, log_uri: str, cluster_id: str, path: Path, name: str) -> bool:
    """Upload one file, packed; whether it is there. A missing bucket is no error."""
    bucket, key = log_key(log_uri, cluster_id, f"{name}.gz")
    try:
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=".upload-") as packed:
            with path.open("rb") as source, gzip.GzipFile(fileobj=packed, mode="wb", mtime=0) as target:
                shutil.copyfileobj(source, target)
            packed.flush()
            s3.put_file(bucket, key, Path(packed.name))
    except Exception as error:  # logs never decide what becomes of a step
        print(f"{cluster_id}: log {key} was not uploaded: {error!r}", file=sys.stderr)
        return False
    return True


class Controller:
    """The `controller` log: what EMR did, in its own words, with its time stamps."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.path = folder / "controller"

    def say(self, text: str, level: str = "INFO") -> None:
        """`2025-01-15T10:23:45.678Z INFO text`"""
        now = time.time()
        stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now)) + f".{int(now * 1000) % 1000:03d}Z"
        self.lines(f"{stamp} {level} {text}")

    def lines(self, text: str) -> None:
        """Text as it is; EMR stamps only some of its lines."""
        with self.path.open("a") as file:
            file.write(text + "\n")
