"""What every operation works with, and the look-ups that they share."""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Protocol

from local_emr.errors import invalid_request, validation_error
from local_emr.store import ENDING, Cluster, Step, Store

PAGE = 50  # items in a page of EMR's lists, by the API reference
WELL_FORMED = r"[A-Za-z0-9-]{1,256}"  # what is no id at all, EMR refuses with another error than an unknown id
ENDED_MESSAGE = "A job flow that is shutting down, terminated, or finished may not be modified."


class Directory(Protocol):
    """What the other AWS services know. See `services`."""

    def has_instance_profile(self, name: str) -> bool: ...


@dataclass
class Emr:
    """One account's EMR. `launch` is told of every new cluster, in the transaction that publishes it."""

    store: Store
    directory: Directory
    launch: Callable[[Cluster], None]

    def cluster(self, region: str, cluster_id: str | None) -> Cluster:
        """For the operations that say ClusterId."""
        cluster = self.store.clusters.get(cluster_id or "")
        if cluster is not None and cluster["_Region"] == region:
            return cluster
        if not re.fullmatch(WELL_FORMED, cluster_id or ""):
            raise validation_error(f"clusterId '{cluster_id}' is not valid.")
        raise invalid_request(f"Cluster id '{cluster_id}' is not valid.", "NoSuchCluster")

    def live_cluster(self, region: str, cluster_id: str | None) -> Cluster:
        """For the operations that say ClusterId and change it."""
        cluster = self.cluster(region, cluster_id)
        if cluster["Status"]["State"] in ENDING:
            raise invalid_request(ENDED_MESSAGE)
        return cluster

    def job_flow(self, region: str, job_flow_id: str) -> Cluster:
        """For the operations that say JobFlowId; they word it differently."""
        cluster = self.store.clusters.get(job_flow_id)
        if cluster is None or cluster["_Region"] != region:
            raise validation_error("Specified job flow ID not valid.")
        return cluster

    def live_job_flow(self, region: str, job_flow_id: str) -> Cluster:
        """For the operations that say JobFlowId and change it; policies of a cluster are refused likewise."""
        cluster = self.job_flow(region, job_flow_id)
        check_live(cluster)
        return cluster


def check_live(cluster: Cluster) -> None:
    if cluster["Status"]["State"] in ENDING:
        raise validation_error(ENDED_MESSAGE)


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
    start = _place(marker) or 0
    answer: dict[str, Any] = {key: items[start : start + size]}
    if start + size < len(items):
        answer[marker_key] = str(start + size)
    return answer


def newest_first(numbered: Iterable[tuple[int, Any]], marker: str | None, key: str, size: int = PAGE) -> dict[str, Any]:
    """A page of what only ever grows at its new end: (number, item) from the newest.

    The marker is the number of the last item told: what is added meanwhile, or leaves the filter, shifts nothing.
    """
    before = _place(marker)
    found = [(number, item) for number, item in numbered if before is None or number < before]
    answer: dict[str, Any] = {key: [item for _, item in found[:size]]}
    if len(found) > size:
        answer["Marker"] = str(found[size - 1][0])
    return answer


def _place(marker: str | None) -> int | None:
    if not marker:
        return None
    if not marker.isascii() or not marker.isdigit():
        raise invalid_request(f"Marker '{marker}' is not valid.")
    return int(marker)
