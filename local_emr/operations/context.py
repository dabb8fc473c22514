"""What every operation works with, and the look-ups that they share."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

from local_emr.errors import invalid_request, validation_error
from local_emr.store import ENDING, Cluster, Step, Store

PAGE = 50  # items in a page of EMR's lists, by the API reference


class Directory(Protocol):
    """What the other AWS services know. See `services`."""

    def has_instance_profile(self, name: str) -> bool: ...


@dataclass
class Emr:
    """One account's EMR. `launch` is told of every new cluster, in the transaction that publishes it."""

    store: Store
    directory: Directory
    launch: Callable[[Cluster], None]
    security_configurations: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)  # by region and name
    block_public_access: dict[str, dict[str, Any]] = field(default_factory=dict)  # by region

    def cluster(self, region: str, cluster_id: str | None) -> Cluster:
        """For the operations that say ClusterId."""
        cluster = self.store.clusters.get(cluster_id or "")
        if cluster is None or cluster["_Region"] != region:
            raise invalid_request(f"Cluster id '{cluster_id}' is not valid.", "NoSuchCluster")
        return cluster

    def live_cluster(self, region: str, cluster_id: str | None) -> Cluster:
        """For the operations that say ClusterId and change it."""
        cluster = self.cluster(region, cluster_id)
        if cluster["Status"]["State"] in ENDING:
            raise invalid_request(
                f"Cluster {cluster_id} is in {cluster['Status']['State']} state and cannot be modified."
            )
        return cluster

    def job_flow(self, region: str, job_flow_id: str) -> Cluster:
        """For the operations that say JobFlowId; they word it differently."""
        cluster = self.store.clusters.get(job_flow_id)
        if cluster is None or cluster["_Region"] != region:
            raise validation_error("Specified job flow ID not valid")
        return cluster

    def live_job_flow(self, region: str, job_flow_id: str) -> Cluster:
        """For the operations that say JobFlowId and change it."""
        cluster = self.job_flow(region, job_flow_id)
        if cluster["Status"]["State"] in ENDING:
            raise validation_error("A job flow that is shutting down, terminated, or finished may not be modified.")
        return cluster


def steps_by_id(cluster: Cluster, step_ids: list[str]) -> list[Step]:
    """The steps of these ids, in this order."""
    known = {step["Id"]: step for step in cluster["_Steps"]}
    for step_id in step_ids:
        if step_id not in known:
            raise invalid_request(f"Step id '{step_id}' is not valid.")
    return [known[step_id] for step_id in step_ids]


def page(
    items: list[Any], marker: str | None, key: str, size: int = PAGE, marker_key: str = "Marker"
) -> dict[str, Any]:
    """One page of a list, as the response's members. The marker is the place to go on from."""
    if marker is not None and not marker.isdigit():
        raise invalid_request(f"Marker '{marker}' is not valid.")
    start = int(marker or 0)
    answer: dict[str, Any] = {key: items[start : start + size]}
    if start + size < len(items):
        answer[marker_key] = str(start + size)
    return answer
