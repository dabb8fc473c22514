"""Operations on clusters as a whole."""

import math
from typing import Any

from local_emr import lifecycle
from local_emr.errors import invalid_request, validation_error
from local_emr.operations import releases
from local_emr.operations.context import Emr, page
from local_emr.operations.policies import check_idle_timeout
from local_emr.records import MAX_BOOTSTRAP_ACTIONS, new_cluster
from local_emr.store import Cluster, now

Answer = dict[str, Any]
MAX_CONCURRENT_STEPS = 256
SIZE_FACTORS = {"small": 1, "medium": 2, "large": 4, "xlarge": 8}  # normalized hours of one hour, m1.small = 1


def run_job_flow(emr: Emr, region: str, **request: Any) -> Answer:
    """A new cluster. What AWS refuses at once is refused here; the rest is found out while it is STARTING."""
    _check_instances(request["Instances"])
    releases.check_release_label(region, request.get("ReleaseLabel"))
    _check_concurrency(request.get("StepConcurrencyLevel", 1))
    check_idle_timeout(request.get("AutoTerminationPolicy"))
    if len(request.get("BootstrapActions", [])) > MAX_BOOTSTRAP_ACTIONS:
        raise validation_error(f"A cluster can have at most {MAX_BOOTSTRAP_ACTIONS} bootstrap actions.")
    if not request.get("ServiceRole"):
        raise validation_error("ServiceRole is required for creating cluster.")
    if not request.get("JobFlowRole"):
        raise validation_error("InstanceProfile is required for creating cluster.")
    if not emr.directory.has_instance_profile(request["JobFlowRole"]):
        raise validation_error(f"Invalid InstanceProfile: {request['JobFlowRole']}.")
    cluster = new_cluster(region, request)
    emr.store.add(cluster)
    emr.launch(cluster)
    return {"JobFlowId": cluster["Id"], "ClusterArn": cluster["ClusterArn"]}


def _check_instances(instances: dict[str, Any]) -> None:
    groups, fleets = instances.get("InstanceGroups", []), instances.get("InstanceFleets", [])
    if groups and fleets:
        raise validation_error("InstanceGroups and InstanceFleets are mutually exclusive.")
    if (groups or fleets) and instances.get("MasterInstanceType"):
        raise validation_error("Please configure instances using one and only one of the following: instance groups; "
                               "instance fleets; instance count, master and slave instance type.")  # fmt: skip
    roles = [g["InstanceRole"] for g in groups] + [f["InstanceFleetType"] for f in fleets]
    masters = roles.count("MASTER") + bool(instances.get("MasterInstanceType"))
    kind = "fleet" if fleets else "group"
    if masters == 0:
        raise validation_error(
            f"Zero master instance {kind}s supplied, you must specify exactly one master instance {kind}"
        )
    if masters > 1 or roles.count("CORE") > 1:
        role = "master" if masters > 1 else "core"
        raise validation_error(
            f"Multiple {role} instance {kind}s supplied, you must specify exactly one {role} instance {kind}"
        )
    if any(g["InstanceCount"] < 1 for g in groups if g["InstanceRole"] != "TASK"):
        raise validation_error("Instance count must be at least 1 for the master and core instance groups.")
    if bool(instances.get("EmrManagedMasterSecurityGroup")) != bool(instances.get("EmrManagedSlaveSecurityGroup")):
        raise validation_error(
            "You must specify both EmrManagedMasterSecurityGroup and EmrManagedSlaveSecurityGroup, or neither."
        )


def _check_concurrency(level: int) -> None:
    if not 1 <= level <= MAX_CONCURRENT_STEPS:
        raise validation_error(f"StepConcurrencyLevel must be between 1 and {MAX_CONCURRENT_STEPS}.")


def describe_cluster(emr: Emr, region: str, ClusterId: str) -> Answer:
    return {"Cluster": _described(emr.cluster(region, ClusterId))}


def _described(cluster: Cluster) -> Cluster:
    return {**cluster, "NormalizedInstanceHours": _normalized_hours(cluster)}


def _normalized_hours(cluster: Cluster) -> int:
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
    found = [
        _described(c)
        for c in reversed(emr.store.clusters.values())
        if c["_Region"] == region and _matches(c, CreatedAfter, CreatedBefore, ClusterStates)
    ]
    return page(found, Marker, "Clusters")


def _matches(cluster: Cluster, after: float | None, before: float | None, states: list[str] | None) -> bool:
    created = cluster["Status"]["Timeline"]["CreationDateTime"]
    return (
        (after is None or created > after)
        and (before is None or created < before)
        and (not states or cluster["Status"]["State"] in states)
    )


def terminate_job_flows(emr: Emr, region: str, JobFlowIds: list[str]) -> None:
    """Those that are protected stay; the others in the same call still end."""
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
        _check_concurrency(StepConcurrencyLevel)
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


