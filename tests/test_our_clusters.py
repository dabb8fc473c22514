"""status: what is ours and has not ended, how long it has been idle, what it has used."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from scripts.aws import Clients
from scripts.create_cluster import OUR_TAG, OWNER_TAG
from scripts.errors import AwsError
from scripts.lifecycle import Status
from scripts.our_clusters import OurCluster, our_clusters

CLUSTER = "j-2AXXXXXXGAPLF"
NOW = datetime(2025, 1, 15, 12, tzinfo=timezone.utc)
NOT_ENDED = ["BOOTSTRAPPING", "RUNNING", "STARTING", "TERMINATING", "WAITING"]


def ago(minutes: float) -> datetime:
    return NOW - timedelta(minutes=minutes)


class Account:
    """Scripts the answers for one cluster after another."""

    def __init__(self, emr: Any) -> None:
        self.emr = emr

    def has(self, *ids: str, marker: str = "") -> None:
        answer = {"Clusters": [{"Id": one} for one in ids]}
        self.emr.add_response("list_clusters", answer | ({"Marker": marker} if marker else {}))

    def cluster(
        self, id: str = CLUSTER, state: str = "WAITING", tags: dict[str, str] | None = None, **times: datetime
    ) -> None:
        """DescribeCluster; `created` and `ready` are its times."""
        names = {"created": "CreationDateTime", "ready": "ReadyDateTime"}
        status = {"State": state, "Timeline": {names[name]: time for name, time in times.items()}}
        carried = {OUR_TAG: "the-run", OWNER_TAG: "me@here"} if tags is None else tags
        found = {
            "Id": id,
            "Name": "fruits",
            "Status": status,
            "Tags": [{"Key": key, "Value": value} for key, value in carried.items()],
        }
        self.emr.add_response("describe_cluster", {"Cluster": found}, {"ClusterId": id})

    def steps(self, *steps: tuple[str, datetime | None], id: str = CLUSTER) -> None:
        """ListSteps: state and end of each, newest first."""
        found = [{"Status": {"State": state, "Timeline": {"EndDateTime": end} if end else {}}} for state, end in steps]
        self.emr.add_response("list_steps", {"Steps": found}, {"ClusterId": id})

    def instances(self, *spans: tuple[datetime, datetime | None], id: str = CLUSTER, more: str = "") -> None:
        """ListInstances: from when to when each was there."""
        found = [
            {"Status": {"Timeline": {"CreationDateTime": start} | ({"EndDateTime": end} if end else {})}}
            for start, end in spans
        ]
        self.emr.add_response("list_instances", {"Instances": found} | ({"Marker": more} if more else {}))


@pytest.fixture
def account(emr: Any) -> Account:
    return Account(emr)


def test_a_cluster_of_ours_with_all_that_is_to_be_known(clients: Clients, account: Account) -> None:
    account.has(CLUSTER)
    account.cluster(created=ago(90), ready=ago(80))
    account.steps(("COMPLETED", ago(20)), ("FAILED", ago(50)))
    account.instances((ago(90), None), (ago(90), None), (ago(60), ago(30)))

    assert list(our_clusters(clients, NOW)) == [
        OurCluster(
            cluster_id=CLUSTER,
            name="fruits",
            status=Status("WAITING"),
            age=90 * 60,
            idle=20 * 60,
            instance_hours=3.5,
            run="the-run",
            owner="me@here",
        )
    ]


def test_those_that_have_not_ended_are_asked_for_page_by_page(clients: Clients, emr: Any) -> None:
    emr.add_response("list_clusters", {"Clusters": [], "Marker": "m"}, {"ClusterStates": NOT_ENDED})
    emr.add_response("list_clusters", {"Clusters": []}, {"ClusterStates": NOT_ENDED, "Marker": "m"})

    assert list(our_clusters(clients, NOW)) == []


@pytest.mark.parametrize(
    "tags", [{}, {"Name": "x"}, {OUR_TAG.upper(): "the-run"}, {OWNER_TAG: "me@here"}, {f"{OUR_TAG}s": "the-run"}]
)
def test_what_does_not_carry_our_tag_is_not_ours_and_is_asked_nothing_more(
    clients: Clients, account: Account, tags: dict[str, str]
) -> None:
    account.has("j-THEIRS")
    account.cluster("j-THEIRS", tags=tags)

    assert list(our_clusters(clients, NOW)) == []


def test_ours_are_picked_out_newest_first_whoever_began_them(clients: Clients, account: Account) -> None:
    account.has("j-3", "j-2", "j-1")
    for id, tags in (("j-3", {OUR_TAG: "run-3"}), ("j-2", {}), ("j-1", {OUR_TAG: "run-1", OWNER_TAG: "you@there"})):
        account.cluster(id, tags=tags, created=ago(5))
        if tags:
            account.steps(id=id)
            account.instances(id=id)

    found = [(one.cluster_id, one.run, one.owner) for one in our_clusters(clients, NOW)]

    assert found == [("j-3", "run-3", ""), ("j-1", "run-1", "you@there")]


@pytest.mark.parametrize("state", ["PENDING", "RUNNING", "CANCEL_PENDING"])
def test_a_cluster_that_works_is_not_idle(clients: Clients, account: Account, state: str) -> None:
    account.has(CLUSTER)
    account.cluster(state="RUNNING", created=ago(90), ready=ago(80))
    account.steps((state, None), ("COMPLETED", ago(70)))
    account.instances()

    assert next(our_clusters(clients, NOW)).idle is None


def test_a_cluster_that_starts_is_not_idle(clients: Clients, account: Account) -> None:
    account.has(CLUSTER)
    account.cluster(state="STARTING", created=ago(3))
    account.steps()
    account.instances((ago(2), None))

    (found,) = our_clusters(clients, NOW)

    assert (found.idle, found.age) == (None, 180)
    assert found.instance_hours == pytest.approx(2 / 60)


def test_a_cluster_without_a_step_is_idle_since_it_was_ready(clients: Clients, account: Account) -> None:
    account.has(CLUSTER)
    account.cluster(created=ago(40), ready=ago(30))
    account.steps()
    account.instances()

    assert next(our_clusters(clients, NOW)).idle == 30 * 60


def test_a_step_that_ended_before_the_cluster_was_ready_does_not_count(clients: Clients, account: Account) -> None:
    account.has(CLUSTER)
    account.cluster(created=ago(40), ready=ago(30))
    account.steps(("CANCELLED", ago(35)), ("CANCELLED", None))
    account.instances()

    assert next(our_clusters(clients, NOW)).idle == 30 * 60


def test_instances_of_every_page_count_and_one_without_times_does_not(
    clients: Clients, account: Account, emr: Any
) -> None:
    account.has(CLUSTER)
    account.cluster(created=ago(60))
    account.steps()
    account.instances((ago(60), None), more="m")
    emr.add_response("list_instances", {"Instances": [{"Status": {}}, {}]})

    assert next(our_clusters(clients, NOW)).instance_hours == 1.0


def test_the_time_is_now_unless_it_is_given(clients: Clients, account: Account) -> None:
    account.has(CLUSTER)
    account.cluster(created=datetime.now(timezone.utc) - timedelta(hours=2))
    account.steps()
    account.instances()

    assert next(our_clusters(clients)).age == pytest.approx(7200, abs=300)


def test_an_account_that_may_not_be_asked_says_so(clients: Clients, emr: Any) -> None:
    emr.add_client_error("list_clusters", "AccessDeniedException", "User is not authorized")

    with pytest.raises(AwsError, match="listing the clusters: AccessDeniedException"):
        list(our_clusters(clients, NOW))
