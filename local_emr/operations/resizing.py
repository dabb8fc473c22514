"""Instance groups and fleets that grow and shrink, and new ones in a running cluster.

Local nodes are records and cost nothing, but clients wait for the states that EMR shows: a change is seen as RESIZING
(what is new as PROVISIONING) for `SECONDS`, and is over at the first look after that. No thread is needed for it.
"""

import time
from typing import Any

from local_emr import lifecycle
from local_emr.records import new_instance
from local_emr.store import Cluster, Store, now

Group = dict[str, Any]
SECONDS = 0.5  # long enough to be seen, by one who looks often
READY = ("RUNNING", "WAITING")  # of a cluster whose groups may be changed


def settle(store: Store, cluster: Cluster) -> None:
    """End the changes whose time has come. Every operation that shows groups or instances calls this first."""
    if not is_ready(cluster):  # what is not up yet comes up with the cluster; what is ending stays as it is
        return
    for group in cluster["_Groups"]:
        if time.time() >= group.get("_Until", float("inf")):
            del group["_Until"]
            _set_running(group)
            lifecycle.count_running(group)
            store.touch(cluster)


def is_ready(cluster: Cluster) -> bool:
    return cluster["Status"]["State"] in READY


def _set_running(group: Group) -> None:
    for item in (group, *group["_Instances"]):
        if item["Status"]["State"] != "TERMINATED":
            item["Status"]["State"] = "RUNNING"
            item["Status"]["Timeline"].setdefault("ReadyDateTime", now())


def add(cluster: Cluster, groups: list[Group]) -> None:
    """New groups or fleets; before the cluster is up, they come up with it."""
    cluster["_Groups"] += groups
    for group in groups:
        group["_Until"] = time.time() + SECONDS


def begin(group: Group, state: str = "RESIZING") -> None:
    group["Status"]["State"] = state
    group["_Until"] = time.time() + SECONDS


def resize(group: Group, instance_type: str, market: str, count: int, first_to_go: list[str]) -> None:
    """As many instances of a market: those that are named go first, then the newest; new ones are PROVISIONING."""
    alive = [i for i in group["_Instances"] if i["Status"]["State"] != "TERMINATED" and i["Market"] == market]
    alive.sort(key=lambda i: i["Ec2InstanceId"] in first_to_go)
    for instance in alive[count:]:
        instance["Status"].update(State="TERMINATED", StateChangeReason={"Message": "Instance was terminated."})
        instance["Status"]["Timeline"]["EndDateTime"] = now()
    group["_Instances"] += [new_instance(instance_type, market) for _ in range(count - len(alive))]
    lifecycle.count_running(group)