def add_tags(
    emr: Emr, region: str, ResourceId: str, Tags: list[dict[str, str]], ClusterId: str | None = None
) -> Answer:
    cluster = _taggable(emr, region, ClusterId or ResourceId)
    new = {tag["Key"]: {"Value": "", **tag} for tag in Tags if "Key" in tag}
    cluster["Tags"] = [tag for tag in cluster["Tags"] if tag["Key"] not in new] + list(new.values())
    emr.store.touch(cluster)
    return {}


def remove_tags(emr: Emr, region: str, ResourceId: str, TagKeys: list[str], ClusterId: str | None = None) -> Answer:
    cluster = _taggable(emr, region, ClusterId or ResourceId)
    cluster["Tags"] = [tag for tag in cluster["Tags"] if tag["Key"] not in TagKeys]
    emr.store.touch(cluster)
    return {}


def _taggable(emr: Emr, region: str, cluster_id: str) -> Cluster:
    cluster = emr.cluster(region, cluster_id)
    if cluster["Status"]["State"].startswith("TERMINAT"):
        raise invalid_request("Tags cannot be modified on terminated clusters.")
    return cluster


def describe_job_flows(
    emr: Emr,
    region: str,
    CreatedAfter: float | None = None,
    CreatedBefore: float | None = None,
    JobFlowIds: list[str] | None = None,
    JobFlowStates: list[str] | None = None,
) -> Answer:
    """The oldest of EMR's operations, deprecated and still used; everything of a cluster in one answer."""
    known = [emr.job_flow(region, i) for i in JobFlowIds] if JobFlowIds else list(emr.store.clusters.values())
    return {
        "JobFlows": [
            job_flow_detail(c)
            for c in reversed(known)
            if c["_Region"] == region and _matches(c, CreatedAfter, CreatedBefore, JobFlowStates)
        ]
    }


def job_flow_detail(cluster: Cluster) -> Answer:
    """A cluster in the shape of JobFlowDetail."""
    attributes = cluster["Ec2InstanceAttributes"]
    types = {
        group["_Role"]: group["_Instances"][0]["InstanceType"] for group in cluster["_Groups"] if group["_Instances"]
    }
    return {
        **cluster,
        "JobFlowId": cluster["Id"],
        "AmiVersion": cluster.get("RunningAmiVersion"),
        "JobFlowRole": attributes["IamInstanceProfile"],
        "ExecutionStatusDetail": _execution_status(cluster["Status"]),
        "Instances": {
            **attributes,
            "MasterInstanceType": types.get("MASTER", ""),
            "SlaveInstanceType": types.get("CORE", types.get("MASTER", "")),
            "MasterInstanceId": lifecycle.master_instance(cluster),
            "MasterPublicDnsName": cluster.get("MasterPublicDnsName"),
            "InstanceCount": sum(len(group["_Instances"]) for group in cluster["_Groups"]),
            "InstanceGroups": [
                {
                    **group,
                    **_execution_status(group["Status"]),
                    "InstanceGroupId": group["Id"],
                    "InstanceRole": group["_Role"],
                    "InstanceRequestCount": group["RequestedInstanceCount"],
                    "InstanceRunningCount": group["RunningInstanceCount"],
                }
                for group in cluster["_Groups"]
                if "InstanceGroupType" in group
            ],
            "NormalizedInstanceHours": _normalized_hours(cluster),
            "KeepJobFlowAliveWhenNoSteps": not cluster["AutoTerminate"],
            "TerminationProtected": cluster["TerminationProtected"],
            "Placement": {"AvailabilityZone": attributes["Ec2AvailabilityZone"]},
        },
        "Steps": [
            {
                "StepConfig": {
                    "Name": step["Name"],
                    "ActionOnFailure": step["ActionOnFailure"],
                    "HadoopJarStep": {
                        **step["Config"],
                        "Properties": [{"Key": k, "Value": v} for k, v in step["Config"]["Properties"].items()],
                    },
                },
                "ExecutionStatusDetail": _execution_status(step["Status"]),
            }
            for step in cluster["_Steps"]
        ],
        "BootstrapActions": [
            {
                "BootstrapActionConfig": {
                    "Name": action["Name"],
                    "ScriptBootstrapAction": {"Path": action["ScriptPath"], "Args": action["Args"]},
                }
            }
            for action in cluster["_Bootstrap"]
        ],
    }


def _execution_status(status: Answer) -> Answer:
    timeline = status["Timeline"]
    return {
        **timeline,
        "StartDateTime": timeline.get("StartDateTime", timeline.get("ReadyDateTime")),
        "State": status["State"],
        "LastStateChangeReason": status["StateChangeReason"].get("Message"),
    }
