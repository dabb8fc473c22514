"""Operations on steps."""

from typing import Any

from local_emr import lifecycle
from local_emr.errors import invalid_request, validation_error
from local_emr.operations.context import Emr, newest_first, page, steps_by_id
from local_emr.records import new_steps
from local_emr.store import Step

Answer = dict[str, Any]
MAX_STEP_IDS = 10  # in one ListSteps


def add_job_flow_steps(
    emr: Emr, region: str, JobFlowId: str, Steps: list[dict[str, Any]], ExecutionRoleArn: str | None = None
) -> Answer:
    cluster = emr.live_job_flow(region, JobFlowId)
    steps = new_steps(cluster, Steps, ExecutionRoleArn)
    cluster["_Steps"] += steps
    emr.store.touch(cluster)
    return {"StepIds": [step["Id"] for step in steps]}


def describe_step(emr: Emr, region: str, ClusterId: str, StepId: str) -> Answer:
    return {"Step": steps_by_id(emr.cluster(region, ClusterId), [StepId])[0]}


def list_steps(
    emr: Emr,
    region: str,
    ClusterId: str,
    StepIds: list[str] | None = None,
    StepStates: list[str] | None = None,
    Marker: str | None = None,
) -> Answer:
    """Newest first, as EMR lists them."""
    cluster = emr.cluster(region, ClusterId)
    if StepIds and StepStates:
        raise invalid_request("Cannot specify both StepIds and StepStates.")
    if len(StepIds or []) > MAX_STEP_IDS:
        raise validation_error(f"A maximum of {MAX_STEP_IDS} step ids can be specified.")
    if StepIds:
        return page(steps_by_id(cluster, StepIds), Marker, "Steps")
    numbered = list(enumerate(cluster["_Steps"]))[::-1]
    found = ((n, step) for n, step in numbered if not StepStates or step["Status"]["State"] in StepStates)
    return newest_first(found, Marker, "Steps")


def cancel_steps(
    emr: Emr, region: str, ClusterId: str, StepIds: list[str], StepCancellationOption: str = "SEND_INTERRUPT"
) -> Answer:
    """A pending step is cancelled here and now; a running one by the cluster's agent, who stops its processes first."""
    cluster = emr.live_cluster(region, ClusterId)
    answers = [_cancel(emr, cluster, step, StepCancellationOption) for step in steps_by_id(cluster, StepIds)]
    emr.store.touch(cluster)
    return {"CancelStepsInfoList": answers}


def _cancel(emr: Emr, cluster: dict[str, Any], step: Step, option: str) -> Answer:
    state = step["Status"]["State"]
    if state not in ("PENDING", "RUNNING", "CANCEL_PENDING"):
        reason = f"Cannot cancel step that is in state {state}."
        return {"StepId": step["Id"], "Status": "FAILED", "Reason": reason}
    if state == "PENDING":
        lifecycle.step_ends(emr.store, cluster, step, "CANCELLED")
    else:
        step["Status"]["State"] = "CANCEL_PENDING"
        step["_Stop"] = option
    return {"StepId": step["Id"], "Status": "SUBMITTED"}
