"""pipeline: the verbs in their order, and a cluster that is terminated whatever happens."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from scripts.config import Settings
from scripts.errors import AwsError, TimedOut, UsageError, WorkflowError
from scripts.lifecycle import Status
from scripts.monitor_cluster import ClusterNotReady
from scripts.pipeline import Created, NotCreated, Submitted
from scripts.sample_images import paths
from scripts.watch_step import StepFailed
from tests.account import CLUSTER, STEP, TIME, Account, Run, results

Make = Callable[..., Settings]
STAGES = ["verify", "upload", "create", "monitor", "submit", "watch-step", "fetch", "terminate"]
TOO_LATE = "ValidationException", "The job flow is termination protected"
DENIED = "AccessDeniedException", "User is not authorized"


def test_a_good_run_goes_through_every_stage_and_ends_its_cluster(
    pipeline: Run, settings: Settings, cluster: Account
) -> None:
    report = pipeline(settings, arguments=["--limit", "5"])

    assert pipeline.stages == STAGES
    assert [event for event in pipeline.told if isinstance(event, (Created, Submitted, Status))] == [
        Created(CLUSTER),
        Status("WAITING"),
        Submitted(STEP),
        Status("COMPLETED"),
        Status("TERMINATED"),
    ]
    assert cluster.calls == [
        "ListClusters",
        "RunJobFlow",
        "DescribeCluster",
        "ListSteps",
        "DescribeCluster",
        "DescribeCluster",
        "ListSteps",
        "AddJobFlowSteps",
        "DescribeStep",
        "DescribeStep",
        "TerminateJobFlows",
        "DescribeCluster",
    ]
    assert cluster.requests[7]["Steps"][0]["HadoopJarStep"]["Args"][-2:] == ["--limit", "5"]
    assert list(report.stages) == STAGES
    assert [folder.name for folder in report.folders] == [f"metadata_{TIME}", f"stats_{TIME}"]
    assert all((folder / "_SUCCESS").is_file() for folder in report.folders)
    assert report.summary is not None
    assert (report.summary.images, report.warnings) == (4, [])


def test_ids_are_told_before_any_wait(pipeline: Run, settings: Settings, cluster: Account) -> None:
    known: dict[str, list[str]] = {}

    def tell(event: object) -> None:
        known[type(event).__name__] = list(cluster.calls)

    pipeline(settings, tell)

    assert known["Created"][-1] == "RunJobFlow"
    assert known["Submitted"][-1] == "AddJobFlowSteps"


def test_a_failed_check_creates_no_cluster_and_is_named(pipeline: Run, make_settings: Make, cluster: Account) -> None:
    with pytest.raises(WorkflowError, match="Region, Bucket failed; no cluster was created"):
        pipeline(make_settings(aws_region="eu-west-2"))

    assert cluster.calls == []
    assert "❌ Region" in pipeline.text
    assert "✅ IAM roles" in pipeline.text


def test_no_finished_run_of_the_job_is_a_failure(pipeline: Run, settings: Settings, cluster: Account) -> None:
    cluster.writes = {"output/etape_1/metadata_20250115_102345/part-0.csv": "half"} | results("20250116_102345")

    with pytest.raises(WorkflowError, match="the step left no finished run"):
        pipeline(settings)

    assert cluster.asked_to_end


@pytest.mark.parametrize("state", ["TERMINATED_WITH_ERRORS", "TERMINATING", "TERMINATED"])
def test_a_cluster_that_never_becomes_ready_is_a_failure(
    pipeline: Run, settings: Settings, cluster: Account, state: str
) -> None:
    cluster.comes_up = [(state, "")]

    with pytest.raises(ClusterNotReady, match=f"waiting for cluster {CLUSTER}: it is {state}"):
        pipeline(settings)

    assert cluster.asked_to_end
    assert "AddJobFlowSteps" not in cluster.calls


@pytest.mark.parametrize("state", ["FAILED", "CANCELLED", "INTERRUPTED"])
def test_a_step_that_fails_ends_the_cluster_and_is_the_error(
    pipeline: Run, settings: Settings, cluster: Account, state: str
) -> None:
    cluster.step = state

    with pytest.raises(StepFailed, match=f"running step {STEP}: it is {state}"):
        pipeline(settings)

    assert cluster.asked_to_end
    assert pipeline.told[-1] == Status("TERMINATED")
    assert f"terminating {CLUSTER}" in pipeline.text


@pytest.mark.parametrize("call", ["DescribeCluster", "ListSteps", "AddJobFlowSteps", "DescribeStep"])
def test_whatever_emr_refuses_the_cluster_is_ended(
    pipeline: Run, settings: Settings, cluster: Account, call: str
) -> None:
    cluster.refuses[call] = DENIED

    with pytest.raises(AwsError, match="AccessDeniedException"):
        pipeline(settings)

    assert cluster.asked_to_end


def test_a_cluster_that_was_never_created_is_not_ended(pipeline: Run, settings: Settings, cluster: Account) -> None:
    cluster.refuses["RunJobFlow"] = ("ValidationException", "Invalid InstanceProfile")

    with pytest.raises(AwsError, match="Invalid InstanceProfile"):
        pipeline(settings)

    assert cluster.calls == ["ListClusters", "RunJobFlow"]
    assert pipeline.told[-1] == NotCreated()


def test_ctrl_c_at_any_moment_never_leaves_a_cluster(pipeline: Run, settings: Settings, cluster: Account) -> None:
    pipeline(settings)
    moments = len(pipeline.told)
    assert moments > len(STAGES)

    for moment in range(moments):
        cluster.reset()
        told: list[object] = []

        def tell(event: object, told: list[object] = told, moment: int = moment) -> None:
            told.append(event)
            if len(told) == moment + 1:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            pipeline(settings, tell)

        assert cluster.asked_to_end == ({CLUSTER} if "RunJobFlow" in cluster.calls else set()), told[moment]
        assert cluster.count("AddJobFlowSteps") <= 1


@pytest.mark.parametrize("error", [BrokenPipeError("nobody reads"), UsageError("writing cluster_id.txt", "full")])
def test_a_screen_or_a_disk_that_fails_for_good_never_leaves_a_cluster(
    pipeline: Run, settings: Settings, cluster: Account, error: Exception
) -> None:
    def tell(_: object) -> None:
        if cluster.clusters:
            raise error

    with pytest.raises(type(error)):
        pipeline(settings, tell)

    assert cluster.asked_to_end


def test_a_second_ctrl_c_does_not_stop_the_termination_from_being_asked_for(
    pipeline: Run, settings: Settings, cluster: Account
) -> None:
    def tell(_: object) -> None:
        if cluster.clusters:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        pipeline(settings, tell)

    assert cluster.asked_to_end == {CLUSTER}


@pytest.mark.parametrize("failure", ["FAILED", "RUNNING"])
def test_after_a_failure_the_termination_is_asked_for_before_anything_is_told(
    pipeline: Run, make_settings: Make, cluster: Account, failure: str
) -> None:
    cluster.step = failure
    asked: list[bool] = []

    def tell(event: object) -> None:
        if "terminating" in str(event):
            asked.append(bool(cluster.asked_to_end))

    with pytest.raises(WorkflowError):
        pipeline(make_settings(step_timeout=0), tell)

    assert asked == [True]


def test_a_termination_that_fails_does_not_hide_the_first_error_and_names_the_cluster(
    pipeline: Run, settings: Settings, cluster: Account
) -> None:
    cluster.step = "FAILED"
    cluster.refuses["TerminateJobFlows"] = TOO_LATE

    with pytest.raises(StepFailed):
        pipeline(settings)

    assert "termination protected" in str(pipeline.told[-1])
    assert f"--cluster-ids {CLUSTER}" in str(pipeline.told[-1])


def test_a_termination_that_fails_after_a_good_run_is_the_error(
    pipeline: Run, settings: Settings, cluster: Account
) -> None:
    cluster.refuses["TerminateJobFlows"] = TOO_LATE

    with pytest.raises(AwsError, match=f"termination protected.*{CLUSTER}"):
        pipeline(settings)


def test_a_termination_that_takes_too_long_is_exit_code_3_and_names_the_cluster(
    pipeline: Run, make_settings: Make, cluster: Account
) -> None:
    cluster.last = "TERMINATING"

    with pytest.raises(TimedOut, match=f"still TERMINATING.*{CLUSTER}"):
        pipeline(make_settings(cluster_ready_timeout=0))

    assert cluster.count("TerminateJobFlows") == 1


@pytest.mark.parametrize(
    ("late", "setting"),
    [("cluster", "CLUSTER_READY_TIMEOUT"), ("step", "STEP_TIMEOUT")],
)
def test_running_out_of_time_is_a_failure_for_nothing_runs_on(
    pipeline: Run, make_settings: Make, cluster: Account, late: str, setting: str
) -> None:
    if late == "step":
        cluster.step = "RUNNING"
    else:
        cluster.comes_up = [("RUNNING", "")]

    with pytest.raises(WorkflowError) as caught:
        pipeline(make_settings(cluster_ready_timeout=0, step_timeout=0))

    assert caught.value.exit_code == 1
    assert setting in caught.value.remedy
    assert "goes on" not in str(caught.value)
    assert cluster.asked_to_end


def test_keep_leaves_the_cluster_after_a_good_run_and_says_that_it_costs(
    pipeline: Run, settings: Settings, cluster: Account
) -> None:
    report = pipeline(settings, keep=True)

    assert not cluster.asked_to_end
    assert list(report.stages) == STAGES[:-1]
    assert f"{CLUSTER} is kept, and costs until it has been idle for 4 h 00 min" in str(pipeline.told[-1])


@pytest.mark.parametrize("state", ["FAILED", "RUNNING"])
def test_keep_leaves_the_cluster_after_a_failure_too(
    pipeline: Run, make_settings: Make, cluster: Account, state: str
) -> None:
    cluster.step = state

    with pytest.raises(WorkflowError) as caught:
        pipeline(make_settings(step_timeout=0), keep=True)

    assert not cluster.asked_to_end
    assert caught.value.exit_code == (1 if state == "FAILED" else 3)


def test_an_empty_prefix_is_filled_with_the_sample_only_on_demand(
    pipeline: Run, settings: Settings, cluster: Account, few_labels: None
) -> None:
    cluster.bucket.s3.delete_object(Bucket="fruits-test", Key="data/fruits-360/Training/Kiwi/1.jpg")

    with pytest.raises(WorkflowError, match="Input images failed"):
        pipeline(settings)
    assert cluster.bucket.keys("data/") == []

    report = pipeline(settings, sample_if_empty=True)

    drawn = len(list(paths()))
    assert len(cluster.bucket.keys("data/fruits-360/T")) == drawn > 40
    assert f"filled with a synthetic sample of {drawn} images" in pipeline.text
    assert report.warnings == ["the images are the synthetic sample"]


def test_a_persons_own_images_are_used_as_they_are(pipeline: Run, settings: Settings, cluster: Account) -> None:
    report = pipeline(settings, sample_if_empty=True)

    assert cluster.bucket.keys("data/") == ["data/fruits-360/Training/Kiwi/1.jpg"]
    assert report.warnings == []
