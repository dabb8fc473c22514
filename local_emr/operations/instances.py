"""Operations on instance groups, fleets and instances."""

from collections.abc import Callable
from typing import Any

from local_emr.errors import ApiError, invalid_request, validation_error
from local_emr.operations import checks, resizing
from local_emr.operations.context import Emr, page
from local_emr.records import new_fleets, new_groups
from local_emr.store import Cluster

Answer = dict[str, Any]
INSTANCES_PAGE = 2000
WRONG_COLLECTION = (
    "Instance fleets and instance groups are mutually exclusive. The EMR cluster specified in the request uses "
    "instance {has}. The {operation} operation does not support clusters that use instance {has}. "
    "Use the {other} operation instead."
)


def _collection(emr: Emr, region: str, cluster_id: str, has: str, operation: str, other: str) -> Cluster:
    """A cluster of instance groups or fleets (`has`), else the error that names the operation for it."""
    cluster = emr.cluster(region, cluster_id)
    actual = "fleets" if cluster["InstanceCollectionType"] == "INSTANCE_FLEET" else "groups"
    if actual != has:
        message = WRONG_COLLECTION.format(has=actual, operation=operation, other=other)
        raise invalid_request(message, f"API_DOES_NOT_SUPPORT_INSTANCE_{actual[:-1].upper()}_CLUSTERS")
    resizing.settle(emr.store, cluster)
    return cluster


def list_instance_groups(emr: Emr, region: str, ClusterId: str, Marker: str | None = None) -> Answer:
    cluster = _collection(emr, region, ClusterId, "groups", "ListInstanceGroups", "ListInstanceFleets")
    return page(cluster["_Groups"], Marker, "InstanceGroups")


def list_instance_fleets(emr: Emr, region: str, ClusterId: str, Marker: str | None = None) -> Answer:
    cluster = _collection(emr, region, ClusterId, "fleets", "ListInstanceFleets", "ListInstanceGroups")
    return page(cluster["_Groups"], Marker, "InstanceFleets")


def list_instances(
    emr: Emr,
    region: str,
    ClusterId: str,
    InstanceGroupId: str | None = None,
    InstanceGroupTypes: list[str] | None = None,
    InstanceFleetId: str | None = None,
    InstanceFleetType: str | None = None,
    InstanceStates: list[str] | None = None,
    Marker: str | None = None,
) -> Answer:
    cluster = emr.cluster(region, ClusterId)
    resizing.settle(emr.store, cluster)
    if InstanceGroupId:
        _group(cluster, InstanceGroupId)
    if InstanceFleetId:
        _group(cluster, InstanceFleetId, "fleet")
    wanted_id = InstanceGroupId or InstanceFleetId
    roles = InstanceGroupTypes or ([InstanceFleetType] if InstanceFleetType else None)
    id_member = "InstanceFleetId" if cluster["InstanceCollectionType"] == "INSTANCE_FLEET" else "InstanceGroupId"
    found = [
        {**instance, id_member: group["Id"]}
        for group in cluster["_Groups"]
        if (not wanted_id or group["Id"] == wanted_id) and (not roles or group["_Role"] in roles)
        for instance in group["_Instances"]
        if not InstanceStates or instance["Status"]["State"] in InstanceStates
    ]
    return page(found, Marker, "Instances", INSTANCES_PAGE)


def _group(cluster: Cluster, group_id: str, kind: str = "group") -> Answer:
    """The record of an instance group, or fleet, of this id."""
    groups: list[Answer] = cluster["_Groups"]
    for group in groups:
        if group["Id"] == group_id and f"Instance{kind.title()}Type" in group:
            return group
    raise invalid_request(f"Instance {kind} id '{group_id}' is not valid.")


def add_instance_groups(emr: Emr, region: str, JobFlowId: str, InstanceGroups: list[dict[str, Any]]) -> Answer:
    cluster = emr.live_job_flow(region, JobFlowId)
    if cluster["InstanceCollectionType"] == "INSTANCE_FLEET":
        raise validation_error("Instance groups cannot be added to a cluster that uses instance fleets.")
    _check_roles(cluster, [config["InstanceRole"] for config in InstanceGroups], "group")
    checks.check_groups(cluster.get("ReleaseLabel"), InstanceGroups)
    groups = new_groups(InstanceGroups)
    resizing.add(cluster, groups)
    emr.store.touch(cluster)
    return {
        "JobFlowId": JobFlowId,
        "ClusterArn": cluster["ClusterArn"],
        "InstanceGroupIds": [group["Id"] for group in groups],
    }


def add_instance_fleet(emr: Emr, region: str, ClusterId: str, InstanceFleet: dict[str, Any]) -> Answer:
    cluster = emr.live_cluster(region, ClusterId)
    if cluster["InstanceCollectionType"] == "INSTANCE_GROUP":
        raise invalid_request("Instance fleets cannot be added to a cluster that uses instance groups.")
    _check_roles(cluster, [InstanceFleet["InstanceFleetType"]], "fleet")
    checks.check_fleets(cluster.get("ReleaseLabel"), [InstanceFleet])
    fleets = new_fleets([InstanceFleet])
    resizing.add(cluster, fleets)
    emr.store.touch(cluster)
    return {"ClusterId": ClusterId, "ClusterArn": cluster["ClusterArn"], "InstanceFleetId": fleets[0]["Id"]}


