"""submit: the whole step, word for word, and only to a cluster that can take it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from botocore.validate import ParamValidator

from scripts.aws import Clients
from scripts.config import Settings
from scripts.errors import AwsError, UsageError, WorkflowError
from scripts.submit_job import job_arguments, step_ids, step_request, submit

CLUSTER, STEP = "j-2AXXXXXXGAPLF", "s-2AXXXXXXGAPLF"
Make = Callable[..., Settings]

WHOLE_STEP = {
    "Name": "Read the fruits' images",
    "ActionOnFailure": "CONTINUE",
    "HadoopJarStep": {
        "Jar": "command-runner.jar",
        "Args": [
            "spark-submit",
            "--deploy-mode",
            "cluster",
            "--master",
            "yarn",
            "--conf",
            "spark.executorEnv.PYTHONHASHSEED=0",
            "--conf",
            "spark.driver.extraJavaOptions=-XX:TieredStopAtLevel=1",
            "--conf",
            "spark.executor.extraJavaOptions=-XX:TieredStopAtLevel=1",
            "--py-files",
            "s3://fruits-test/scripts/binary_files.py,s3://fruits-test/scripts/image_inspection.py,"
            "s3://fruits-test/scripts/job_errors.py,s3://fruits-test/scripts/s3_listing.py,"
            "s3://fruits-test/scripts/spark_arrow.py",
            "s3://fruits-test/scripts/read_fruits_data.py",
            "s3://fruits-test/data/fruits-360/",
            "s3://fruits-test/output/etape_1/",
            "--limit",
            "two words",
        ],
    },
}


def test_the_step_is_this_one_and_no_other(settings: Settings) -> None:
    assert step_request(settings, ["--limit", "two words"]) == WHOLE_STEP


def test_botocore_takes_the_step_as_it_is(settings: Settings, clients: Clients) -> None:
    shape = clients.emr.meta.service_model.operation_model("AddJobFlowSteps").input_shape
    request = {"JobFlowId": CLUSTER, "Steps": [step_request(settings, ["--x"])]}

    assert not ParamValidator().validate(request, shape).has_errors()


def test_the_step_goes_to_a_live_cluster_and_its_id_comes_back(
    clients: Clients, settings: Settings, emr: Any, emr_once: Any
) -> None:
    emr.cluster("RUNNING")
    emr.steps("s-BEFORE")
    emr_once.add_response("add_job_flow_steps", {"StepIds": [STEP]}, {"JobFlowId": CLUSTER, "Steps": [WHOLE_STEP]})

    assert submit(clients, settings, CLUSTER, ["--limit", "two words"]) == STEP


@pytest.mark.parametrize("state", ["TERMINATING", "TERMINATED", "TERMINATED_WITH_ERRORS"])
def test_no_step_is_sent_to_a_cluster_that_ends(
    clients: Clients, settings: Settings, emr: Any, emr_once: Any, state: str
) -> None:
    emr.cluster(state)

    with pytest.raises(WorkflowError, match=f"submitting the job: cluster {CLUSTER} is {state}"):
        submit(clients, settings, CLUSTER)


def test_a_refused_step_says_so(clients: Clients, settings: Settings, emr: Any, emr_once: Any) -> None:
    emr.cluster("WAITING")
    emr.steps()
    emr_once.add_client_error("add_job_flow_steps", "ValidationException", "Maximum number of active steps exceeded")

    with pytest.raises(AwsError, match="submitting the job: ValidationException: Maximum number"):
        submit(clients, settings, CLUSTER)


def test_a_lost_answer_finds_the_step_and_submits_no_second(
    clients: Clients, settings: Settings, emr: Any, emr_once: Any
) -> None:
    emr.cluster("WAITING")
    emr.steps("s-BEFORE")
    emr_once.add_client_error("add_job_flow_steps", "InternalFailure", "", 500)
    emr.steps(STEP, "s-BEFORE")

    assert submit(clients, settings, CLUSTER) == STEP


def test_a_step_that_never_arrived_is_submitted_again(
    clients: Clients, settings: Settings, emr: Any, emr_once: Any
) -> None:
    emr.cluster("WAITING")
    emr.steps("s-BEFORE")
    emr_once.add_client_error("add_job_flow_steps", "ServiceUnavailable", "", 503)
    emr.steps("s-BEFORE")
    emr_once.add_response("add_job_flow_steps", {"StepIds": [STEP]})

    assert submit(clients, settings, CLUSTER) == STEP


def test_throttled_is_submitted_again(clients: Clients, settings: Settings, emr: Any, emr_once: Any) -> None:
    emr.cluster("WAITING")
    emr.steps()
    emr_once.add_client_error("add_job_flow_steps", "ThrottlingException", "Rate exceeded")
    emr_once.add_response("add_job_flow_steps", {"StepIds": [STEP]})

    assert submit(clients, settings, CLUSTER) == STEP


def test_steps_of_every_page_are_known_newest_first(clients: Clients, emr: Any) -> None:
    emr.add_response("list_steps", {"Steps": [{"Id": "s-3"}, {"Id": "s-2"}], "Marker": "m"}, {"ClusterId": CLUSTER})
    emr.add_response("list_steps", {"Steps": [{"Id": "s-1"}]}, {"ClusterId": CLUSTER, "Marker": "m"})

    assert step_ids(clients, CLUSTER) == ["s-3", "s-2", "s-1"]


@pytest.mark.parametrize(
    ("setting", "override", "words"),
    [
        ("", None, []),
        ("--limit 5 --name 'two words'", None, ["--limit", "5", "--name", "two words"]),
        ("--limit 5", "--all", ["--all"]),
        ("--limit 5", "", []),
        ("", '--label "Pêche d\'été"', ["--label", "Pêche d'été"]),
    ],
)
def test_arguments_are_split_as_a_shell_does_and_args_comes_before_job_args(
    make_settings: Make, setting: str, override: str | None, words: list[str]
) -> None:
    assert job_arguments(make_settings(job_args=setting), override) == words


def test_an_open_quote_is_an_error_of_usage(settings: Settings) -> None:
    with pytest.raises(UsageError, match="reading --args: no closing quotation") as caught:
        job_arguments(settings, "--name 'open")

    assert caught.value.exit_code == 2
