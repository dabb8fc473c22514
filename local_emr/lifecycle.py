"""The moves of clusters, steps and instances from state to state, with EMR's own reasons. Call them in a transaction.

No move goes back: a cluster that is ending stays ending, and the first reason wins.
"""

from typing import Any

from local_emr.store import ENDED, ENDING, Cluster, Step, Store, now

REASONS = {
    # state's message where it has one of its own, as EMR words it
    "PROVISIONING": "Provisioning Amazon EC2 capacity",
    "CONFIGURING": "Configuring cluster software",
    "BOOTSTRAPPING": "Running bootstrap actions",
    "RUNNING": "Running step",
    "READY": "Cluster ready to run steps.",
    "STEP_COMPLETED": "Cluster ready after last step completed.",
    "STEP_FAILED": "Cluster ready after last step failed.",
    "STEP_CANCELLED": "Cluster ready after last step cancelled.",
}


def move(store: Store, cluster: Cluster, state: str, message: str) -> None:
    """A cluster's next state; nothing when it is ending, or is there already with this message."""
    status = cluster["Status"]
    reason = {"Message": message}
    if status["State"] in ENDING or (status["State"] == state and status["StateChangeReason"] == reason):
        return
    status.update(State=state, StateChangeReason=reason)
    if state in ("RUNNING", "WAITING"):
        status["Timeline"].setdefault("ReadyDateTime", now())
    store.touch(cluster)


def end(store: Store, cluster: Cluster, code: str, message: str, details: list[dict[str, Any]] | None = None) -> None:
    """A cluster begins to end; its agent does the rest. `details` are the Status's ErrorDetails."""
    status = cluster["Status"]
    if status["State"] in ENDING:
        return
    status.update(State="TERMINATING", StateChangeReason={"Code": code, "Message": message})
    if details:
        status["ErrorDetails"] = details
    for group in cluster["_Groups"]:
        group["Status"]["State"] = "TERMINATING"
    store.touch(cluster)


def ended(store: Store, cluster: Cluster) -> None:
    """A cluster is gone. A failed step alone does not make it an error: transient clusters end in plain TERMINATED."""
    status = cluster["Status"]
    if status["State"] in ENDED:
        return
    reason = status["StateChangeReason"]
    clean = reason.get("Code") in ("USER_REQUEST", "ALL_STEPS_COMPLETED")
    clean = clean or reason.get("Message") == "Steps completed with errors"
    status["State"] = "TERMINATED" if clean else "TERMINATED_WITH_ERRORS"
    status["Timeline"]["EndDateTime"] = now()
    move_instances(store, cluster, "TERMINATED")


def move_instances(store: Store, cluster: Cluster, state: str) -> None:
    """All groups or fleets of a cluster, and their instances, to one state."""
    for group in cluster["_Groups"]:
        for item in (group, *group["_Instances"]):
            if item["Status"]["State"] != "TERMINATED":
                _set_instance_state(item, state)
        count_running(group)
    store.touch(cluster)


def _set_instance_state(item: dict[str, Any], state: str) -> None:
    status = item["Status"]
    status["State"] = state
    if state == "RUNNING":
        status["Timeline"].setdefault("ReadyDateTime", now())
    elif state == "TERMINATED":
        status["Timeline"]["EndDateTime"] = now()
        status["StateChangeReason"] = {"Code": "CLUSTER_TERMINATED", "Message": "Job flow terminated"}


def count_running(group: dict[str, Any]) -> None:
    """A group's or fleet's count of running instances, after these have changed."""
    running = [i["Market"] for i in group["_Instances"] if i["Status"]["State"] == "RUNNING"]
    if "InstanceFleetType" in group:
        weight = group["InstanceTypeSpecifications"][0]["WeightedCapacity"]
        group["ProvisionedSpotCapacity"] = running.count("SPOT") * weight
        group["ProvisionedOnDemandCapacity"] = running.count("ON_DEMAND") * weight
    else:
        group["RunningInstanceCount"] = len(running)


def step_starts(store: Store, cluster: Cluster, step: Step) -> None:
    step["Status"]["State"] = "RUNNING"
    step["Status"]["Timeline"]["StartDateTime"] = now()
    store.touch(cluster)


def step_ends(store: Store, cluster: Cluster, step: Step, state: str, failure: dict[str, str] | None = None) -> None:
    """COMPLETED, FAILED with its FailureDetails, or CANCELLED. The reason stays empty, as EMR leaves it."""
    step["Status"]["State"] = state
    step["Status"]["Timeline"]["EndDateTime"] = now()
    if failure:
        step["Status"]["FailureDetails"] = failure
    store.touch(cluster)


def cancel_pending_steps(store: Store, cluster: Cluster) -> None:
    for step in cluster["_Steps"]:
        if step["Status"]["State"] == "PENDING":
            step_ends(store, cluster, step, "CANCELLED")


def master_instance(cluster: Cluster) -> str:
    """The EC2 id of a cluster's primary node."""
    return next(str(g["_Instances"][0]["Ec2InstanceId"]) for g in cluster["_Groups"] if g["_Role"] == "MASTER")