def _check_roles(cluster: Cluster, added: list[str], kind: str) -> None:
    """A cluster keeps its one primary, and has at most one core group; of fleets, one of each sort."""
    roles = [group["_Role"] for group in cluster["_Groups"]] + added
    single = ("MASTER", "CORE", "TASK") if kind == "fleet" else ("MASTER", "CORE")
    for role in single:
        if roles.count(role) > 1:
            raise validation_error(f"Multiple {role.lower()} instance {kind}s supplied, a cluster can have only one")
    if len(roles) > checks.MAX_GROUPS:
        raise validation_error(f"A cluster can have at most {checks.MAX_GROUPS} instance groups.")


def modify_instance_groups(
    emr: Emr, region: str, ClusterId: str | None = None, InstanceGroups: list[dict[str, Any]] | None = None
) -> None:
    """Resize groups, or change their configurations: all of them, or none."""
    changes = InstanceGroups or []
    found = [_changing_group(emr, region, ClusterId, change["InstanceGroupId"]) for change in changes]
    for change, (_, group) in zip(changes, found, strict=True):
        _check_change(group, change)
    for change, (cluster, group) in zip(changes, found, strict=True):
        _change(group, change)
        emr.store.touch(cluster)


def _changing_group(emr: Emr, region: str, cluster_id: str | None, group_id: str) -> tuple[Cluster, Answer]:
    candidates = [emr.cluster(region, cluster_id)] if cluster_id else list(emr.store.clusters.values())
    for cluster in candidates:
        for group in cluster["_Groups"]:
            if group["Id"] == group_id and "InstanceGroupType" in group and cluster["_Region"] == region:
                _check_ready(cluster, "group", validation_error)
                resizing.settle(emr.store, cluster)
                return cluster, group
    raise invalid_request(f"Instance group id '{group_id}' is not valid.")


def _check_ready(cluster: Cluster, kind: str, error: Callable[[str], ApiError]) -> None:
    if not resizing.is_ready(cluster):
        raise error(f"An instance {kind} may only be modified when the cluster is running or waiting.")


def _check_change(group: Answer, change: dict[str, Any]) -> None:
    fewer = len(change.get("EC2InstanceIdsToTerminate", []))
    count = change.get("InstanceCount", group["RequestedInstanceCount"] - fewer)
    if count < 0 or (count < 1 and group["_Role"] == "MASTER"):
        raise validation_error(f"The {group['_Role'].lower()} instance group cannot have {count} instances.")
    if group["_Role"] == "MASTER" and count != group["RequestedInstanceCount"]:
        raise validation_error("The master instance group cannot be resized.")


def _change(group: Answer, change: dict[str, Any]) -> None:
    if "ShrinkPolicy" in change:
        group["ShrinkPolicy"] = change["ShrinkPolicy"]
    if "Configurations" in change:
        version = group.get("ConfigurationsVersion", 0) + 1
        group.update(Configurations=change["Configurations"], ConfigurationsVersion=version)
        group.update(
            LastSuccessfullyAppliedConfigurations=change["Configurations"],
            LastSuccessfullyAppliedConfigurationsVersion=version,
        )
        resizing.begin(group, "RECONFIGURING")
    named = [
        *change.get("EC2InstanceIdsToTerminate", []),
        *change.get("ShrinkPolicy", {}).get("InstanceResizePolicy", {}).get("InstancesToTerminate", []),
    ]
    fewer = len(change.get("EC2InstanceIdsToTerminate", []))
    count = change.get("InstanceCount", group["RequestedInstanceCount"] - fewer)
    if count != group["RequestedInstanceCount"]:
        group["RequestedInstanceCount"] = count
        resizing.begin(group)
        resizing.resize(group, group["InstanceType"], group["Market"], count, named)


def modify_instance_fleet(emr: Emr, region: str, ClusterId: str, InstanceFleet: dict[str, Any]) -> None:
    """New target capacities of a fleet."""
    cluster = emr.live_cluster(region, ClusterId)
    fleet = _group(cluster, InstanceFleet["InstanceFleetId"], "fleet")
    _check_ready(cluster, "fleet", invalid_request)
    resizing.settle(emr.store, cluster)
    if fleet["_Role"] == "MASTER":
        raise invalid_request("The master instance fleet cannot be resized.")
    for member in ("ResizeSpecifications", "Context"):
        if member in InstanceFleet:
            fleet[member] = InstanceFleet[member]
    first = fleet["InstanceTypeSpecifications"][0]
    for market, member in (("ON_DEMAND", "TargetOnDemandCapacity"), ("SPOT", "TargetSpotCapacity")):
        if InstanceFleet.get(member, fleet[member]) != fleet[member]:
            fleet[member] = InstanceFleet[member]
            resizing.begin(fleet)
            instances = -(-fleet[member] // first["WeightedCapacity"])
            resizing.resize(fleet, first["InstanceType"], market, instances, [])
    emr.store.touch(cluster)
