"""Operations on the automatic scaling policies of instance groups: kept and told, not acted on."""

from typing import Any

from local_emr.errors import invalid_request, validation_error
from local_emr.operations import checks
from local_emr.operations.context import Emr, check_live

Answer = dict[str, Any]


def put_auto_scaling_policy(
    emr: Emr, region: str, ClusterId: str, InstanceGroupId: str, AutoScalingPolicy: dict[str, Any]
) -> Answer:
    """EMR answers PENDING, and shows ATTACHED a little later."""
    group = _scalable(emr, region, ClusterId, InstanceGroupId)
    checks.check_auto_scaling(AutoScalingPolicy)
    group["AutoScalingPolicy"] = with_state(AutoScalingPolicy, "ATTACHED")
    cluster = emr.cluster(region, ClusterId)
    emr.store.touch(cluster)
    return {
        "ClusterId": ClusterId,
        "ClusterArn": cluster["ClusterArn"],
        "InstanceGroupId": InstanceGroupId,
        "AutoScalingPolicy": with_state(AutoScalingPolicy, "PENDING"),
    }


def with_state(policy: dict[str, Any], state: str) -> Answer:
    """AutoScalingPolicyDescription of an AutoScalingPolicy."""
    return {**policy, "Status": {"State": state, "StateChangeReason": {"Code": "USER_REQUEST", "Message": ""}}}


def remove_auto_scaling_policy(emr: Emr, region: str, ClusterId: str, InstanceGroupId: str) -> Answer:
    group = _scalable(emr, region, ClusterId, InstanceGroupId)
    group["AutoScalingPolicy"] = None
    emr.store.touch(emr.cluster(region, ClusterId))
    return {}


def _scalable(emr: Emr, region: str, cluster_id: str, group_id: str) -> dict[str, Any]:
    """A core or task group of a live cluster: the record itself."""
    cluster = emr.cluster(region, cluster_id)
    check_live(cluster)
    groups: list[dict[str, Any]] = cluster["_Groups"]
    group = next((g for g in groups if g["Id"] == group_id and "InstanceGroupType" in g), None)
    if group is None:
        raise invalid_request(f"Instance group id '{group_id}' is not valid.")
    if group["_Role"] == "MASTER":
        raise validation_error("An automatic scaling policy cannot be attached to the master instance group.")
    return group
