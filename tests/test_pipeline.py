"""pipeline: the verbs in their order, and a cluster that is terminated whatever happens."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.awsrequest import AWSResponse

from scripts.aws import Clients
from scripts.config import Settings
from scripts.errors import AwsError, TimedOut, UsageError, WorkflowError
from scripts.lifecycle import Status
from scripts.pipeline import Created, Options, Report, Stage, Submitted, run
from scripts.sample_images import paths
from scripts.watch_step import StepFailed

Make = Callable[..., Settings]
CLUSTER, STEP, TIME = "j-2AXXXXXXGAPLF", "s-2AXXXXXXGAPLF", "20250115_102345"
RESULTS = {
    f"output/etape_1/metadata_{TIME}/part-0.csv": "s3_path\n",
    f"output/etape_1/metadata_{TIME}/_SUCCESS": "",
    f"output/etape_1/stats_{TIME}/part-0.csv": "split,label,count\nTraining,Kiwi,3\nTest,Kiwi,1\n",
    f"output/etape_1/stats_{TIME}/_SUCCESS": "",
}
STAGES = ["verify", "upload", "create", "monitor", "submit", "watch-step", "fetch", "terminate"]
TOO_LATE = "ValidationException", "The job flow is termination protected"


class OneCluster:
    """An account with one cluster, behind the real clients: botocore checks every request, these few lines answer."""

    def __init__(self, bucket: Any) -> None:
        self.bucket, self.calls = bucket, []
        self.state, self.step, self.last = "WAITING", "COMPLETED", "TERMINATED"
        self.refuses: dict[str, tuple[str, str]] = {}
        self.writes = RESULTS

    def emr(self, model: Any, params: Any, **_: Any) -> tuple[AWSResponse, dict[str, Any]]:
        self.calls.append(model.name)
        if model.name in self.refuses:
            code, message = self.refuses[model.name]
            return AWSResponse("", 400, {}, None), {"Error": {"Code": code, "Message": message}}
        if model.name == "AddJobFlowSteps":
            self.bucket.put(self.writes)
        if model.name == "TerminateJobFlows":
            assert json.loads(params["body"]) == {"JobFlowIds": [CLUSTER]}
            self.state = self.last
        answers: dict[str, dict[str, Any]] = {
            "RunJobFlow": {"JobFlowId": CLUSTER},
            "DescribeCluster": {"Cluster": {"Id": CLUSTER, "Status": {"State": self.state}}},
            "ListSteps": {"Steps": []},
            "AddJobFlowSteps": {"StepIds": [STEP]},
            "DescribeStep": {"Step": {"Id": STEP, "Status": {"State": self.step}}},
            "TerminateJobFlows": {},
        }
        return AWSResponse("", 200, {}, None), answers[model.name]

    def account(self, model: Any, **_: Any) -> tuple[AWSResponse, dict[str, Any]]:
        """The key pair and the roles are there."""
        answers = {"DescribeKeyPairs": {"KeyPairs": [{"KeyName": "mine"}]}, "GetRole": {}, "GetInstanceProfile": {}}
        return AWSResponse("", 200, {}, None), answers[model.name]

    @property
    def asked_to_end(self) -> bool:
        return "TerminateJobFlows" in self.calls


@pytest.fixture
def cluster(clients: Clients, bucket: Any) -> Iterator[OneCluster]:
    """All that a run needs is in place."""
    bucket.put({"data/fruits-360/Training/Kiwi/1.jpg": "x"})
    one = OneCluster(bucket)
    hooks = [
        (clients.emr, "before-call.emr.*", one.emr),
        (clients.emr_once, "before-call.emr.*", one.emr),
        (clients.ec2, "before-call.ec2.*", one.account),
        (clients.iam, "before-call.iam.*", one.account),
    ]
    for client, event, answer in hooks:
        client.meta.events.register_first(event, answer)
    yield one
    for client, event, answer in hooks:
        client.meta.events.unregister(event, answer)


class Run:
    """Runs the pipeline and notes what it tells."""

    def __init__(self, clients: Clients, results: Path) -> None:
        self.clients, self.results = clients, results
        self.told: list[object] = []

    def __call__(self, settings: Settings, tell: Callable[[object], None] | None = None, **options: Any) -> Report:
        self.told.clear()
        return run(self.clients, settings, tell or self.told.append, Options(self.results, **options))

    @property
    def text(self) -> str:
        return "\n".join(str(event) for event in self.told)


@pytest.fixture
def pipeline(clients: Clients, tmp_path: Path) -> Run:
    return Run(clients, tmp_path / "results")


def test_a_good_run_goes_through_every_stage_and_ends_its_cluster(
    pipeline: Run, settings: Settings, cluster: OneCluster
) -> None:
    report = pipeline(settings, arguments=["--limit", "5"])

    assert [event.name for event in pipeline.told if isinstance(event, Stage)] == STAGES
    assert [event for event in pipeline.told if isinstance(event, (Created, Submitted, Status))] == [
        Created(CLUSTER),
        Status("WAITING"),
        Submitted(STEP),
        Status("COMPLETED"),
        Status("TERMINATED"),
    ]
    assert cluster.calls == [
        "RunJobFlow",
        "DescribeCluster",
        "ListSteps",
        "DescribeCluster",
        "DescribeCluster",
        "AddJobFlowSteps",
        "DescribeStep",
        "TerminateJobFlows",
        "DescribeCluster",
    ]
    assert list(report.stages) == STAGES
    assert [folder.name for folder in report.folders] == [f"metadata_{TIME}", f"stats_{TIME}"]
    assert all((folder / "_SUCCESS").is_file() for folder in report.folders)
    assert report.summary is not None
    assert (report.summary.images, report.warnings) == (4, [])


def test_ids_are_told_before_any_wait(pipeline: Run, settings: Settings, cluster: OneCluster) -> None:
    known: dict[str, list[str]] = {}

    def tell(event: object) -> None:
        known[type(event).__name__] = list(cluster.calls)

    pipeline(settings, tell)

    assert known["Created"][-1] == "RunJobFlow"
    assert known["Submitted"][-1] == "AddJobFlowSteps"


def test_a_failed_check_creates_no_cluster_and_is_named(
    pipeline: Run, make_settings: Make, cluster: OneCluster
) -> None:
    with pytest.raises(WorkflowError, match="Region, Bucket failed; no cluster was created"):
        pipeline(make_settings(aws_region="eu-west-2"))

    assert cluster.calls == []
    assert "❌ Region" in pipeline.text
    assert "✅ IAM roles" in pipeline.text


def test_no_finished_run_of_the_job_is_a_failure(pipeline: Run, settings: Settings, cluster: OneCluster) -> None:
    cluster.writes = {"output/etape_1/metadata_20250115_102345/part-0.csv": "half"}

    with pytest.raises(WorkflowError, match="no finished run"):
        pipeline(settings)

    assert cluster.asked_to_end


@pytest.mark.parametrize("state", ["TERMINATED_WITH_ERRORS", "TERMINATING", "TERMINATED"])
def test_a_cluster_that_never_becomes_ready_is_a_failure(
    pipeline: Run, settings: Settings, cluster: OneCluster, state: str
) -> None:
    cluster.state = state

    with pytest.raises(WorkflowError, match=f"waiting for cluster {CLUSTER}: it is {state}"):
        pipeline(settings)

    assert cluster.asked_to_end
    assert "AddJobFlowSteps" not in cluster.calls


@pytest.mark.parametrize("state", ["FAILED", "CANCELLED", "INTERRUPTED"])
def test_a_step_that_fails_ends_the_cluster_and_is_the_error(
    pipeline: Run, settings: Settings, cluster: OneCluster, state: str
) -> None:
    cluster.step = state

    with pytest.raises(StepFailed, match=f"running step {STEP}: it is {state}"):
        pipeline(settings)

    assert cluster.asked_to_end
    assert pipeline.told[-1] == Status("TERMINATED")
    assert f"terminating {CLUSTER}" in pipeline.text


@pytest.mark.parametrize("call", ["ListSteps", "AddJobFlowSteps", "DescribeStep"])
def test_whatever_emr_refuses_the_cluster_is_ended(
    pipeline: Run, settings: Settings, cluster: OneCluster, call: str
) -> None:
    cluster.refuses[call] = ("ExpiredTokenException", "expired")

    with pytest.raises(AwsError, match="ExpiredTokenException"):
        pipeline(settings)

    assert cluster.asked_to_end


def test_a_cluster_that_was_never_created_is_not_ended(pipeline: Run, settings: Settings, cluster: OneCluster) -> None:
    cluster.refuses["RunJobFlow"] = ("ValidationException", "Invalid InstanceProfile")

    with pytest.raises(AwsError, match="Invalid InstanceProfile"):
        pipeline(settings)

    assert cluster.calls == ["RunJobFlow"]


def test_ctrl_c_at_any_moment_never_leaves_a_cluster(pipeline: Run, settings: Settings, cluster: OneCluster) -> None:
    pipeline(settings)
    moments = len(pipeline.told)
    assert moments > len(STAGES)

    for moment in range(moments):
        cluster.calls.clear()
        cluster.state = "WAITING"
        told: list[object] = []

        def tell(event: object, told: list[object] = told, moment: int = moment) -> None:
            told.append(event)
            if len(told) == moment + 1:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            pipeline(settings, tell)

        assert cluster.asked_to_end is ("RunJobFlow" in cluster.calls), f"interrupted at {told[moment]}"


@pytest.mark.parametrize("error", [BrokenPipeError("nobody reads"), UsageError("writing cluster_id.txt", "full")])
def test_a_screen_or_a_disk_that_fails_for_good_never_leaves_a_cluster(
    pipeline: Run, settings: Settings, cluster: OneCluster, error: Exception
) -> None:
    def tell(_: object) -> None:
        if cluster.calls:
            raise error

    with pytest.raises(type(error)):
        pipeline(settings, tell)

    assert cluster.asked_to_end


def test_a_second_ctrl_c_does_not_stop_the_termination_from_being_asked_for(
    pipeline: Run, settings: Settings, cluster: OneCluster
) -> None:
    def tell(_: object) -> None:
        if cluster.calls:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        pipeline(settings, tell)

    assert cluster.asked_to_end


def test_a_termination_that_fails_does_not_hide_the_first_error_and_names_the_cluster(
    pipeline: Run, settings: Settings, cluster: OneCluster
) -> None:
    cluster.step = "FAILED"
    cluster.refuses["TerminateJobFlows"] = TOO_LATE

    with pytest.raises(StepFailed):
        pipeline(settings)

    assert "termination protected" in str(pipeline.told[-1])
    assert f"--cluster-ids {CLUSTER}" in str(pipeline.told[-1])


def test_a_termination_that_fails_after_a_good_run_is_the_error(
    pipeline: Run, settings: Settings, cluster: OneCluster
) -> None:
    cluster.refuses["TerminateJobFlows"] = TOO_LATE

    with pytest.raises(AwsError, match=f"termination protected.*{CLUSTER}"):
        pipeline(settings)


def test_a_termination_that_takes_too_long_is_exit_code_3_and_names_the_cluster(
    pipeline: Run, make_settings: Make, cluster: OneCluster
) -> None:
    cluster.last = "TERMINATING"

    with pytest.raises(TimedOut, match=f"still TERMINATING.*{CLUSTER}"):
        pipeline(make_settings(cluster_ready_timeout=0))

    assert cluster.calls.count("TerminateJobFlows") == 1


@pytest.mark.parametrize(
    ("late", "setting"),
    [("state", "CLUSTER_READY_TIMEOUT"), ("step", "STEP_TIMEOUT")],
)
def test_running_out_of_time_is_a_failure_for_nothing_runs_on(
    pipeline: Run, make_settings: Make, cluster: OneCluster, late: str, setting: str
) -> None:
    setattr(cluster, late, "RUNNING")

    with pytest.raises(WorkflowError) as caught:
        pipeline(make_settings(cluster_ready_timeout=0, step_timeout=0))

    assert caught.value.exit_code == 1
    assert setting in caught.value.remedy
    assert "goes on" not in str(caught.value)
    assert cluster.asked_to_end


def test_keep_leaves_the_cluster_after_a_good_run_and_says_that_it_costs(
    pipeline: Run, settings: Settings, cluster: OneCluster
) -> None:
    report = pipeline(settings, keep=True)

    assert not cluster.asked_to_end
    assert list(report.stages) == STAGES[:-1]
    assert f"{CLUSTER} is kept, and costs until it has been idle for 4 h 00 min" in str(pipeline.told[-1])


@pytest.mark.parametrize("state", ["FAILED", "RUNNING"])
def test_keep_leaves_the_cluster_after_a_failure_too(
    pipeline: Run, make_settings: Make, cluster: OneCluster, state: str
) -> None:
    cluster.step = state

    with pytest.raises(WorkflowError) as caught:
        pipeline(make_settings(step_timeout=0), keep=True)

    assert not cluster.asked_to_end
    assert caught.value.exit_code == (1 if state == "FAILED" else 3)


def test_an_empty_prefix_is_filled_with_the_sample_only_on_demand(
    pipeline: Run, settings: Settings, cluster: OneCluster
) -> None:
    cluster.bucket.s3.delete_object(Bucket="fruits-test", Key="data/fruits-360/Training/Kiwi/1.jpg")

    with pytest.raises(WorkflowError, match="Input images failed"):
        pipeline(settings)
    assert cluster.bucket.keys("data/") == []

    report = pipeline(settings, sample_if_empty=True)

    assert len(cluster.bucket.keys("data/fruits-360/T")) == len(list(paths()))
    assert "filled with a synthetic sample of 647 images" in pipeline.text
    assert report.warnings == ["the images are the synthetic sample"]


def test_a_persons_own_images_are_used_as_they_are(pipeline: Run, settings: Settings, cluster: OneCluster) -> None:
    report = pipeline(settings, sample_if_empty=True)

    assert cluster.bucket.keys("data/") == ["data/fruits-360/Training/Kiwi/1.jpg"]
    assert report.warnings == []
