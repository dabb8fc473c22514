"""terminate: asked for first, waited for then; what fails names the cluster that goes on costing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from scripts.aws import Clients
from scripts.config import Settings
from scripts.errors import AwsError, TimedOut
from scripts.terminate_cluster import ask_to_end, is_gone, terminate

CLUSTER = "j-2AXXXXXXGAPLF"
Make = Callable[..., Settings]


@pytest.mark.parametrize("end", ["TERMINATED", "TERMINATED_WITH_ERRORS"])
def test_it_ends_with_either_end(clients: Clients, settings: Settings, emr: Any, end: str) -> None:
    emr.terminated()
    for state in ("WAITING", "TERMINATING", "TERMINATING", end):
        emr.cluster(state, "Terminated by user request" if state == end else "")

    assert [str(status) for status in terminate(clients, settings, CLUSTER)] == [
        "WAITING",
        "TERMINATING",
        f"{end} - Terminated by user request",
    ]


def test_the_end_is_asked_for_before_anything_is_yielded(clients: Clients, settings: Settings, emr: Any) -> None:
    emr.terminated()
    emr.cluster("TERMINATING")

    next(terminate(clients, settings, CLUSTER))

    emr.assert_no_pending_responses()


def test_a_refusal_names_the_cluster_and_the_way_by_hand(clients: Clients, settings: Settings, emr: Any) -> None:
    emr.add_client_error("terminate_job_flows", "ValidationException", "The job flow is termination protected")

    with pytest.raises(AwsError, match="termination protected") as caught:
        list(terminate(clients, settings, CLUSTER))

    assert f"aws emr terminate-clusters --cluster-ids {CLUSTER}" in caught.value.remedy


def test_losing_sight_of_it_names_the_cluster_too(clients: Clients, settings: Settings, emr: Any) -> None:
    emr.terminated()
    emr.add_client_error("describe_cluster", "AccessDeniedException", "User is not authorized")

    with pytest.raises(AwsError, match="not authorized") as caught:
        list(terminate(clients, settings, CLUSTER))

    assert f"aws emr terminate-clusters --cluster-ids {CLUSTER}" in caught.value.remedy


@pytest.mark.parametrize(
    ("code", "status", "renewed"),
    [("ThrottlingException", 400, 0), ("InternalFailure", 500, 0), ("ExpiredTokenException", 400, 1)],
)
def test_it_is_asked_for_until_emr_has_heard_it(
    clients: Clients, settings: Settings, emr: Any, renewals: list[str], code: str, status: int, renewed: int
) -> None:
    emr.add_client_error("terminate_job_flows", code, "trouble", status)
    emr.terminated()
    emr.cluster("TERMINATING")
    emr.add_client_error("describe_cluster", code, "trouble", status)
    emr.cluster("TERMINATED")

    seen = [status.state for status in terminate(clients, settings, CLUSTER)]

    assert seen == ["TERMINATING", "TERMINATING", "TERMINATED"]
    assert len(renewals) == renewed * 2


def test_credentials_expired_for_good_say_how_to_renew_them_and_what_is_left(
    clients: Clients, settings: Settings, emr: Any, renewals: list[str]
) -> None:
    for _ in range(4):
        emr.add_client_error("terminate_job_flows", "ExpiredTokenException", "expired")

    with pytest.raises(AwsError) as caught:
        list(terminate(clients, settings, CLUSTER))

    assert "aws sso login" in caught.value.remedy
    assert f"--cluster-ids {CLUSTER}" in caught.value.remedy


def test_many_are_asked_to_end_ten_at_a_time(clients: Clients, emr: Any) -> None:
    ids = [f"j-{n}" for n in range(23)]
    for some in (ids[:10], ids[10:20], ids[20:]):
        emr.add_response("terminate_job_flows", {}, {"JobFlowIds": some})

    ask_to_end(clients, ids)


def test_the_deadline_is_exit_code_3_and_names_the_cluster(clients: Clients, make_settings: Make, emr: Any) -> None:
    emr.terminated()
    emr.cluster("TERMINATING")

    with pytest.raises(TimedOut) as caught:
        list(terminate(clients, make_settings(cluster_ready_timeout=0), CLUSTER))

    assert caught.value.exit_code == 3
    assert "still TERMINATING" in caught.value.problem
    assert CLUSTER in caught.value.remedy


@pytest.mark.parametrize(
    ("state", "gone"),
    [
        ("WAITING", False),
        ("TERMINATING", False),
        ("HIBERNATING", False),
        ("TERMINATED", True),
        ("TERMINATED_WITH_ERRORS", True),
    ],
)
def test_only_an_ended_cluster_is_gone(clients: Clients, emr: Any, state: str, gone: bool) -> None:
    emr.cluster(state)

    assert is_gone(clients, CLUSTER) is gone
