"""Faults on demand of clusters and steps: which is due, and what it does. `faults.py` says how they are asked for."""

from __future__ import annotations

import contextlib
import os
import signal
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from local_emr import lifecycle
from local_emr.fault_rules import Rules
from local_emr.records import new_instance
from local_emr.spark_executors import PIDS
from local_emr.store import Cluster, Step, Store, now

TAG = "local-emr:fault"
CAPACITY_CODE = "INTERNAL_ERROR_EC2_INSUFFICIENT_CAPACITY_AZ"
DOCUMENTATION = f"https://docs.aws.amazon.com/emr/latest/ManagementGuide/{CAPACITY_CODE}.html"
# As EC2 words it for RunInstances.
NO_CAPACITY = "We currently do not have sufficient {type} capacity in the Availability Zone you requested ({zone})."


@dataclass(frozen=True)
class Fault:
    kind: str
    seconds: float


class ClusterFaults:
    """The faults of the file and of the clusters' tags."""

    def __init__(self, rules: Rules) -> None:
        self.rules = rules

    def find(self, cluster: Cluster, *kinds: str, step: Step | None = None) -> Fault | None:
        """The fault of these kinds that is due for a cluster, or for a step of it."""
        if tagged := next((fault for fault in tagged_faults(cluster) if fault.kind in kinds), None):
            return tagged
        subject = {"cluster": (cluster["Name"], cluster["Id"])}
        if step is not None:
            subject["step"] = (step["Name"], step["Id"])
        rule = self.rules.due(kinds, **subject)
        return Fault(rule.kind, rule.seconds) if rule else None


def tagged_faults(cluster: Cluster) -> list[Fault]:
    """The faults of a cluster's tag: `kind` or `kind=seconds`, with spaces between; what is neither is passed over."""
    words = next((str(tag.get("Value", "")) for tag in cluster["Tags"] if tag.get("Key") == TAG), "").split()
    found = []
    for word in words:
        kind, _, seconds = word.partition("=")
        with contextlib.suppress(ValueError):
            found.append(Fault(kind, float(seconds or 1)))
    return found


def no_capacity(cluster: Cluster) -> tuple[str, dict[str, Any]]:
    """(message of the state change, one of ErrorDetails) when EC2 has no machines for a cluster."""
    zone = cluster["Ec2InstanceAttributes"]["Ec2AvailabilityZone"]
    kind = next(str(i["InstanceType"]) for group in cluster["_Groups"] for i in group["_Instances"])
    message = NO_CAPACITY.format(type=kind, zone=zone)
    data = [{"availability-zone": zone}, {"instance-type": kind}, {"public-doc": DOCUMENTATION}]
    return message, {"ErrorCode": CAPACITY_CODE, "ErrorData": data, "ErrorMessage": message}


def lose_core_node(store: Store, cluster: Cluster) -> dict[str, Any] | None:
    """A core node is gone, and EMR asks for another: the new one, PROVISIONING. None when there is none to lose."""
    for group in cluster["_Groups"]:
        for instance in group["_Instances"]:
            if group["_Role"] == "CORE" and instance["Status"]["State"] == "RUNNING":
                reason = {"Code": "INSTANCE_FAILURE", "Message": "Instance was terminated."}
                instance["Status"].update(State="TERMINATED", StateChangeReason=reason)
                instance["Status"]["Timeline"]["EndDateTime"] = now()
                replacement = new_instance(instance["InstanceType"], instance["Market"])
                group["_Instances"].append(replacement)
                lifecycle.count_running(group)
                store.touch(cluster)
                return replacement
    return None


def replacement_runs(store: Store, cluster: Cluster, replacement: dict[str, Any]) -> None:
    """The new core node is there."""
    if replacement["Status"]["State"] == "PROVISIONING":
        replacement["Status"]["State"] = "RUNNING"
        replacement["Status"]["Timeline"]["ReadyDateTime"] = now()
        for group in cluster["_Groups"]:
            lifecycle.count_running(group)
        store.touch(cluster)


def kill_an_executor(work: Path) -> bool:
    """Kill one executor of the step whose folder this is; False while there is none."""
    for file in sorted((work / PIDS).glob("container_*")):
        with contextlib.suppress(OSError, ValueError):
            pid = int(file.read_text())
            if str(work).encode() in Path(f"/proc/{pid}/cmdline").read_bytes():  # not another process of that id
                os.kill(pid, signal.SIGKILL)
                return True
    return False
