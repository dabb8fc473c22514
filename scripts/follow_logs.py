"""A step's driver, live: what it has written since the last look, whenever its log in S3 has grown.

EMR copies logs every five minutes, so on AWS it comes in portions; local EMR copies them every second.
"""

from __future__ import annotations

import codecs
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from scripts.aws import Clients
from scripts.config import Settings
from scripts.create_cluster import describe, log_location
from scripts.diagnosis import LogFile
from scripts.diagnosis.files import is_driver
from scripts.diagnosis.model import Side
from scripts.fetch_logs import applications
from scripts.lifecycle import Status
from scripts.log_mirror import Mirror
from scripts.watch_step import watch

_MOST = 1 << 20
"""Bytes shown at once; of a driver that writes more between two looks, the last."""


@dataclass(frozen=True)
class Output(Status):
    """A look at the step, and the lines that its driver wrote since the look before."""

    lines: tuple[str, ...] = ()


@dataclass
class _Tail:
    """How much of the driver's logs has been shown, by path."""

    mirror: Mirror
    step_id: str
    shown: dict[Path, int] = field(default_factory=dict)

    def new_lines(self) -> tuple[str, ...]:
        self.mirror.fetch(self.mirror.listed(f"steps/{self.step_id}/"))
        step = [file for file in self.mirror.files() if file.stream != "controller" and "/containers/" not in file.name]
        named = applications(step)
        for application in named:
            stored = self.mirror.listed(f"containers/{application}/")
            self.mirror.fetch(one for one in stored if is_driver(one.name))
        files = [file for file in self.mirror.files() if file.application in ("", *named)]
        return tuple(line for file in driver_output(files) for line in self._grown(file))

    def _grown(self, file: LogFile) -> list[str]:
        size, before = file.path.stat().st_size, self.shown.get(file.path, 0)
        if size < before:  # rotated
            before = 0
        with file.path.open("rb") as data:
            data.seek(max(before, size - _MOST))
            new = data.read()
        whole = new.rfind(b"\n") + 1  # a line that is still being written comes with the next look
        self.shown[file.path] = size - len(new) + whole
        return codecs.decode(new[:whole], "utf-8", "replace").splitlines()


def driver_output(files: Sequence[LogFile]) -> list[LogFile]:
    """The logs with what the job prints: in cluster mode its driver's container's, in client mode the step's own."""
    printed = [file for file in files if file.stream == "stdout"]
    return [file for file in printed if file.side is Side.DRIVER] or [
        file for file in printed if file.side is Side.STEP
    ]


def last_lines(files: Sequence[LogFile], count: int = 30) -> list[str]:
    """The end of what the job has printed."""
    lines: list[str] = []
    for file in driver_output(files):
        with file.path.open("rb") as data:
            data.seek(max(0, file.path.stat().st_size - 64 * 1024))
            lines += data.read().decode(errors="replace").splitlines()
    return lines[-count:]


def output(clients: Clients, settings: Settings, cluster_id: str, step_id: str, into: Path) -> Iterator[Status]:
    """Yield each new status of the step with the driver's new lines, until it has ended.

    Raises:
        StepFailed, TimedOut: as watch does.
    """
    bucket, prefix = log_location(describe(clients, cluster_id))
    tail = _Tail(Mirror(clients, bucket, prefix, into / cluster_id), step_id)

    def with_output(status: Status) -> Status:
        return Output(status.state, status.reason, status.code, tail.new_lines())

    return watch(clients, settings, cluster_id, step_id, with_output)
