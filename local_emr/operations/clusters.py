"""Operations on clusters as a whole."""

import math
from typing import Any

from local_emr import lifecycle
from local_emr.errors import validation_error
from local_emr.operations import checks
from local_emr.operations.context import Emr, newest_first, page
from local_emr.operations.policies import check_idle_timeout, check_managed_scaling
from local_emr.records import new_cluster
from local_emr.store import Cluster, now

Answer = dict[str, Any]
MAX_JOB_FLOW_IDS = 10  # in one TerminateJobFlows
SIZE_FACTORS = {"small": 1, "medium": 2, "large": 4, "xlarge": 8}  # normalized hours of one hour, m1.small = 1


def run_job_flow(emr: Emr, region: str, **request: Any) -> Answer:
    """A new cluster. What AWS refuses at once is refused here; the rest is found out while it is STARTING."""
    checks.check_cluster(region, request)
    check_idle_timeout(request.get("AutoTerminationPolicy"))
    check_managed_scaling(request.get("ManagedScalingPolicy"))
    if (name := request.get("SecurityConfiguration")) and not emr.store.account.security_configuration(region, name):
        raise validation_error(f"Security configuration with name '{name}' does not exist.")
    if not emr.directory.has_instance_profile(request["JobFlowRole"]):
        raise validation_error(f"Invalid InstanceProfile: {request['JobFlowRole']}.")
    cluster = new_cluster(region, request)
    emr.store.add(cluster)
    emr.launch(cluster)
    return {"JobFlowId": cluster["Id"], "ClusterArn": cluster["ClusterArn"]}


def describe_cluster(emr: Emr, region: str, ClusterId: str) -> Answer:
    return {"Cluster": _described(emr.cluster(region, ClusterId))}


def _described(cluster: Cluster) -> Cluster:
    return {**cluster, "NormalizedInstanceHours": normalized_hours(cluster)}


def normalized_hours(cluster: Cluster) -> int:
    """m1.small hours of every instance, each begun hour counted whole, from when it was ready."""
    total = 0
    for group in cluster["_Groups"]:
        for instance in group["_Instances"]:
            timeline = instance["Status"]["Timeline"]
            if "ReadyDateTime" in timeline:
                hours = max(1, math.ceil((timeline.get("EndDateTime", now()) - timeline["ReadyDateTime"]) / 3600))
                total += hours * _size_factor(instance["InstanceType"])
    return total


def _size_factor(instance_type: str) -> int:
    size = instance_type.partition(".")[2]
    many = size.removesuffix("xlarge")
    return 8 * int(many) if many.isdigit() else SIZE_FACTORS.get(size, 8)


def list_clusters(
    emr: Emr,
    region: str,
    CreatedAfter: float | None = None,
    CreatedBefore: float | None = None,
    ClusterStates: list[str] | None = None,
    Marker: str | None = None,
) -> Answer:
    numbered = list(enumerate(emr.store.clusters.values()))[::-1]
    found = (
        (number, _described(c))
        for number, c in numbered
        if c["_Region"] == region
        and created_within(c, CreatedAfter, CreatedBefore)
        and (not ClusterStates or c["Status"]["State"] in ClusterStates)
    )
    return newest_first(found, Marker, "Clusters")


def created_within(cluster: Cluster, after: float | None, before: float | None) -> bool:
    created = cluster["Status"]["Timeline"]["CreationDateTime"]
    return (after is None or created > after) and (before is None or created < before)


def terminate_job_flows(emr: Emr, region: str, JobFlowIds: list[str]) -> None:
    """Those that are protected stay; the others in the same call still end."""
    if len(JobFlowIds) > MAX_JOB_FLOW_IDS:
        raise validation_error(f"A maximum of {MAX_JOB_FLOW_IDS} job flow ids can be specified.")
    clusters = [emr.job_flow(region, job_flow_id) for job_flow_id in JobFlowIds]
    for cluster in clusters:
        if not protected(cluster):
            lifecycle.end(emr.store, cluster, "USER_REQUEST", "Terminated by user request")
    if any(protected(cluster) for cluster in clusters):
        raise validation_error("Could not shut down one or more job flows since they are termination protected.")


def protected(cluster: Cluster) -> bool:
    """Whether termination protection holds: it does nothing on a transient cluster, or one that is ending anyway."""
    ending = cluster["Status"]["State"].startswith("TERMINAT")
    return bool(cluster["TerminationProtected"]) and not cluster["AutoTerminate"] and not ending


def modify_cluster(
    emr: Emr, region: str, ClusterId: str, StepConcurrencyLevel: int | None = None, ExtendedSupport: bool | None = None
) -> Answer:
    cluster = emr.live_cluster(region, ClusterId)
    if StepConcurrencyLevel is not None:
        checks.check_concurrency(StepConcurrencyLevel)
        cluster["StepConcurrencyLevel"] = StepConcurrencyLevel
    if ExtendedSupport is not None:
        cluster["ExtendedSupport"] = ExtendedSupport
    emr.store.touch(cluster)
    return cluster


def _set(emr: Emr, region: str, job_flow_ids: list[str], **values: Any) -> None:
    clusters = [emr.live_job_flow(region, job_flow_id) for job_flow_id in job_flow_ids]
    for cluster in clusters:
        cluster.update(values)
        emr.store.touch(cluster)


def set_termination_protection(emr: Emr, region: str, JobFlowIds: list[str], TerminationProtected: bool) -> None:
    _set(emr, region, JobFlowIds, TerminationProtected=TerminationProtected)


def set_keep_job_flow_alive_when_no_steps(
    emr: Emr, region: str, JobFlowIds: list[str], KeepJobFlowAliveWhenNoSteps: bool
) -> None:
    _set(emr, region, JobFlowIds, AutoTerminate=not KeepJobFlowAliveWhenNoSteps)


def set_visible_to_all_users(emr: Emr, region: str, JobFlowIds: list[str], VisibleToAllUsers: bool) -> None:
    _set(emr, region, JobFlowIds, VisibleToAllUsers=VisibleToAllUsers)


def set_unhealthy_node_replacement(
    emr: Emr, region: str, JobFlowIds: list[str], UnhealthyNodeReplacement: bool
) -> None:
    _set(emr, region, JobFlowIds, UnhealthyNodeReplacement=UnhealthyNodeReplacement)


def list_bootstrap_actions(emr: Emr, region: str, ClusterId: str, Marker: str | None = None) -> Answer:
    return page(emr.cluster(region, ClusterId)["_Bootstrap"], Marker, "BootstrapActions")
