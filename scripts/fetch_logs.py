"""logs: what a step, or a bootstrap action, has left in S3, unpacked under logs/<cluster>/; waits for what is missing.

A step's stderr names its applications, and an application's first container is the driver's. EMR copies logs to S3
every five minutes, so right after a failure they may not be there, or not be whole.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scripts.aws import Clients
from scripts.config import Settings
from scripts.create_cluster import describe, log_location, status_of
from scripts.diagnosis import Facts, LogFile
from scripts.diagnosis.files import APPLICATION, is_driver
from scripts.errors import TimedOut, WorkflowError, doing
from scripts.lifecycle import ACTIVE_STEP, ENDED_CLUSTER, Goal, Status, follow
from scripts.log_mirror import Mirror, Stored

if TYPE_CHECKING:
    from mypy_boto3_emr.type_defs import ClusterTypeDef, StepTypeDef

USUALLY = "EMR copies logs every 5 minutes, and when the cluster ends"
UPLOADED_AFTER = 900.0
"""Seconds after the end of a step after which no more of its logs is to be expected."""
MOST_BYTES = 64 << 20
"""Of executors' logs, as they are packed, that are fetched unasked."""

_READY = Goal("the logs", frozenset({"COMPLETE"}))
_STEP_ENDS = (
    b"Command exiting with ret",
    b"Shutdown hook called",
    b"ended with exit code",
    b"Step failed",
    b"Step succeeded",
)
_DRIVER_ENDS = (b"Final app status", b"Shutdown hook called", b"RECEIVED SIGNAL", b"Deleting directory")


@dataclass
class Logs:
    """A run's logs as they are here now, what EMR says of the run, and what is not here."""

    mirror: Mirror
    step_id: str | None
    facts: Facts = field(default_factory=Facts)
    ended: float | None = None
    """When the step, or without one the cluster, ended: seconds since the epoch; None while it goes on."""
    missing: tuple[str, ...] = ()
    left_out: tuple[Stored, ...] = ()

    @property
    def files(self) -> list[LogFile]:
        return self.mirror.files()


def open_logs(clients: Clients, cluster_id: str, step_id: str | None, into: Path) -> Logs:
    """The logs of a step, or of the bootstrap actions where there is no step; nothing is fetched yet.

    Raises:
        WorkflowError: the cluster keeps no logs.
        AwsError: there is no such cluster or step.
    """
    cluster = describe(clients, cluster_id)
    bucket, prefix = log_location(cluster)
    step: StepTypeDef | None = None
    if step_id:
        with doing(f"looking at step {step_id}"):
            step = clients.emr.describe_step(ClusterId=cluster_id, StepId=step_id)["Step"]
    mirror = Mirror(clients, bucket, prefix, into / cluster_id)
    return Logs(mirror, step_id, facts_of(cluster, step), _end_of(cluster, step))


def fetch(logs: Logs, settings: Settings, *, everything: bool = False) -> Iterator[Status]:
    """Fetch the logs, waiting for those that are still to come; yield what is missing whenever that changes.

    Never fails for want of a log: `logs.missing` says what did not come within LOGS_TIMEOUT.

    Raises:
        AwsError: the bucket is gone, or refuses.
        WorkflowError: they cannot be written here.
    """

    def look() -> Status:
        _update(logs, everything=everything)
        return Status("MISSING", ", ".join(logs.missing)) if logs.missing else Status("COMPLETE")

    never_ran = logs.step_id is None and logs.facts.cluster_code != "BOOTSTRAP_FAILURE"
    if never_ran or logs.ended is None or time.time() - logs.ended > UPLOADED_AFTER:
        look()  # of what runs there is always more to come, of what ended long ago nothing
        return
    with suppress(TimedOut):
        yield from follow(
            look,
            _READY,
            every=settings.poll_interval,
            timeout=settings.logs_timeout,
            renew=logs.mirror.clients.renew,
        )


