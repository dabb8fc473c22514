"""terminate: end a cluster and wait until it is gone."""

from __future__ import annotations

from collections.abc import Iterator

from scripts.aws import Clients
from scripts.config import Settings
from scripts.create_cluster import describe, status_of
from scripts.errors import AwsError, TimedOut, doing
from scripts.lifecycle import CLUSTER_GONE, ENDED_CLUSTER, Status, follow


def is_gone(clients: Clients, cluster_id: str) -> bool:
    """Whether the cluster has ended (a TERMINATING one has not yet)."""
    return status_of(describe(clients, cluster_id)).state in ENDED_CLUSTER


def terminate(clients: Clients, settings: Settings, cluster_id: str) -> Iterator[Status]:
    """Ask for the end of the cluster, then yield each new status until it has come.

    Raises:
        AwsError: EMR refuses, for example because of termination protection.
        TimedOut: CLUSTER_READY_TIMEOUT has passed and it still is not gone.
    """
    by_hand = f"Look at it in the AWS console, or `aws emr terminate-clusters --cluster-ids {cluster_id}`."
    try:
        with doing(f"terminating cluster {cluster_id}"):
            clients.emr.terminate_job_flows(JobFlowIds=[cluster_id])
        yield from follow(
            lambda: status_of(describe(clients, cluster_id)),
            CLUSTER_GONE,
            every=settings.poll_interval,
            timeout=settings.cluster_ready_timeout,
        )
    except (AwsError, TimedOut) as error:
        # The one failure that goes on costing: the id stands in the message whatever went wrong.
        error.remedy = f"{error.remedy} {by_hand}".strip()
        raise
