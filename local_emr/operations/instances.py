"""Operations on instance groups, fleets and instances."""

from typing import Any

from local_emr import lifecycle
from local_emr.errors import invalid_request
from local_emr.operations.context import Emr, page
from local_emr.records import new_instance
from local_emr.store import Cluster, now

Answer = dict[str, Any]
INSTANCES_PAGE = 2000


def list_instance_groups(emr: Emr, region: str, ClusterId: str, Marker: str | None = None) -> Answer:
    cluster = emr.cluster(region, ClusterId)
    if cluster["InstanceCollectionType"] == "INSTANCE_FLEET":
        raise invalid_request(
            "Instance fleets and instance groups are mutually exclusive. The EMR cluster specified in the request uses "
            "instance fleets. The ListInstanceGroups request only supports clusters that use instance groups. "
            "Use the ListInstanceFleets operation instead."
        )
    return page(cluster["_Groups"], Marker, "InstanceGroups")


def list_instance_fleets(emr: Emr, region: str, ClusterId: str, Marker: str | None = None) -> Answer:
    cluster = emr.cluster(region, ClusterId)
    if cluster["InstanceCollectionType"] == "INSTANCE_GROUP":
        raise invalid_request(
            "Instance fleets and instance groups are mutually exclusive. The EMR cluster specified in the request uses "
            "instance groups. The ListInstanceFleets request only supports clusters that use instance fleets. "
            "Use the ListInstanceGroups operation instead."
        )
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


def modify_instance_groups(
    emr: Emr, region: str, ClusterId: str | None = None, InstanceGroups: list[dict[str, Any]] | None = None
) -> None:
    """Resize groups, or change their configurations. Local nodes cost nothing: the new size is there at once."""
    for change in InstanceGroups or []:
        cluster, group = _group(emr, region, ClusterId, change["InstanceGroupId"])
        if "Configurations" in change:
            group["Configurations"] = change["Configurations"]
        count = change.get("InstanceCount")
        if count is not None and count < 1 and group["_Role"] != "TASK":
            raise invalid_request(f"The {group['_Role'].lower()} instance group must have at least 1 instance.")
        if count is not None and group["_Role"] == "MASTER" and count != group["RequestedInstanceCount"]:
            raise invalid_request("The master instance group cannot be resized.")
        _resize(
            cluster,
            group,
            group["RequestedInstanceCount"] if count is None else count,
            change.get("EC2InstanceIdsToTerminate", []),
        )
        emr.store.touch(cluster)


def _group(emr: Emr, region: str, cluster_id: str | None, group_id: str) -> tuple[Cluster, dict[str, Any]]:
    candidates = [emr.live_cluster(region, cluster_id)] if cluster_id else emr.store.clusters.values()
    for cluster in candidates:
        for group in cluster["_Groups"]:
            if group["Id"] == group_id and cluster["_Region"] == region:
                return emr.live_cluster(region, cluster["Id"]), group
    raise invalid_request(f"Instance group id '{group_id}' is not valid.")


def _resize(cluster: Cluster, group: dict[str, Any], count: int, first_to_go: list[str]) -> None:
    alive = [i for i in group["_Instances"] if i["Status"]["State"] != "TERMINATED"]
    alive.sort(key=lambda i: i["Ec2InstanceId"] in first_to_go)  # those that were named go first, else the newest
    for instance in alive[count:]:
        instance["Status"].update(State="TERMINATED", StateChangeReason={"Message": "Instance was terminated."})
        instance["Status"]["Timeline"]["EndDateTime"] = now()
    for _ in range(count - len(alive)):
        instance = new_instance(group["InstanceType"], group["Market"])
        instance["Status"]["State"] = group["Status"]["State"]
        instance["Status"]["Timeline"]["ReadyDateTime"] = now()
        group["_Instances"].append(instance)
    group["RequestedInstanceCount"] = count
    lifecycle.count_running(group)
