"""submit: one step that runs the job on the cluster. The request is a pure function of the settings."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from typing import TYPE_CHECKING

from scripts.aws import Clients
from scripts.config import Settings
from scripts.create_cluster import require_live
from scripts.errors import UsageError, doing
from scripts.lifecycle import once
from scripts.upload_scripts import JOB, JOB_MODULES

if TYPE_CHECKING:
    from mypy_boto3_emr.type_defs import StepConfigTypeDef


def step_request(settings: Settings, arguments: Sequence[str] = ()) -> StepConfigTypeDef:
    """The one step of AddJobFlowSteps; `arguments` follow the job's input and output.

    https://docs.aws.amazon.com/emr/latest/ReleaseGuide/emr-spark-submit-step.html
    """
    return {
        "Name": "Read the fruits' images",
        # The step's own failure is the verdict; whether the cluster then ends is the pipeline's to say.
        "ActionOnFailure": "CONTINUE",
        "HadoopJarStep": {
            "Jar": "command-runner.jar",
            "Args": [
                "spark-submit",
                "--deploy-mode",
                "cluster",
                "--master",
                "yarn",
                # Python's hash of a string must be the same on every executor, or grouping by it goes wrong.
                "--conf",
                "spark.executorEnv.PYTHONHASHSEED=0",
                *("--conf", f"spark.driver.extraJavaOptions={settings.spark_java_options}"),
                *("--conf", f"spark.executor.extraJavaOptions={settings.spark_java_options}"),
                "--py-files",
                ",".join(settings.uri(settings.scripts_prefix + module.name) for module in JOB_MODULES),
                settings.uri(settings.scripts_prefix + JOB.name),
                settings.uri(settings.data_prefix),
                settings.uri(settings.output_prefix),
                *arguments,
            ],
        },
    }


def job_arguments(settings: Settings, override: str | None = None) -> list[str]:
    """The job's own arguments: `override` (from --args) or else JOB_ARGS, split as a shell splits words.

    Raises:
        UsageError: a quote is not closed.
    """
    text = settings.job_args if override is None else override
    try:
        return shlex.split(text)
    except ValueError as error:
        raise UsageError("reading --args", f"{str(error).lower()} in {text!r}", "Close the quote.") from error


def submit(clients: Clients, settings: Settings, cluster_id: str, arguments: Sequence[str] = ()) -> str:
    """Add the step to a live cluster, once and no more; its id (`s-…`).

    Raises:
        WorkflowError: the cluster is ending or has ended.
        AwsError: EMR refuses the step.
    """
    require_live(clients, cluster_id, "submitting the job")
    known = set(step_ids(clients, cluster_id))

    def add() -> str:
        with doing("submitting the job"):
            request = step_request(settings, arguments)
            return clients.emr_once.add_job_flow_steps(JobFlowId=cluster_id, Steps=[request])["StepIds"][0]

    def find() -> str | None:
        return next((step_id for step_id in step_ids(clients, cluster_id) if step_id not in known), None)

    return once(add, find, every=settings.poll_interval, renew=clients.renew)


def step_ids(clients: Clients, cluster_id: str) -> list[str]:
    """The ids of a cluster's steps, newest first."""
    with doing(f"looking at the steps of {cluster_id}"):
        pages = clients.emr.get_paginator("list_steps").paginate(ClusterId=cluster_id)
        return [step["Id"] for page in pages for step in page["Steps"]]
