"""Operations on a cluster's auto-termination and managed scaling policies."""

from typing import Any

from local_emr.errors import validation_error
from local_emr.operations.context import Emr, check_live

Answer = dict[str, Any]
IDLE_TIMEOUTS = range(60, 604_801)  # seconds
DEFAULT_IDLE_TIMEOUT = 3600


def check_idle_timeout(policy: dict[str, Any] | None) -> None:
    if policy and policy.get("IdleTimeout", DEFAULT_IDLE_TIMEOUT) not in IDLE_TIMEOUTS:
        raise validation_error("The IdleTimeout of an auto-termination policy must be between 60 and 604800 seconds.")


def check_managed_scaling(policy: dict[str, Any] | None) -> None:
    limits = (policy or {}).get("ComputeLimits")
    if limits is None:
        return
    low, high = limits["MinimumCapacityUnits"], limits["MaximumCapacityUnits"]
    problem = None
    if low < 1:
        problem = "The min capacity must be at least 1"
    elif low > high:
        problem = "The min capacity cannot be higher than max capacity"
    elif limits.get("MaximumCoreCapacityUnits", high) > high:
        problem = "The max Core capacity cannot be higher than max capacity"
    elif limits.get("MaximumOnDemandCapacityUnits", high) > high:
        problem = "The max On-Demand capacity cannot be higher than max capacity"
    if problem:
        raise validation_error(f"Invalid configuration for managed scaling. {problem}")


def put_auto_termination_policy(
    emr: Emr, region: str, ClusterId: str, AutoTerminationPolicy: dict[str, Any] | None = None
) -> Answer:
    check_idle_timeout(AutoTerminationPolicy)
    return _set(emr, region, ClusterId, "_AutoTermination", AutoTerminationPolicy or {})


def get_auto_termination_policy(emr: Emr, region: str, ClusterId: str) -> Answer:
    policy = emr.cluster(region, ClusterId)["_AutoTermination"]
    if policy is None:
        return {}
    return {"AutoTerminationPolicy": {"IdleTimeout": DEFAULT_IDLE_TIMEOUT, **policy}}


def remove_auto_termination_policy(emr: Emr, region: str, ClusterId: str) -> Answer:
    return _set(emr, region, ClusterId, "_AutoTermination", None)


def put_managed_scaling_policy(emr: Emr, region: str, ClusterId: str, ManagedScalingPolicy: dict[str, Any]) -> Answer:
    """Kept and told, and nothing more: local nodes cost nothing."""
    check_managed_scaling(ManagedScalingPolicy)
    return _set(emr, region, ClusterId, "_ManagedScaling", ManagedScalingPolicy)


def get_managed_scaling_policy(emr: Emr, region: str, ClusterId: str) -> Answer:
    return {"ManagedScalingPolicy": emr.cluster(region, ClusterId)["_ManagedScaling"]}


def remove_managed_scaling_policy(emr: Emr, region: str, ClusterId: str) -> Answer:
    return _set(emr, region, ClusterId, "_ManagedScaling", None)


def _set(emr: Emr, region: str, cluster_id: str, key: str, policy: dict[str, Any] | None) -> Answer:
    cluster = emr.cluster(region, cluster_id)
    check_live(cluster)
    cluster[key] = policy
    emr.store.touch(cluster)
    return {}
