"""monitor: watch a cluster until it can take work."""

from __future__ import annotations

from collections.abc import Iterator

from scripts.aws import Clients
from scripts.config import Settings
from scripts.create_cluster import describe, status_of
from scripts.errors import AwsError, TimedOut, Trouble, WorkflowError, doing
from scripts.lifecycle import ACTIVE_STEP, CLUSTER_AT_WORK, CLUSTER_READY, Goal, Status, follow


class ClusterNotReady(WorkflowError):
    """The cluster ended before it could take work; `code` is EMR's reason code, empty where it gave none."""

    def __init__(self, doing: str, problem: str, remedy: str = "", code: str = "") -> None:
        super().__init__(doing, problem, remedy)
        self.code = code

    @property
    def may_pass(self) -> bool:
        """Whether a new cluster may do better: the node, the zone or a download failed, not the request."""
        return self.code in ("BOOTSTRAP_FAILURE", "INTERNAL_ERROR", "INSTANCE_FAILURE", "INSTANCE_FLEET_TIMEOUT")


def monitor(clients: Clients, settings: Settings, cluster_id: str) -> Iterator[Status]:
    """Yield each new status until the cluster is ready.

    Raises:
        ClusterNotReady: it ended, or is ending, instead; with EMR's reason.
        TimedOut: CLUSTER_READY_TIMEOUT has passed; the cluster goes on.
    """
    goal = _goal(clients, cluster_id)
    last: Status | None = None
    try:
        for last in follow(
            lambda: status_of(describe(clients, cluster_id)),
            goal,
            every=settings.poll_interval,
            timeout=settings.cluster_ready_timeout,
            renew=clients.renew,
        ):
            yield last
    except TimedOut as error:
        error.remedy = f"It goes on, and costs: `inv monitor` watches again, `inv terminate` ends {cluster_id}."
        raise
    if last and last.state in goal.missed:
        problem, remedy = f"it is {last}", "`inv logs` shows what it left."
        raise ClusterNotReady(f"waiting for cluster {cluster_id}", problem, remedy, last.code)


def master_dns(clients: Clients, cluster_id: str) -> str:
    """The public DNS name of the primary node, or the private one; empty while there is none."""
    return describe(clients, cluster_id).get("MasterPublicDnsName", "")


def _goal(clients: Clients, cluster_id: str) -> Goal:
    try:
        describe(clients, cluster_id)  # an id that is unknown here is said to be so before anything else is asked
        with doing(f"looking at the steps of {cluster_id}"):
            steps = clients.emr.list_steps(ClusterId=cluster_id, StepStates=sorted(ACTIVE_STEP))["Steps"]  # type: ignore[arg-type]
    except AwsError as error:
        if error.trouble is Trouble.REFUSED:
            raise
        return CLUSTER_READY  # whoever watches meets the same trouble, says so, and is patient
    return CLUSTER_AT_WORK if steps else CLUSTER_READY
