"""pipeline: what is tried again and what never is, what is found again, and a run that is taken up again."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from scripts.config import Settings
from scripts.errors import AwsError
from scripts.lifecycle import Status
from scripts.monitor_cluster import ClusterNotReady
from scripts.pipeline import Adopted, Created, NotCreated, Stage, Submitted
from scripts.watch_step import StepFailed
from tests.account import CLUSTER, SECOND, STEP, TIME, Account, Run, results

Make = Callable[..., Settings]
STAGES = ["verify", "upload", "create", "monitor", "submit", "watch-step", "fetch", "terminate"]
TROUBLES = ["throttled", "no answer", "expired"]


def idle_timeouts(cluster: Account) -> list[int]:
    return [
        body["AutoTerminationPolicy"]["IdleTimeout"] for body in cluster.requests if "AutoTerminationPolicy" in body
    ]


def test_a_pipelines_cluster_ends_by_itself_sooner_than_one_that_is_kept(
    pipeline: Run, make_settings: Make, cluster: Account
) -> None:
    settings = make_settings(idle_timeout=7200, pipeline_idle_timeout=600)
    pipeline(settings)
    pipeline(settings, keep=True)

    assert idle_timeouts(cluster) == [600, 7200]


def test_the_cluster_carries_the_runs_tag_and_its_owner(pipeline: Run, settings: Settings, cluster: Account) -> None:
    pipeline(settings)

    tags = {tag["Key"]: tag["Value"] for body in cluster.requests for tag in body.get("Tags", [])}
    assert (tags["fruits-on-emr:run"], tags["fruits-on-emr:owner"]) == ("the-run", "me@here")


@pytest.mark.parametrize("code", ["BOOTSTRAP_FAILURE", "INTERNAL_ERROR", "INSTANCE_FAILURE", "INSTANCE_FLEET_TIMEOUT"])
def test_a_cluster_that_had_no_luck_is_replaced_once(
    pipeline: Run, settings: Settings, cluster: Account, code: str
) -> None:
    cluster.comes_up = [("TERMINATED_WITH_ERRORS", code), ("WAITING", "")]

    report = pipeline(settings)

    assert [event for event in pipeline.told if isinstance(event, Created)] == [Created(CLUSTER), Created(SECOND)]
    assert "once more, with a new cluster" in pipeline.text
    assert cluster.count("AddJobFlowSteps") == 1
    assert cluster.live == set()
    assert cluster.asked_to_end == {CLUSTER, SECOND}
    assert pipeline.stages.count("verify") == 1
    assert report.summary is not None


@pytest.mark.parametrize(("retries", "clusters"), [(0, 1), (1, 2), (2, 3)])
def test_it_is_replaced_as_often_as_was_said_and_then_it_is_the_error(
    pipeline: Run, settings: Settings, cluster: Account, retries: int, clusters: int
) -> None:
    cluster.comes_up = [("TERMINATED_WITH_ERRORS", "BOOTSTRAP_FAILURE")]

    with pytest.raises(ClusterNotReady):
        pipeline(settings, retries=retries)

    assert len(cluster.clusters) == clusters
    assert cluster.live == set()
    assert "AddJobFlowSteps" not in cluster.calls


@pytest.mark.parametrize("code", ["VALIDATION_ERROR", "USER_REQUEST", "ALL_STEPS_COMPLETED", ""])
def test_a_cluster_that_another_would_not_better_is_not_replaced(
    pipeline: Run, settings: Settings, cluster: Account, code: str
) -> None:
    cluster.comes_up = [("TERMINATED_WITH_ERRORS", code)]

    with pytest.raises(ClusterNotReady):
        pipeline(settings, retries=5)

    assert cluster.count("RunJobFlow") == 1


@pytest.mark.parametrize("state", ["FAILED", "CANCELLED", "INTERRUPTED"])
def test_a_step_that_failed_is_never_run_again(pipeline: Run, settings: Settings, cluster: Account, state: str) -> None:
    cluster.step = state

    with pytest.raises(StepFailed):
        pipeline(settings, retries=5)

    assert (cluster.count("RunJobFlow"), cluster.count("AddJobFlowSteps")) == (1, 1)


def test_an_interruption_while_the_cluster_is_asked_for_ends_what_the_tag_finds_and_nothing_else(
    pipeline: Run, settings: Settings, cluster: Account
) -> None:
    cluster.has("j-THEIRS", "another-run")
    cluster.has("j-UNTAGGED")
    cluster.trouble["RunJobFlow"] = ["interrupted"]

    with pytest.raises(KeyboardInterrupt):
        pipeline(settings)

    assert cluster.asked_to_end == {CLUSTER}
    assert cluster.live == {"j-THEIRS", "j-UNTAGGED"}
    assert Created(CLUSTER) in pipeline.told
    assert f"Interrupted: terminating {CLUSTER}" in pipeline.text
    assert NotCreated() not in pipeline.told


@pytest.mark.parametrize("error", [OSError("disk full"), BrokenPipeError("nobody reads")])
def test_a_cluster_found_by_its_tag_is_ended_although_it_cannot_be_told(
    pipeline: Run, settings: Settings, cluster: Account, error: Exception
) -> None:
    cluster.trouble["RunJobFlow"] = ["interrupted"]

    def tell(_: object) -> None:
        if cluster.clusters:
            raise error

    with pytest.raises(KeyboardInterrupt):
        pipeline(settings, tell)

    assert cluster.live == set()
    assert cluster.calls[-1] == "DescribeCluster"  # it was waited for


def test_an_interruption_before_the_request_arrived_finds_nothing_to_end(
    pipeline: Run, settings: Settings, cluster: Account
) -> None:
    cluster.has("j-THEIRS", "another-run")

    def tell(event: object) -> None:
        pipeline.told.append(event)
        if event == Stage("create"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        pipeline(settings, tell)

    assert cluster.calls == []


def test_an_interruption_is_not_hidden_by_what_cannot_be_looked_for(
    pipeline: Run, settings: Settings, cluster: Account
) -> None:
    cluster.trouble["RunJobFlow"] = ["interrupted"]
    cluster.trouble["ListClusters"] = ["", "no answer"]

    with pytest.raises(KeyboardInterrupt):
        pipeline(settings)

    assert NotCreated() not in pipeline.told


def test_a_lost_answer_is_found_by_the_tag_and_the_run_goes_on_with_one_cluster_and_one_step(
    pipeline: Run, settings: Settings, cluster: Account
) -> None:
    cluster.trouble = {"RunJobFlow": ["answer lost"], "AddJobFlowSteps": ["answer lost"]}

    pipeline(settings)

    assert set(cluster.clusters) == {CLUSTER}
    assert cluster.steps == {CLUSTER: [STEP]}


def test_an_answer_lost_for_good_ends_what_may_have_been_made(
    pipeline: Run, settings: Settings, cluster: Account
) -> None:
    cluster.trouble = {"RunJobFlow": ["answer lost"], "ListClusters": ["", *["no answer"] * 4]}

    with pytest.raises(AwsError, match="Connection was closed"):
        pipeline(settings)

    assert cluster.asked_to_end == {CLUSTER}
    assert cluster.live == set()


@pytest.mark.parametrize("trouble", TROUBLES)
@pytest.mark.parametrize(
    "call", ["RunJobFlow", "DescribeCluster", "AddJobFlowSteps", "DescribeStep", "TerminateJobFlows"]
)
def test_a_bad_minute_of_aws_anywhere_costs_nothing_but_time(
    pipeline: Run, settings: Settings, cluster: Account, call: str, trouble: str, renewals: list[str]
) -> None:
    cluster.trouble[call] = [trouble, trouble]

    report = pipeline(settings)

    assert report.summary is not None
    assert set(cluster.clusters) == {CLUSTER}
    assert cluster.steps == {CLUSTER: [STEP]}
    assert cluster.live == set()
    assert bool(renewals) is (trouble == "expired")


def test_a_cluster_that_somebody_ended_under_the_step_is_a_failure(
    pipeline: Run, settings: Settings, cluster: Account
) -> None:
    cluster.step = "RUNNING"

    def tell(event: object) -> None:
        if event == Status("RUNNING"):
            cluster.clusters[CLUSTER]["Status"] = {
                "State": "TERMINATED",
                "StateChangeReason": {"Message": "Terminated by user request"},
            }

    with pytest.raises(StepFailed, match=r"its cluster ended under it .*Terminated by user request"):
        pipeline(settings, tell)


def test_a_resumed_run_takes_up_its_cluster(pipeline: Run, settings: Settings, cluster: Account) -> None:
    cluster.has(CLUSTER, "the-run")

    report = pipeline(settings, cluster_id=CLUSTER)

    assert pipeline.stages == [stage for stage in STAGES if stage != "create"]
    assert Adopted(CLUSTER) in pipeline.told
    assert "is taken up again" in pipeline.text
    assert "RunJobFlow" not in cluster.calls
    assert cluster.count("AddJobFlowSteps") == 1
    assert cluster.asked_to_end == {CLUSTER}
    assert report.summary is not None


def test_a_resumed_run_with_a_step_only_watches_and_fetches_it(
    pipeline: Run, settings: Settings, cluster: Account
) -> None:
    cluster.has(CLUSTER, "the-run")
    cluster.bucket.put(results() | results("20250116_102345"))

    report = pipeline(settings, cluster_id=CLUSTER, step_id=STEP)

    assert pipeline.stages == ["watch-step", "fetch", "terminate"]
    assert {"RunJobFlow", "AddJobFlowSteps", "ListSteps"}.isdisjoint(cluster.calls)
    assert [folder.name for folder in report.folders] == [f"metadata_{TIME}", f"stats_{TIME}"]
    assert cluster.live == set()


def test_a_resumed_run_finds_the_step_whose_id_was_never_written_down(
    pipeline: Run, settings: Settings, cluster: Account
) -> None:
    cluster.has(CLUSTER, "the-run")
    cluster.steps = {CLUSTER: ["s-LATER", STEP]}
    cluster.bucket.put(results())

    pipeline(settings, cluster_id=CLUSTER)

    assert "AddJobFlowSteps" not in cluster.calls
    assert Submitted(STEP) in pipeline.told
    assert f"Step {STEP} was submitted already" in pipeline.text


def test_a_resumed_run_whose_step_had_failed_fails_and_ends_its_cluster(
    pipeline: Run, settings: Settings, cluster: Account
) -> None:
    cluster.has(CLUSTER, "the-run")
    cluster.step = "FAILED"

    with pytest.raises(StepFailed):
        pipeline(settings, cluster_id=CLUSTER, step_id=STEP)

    assert cluster.asked_to_end == {CLUSTER}
    assert "AddJobFlowSteps" not in cluster.calls


def test_a_resumed_run_is_done_although_its_cluster_is_gone_where_the_step_was(
    pipeline: Run, settings: Settings, cluster: Account
) -> None:
    cluster.has(CLUSTER, "the-run", "TERMINATED")
    cluster.bucket.put(results())

    report = pipeline(settings, cluster_id=CLUSTER, step_id=STEP)

    assert report.summary is not None
    assert "RunJobFlow" not in cluster.calls


def test_a_resumed_runs_cluster_that_does_not_come_up_is_replaced_too(
    pipeline: Run, settings: Settings, cluster: Account
) -> None:
    cluster.has(CLUSTER, "the-run", "TERMINATED_WITH_ERRORS")
    cluster.clusters[CLUSTER]["Status"]["StateChangeReason"] = {"Code": "BOOTSTRAP_FAILURE"}

    pipeline(settings, cluster_id=CLUSTER)

    assert set(cluster.clusters) == {CLUSTER, SECOND}
    assert cluster.steps == {SECOND: [STEP]}
    assert [event for event in pipeline.told if isinstance(event, Created)] == [Adopted(CLUSTER), Created(SECOND)]


def test_an_interruption_of_a_resumed_run_ends_its_cluster(pipeline: Run, settings: Settings, cluster: Account) -> None:
    cluster.has(CLUSTER, "the-run")

    def tell(event: object) -> None:
        if isinstance(event, Adopted):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        pipeline(settings, tell, cluster_id=CLUSTER)

    assert cluster.asked_to_end == {CLUSTER}
