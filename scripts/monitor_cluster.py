"""monitor: watch a cluster until it can take work."""

from __future__ import annotations

from collections.abc import Iterator

from scripts.aws import Clients
from scripts.config import Settings
from scripts.create_cluster import describe, status_of
from scripts.errors import TimedOut, WorkflowError, doing
from scripts.lifecycle import ACTIVE_STEP, CLUSTER_AT_WORK, CLUSTER_READY, Status, follow


def monitor(clients: Clients, settings: Settings, cluster_id: str) -> Iterator[Status]:
    """Yield each new status until the cluster is ready.

    Raises:
        WorkflowError: it ended, or is ending, instead; with EMR's reason.
        TimedOut: CLUSTER_READY_TIMEOUT has passed; the cluster goes on.
    """
    describe(clients, cluster_id)  # an id that is unknown here is said to be so before anything else is asked
    goal = CLUSTER_AT_WORK if _has_work(clients, cluster_id) else CLUSTER_READY
    last: Status | None = None
    try:
        for last in follow(
            lambda: status_of(describe(clients, cluster_id)),
            goal,
            every=settings.poll_interval,
            timeout=settings.cluster_ready_timeout,
        ):
            yield last
    except TimedOut as error:
        error.remedy = f"It goes on, and costs: `inv monitor` watches again, `inv terminate` ends {cluster_id}."
        raise
    if last and last.state in goal.missed:
        raise WorkflowError(f"waiting for cluster {cluster_id}", f"it is {last}", "`inv logs` shows what it left.")


def master_dns(clients: Clients, cluster_id: str) -> str:
    """The public DNS name of the primary node, or the private one; empty while there is none."""
    return describe(clients, cluster_id).get("MasterPublicDnsName", "")


def _has_work(clients: Clients, cluster_id: str) -> bool:
    with doing(f"looking at the steps of {cluster_id}"):
        steps = clients.emr.list_steps(ClusterId=cluster_id, StepStates=sorted(ACTIVE_STEP))["Steps"]  # type: ignore[arg-type]
    return bool(steps)
