"""When a cluster's logs go to S3: every so often while a step runs; when it has ended; the rest when the cluster ends.

EMR uploads every five minutes. Here what has changed goes every few seconds, and a step's logs before it is shown as
ended, on purpose: who looks at a failed step should not have to wait for the reason. `settings.py` can have it as slow
as EMR, and hourly rotation of a step's logs, too.
"""

from __future__ import annotations

import contextlib
import threading
import time
from pathlib import Path

from local_emr import logs
from local_emr.cluster_faults import ClusterFaults
from local_emr.lifecycle import master_instance
from local_emr.node import Node
from local_emr.settings import Settings
from local_emr.store import Cluster, Step

ROTATED = ("stdout", "stderr", "syslog")


class LogArchive:
    """The archive of one cluster's logs."""

    def __init__(
        self, s3: logs.ObjectStore, cluster: Cluster, node: Node, settings: Settings, faults: ClusterFaults
    ) -> None:
        self.s3, self.cluster, self.node, self.settings, self.faults = s3, cluster, node, settings, faults
        self._lock, self._starting = threading.Lock(), threading.Lock()
        self._uploaded: dict[Path, tuple[int, int]] = {}  # {file: its time and size when it was uploaded}
        self._changing: dict[str, Step] = {}  # steps whose logs may change, by id
        self._late: dict[str, float] = {}  # {step's id: when the rest of its logs is due}
        self._over = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin to look for changes, in the background; nothing when the settings want none."""
        with self._starting:  # two steps may start at once
            if self._thread is None and (self.settings.log_interval or self.settings.log_rotation or self._late):
                self._thread = threading.Thread(target=self._watch, name=f"{self.cluster['Id']} logs", daemon=True)
                self._thread.start()

    def bootstrap_ended(self, number: int) -> None:
        self._upload(self.bootstrap_folder(number), self.cluster["_LogUri"])

    def step_starts(self, step: Step) -> None:
        self._changing[step["Id"]] = step
        if self.faults.find(self.cluster, "no-logs", step=step):
            self._late[step["Id"]] = float("inf")
        self.start()

    def step_ended(self, step: Step, left_something: bool = False) -> None:
        """Upload the rest of a step's logs, now or when it is due. What it left behind may write more."""
        folder = self.node.logs / "steps" / step["Id"]
        for name in ROTATED:
            if folder.is_dir():
                (folder / name).touch()
        slow = self.faults.find(self.cluster, "slow-logs", step=step)
        delay = slow.seconds if slow else self.settings.log_delay
        if delay:
            self._late.setdefault(step["Id"], time.monotonic() + delay)
            self.start()
        elif step["Id"] not in self._late:
            self._upload_step(step)
            if not left_something:
                self._changing.pop(step["Id"], None)

    def close(self) -> None:
        """Upload all that is not there yet, as EMR does when a cluster ends."""
        self._over.set()
        if self._thread:
            self._thread.join()
        self._late.clear()
        self.upload_all()

    def upload_all(self) -> None:
        """Whatever is on the node and has changed since it was uploaded."""
        for number, _ in enumerate(self.cluster["_Bootstrap"], 1):
            self.bootstrap_ended(number)
        for step in list(self.cluster["_Steps"]):
            if step["Id"] not in self._late:
                self._upload_step(step)

    def _watch(self) -> None:
        swept = time.monotonic()
        while not self._over.wait(min(1.0, self.settings.log_interval or 0.2)):
            now = time.monotonic()
            if self.settings.log_rotation:
                self._rotate(time.time())
            due = [step_id for step_id, when in list(self._late.items()) if when <= now]
            for step_id in due:
                del self._late[step_id]
            if due or (self.settings.log_interval and now - swept >= self.settings.log_interval):
                swept = now
                for step in list(self._changing.values()):
                    if step["Id"] not in self._late:
                        self._upload_step(step)

    def _upload_step(self, step: Step) -> None:
        """The step's logs, and those of the containers of the applications that it submitted."""
        log_uri = step.get("LogUri") or self.cluster["_LogUri"]
        self._upload(f"steps/{step['Id']}", log_uri)
        for application in self._applications(step):
            self._upload(f"containers/{application}", log_uri)

    def _applications(self, step: Step) -> list[str]:
        noted = self.node.work / "steps" / step["Id"] / ".applications"
        return noted.read_text().split() if noted.exists() else []

    def bootstrap_folder(self, number: int) -> str:
        return f"node/{master_instance(self.cluster)}/bootstrap-actions/{number}"

    def _upload(self, folder: str, log_uri: str | None) -> None:
        """Upload the files of a folder of logs that have changed. A cluster without LogUri has no logs."""
        if not log_uri:
            return
        with self._lock:  # a step's end and the watch may meet
            for path in sorted((self.node.logs / folder).rglob("*")):
                if path.is_file() and not path.name.startswith("."):
                    with contextlib.suppress(OSError):  # the job may remove it
                        self._upload_file(path, log_uri)

    def _upload_file(self, path: Path, log_uri: str) -> None:
        stat = path.stat()
        version, name = (stat.st_mtime_ns, stat.st_size), path.relative_to(self.node.logs).as_posix()
        if self._uploaded.get(path) != version and logs.upload(self.s3, log_uri, self.cluster["Id"], path, name):
            self._uploaded[path] = version

    def _rotate(self, now: float) -> None:
        """Let a step's logs begin anew when an hour, or whatever the setting says, is over."""
        seconds = self.settings.log_rotation
        for name in ROTATED:
            for path in (self.node.logs / "steps").glob(f"*/{name}"):
                with contextlib.suppress(OSError):
                    if path.stat().st_size and int(first_seen(path) // seconds) < int(now // seconds):
                        rotate(path, now - seconds)


def first_seen(path: Path) -> float:
    """When a log began: it has a mark beside it, `.stderr.began`, since its first look."""
    mark = path.with_name(f".{path.name}.began")
    if not mark.exists():
        mark.touch()
    return mark.stat().st_mtime


def rotate(path: Path, hour: float) -> None:
    """`stderr` -> `stderr.2025-01-15-10`: what is there is added to it. The process goes on to write into `stderr`."""
    target = path.with_name(f"{path.name}.{time.strftime('%Y-%m-%d-%H', time.gmtime(hour))}")
    with path.open("rb") as source, target.open("ab") as rotated:
        rotated.write(source.read())
    with path.open("r+b") as file:  # who writes appends, so that it continues at the new end
        file.truncate(0)
    path.with_name(f".{path.name}.began").unlink(missing_ok=True)
