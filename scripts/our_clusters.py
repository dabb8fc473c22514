"""status: every cluster that carries our tag, from whichever machine it was begun; and `terminate --all-ours`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timezone

from scripts.aws import Clients
from scripts.create_cluster import OUR_TAG, OWNER_TAG, describe, status_of, tags_of
from scripts.errors import doing
from scripts.lifecycle import ACTIVE_STEP, LIVE_CLUSTER, Status

LIVE_OR_ENDING = LIVE_CLUSTER | {"TERMINATING"}


@dataclass(frozen=True)
class OurCluster:
    """A cluster of ours that has not ended. `age` and `idle` are seconds; `idle` None: it starts or works."""

    cluster_id: str
    name: str
    status: Status
    age: float
    idle: float | None
    instance_hours: float
    run: str
    owner: str


def our_clusters(clients: Clients, now: datetime | None = None) -> Iterator[OurCluster]:
    """Yield those of the account and region that have not ended, newest first.

    Raises:
        AwsError: EMR cannot be asked.
    """
    now = now or datetime.now(timezone.utc)
    with doing("listing the clusters"):
        pages = clients.emr.get_paginator("list_clusters").paginate(ClusterStates=sorted(LIVE_OR_ENDING))  # type: ignore[arg-type]
        ids = [cluster["Id"] for page in pages for cluster in page["Clusters"]]
    for cluster_id in ids:
        cluster = describe(clients, cluster_id)
        tags = tags_of(cluster)
        if OUR_TAG not in tags:
            continue
        times = cluster["Status"].get("Timeline", {})
        created = times.get("CreationDateTime", now)
        yield OurCluster(
            cluster_id=cluster_id,
            name=cluster["Name"],
            status=status_of(cluster),
            age=(now - created).total_seconds(),
            idle=_idle(clients, cluster_id, times.get("ReadyDateTime"), now),
            instance_hours=_instance_hours(clients, cluster_id, now),
            run=tags[OUR_TAG],
            owner=tags.get(OWNER_TAG, ""),
        )


def _idle(clients: Clients, cluster_id: str, ready: datetime | None, now: datetime) -> float | None:
    """Seconds since the last step ended, or since the cluster was ready; None while it starts or works."""
    with doing(f"looking at the steps of {cluster_id}"):
        steps = clients.emr.list_steps(ClusterId=cluster_id)["Steps"]
    if ready is None or any(step["Status"]["State"] in ACTIVE_STEP for step in steps):
        return None
    ends = [step["Status"].get("Timeline", {}).get("EndDateTime", ready) for step in steps]
    return (now - max([ready, *ends])).total_seconds()


def _instance_hours(clients: Clients, cluster_id: str, now: datetime) -> float:
    """Hours of instances so far, each from its creation: what EC2 and EMR charge by."""
    hours = 0.0
    with doing(f"looking at the instances of {cluster_id}"):
        for page in clients.emr.get_paginator("list_instances").paginate(ClusterId=cluster_id):
            for instance in page["Instances"]:
                times = instance.get("Status", {}).get("Timeline", {})
                if created := times.get("CreationDateTime"):
                    hours += (times.get("EndDateTime", now) - created).total_seconds() / 3600
    return hours