def _update(logs: Logs, *, everything: bool) -> None:
    """Bring `logs` up to date with S3, and say what is still missing."""
    mirror = logs.mirror
    missing: list[str] = []
    if logs.step_id is None:
        found = [one for one in mirror.listed("node/") if "/bootstrap-actions/" in one.name]
        mirror.fetch(found)
        logs.missing = () if found else ("the bootstrap actions' logs",)
        return
    step = mirror.listed(f"steps/{logs.step_id}/")
    mirror.fetch(step)
    ours = [file for file in mirror.files() if f"steps/{logs.step_id}/" in file.name]
    if not ours:
        missing.append("the step's logs")
    elif not any(file.stream == "stderr" for file in ours):
        # A jar that could not be fetched has a controller log only.
        missing += (
            []
            if any(file.stream == "controller" for file in ours) and _says(ours, (b"ERROR", b"WARN"))
            else ["the step's stderr"]
        )
    elif not _says(ours, _STEP_ENDS):
        missing.append("the end of the step's logs")
    executors: list[Stored] = []
    for application in applications(ours):
        stored = mirror.listed(f"containers/{application}/")
        drivers = [one for one in stored if is_driver(one.name)]
        mirror.fetch(drivers)
        executors += [one for one in stored if one not in drivers]
        here = [file for file in mirror.files() if file.application == application and file.side <= 0]
        if not drivers:
            missing.append(f"the driver's logs ({application})")
        elif not _says(here, _DRIVER_ENDS):
            missing.append(f"the end of the driver's logs ({application})")
    taken, logs.left_out = _within(executors, None if everything else MOST_BYTES)
    mirror.fetch(taken)
    logs.missing = tuple(missing)


def _within(stored: list[Stored], most: int | None) -> tuple[list[Stored], tuple[Stored, ...]]:
    """As many as fit: stderr before the rest, small before large."""
    taken: list[Stored] = []
    left: list[Stored] = []
    used = 0
    for one in sorted(stored, key=lambda one: ("/stderr" not in one.name, one.size)):
        used += one.size
        (taken if most is None or used <= most else left).append(one)
    return taken, tuple(left)


def applications(files: list[LogFile]) -> list[str]:
    """The YARN applications that the submitter named in the step's own streams, in order."""
    found: dict[str, None] = {}
    for file in files:
        if file.stream in ("stderr", "syslog", "stdout"):
            with file.path.open(encoding="utf-8", errors="replace") as text:
                for line in text:
                    if "application_" in line and ("Submitted" in line or "Application report" in line):
                        found.update(dict.fromkeys(APPLICATION.findall(line)))
    return list(found)


def _says(files: list[LogFile], words: tuple[bytes, ...]) -> bool:
    """Whether the end of one of the files has one of the words."""
    for file in files:
        with file.path.open("rb") as data:
            data.seek(max(0, file.path.stat().st_size - 65536))
            end = data.read()
        if any(word in end for word in words):
            return True
    return False


def facts_of(cluster: ClusterTypeDef, step: StepTypeDef | None) -> Facts:
    """What EMR itself says of the run."""
    seen, errors = status_of(cluster), []
    for error in cluster["Status"].get("ErrorDetails", []):
        data = ", ".join(f"{name}={value}" for pair in error.get("ErrorData", []) for name, value in pair.items())
        errors.append(f"{error.get('ErrorCode', '')}: {error.get('ErrorMessage', '')} ({data})")
    state = reason = ""
    if step:
        status = step["Status"]
        state, failure = str(status["State"]), status.get("FailureDetails", {})
        why = status.get("StateChangeReason", {}).get("Message", "")
        reason = " ".join(part for part in (failure.get("Reason", ""), failure.get("Message", ""), why) if part)
    return Facts(state, reason, seen.state, seen.code, seen.reason, tuple(errors))


def _end_of(cluster: ClusterTypeDef, step: StepTypeDef | None) -> float | None:
    """When the step, or without one the cluster, ended; None while it goes on."""
    ended = str(cluster["Status"]["State"]) in ENDED_CLUSTER
    times: Mapping[str, Any] = cluster["Status"].get("Timeline", {})
    if step and not ended:
        ended, times = str(step["Status"]["State"]) not in ACTIVE_STEP, step["Status"].get("Timeline", {})
    return times.get("EndDateTime", datetime.now(timezone.utc)).timestamp() if ended else None


def require_some(logs: Logs) -> None:
    """Raises WorkflowError where not one log came."""
    if not logs.files:
        where = logs.mirror.uri(logs.mirror.prefix)
        raise WorkflowError("looking for logs", f"there are none yet under {where}", f"{USUALLY}: try again then.")
