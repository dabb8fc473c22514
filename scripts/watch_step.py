"""watch-step: watch a step until it ends. The step decides, not the cluster."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from scripts.aws import Clients
from scripts.config import Settings
from scripts.errors import TimedOut, WorkflowError, doing
from scripts.lifecycle import STEP_DONE, Status, follow

if TYPE_CHECKING:
    from mypy_boto3_emr.type_defs import StepTypeDef


class StepFailed(WorkflowError):
    """The step ended in FAILED, CANCELLED or INTERRUPTED."""


def watch(clients: Clients, settings: Settings, cluster_id: str, step_id: str) -> Iterator[Status]:
    """Yield each new status until the step is COMPLETED.

    Raises:
        StepFailed: it ended otherwise; with EMR's failure details.
        TimedOut: STEP_TIMEOUT has passed; the step goes on.
    """
    last: Status | None = None
    try:
        for last in follow(
            lambda: _status_of(_describe(clients, cluster_id, step_id)),
            STEP_DONE,
            every=settings.poll_interval,
            timeout=settings.step_timeout,
        ):
            yield last
    except TimedOut as error:
        error.remedy = "It goes on: `inv watch-step` watches again, `inv terminate` ends it and its cluster."
        raise
    if last and last.state in STEP_DONE.missed:
        remedy = "" if last.state == "CANCELLED" else "`inv logs` shows the traceback."
        raise StepFailed(f"running step {step_id}", f"it is {last}", remedy)


def latest(clients: Clients, cluster_id: str) -> str | None:
    """The id of the cluster's newest step; None where it has none."""
    with doing(f"looking at the steps of {cluster_id}"):
        steps = clients.emr.list_steps(ClusterId=cluster_id)["Steps"]  # newest first
    return steps[0]["Id"] if steps else None


def _describe(clients: Clients, cluster_id: str, step_id: str) -> StepTypeDef:
    with doing(f"looking at step {step_id}"):
        return clients.emr.describe_step(ClusterId=cluster_id, StepId=step_id)["Step"]


def _status_of(step: StepTypeDef) -> Status:
    """EMR says why a step failed in FailureDetails; StateChangeReason is empty even then."""
    status = step["Status"]
    failure = status.get("FailureDetails", {})
    told = (failure.get("Reason", ""), failure.get("Message", ""), failure.get("LogFile", ""))
    reason = " ".join(part for part in told if part) or status.get("StateChangeReason", {}).get("Message", "")
    return Status(str(status["State"]), reason)
