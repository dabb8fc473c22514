"""The clusters: one dict each, one lock for all, one JSON snapshot a cluster.

A cluster is a dict in the wire shape of DescribeCluster's `Cluster`; keys that start with `_` are ours and never leave,
because the protocol shapes every answer. All of it is JSON, so a snapshot is the dict itself.

    _Region             where it was made
    _Number             in the order of creation: two may be made in one millisecond
    _CreatedMs          its creation in ms: the cluster's part of application ids
    _LogUri             LogUri as it was given
    _Steps              [DescribeStep's `Step`, with `_Stop` once it is cancelled: its StepCancellationOption]
    _Groups             [InstanceGroup or InstanceFleet, with `_Role`, `_Instances`: [ListInstances' `Instance`]]
    _Bootstrap          [ListBootstrapActions' `Command`]
    _AutoTermination, _ManagedScaling    the policies, None when there is none
"""

import contextlib
import json
import shutil
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from local_emr.account import AccountRecord
from local_emr.home import write_atomic

Cluster = dict[str, Any]
Step = dict[str, Any]

ENDED = ("TERMINATED", "TERMINATED_WITH_ERRORS")
ENDING = ("TERMINATING", *ENDED)
ACTIVE_STEP = ("PENDING", "RUNNING", "CANCEL_PENDING")
KEPT_SECONDS = 60 * 86400  # AWS, too, forgets a terminated cluster after two months


class Store:
    """All clusters, oldest first. Read and write them inside `transaction`; `changed` is notified of every change."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.changed = threading.Condition(threading.RLock())
        self.clusters: dict[str, Cluster] = {}
        self.account = AccountRecord(folder / "account.json")
        self._touched: set[str] = set()

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        """Hold the lock; at the end, clusters that were touched are written down, and who waits is told."""
        with self.changed:
            try:
                yield
            finally:
                if self._touched:
                    touched, self._touched = self._touched, set()
                    for cluster_id in touched:
                        self._write(self.clusters[cluster_id])
                    self.changed.notify_all()

    def add(self, cluster: Cluster) -> None:
        """Publish a complete cluster; nobody ever sees half of one."""
        cluster["_Number"] = 1 + max((c.get("_Number", 0) for c in self.clusters.values()), default=0)
        self.clusters[cluster["Id"]] = cluster
        self.touch(cluster)

    def touch(self, cluster: Cluster) -> None:
        """This cluster is changed in the current transaction."""
        self._touched.add(cluster["Id"])

    def live(self) -> list[Cluster]:
        with self.changed:
            return [c for c in self.clusters.values() if c["Status"]["State"] not in ENDED]

    def load(self) -> None:
        """Read the snapshots of an earlier server; drop clusters that ended long ago."""
        self.account.load()
        found = []
        for snapshot in self.folder.glob("*/cluster.json"):
            try:
                cluster = json.loads(snapshot.read_text())
                end = cluster["Status"]["Timeline"].get("EndDateTime")
            except (OSError, ValueError, KeyError) as error:
                print(f"Ignored {snapshot}: {error}", file=sys.stderr)
                continue
            if end and end < time.time() - KEPT_SECONDS:
                shutil.rmtree(snapshot.parent, ignore_errors=True)
            else:
                found.append(cluster)
        found.sort(key=lambda c: (float(c["Status"]["Timeline"]["CreationDateTime"]), c.get("_Number", 0)))
        self.clusters = {c["Id"]: c for c in found}

    def _write(self, cluster: Cluster) -> None:
        folder = self.folder / cluster["Id"]
        folder.mkdir(exist_ok=True)
        write_atomic(folder / "cluster.json", json.dumps(cluster))


def now() -> float:
    """The time as AWS's JSON carries it: epoch seconds, to the millisecond."""
    return round(time.time(), 3)
