"""watch-step: the step decides, and says why it failed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from scripts.aws import Clients
from scripts.config import Settings
from scripts.errors import AwsError, TimedOut
from scripts.watch_step import StepFailed, watch

CLUSTER, STEP = "j-2AXXXXXXGAPLF", "s-2AXXXXXXGAPLF"
Make = Callable[..., Settings]


def test_pending_is_not_failed_and_the_watch_ends_with_completed(
    clients: Clients, settings: Settings, emr: Any
) -> None:
    for state in ("PENDING", "PENDING", "RUNNING", "RUNNING", "COMPLETED"):
        emr.step(state)

    assert [status.state for status in watch(clients, settings, CLUSTER, STEP)] == ["PENDING", "RUNNING", "COMPLETED"]


def test_a_failed_step_carries_emrs_failure_details_and_the_next_command(
    clients: Clients, settings: Settings, emr: Any
) -> None:
    emr.step("RUNNING")
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
        "s3://fruits-test/logs/emr/j-1/steps/s-1/stderr.gz. `inv logs` shows the traceback."
    )


def test_a_failure_without_details_is_a_failure_all_the_same(clients: Clients, settings: Settings, emr: Any) -> None:
    emr.step("FAILED")

    with pytest.raises(StepFailed, match="it is FAILED"):
        list(watch(clients, settings, CLUSTER, STEP))


@pytest.mark.parametrize("state", ["CANCELLED", "INTERRUPTED"])
def test_a_step_that_was_ended_is_no_success(clients: Clients, settings: Settings, emr: Any, state: str) -> None:
    emr.step("PENDING")
    emr.step("CANCEL_PENDING")
    emr.step(state, "Job terminated")

    with pytest.raises(StepFailed, match=f"it is {state} - Job terminated"):
        list(watch(clients, settings, CLUSTER, STEP))


def test_the_deadline_is_no_failure_and_says_what_still_runs(clients: Clients, make_settings: Make, emr: Any) -> None:
    emr.step("RUNNING")

    with pytest.raises(TimedOut) as caught:
        list(watch(clients, make_settings(step_timeout=0), CLUSTER, STEP))

    assert caught.value.exit_code == 3
    assert "still RUNNING" in caught.value.problem
    assert "inv watch-step" in caught.value.remedy
    assert "inv terminate" in caught.value.remedy


def test_an_unknown_state_does_not_crash_the_watch(clients: Clients, settings: Settings, emr: Any) -> None:
    emr.step("QUEUED_ELSEWHERE")
    emr.step("COMPLETED")

    assert [status.state for status in watch(clients, settings, CLUSTER, STEP)] == ["QUEUED_ELSEWHERE", "COMPLETED"]


def test_an_unknown_step_says_so(clients: Clients, settings: Settings, emr: Any) -> None:
    emr.add_client_error("describe_step", "InvalidRequestException", "Step id 's-2AXXXXXXGAPLF' is not valid.")

    with pytest.raises(AwsError, match=f"looking at step {STEP}: InvalidRequestException: Step id"):
        list(watch(clients, settings, CLUSTER, STEP))
