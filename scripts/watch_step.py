"""watch-step: watch a step until it ends. The step decides, not the cluster."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timezone
from typing import TYPE_CHECKING

from scripts.aws import Clients
from scripts.config import Settings
from scripts.create_cluster import describe, status_of
from scripts.errors import AwsError, TimedOut, WorkflowError, doing
from scripts.lifecycle import ENDED_CLUSTER, STEP_DONE, Status, follow

if TYPE_CHECKING:
    from mypy_boto3_emr.type_defs import StepTypeDef

_ENDED = STEP_DONE.reached | STEP_DONE.missed


class StepFailed(WorkflowError):
    """The step ended in FAILED, CANCELLED or INTERRUPTED."""


def watch(
    clients: Clients,
    settings: Settings,
    cluster_id: str,
    step_id: str,
    seen: Callable[[Status], Status] = lambda status: status,
) -> Iterator[Status]:
    """Yield each new status until the step is COMPLETED; `seen` may add to what each look saw.

    Raises:
        StepFailed: it ended otherwise; with EMR's failure details.
        TimedOut: STEP_TIMEOUT has passed; the step goes on.
    """
    last: Status | None = None
    try:
        for last in follow(
            lambda: seen(_look(clients, cluster_id, step_id)),
            STEP_DONE,
            every=settings.poll_interval,
            timeout=settings.step_timeout,
            renew=clients.renew,
        ):
            yield last
    except TimedOut as error:
        error.remedy = "It goes on: `inv watch-step` watches again, `inv terminate` ends it and its cluster."
        raise
    if last and last.state in STEP_DONE.missed:
        remedy = "" if last.state == "CANCELLED" else "`inv logs` says why."
        raise StepFailed(f"running step {step_id}", f"it is {last}", remedy)


def span(clients: Clients, cluster_id: str, step_id: str) -> tuple[datetime, datetime]:
    """When an ended step began and ended, by EMR's clock."""
    times = _describe(clients, cluster_id, step_id)["Status"].get("Timeline", {})
    end = times.get("EndDateTime") or datetime.now(timezone.utc)
    return times.get("StartDateTime") or times.get("CreationDateTime") or end, end


def _look(clients: Clients, cluster_id: str, step_id: str) -> Status:
    """The step's status.

    Raises:
        StepFailed: its cluster has ended under it: a step that has not ended by then stays so for ever.
    """
    seen = _status_of(_describe(clients, cluster_id, step_id))
    if seen.state in _ENDED:
        return seen
    cluster = status_of(describe(clients, cluster_id))
    if cluster.state not in ENDED_CLUSTER:
        return seen
    seen = _status_of(_describe(clients, cluster_id, step_id))  # EMR may have told the step's end meanwhile
    if seen.state in _ENDED:
        return seen
    problem = f"its cluster ended under it ({cluster}); the step is still shown as {seen.state}"
    raise StepFailed(f"running step {step_id}", problem, "`inv logs` shows how far it came.")


def _describe(clients: Clients, cluster_id: str, step_id: str) -> StepTypeDef:
    try:
        with doing(f"looking at step {step_id}"):
            return clients.emr.describe_step(ClusterId=cluster_id, StepId=step_id)["Step"]
    except AwsError as error:
        if error.code == "InvalidRequestException":
            error.remedy = f"Is it a step of {cluster_id}? `inv status` shows what there is."
        raise


def _status_of(step: StepTypeDef) -> Status:
    """EMR says why a step failed in FailureDetails; StateChangeReason is empty even then."""
    status = step["Status"]
    failure = status.get("FailureDetails", {})
    told = (failure.get("Reason", ""), failure.get("Message", ""), failure.get("LogFile", ""))
    reason = " ".join(part for part in told if part) or status.get("StateChangeReason", {}).get("Message", "")
    return Status(str(status["State"]), reason)
