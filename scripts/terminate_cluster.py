"""terminate: end a cluster and wait until it is gone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from scripts.aws import Clients
from scripts.config import Settings
from scripts.create_cluster import describe, status_of
from scripts.errors import AwsError, TimedOut, doing
from scripts.lifecycle import CLUSTER_GONE, ENDED_CLUSTER, Status, follow, once


def is_gone(clients: Clients, cluster_id: str) -> bool:
    """Whether the cluster has ended (a TERMINATING one has not yet)."""
    return status_of(describe(clients, cluster_id)).state in ENDED_CLUSTER


def ask_to_end(clients: Clients, cluster_ids: Sequence[str]) -> None:
    """TerminateJobFlows, ten clusters a request (EMR's limit); does not wait.

    Raises:
        AwsError: EMR refuses.
    """
    for start in range(0, len(cluster_ids), 10):
        some = list(cluster_ids[start : start + 10])
        with doing(f"terminating {', '.join(some)}"):
            clients.emr.terminate_job_flows(JobFlowIds=some)


def terminate(clients: Clients, settings: Settings, cluster_id: str) -> Iterator[Status]:
    """Ask for the end of the cluster, then yield each new status until it has come.

    Raises:
        AwsError: EMR refuses, for example because of termination protection.
        TimedOut: CLUSTER_READY_TIMEOUT has passed and it still is not gone.
    """
    by_hand = f"Look at it in the AWS console, or `aws emr terminate-clusters --cluster-ids {cluster_id}`."
    try:
        once(  # asking twice does no harm here: it is its patience that is wanted
            lambda: ask_to_end(clients, [cluster_id]), lambda: None, every=settings.poll_interval, renew=clients.renew
        )
        yield from follow(
            lambda: status_of(describe(clients, cluster_id)),
            CLUSTER_GONE,
            every=settings.poll_interval,
            timeout=settings.cluster_ready_timeout,
            renew=clients.renew,
        )
    except (AwsError, TimedOut) as error:
        # The one failure that goes on costing: the id stands in the message whatever went wrong.
        error.remedy = f"{error.remedy} {by_hand}".strip()
        raise
