"""A cluster's logs: written locally while a process runs, then gzip'd to LogUri in EMR's layout.

    <LogUri>/<cluster>/steps/<step>/{controller,stdout,stderr,syslog}.gz
    <LogUri>/<cluster>/containers/<application>/<container>/{stdout,stderr}.gz
    <LogUri>/<cluster>/node/<instance>/bootstrap-actions/<n>/{controller,stdout,stderr}.gz

EMR uploads every five minutes. Here it is done every second while a step runs, and before it is shown as ended, on
purpose: who looks at a failed step should not have to wait for the reason.
"""

import contextlib
import gzip
import shutil
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol

from local_emr.store import Cluster


class ObjectStore(Protocol):
    """What is needed of S3. See `local_emr.s3`."""

    def put_file(self, bucket: str, key: str, source: Path | bytes) -> None: ...

    def path_of(self, bucket: str, key: str) -> Path: ...


def split_uri(uri: str) -> tuple[str, str]:
    """(bucket, key) of s3://bucket/key, whatever the scheme's letters."""
    bucket, _, key = uri.partition("://")[2].partition("/")
    return bucket, key


def log_key(cluster: Cluster, name: str) -> tuple[str, str]:
    """(bucket, key) of a log under the cluster's LogUri."""
    bucket, prefix = split_uri(cluster["_LogUri"])
    return bucket, "/".join(part for part in (prefix.strip("/"), cluster["Id"], name) if part)


def upload(s3: ObjectStore, cluster: Cluster, logs: Path, folder: str) -> None:
    """Upload every file of `logs/folder`. A cluster without LogUri has no logs; a missing bucket is no error."""
    if not cluster["_LogUri"] or not (logs / folder).is_dir():
        return
    for path in sorted((logs / folder).rglob("*")):
        if not path.is_file() or path.name.startswith("."):
            continue
        bucket, key = log_key(cluster, f"{path.relative_to(logs).as_posix()}.gz")
        try:
            with tempfile.NamedTemporaryFile(dir=logs, prefix=".upload-") as packed:
                with path.open("rb") as source, gzip.GzipFile(fileobj=packed, mode="wb", mtime=0) as target:
                    shutil.copyfileobj(source, target)
                packed.flush()
                s3.put_file(bucket, key, Path(packed.name))
        except Exception as error:  # logs never decide what becomes of a step
            print(f"{cluster['Id']}: log {key} was not uploaded: {error!r}", file=sys.stderr)


@contextlib.contextmanager
def uploading(upload: Callable[[], None], every: float = 1.0) -> Iterator[None]:
    """Call `upload` now and again in the block; the more rarely the longer it takes, so that it costs little."""
    ended = threading.Event()

    def work() -> None:
        wait = every
        while not ended.wait(wait):
            started = time.monotonic()
            upload()
            wait = max(every, 10 * (time.monotonic() - started))

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


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
