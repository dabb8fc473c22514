"""monitor: ends on ready, on the cluster's end, or at the deadline; three different answers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from scripts.aws import Clients
from scripts.config import Settings
from scripts.errors import AwsError, TimedOut, WorkflowError
from scripts.monitor_cluster import ClusterNotReady, master_dns, monitor

CLUSTER = "j-2AXXXXXXGAPLF"
Make = Callable[..., Settings]


def test_each_new_status_until_it_waits_for_work(clients: Clients, settings: Settings, emr: Any) -> None:
    emr.cluster("STARTING")
    emr.no_work()
    for state in ("STARTING", "STARTING", "BOOTSTRAPPING", "RUNNING", "WAITING"):
        emr.cluster(state)

    seen = [status.state for status in monitor(clients, settings, CLUSTER)]

    assert seen == ["STARTING", "BOOTSTRAPPING", "RUNNING", "WAITING"]


def test_a_cluster_that_has_work_is_ready_when_it_runs(clients: Clients, settings: Settings, emr: Any) -> None:
    emr.cluster("RUNNING")
    emr.steps("s-1", states=["CANCEL_PENDING", "PENDING", "RUNNING"])
    emr.cluster("BOOTSTRAPPING")
    emr.cluster("RUNNING")

    assert [status.state for status in monitor(clients, settings, CLUSTER)] == ["BOOTSTRAPPING", "RUNNING"]


@pytest.mark.parametrize("state", ["TERMINATING", "TERMINATED", "TERMINATED_WITH_ERRORS"])
def test_a_cluster_that_ends_instead_is_a_failure_with_emrs_reason(
    clients: Clients, settings: Settings, emr: Any, state: str
) -> None:
    emr.cluster("BOOTSTRAPPING")
    emr.no_work()
    emr.cluster("BOOTSTRAPPING")
    emr.cluster(state, "bootstrap action 1 returned a non-zero return code", "BOOTSTRAP_FAILURE")
    seen = []

    with pytest.raises(WorkflowError) as caught:
        seen.extend(status.state for status in monitor(clients, settings, CLUSTER))

    assert caught.value.exit_code == 1
    assert f"it is {state} - bootstrap action 1 returned a non-zero return code" in str(caught.value)
    assert "inv logs" in caught.value.remedy


def test_the_last_status_is_shown_before_the_failure(clients: Clients, settings: Settings, emr: Any) -> None:
    emr.cluster("STARTING")
    emr.no_work()
    emr.cluster("TERMINATED_WITH_ERRORS", "no capacity")

    statuses = monitor(clients, settings, CLUSTER)

    assert next(statuses).reason == "no capacity"
    with pytest.raises(WorkflowError):
        next(statuses)


def test_the_deadline_is_no_failure_and_says_what_still_costs(clients: Clients, make_settings: Make, emr: Any) -> None:
    emr.cluster("STARTING")
    emr.no_work()
    emr.cluster("STARTING")

    with pytest.raises(TimedOut) as caught:
        list(monitor(clients, make_settings(cluster_ready_timeout=0), CLUSTER))

    assert caught.value.exit_code == 3
    assert "still STARTING" in caught.value.problem
    assert CLUSTER in caught.value.remedy
    assert "inv monitor" in caught.value.remedy
    assert "inv terminate" in caught.value.remedy


def test_an_unknown_state_does_not_crash_the_watch(clients: Clients, settings: Settings, emr: Any) -> None:
    emr.cluster("STARTING")
    emr.no_work()
    emr.cluster("RESIZING_ITSELF", "new in 2027")
    emr.cluster("WAITING")

    assert [status.state for status in monitor(clients, settings, CLUSTER)] == ["RESIZING_ITSELF", "WAITING"]


def test_an_unknown_id_says_where_it_may_be(clients: Clients, settings: Settings, emr: Any) -> None:
    emr.add_client_error("describe_cluster", "InvalidRequestException", "Cluster id 'j-GONE' is not valid.")

    with pytest.raises(AwsError, match="another account's, region's or TARGET's"):
        list(monitor(clients, settings, "j-GONE"))


def test_the_address_of_the_primary_node_or_nothing_yet(clients: Clients, emr: Any) -> None:
    emr.cluster("WAITING", MasterPublicDnsName="ec2-1-2-3-4.eu-west-1.compute.amazonaws.com")
    emr.cluster("STARTING")

    assert master_dns(clients, CLUSTER) == "ec2-1-2-3-4.eu-west-1.compute.amazonaws.com"
    assert master_dns(clients, CLUSTER) == ""


@pytest.mark.parametrize(
    ("code", "may_pass"),
    [
        ("BOOTSTRAP_FAILURE", True),
        ("INTERNAL_ERROR", True),
        ("INSTANCE_FAILURE", True),
        ("INSTANCE_FLEET_TIMEOUT", True),
        ("VALIDATION_ERROR", False),
        ("USER_REQUEST", False),
        ("STEP_FAILURE", False),
        ("ALL_STEPS_COMPLETED", False),
        ("", False),
    ],
)
def test_whether_another_cluster_may_do_better_is_told_by_emrs_reason_code(
    clients: Clients, settings: Settings, emr: Any, code: str, may_pass: bool
) -> None:
    emr.cluster("STARTING")
    emr.no_work()
    emr.cluster("TERMINATED_WITH_ERRORS", "why", code)

    with pytest.raises(ClusterNotReady) as caught:
        list(monitor(clients, settings, CLUSTER))

    assert (caught.value.code, caught.value.may_pass) == (code, may_pass)


@pytest.mark.parametrize("call", ["describe_cluster", "list_steps"])
def test_trouble_at_the_first_question_is_met_with_patience(
    clients: Clients, settings: Settings, emr: Any, renewals: list[str], call: str
) -> None:
    if call == "list_steps":
        emr.cluster("STARTING")
    emr.add_client_error(call, "ThrottlingException", "Rate exceeded")
    emr.add_client_error("describe_cluster", "ExpiredTokenException", "expired")
    emr.cluster("WAITING")

    assert [status.state for status in monitor(clients, settings, CLUSTER)] == ["UNKNOWN", "WAITING"]
    assert renewals == ["renewed"]


def test_a_refusal_is_the_answer(clients: Clients, settings: Settings, emr: Any) -> None:
    emr.cluster("STARTING")
    emr.add_client_error("list_steps", "AccessDeniedException", "User is not authorized")

    with pytest.raises(AwsError, match=f"looking at the steps of {CLUSTER}: AccessDenied"):
        list(monitor(clients, settings, CLUSTER))
