"""The folder that local EMR lives in: what lies where, the lock that makes a server its only owner, and its record.

    HOME/lock           held by the running server, whose process id is its content
    HOME/server.json    the last server: {"pid", "url", "port", "fingerprint"}; true only while the lock is held
    HOME/server.log     what a detached server prints
    HOME/s3/            buckets as folders, objects as files
    HOME/clusters/ID/   one cluster: cluster.json, its node, its logs until they are uploaded
    HOME/faults.json    faults on demand, where there are to be any: see `faults.py`
    HOME/settings.json  settings of the server, where there are to be any: see `settings.py`
    HOME/cache/         what may be deleted at any time: see `node.py` and `class_archive.py`

Standard library only: `control` imports it, and must be quick.
"""

import contextlib
import fcntl
import hashlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from local_emr import settings


class Home:
    """Paths under one home folder."""

    def __init__(self, root: Path) -> None:
        self.root = root.resolve()
        self.lock = self.root / "lock"
        self.starting = self.root / "starting.lock"
        self.record = self.root / "server.json"
        self.log = self.root / "server.log"
        self.s3 = self.root / "s3"
        self.clusters = self.root / "clusters"
        self.cache = self.root / "cache"
        self.faults = self.root / "faults.json"
        self.settings = self.root / "settings.json"

    def make(self) -> None:
        """Create what is missing. Readable by its owner alone: data and logs of a user's jobs lie here."""
        self.root.mkdir(parents=True, exist_ok=True, mode=0o700)
        for folder in (self.s3, self.clusters, self.cache):
            folder.mkdir(exist_ok=True)

    def read_record(self) -> dict[str, Any]:
        """The last server's record; empty when there is none or it cannot be read."""
        try:
            record = json.loads(self.record.read_text())
        except (OSError, ValueError):
            return {}
        return record if isinstance(record, dict) else {}

    def owner(self) -> int | None:
        """Process id of the server that holds the lock; None when nobody does."""
        try:
            with self.lock.open("r") as file:
                if try_lock(file):
                    return None
                return int(file.read() or 0) or None
        except (OSError, ValueError):
            return None


def try_lock(file: IO[str]) -> bool:
    """Take the exclusive lock of an open file, without waiting. It lasts until the file is closed."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the exclusive lock of a file, waiting for it."""
    with path.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def write_atomic(path: Path, text: str) -> None:
    """Replace a file's content; a reader, or a crash, finds the old one or the new one."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.write_text(text)
    temporary.replace(path)


def fingerprint() -> str:
    """A digest of local EMR's own sources and settings: a server whose digest differs is not what is wanted now."""
    package = Path(__file__).parent
    digest = hashlib.sha256(json.dumps(settings.chosen(os.environ), sort_keys=True).encode())
    for source in sorted(package.rglob("*.py")):
        digest.update(source.relative_to(package).as_posix().encode())
        digest.update(source.read_bytes())
    return digest.hexdigest()[:16]
