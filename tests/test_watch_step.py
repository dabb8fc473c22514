"""watch-step: the step decides, and says why it failed."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timezone
from typing import Any

import pytest

from scripts.aws import Clients
from scripts.config import Settings
from scripts.errors import AwsError, TimedOut
from scripts.watch_step import StepFailed, span, watch

CLUSTER, STEP = "j-2AXXXXXXGAPLF", "s-2AXXXXXXGAPLF"
Make = Callable[..., Settings]


def at(hour: int) -> datetime:
    return datetime(2025, 1, 15, hour, tzinfo=timezone.utc)


def test_pending_is_not_failed_and_the_watch_ends_with_completed(
    clients: Clients, settings: Settings, emr: Any
) -> None:
    emr.working("PENDING", "PENDING", "RUNNING", "RUNNING")
    emr.step("COMPLETED")

    assert [status.state for status in watch(clients, settings, CLUSTER, STEP)] == ["PENDING", "RUNNING", "COMPLETED"]


def test_a_failed_step_carries_emrs_failure_details_and_the_next_command(
    clients: Clients, settings: Settings, emr: Any
) -> None:
    emr.working("RUNNING")
    emr.step(
        "FAILED",
        Reason="Unknown Error.",
        Message="Exception in thread main",
        LogFile="s3://fruits-test/logs/emr/j-1/steps/s-1/stderr.gz",
    )

    with pytest.raises(StepFailed) as caught:
        list(watch(clients, settings, CLUSTER, STEP))

    assert caught.value.exit_code == 1
    assert str(caught.value) == (
        f"running step {STEP}: it is FAILED - Unknown Error. Exception in thread main "
        "s3://fruits-test/logs/emr/j-1/steps/s-1/stderr.gz. `inv logs` says why."
    )


def test_a_failure_without_details_is_a_failure_all_the_same(clients: Clients, settings: Settings, emr: Any) -> None:
    emr.step("FAILED")

    with pytest.raises(StepFailed, match="it is FAILED"):
        list(watch(clients, settings, CLUSTER, STEP))


@pytest.mark.parametrize("state", ["CANCELLED", "INTERRUPTED"])
def test_a_step_that_was_ended_is_no_success(clients: Clients, settings: Settings, emr: Any, state: str) -> None:
    emr.working("PENDING", "CANCEL_PENDING")
    emr.step(state, "Job terminated")

    with pytest.raises(StepFailed, match=f"it is {state} - Job terminated"):
        list(watch(clients, settings, CLUSTER, STEP))


def test_the_deadline_is_no_failure_and_says_what_still_runs(clients: Clients, make_settings: Make, emr: Any) -> None:
    emr.working("RUNNING")

    with pytest.raises(TimedOut) as caught:
        list(watch(clients, make_settings(step_timeout=0), CLUSTER, STEP))

    assert caught.value.exit_code == 3
    assert "still RUNNING" in caught.value.problem
    assert "inv watch-step" in caught.value.remedy
    assert "inv terminate" in caught.value.remedy


def test_an_unknown_state_does_not_crash_the_watch(clients: Clients, settings: Settings, emr: Any) -> None:
    emr.working("QUEUED_ELSEWHERE")
    emr.step("COMPLETED")

    assert [status.state for status in watch(clients, settings, CLUSTER, STEP)] == ["QUEUED_ELSEWHERE", "COMPLETED"]


def test_an_unknown_step_says_so(clients: Clients, settings: Settings, emr: Any) -> None:
    emr.add_client_error("describe_step", "InvalidRequestException", "Step id 's-2AXXXXXXGAPLF' is not valid.")

    with pytest.raises(AwsError, match=f"looking at step {STEP}: InvalidRequestException: Step id") as caught:
        list(watch(clients, settings, CLUSTER, STEP))

    assert f"Is it a step of {CLUSTER}?" in caught.value.remedy


@pytest.mark.parametrize("state", ["PENDING", "RUNNING", "CANCEL_PENDING", "QUEUED_ELSEWHERE"])
@pytest.mark.parametrize("end", ["TERMINATED", "TERMINATED_WITH_ERRORS"])
def test_a_cluster_that_ended_under_its_step_is_the_steps_failure(
    clients: Clients, settings: Settings, emr: Any, state: str, end: str
) -> None:
    emr.working(state)
    emr.step(state)
    emr.cluster(end, "Terminated by user request")
    emr.step(state)
    seen = []

    with pytest.raises(StepFailed) as caught:
        seen.extend(status.state for status in watch(clients, settings, CLUSTER, STEP))

    assert seen == [state]
    assert str(caught.value) == (
        f"running step {STEP}: its cluster ended under it ({end} - Terminated by user request); "
        f"the step is still shown as {state}. `inv logs` shows how far it came."
    )


def test_a_step_that_ended_just_before_its_cluster_is_judged_by_itself(
    clients: Clients, settings: Settings, emr: Any
) -> None:
    emr.step("RUNNING")
    emr.cluster("TERMINATED")
    emr.step("COMPLETED")

    assert [status.state for status in watch(clients, settings, CLUSTER, STEP)] == ["COMPLETED"]


def test_a_cluster_that_is_ending_has_not_ended(clients: Clients, settings: Settings, emr: Any) -> None:
    emr.step("RUNNING")
    emr.cluster("TERMINATING")
    emr.step("CANCELLED")

    with pytest.raises(StepFailed, match="it is CANCELLED"):
        list(watch(clients, settings, CLUSTER, STEP))


def test_credentials_that_expire_in_the_middle_are_said_and_renewed(
    clients: Clients, settings: Settings, emr: Any, renewals: list[str]
) -> None:
    emr.working("RUNNING")
    emr.add_client_error("describe_step", "ExpiredTokenException", "The security token is expired")
    emr.step("RUNNING")
    emr.add_client_error("describe_cluster", "ThrottlingException", "Rate exceeded")
    emr.step("COMPLETED")

    assert [str(status).partition(" (")[0] for status in watch(clients, settings, CLUSTER, STEP)] == [
        "RUNNING",
        "RUNNING - ExpiredTokenException: The security token is expired",
        "RUNNING - ThrottlingException: Rate exceeded",
        "COMPLETED",
    ]
    assert renewals == ["renewed"]


def test_being_refused_in_the_middle_is_an_error(clients: Clients, settings: Settings, emr: Any) -> None:
    emr.working("RUNNING")
    emr.add_client_error("describe_step", "AccessDeniedException", "User is not authorized")

    with pytest.raises(AwsError, match="AccessDeniedException"):
        list(watch(clients, settings, CLUSTER, STEP))


def test_the_span_of_a_step_is_emrs_own(clients: Clients, emr: Any) -> None:
    emr.step("COMPLETED", times={"CreationDateTime": at(1), "StartDateTime": at(2), "EndDateTime": at(3)})
    emr.step("CANCELLED", times={"CreationDateTime": at(1), "EndDateTime": at(3)})

    assert span(clients, CLUSTER, STEP) == (at(2), at(3))
    assert span(clients, CLUSTER, STEP) == (at(1), at(3))


def test_without_times_the_span_is_now(clients: Clients, emr: Any) -> None:
    emr.step("COMPLETED")
    before = datetime.now(timezone.utc)

    start, end = span(clients, CLUSTER, STEP)

    assert before <= start == end <= datetime.now(timezone.utc)
