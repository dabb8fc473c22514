"""logs: what a step, or a bootstrap action that failed, has left in S3, unpacked under logs/<cluster>/<step>/.

EMR's layout: https://docs.aws.amazon.com/emr/latest/ManagementGuide/emr-plan-debugging.html. Files are listed, not
guessed: they are rotated by the hour, and a cluster-mode driver's output lies under the id of its application.
"""

from __future__ import annotations

import gzip
import re
import tempfile
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from scripts.aws import Clients
from scripts.create_cluster import describe, log_location
from scripts.errors import WorkflowError, doing
from scripts.parallel import each

_APPLICATION = re.compile(r"application_\d+_\d+")
# container_<cluster time>_<application>_<attempt>_<container>, with an epoch after the resource manager restarted.
_DRIVER = re.compile(r"container_(?:e\d+_)?\d+_\d+_(?P<attempt>\d+)_000001")
_TROUBLE = re.compile(r"Traceback \(most recent call last\)|^\S*(Error|Exception)\b|: error:|command not found", re.M)
_TAIL_BYTES = 256 * 1024


@dataclass(frozen=True)
class Excerpt:
    """The end of one fetched log: the part that most likely says what happened."""

    path: Path
    lines: tuple[str, ...]


def fetch(clients: Clients, cluster_id: str, step_id: str | None, into: Path) -> list[Path]:
    """Fetch the logs of a step, and of its application's containers; without a step, the bootstrap actions'.

    Returns the files, under `into`/<cluster>/<step or 'bootstrap'>/.

    Raises:
        WorkflowError: there are no logs (yet), or they cannot be written here.
        AwsError: they cannot be read.
    """
    bucket, prefix = log_location(describe(clients, cluster_id))
    folder = into / cluster_id / (step_id or "bootstrap")
    if step_id:
        below = f"{prefix}steps/{step_id}/"
        files = _fetch_all(
            clients, bucket, {key: key.removeprefix(below) for key in _list(clients, bucket, below)}, folder
        )
        for application in _applications(files):
            below = f"{prefix}containers/{application}/"
            keys = {key: f"containers/{application}/{key.removeprefix(below)}" for key in _list(clients, bucket, below)}
            files += _fetch_all(clients, bucket, keys, folder)
    else:
        below = f"{prefix}node/"
        keys = {key: key.removeprefix(below) for key in _list(clients, bucket, below) if "/bootstrap-actions/" in key}
        files = _fetch_all(clients, bucket, keys, folder)
    if not files:
        raise WorkflowError(
            "looking for logs",
            f"there are none yet under s3://{bucket}/{below}",
            "EMR copies them every 5 minutes and when the cluster ends: try again then.",
        )
    return files


def excerpt(files: Iterable[Path], lines: int = 30) -> Excerpt | None:
    """The end of the log that matters most; None where all are empty.

    The first that speaks of an error, in the order in which they are worth reading: the driver's stdout (Spark sends
    all that Python writes there, tracebacks too), its stderr, the step's own streams, the controller's.
    """
    ranked = sorted((path for path in files if path.stat().st_size), key=_rank)
    tails = {path: _tail(path) for path in ranked}
    telling = next((path for path in ranked if _TROUBLE.search(tails[path])), None) or next(iter(ranked), None)
    if telling is None:
        return None
    tail = tails[telling].rstrip()
    shown = tail.splitlines()[-lines:]
    troubles = list(_TROUBLE.finditer(tail))
    if troubles and (from_trouble := tail[troubles[-1].start() :].splitlines())[lines:]:
        shown = from_trouble[:lines]  # what followed it, Spark's shutdown, would push it off the screen
    return Excerpt(telling, tuple(shown))


def _rank(path: Path) -> tuple[int, int, str]:
    driver = _DRIVER.fullmatch(path.parent.name)
    kinds = ["stdout", "stderr", "controller", "syslog"]
    kind = next((n for n, name in enumerate(kinds) if path.name.startswith(name)), len(kinds))
    if driver:
        return kind, -int(driver["attempt"]), path.name  # a later attempt is the one that decided
    if "bootstrap-actions" in path.parts:
        return 10 + (kind if path.name.startswith("controller") else 1 - kind), 0, path.as_posix()
    return (20 if "containers" in path.parts else 10) + kind, 0, path.as_posix()


def _list(clients: Clients, bucket: str, prefix: str) -> list[str]:
    with doing(f"listing s3://{bucket}/{prefix}"):
        pages = clients.s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
        return [item["Key"] for page in pages for item in page.get("Contents", []) if not item["Key"].endswith("/")]


def _applications(files: Iterable[Path]) -> list[str]:
    """The YARN applications that the submitter named in the step's own streams, in order."""
    found: dict[str, None] = {}
    for path in files:
        if path.name.startswith(("stderr", "syslog")):
            with path.open(encoding="utf-8", errors="replace") as file:
                for line in file:
                    found.update(dict.fromkeys(_APPLICATION.findall(line)))
    return list(found)


def _fetch_all(clients: Clients, bucket: str, keys: dict[str, str], folder: Path) -> list[Path]:
    """Fetch and unpack; `keys` is key -> path under `folder`. The files, in the order of their names."""
    jobs = []
    for key, relative in keys.items():
        path = PurePosixPath(relative)
        if path.is_absolute() or ".." in path.parts or "\\" in relative:
            raise WorkflowError("fetching the logs", f"the key {key!r} would leave its folder", "")
        jobs.append((key, folder / (path.with_suffix("") if path.suffix == ".gz" else path)))
    try:
        return sorted(each(lambda job: _fetch_one(clients, bucket, *job), jobs))
    except OSError as error:
        problem = f"{error.strerror or error} ({error.filename or folder})"
        raise WorkflowError("writing the logs", problem, "Make room, or mend the permissions.") from error


def _fetch_one(clients: Clients, bucket: str, key: str, path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent) as scratch:
        packed, plain = Path(scratch) / "packed", Path(scratch) / "plain"
        with doing(f"fetching s3://{bucket}/{key}"), packed.open("wb") as file:
            for chunk in clients.s3.get_object(Bucket=bucket, Key=key)["Body"].iter_chunks(1 << 20):
                file.write(chunk)
        _unpack(packed, plain)
        plain.replace(path)
    return path


def _unpack(packed: Path, plain: Path) -> None:
    """Decompress a file that may not be compressed at all, or be cut short: what can be read is kept."""
    with packed.open("rb") as file:
        is_gzip = file.read(2) == b"\x1f\x8b"
    if not is_gzip:
        packed.replace(plain)
        return
    with gzip.open(packed) as source, plain.open("wb") as target:
        try:
            # read1: what came before the cut, where read() would give up all that it had buffered.
            for chunk in iter(lambda: source.read1(1 << 16), b""):
                target.write(chunk)
        except (EOFError, gzip.BadGzipFile, zlib.error):
            target.write(b"\n[the log is cut short here]\n")


def _tail(path: Path) -> str:
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - _TAIL_BYTES))
        return file.read().decode(errors="replace")
