"""What a log is, told from its path: EMR's layout, or any folder of logs that somebody sent."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path, PurePosixPath

from scripts.diagnosis.model import LogFile, Side

APPLICATION = re.compile(r"application_\d+_\d+")
# container_<cluster time>_<application>_<attempt>_<container>, with an epoch after the resource manager restarted.
CONTAINER = re.compile(r"container_(?:e\d+_)?(?P<cluster>\d+)_(?P<application>\d+)_(?P<attempt>\d+)_(?P<number>\d+)")
NO_LOGS = ("directory.info", "launch_container.sh", "SOURCE", "facts.json")
_PACKED = (".gz", ".txt", ".log")
_STREAMS = ("stdout", "stderr", "syslog", "controller")


def plain_name(name: str) -> str:
    """A log's name without what only says how it is packed: `stderr.2025-11-18-09.txt.gz` -> `stderr.2025-11-18-09`."""
    while (suffix := PurePosixPath(name).suffix) in _PACKED:
        name = name[: -len(suffix)]
    return name


def is_driver(name: str) -> bool:
    """Whether a log is of an application's first container."""
    container = CONTAINER.search(name)
    return container is not None and int(container["number"]) == 1


def log_files(files: Iterable[tuple[Path, str, str]]) -> list[LogFile]:
    """The logs of (path, name below the cluster's logs, uri), the likeliest to tell the cause first.

    Of a driver that YARN started more than once the highest attempt counts; the others are read last.
    """
    found = [_log_file(*one) for one in files]
    newest: dict[str, int] = {}
    for file in found:
        if file.side is Side.DRIVER:
            newest[file.application] = max(newest.get(file.application, 0), _attempt(file))
    found = [
        replace(file, side=Side.ATTEMPT)
        if file.side is Side.DRIVER and _attempt(file) < newest[file.application]
        else file
        for file in found
    ]
    return sorted(found, key=lambda file: (file.side, file.application, _stream_rank(file), file.name))


def of_folder(folder: Path) -> list[LogFile]:
    """The logs in a folder on this machine."""
    paths = sorted(
        path
        for path in folder.rglob("*")
        if path.is_file() and not path.name.startswith(".") and path.name not in NO_LOGS
    )
    return log_files((path, plain_name(path.relative_to(folder).as_posix()), "") for path in paths)


def _log_file(path: Path, name: str, uri: str) -> LogFile:
    parts = PurePosixPath(name)
    stem = parts.name.split(".")[0].lower()
    stream = next((stream for stream in _STREAMS if stream in stem), stem)
    application = APPLICATION.search(name)
    return LogFile(path, name, _side(name, stream), stream, uri, application[0] if application else "")


def _side(name: str, stream: str) -> Side:
    container = CONTAINER.search(name)
    if "bootstrap" in name:
        return Side.BOOTSTRAP
    if container:
        return Side.DRIVER if int(container["number"]) == 1 else Side.EXECUTOR
    if stream == "controller":
        return Side.CONTROLLER
    if "executor" in name:
        return Side.EXECUTOR
    if "driver" in name:
        return Side.DRIVER
    if "/daemons/" in name or "/applications/" in name:
        return Side.OTHER
    return Side.STEP


def _attempt(file: LogFile) -> int:
    container = CONTAINER.search(file.name)
    return int(container["attempt"]) if container else 0


def _stream_rank(file: LogFile) -> int:
    return _STREAMS.index(file.stream) if file.stream in _STREAMS else len(_STREAMS)
