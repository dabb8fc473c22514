"""The AWS CLI of the environment, unmodified, from create-cluster to the logs in S3.

It runs in this process, by its own entry point: a process a command would take most of the time. That the command does
the same is in `test_server_process`.
"""

from __future__ import annotations

import contextlib
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import awscli
import pytest
from awscli.clidriver import create_clidriver

from tests.local_emr.emr_fixtures import BUCKET, Emr, running

REGION = "eu-west-1"
LOGS = f"s3://{BUCKET}/logs/"


class Cli:
    """`aws` with the variables that the documentation gives."""

    def __init__(self, emr: Emr) -> None:
        self.emr = emr

    def __call__(self, *words: str) -> str:
        code, said, complained = self.run(*words)
        assert code == 0, complained
        return said

    def run(self, *words: str) -> tuple[int, str, str]:
        """(exit code, stdout, stderr) of a command."""
        # Version 1 has addresses of its own for EMR in most regions, which outrank AWS_ENDPOINT_URL; not the option.
        place = ("--endpoint-url", self.emr.url) if words[0] == "emr" else ()
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = create_clidriver().main([*words, *place])
        return code, out.getvalue(), err.getvalue()

    def json(self, *words: str) -> Any:
        return json.loads(self(*words))

    def create(self, *options: str) -> str:
        common = ("--release-label", "emr-7.11.0", "--use-default-roles", "--log-uri", LOGS)
        created = self.json("emr", "create-cluster", *common, *options)
        assert created["ClusterArn"].endswith(created["ClusterId"])
        return str(created["ClusterId"])

    def describe(self, cluster: str) -> Any:
        return self.json("emr", "describe-cluster", "--cluster-id", cluster)["Cluster"]


@pytest.fixture(scope="module")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cli]:
    with pytest.MonkeyPatch.context() as patch, running(tmp_path_factory.mktemp("home")) as emr:
        for name in ("AWS_PROFILE", "AWS_ENDPOINT_URL_EMR", "AWS_ENDPOINT_URL_S3", "AWS_SESSION_TOKEN"):
            patch.delenv(name, raising=False)
        variables = {
            "AWS_DATA_PATH": str(Path(awscli.__file__).parent / "data"),  # as the command sets it
            "HOME": str(tmp_path_factory.mktemp("user")),
            "AWS_CONFIG_FILE": "/dev/null",
            "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
            "AWS_ENDPOINT_URL": emr.url,
            "AWS_ACCESS_KEY_ID": "any",
            "AWS_SECRET_ACCESS_KEY": "any",
            "AWS_DEFAULT_REGION": REGION,
            "AWS_DEFAULT_OUTPUT": "json",
        }
        for name, value in variables.items():
            patch.setenv(name, value)
        yield Cli(emr)


@pytest.fixture(scope="module")
def cluster(aws: Cli, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A cluster of three nodes, made with all that is usual."""
    folder = tmp_path_factory.mktemp("files")
    (folder / "prepare.sh").write_text("#!/bin/bash\necho prepared $1\n")
    (folder / "configurations.json").write_text(
        json.dumps([{"Classification": "spark-defaults", "Properties": {"spark.executor.memory": "1g"}}])
    )
    aws("s3", "cp", str(folder / "prepare.sh"), f"s3://{BUCKET}/bootstrap/prepare.sh")
    return aws.create(
        *("--name", "by hand", "--instance-type", "m5.xlarge", "--instance-count", "3"),
        *("--applications", "Name=Hadoop", "Name=Spark", "--tags", "team=fruits", "bare"),
        *("--ec2-attributes", "KeyName=local-emr", "--no-auto-terminate", "--ebs-root-volume-size", "20"),
        *("--configurations", f"file://{folder}/configurations.json"),
        *("--bootstrap-actions", f"Path=s3://{BUCKET}/bootstrap/prepare.sh,Name=prepare,Args=[well]"),
        *("--auto-termination-policy", "IdleTimeout=3600", "--step-concurrency-level", "1"),
        *("--steps", "Type=CUSTOM_JAR,Name=first,Jar=command-runner.jar,Args=[bash,-c,echo begun]"),
    )


def wait_ready(aws: Cli, cluster: str) -> None:
    aws.emr.wait_cluster(cluster, "WAITING")  # the CLI's own waiter looks every 30 s
    aws("emr", "wait", "cluster-running", "--cluster-id", cluster)


def test_a_cluster_is_described_with_its_groups_and_bootstrap_actions(aws: Cli, cluster: str) -> None:
    wait_ready(aws, cluster)
    described = aws.describe(cluster)
    sizes = {g["InstanceGroupType"]: g["RunningInstanceCount"] for g in described["InstanceGroups"]}
    assert sizes == {"MASTER": 1, "CORE": 2}
    assert [(b["Name"], b["Args"]) for b in described["BootstrapActions"]] == [("prepare", ["well"])]
    assert [a["Name"] for a in described["Applications"]] == ["Hadoop", "Spark"]
    assert described["Tags"] == [{"Key": "team", "Value": "fruits"}, {"Key": "bare", "Value": ""}]
    assert described["LogUri"] == f"s3n://{BUCKET}/logs/"
    assert described["Configurations"][0]["Properties"] == {"spark.executor.memory": "1g"}
    assert described["EbsRootVolumeSize"] == 20
    assert described["AutoTerminate"] is False
    active = aws.json("emr", "list-clusters", "--active")["Clusters"]
    assert cluster in [c["Id"] for c in active]
    masters = aws.json("emr", "list-instances", "--cluster-id", cluster, "--instance-group-types", "MASTER")[
        "Instances"
    ]
    assert [i["Status"]["State"] for i in masters] == ["RUNNING"]


def test_steps_of_several_types_run_and_leave_their_logs(aws: Cli, cluster: str, tmp_path: Path) -> None:
    wait_ready(aws, cluster)
    steps = (
        "Type=Spark,Name=spark,ActionOnFailure=CONTINUE,Args=[--version]",
        "Type=CUSTOM_JAR,Name=shell,ActionOnFailure=CONTINUE,Jar=command-runner.jar,Args=[bash,-c,echo out; aws s3 ls]",
        "Type=CUSTOM_JAR,Name=fails,ActionOnFailure=CONTINUE,Jar=command-runner.jar,Args=[bash,-c,exit 3]",
    )
    spark, shell, fails = aws.json("emr", "add-steps", "--cluster-id", cluster, "--steps", *steps)["StepIds"]
    ends = [aws.emr.wait_step(cluster, step, seconds=60)["State"] for step in (spark, shell, fails)]
    assert ends == ["COMPLETED", "COMPLETED", "FAILED"]
    aws("emr", "wait", "step-complete", "--cluster-id", cluster, "--step-id", shell)
    code, _, said = aws.run("emr", "wait", "step-complete", "--cluster-id", cluster, "--step-id", fails)
    assert (code, "terminal failure state" in said) == (255, True)
    described = aws.json("emr", "describe-step", "--cluster-id", cluster, "--step-id", spark)["Step"]
    assert (described["Config"]["Jar"], described["Config"]["Args"]) == (
        "command-runner.jar",
        ["spark-submit", "--version"],
    )
    failed = aws.json("emr", "list-steps", "--cluster-id", cluster, "--step-states", "FAILED")["Steps"]
    assert [(s["Id"], s["Status"]["FailureDetails"]["Reason"]) for s in failed] == [(fails, "Unknown Error.")]
    newest_first = [s["Id"] for s in aws.json("emr", "list-steps", "--cluster-id", cluster)["Steps"]]
    assert newest_first[:3] == [fails, shell, spark]
    aws("s3", "cp", "--recursive", "--quiet", f"{LOGS}{cluster}/steps/{shell}/", str(tmp_path))
    assert {path.name for path in tmp_path.iterdir()} == {"controller.gz", "stderr.gz", "stdout.gz", "syslog.gz"}
    assert aws.emr.logs(f"{cluster}/steps/{shell}/")["stdout.gz"].startswith("out\n")


def test_a_running_and_a_pending_step_are_cancelled(aws: Cli, cluster: str) -> None:
    wait_ready(aws, cluster)
    long = "Type=CUSTOM_JAR,Name=long,ActionOnFailure=CONTINUE,Jar=command-runner.jar,Args=[sleep,54321]"
    ids = aws.json("emr", "add-steps", "--cluster-id", cluster, "--steps", long, long)["StepIds"]
    aws.emr.wait_step(cluster, ids[0], "RUNNING")
    option = ("--step-cancellation-option", "TERMINATE_PROCESS")
    answer = aws.json("emr", "cancel-steps", "--cluster-id", cluster, "--step-ids", *ids, *option)
    assert [info["Status"] for info in answer["CancelStepsInfoList"]] == ["SUBMITTED", "SUBMITTED"]
    assert [aws.emr.wait_step(cluster, step)["State"] for step in ids] == ["CANCELLED", "CANCELLED"]


def test_a_cluster_s_attributes_are_changed(aws: Cli, cluster: str) -> None:
    wait_ready(aws, cluster)
    of = ("--cluster-id", cluster)
    aws("emr", "modify-cluster-attributes", *of, "--termination-protected")
    code, _, said = aws.run("emr", "terminate-clusters", "--cluster-ids", cluster)
    assert (code, "since they are termination protected" in said) == (255, True)
    aws("emr", "modify-cluster-attributes", *of, "--no-termination-protected")
    aws("emr", "modify-cluster-attributes", *of, "--no-auto-terminate")
    aws("emr", "modify-cluster-attributes", *of, "--unhealthy-node-replacement")
    aws("emr", "add-tags", "--resource-id", cluster, "--tags", "owner=me", "team=pears")
    aws("emr", "remove-tags", "--resource-id", cluster, "--tag-keys", "bare")
    assert aws.json("emr", "modify-cluster", *of, "--step-concurrency-level", "2") == {"StepConcurrencyLevel": 2}
    described = aws.describe(cluster)
    assert {tag["Key"]: tag["Value"] for tag in described["Tags"]} == {"owner": "me", "team": "pears"}
    assert (described["TerminationProtected"], described["StepConcurrencyLevel"]) == (False, 2)
    policy = ("--auto-termination-policy", "IdleTimeout=600")
    aws("emr", "put-auto-termination-policy", *of, *policy)
    kept = aws.json("emr", "get-auto-termination-policy", *of)["AutoTerminationPolicy"]
    assert kept == {"IdleTimeout": 600}
    aws("emr", "remove-auto-termination-policy", *of)
    limits = "ComputeLimits={MinimumCapacityUnits=1,MaximumCapacityUnits=4,UnitType=Instances}"
    aws("emr", "put-managed-scaling-policy", *of, "--managed-scaling-policy", limits)
    assert aws.json("emr", "get-managed-scaling-policy", *of)["ManagedScalingPolicy"]["ComputeLimits"]
    group = "InstanceGroupType=TASK,InstanceCount=1,InstanceType=m5.xlarge"
    (task,) = aws.json("emr", "add-instance-groups", *of, "--instance-groups", group)["InstanceGroupIds"]
    aws("emr", "modify-instance-groups", *of, "--instance-groups", f"InstanceGroupId={task},InstanceCount=2")
    counts = {g["Id"]: g["RequestedInstanceCount"] for g in aws.describe(cluster)["InstanceGroups"]}
    assert counts[task] == 2


def test_a_transient_cluster_of_groups_ends_by_itself(aws: Cli) -> None:
    cluster = aws.create(
        "--instance-groups",
        "InstanceGroupType=MASTER,InstanceCount=1,InstanceType=m5.xlarge",
        "InstanceGroupType=CORE,InstanceCount=1,InstanceType=r5.xlarge,BidPrice=0.2",
        *("--auto-terminate", "--steps", "Type=CUSTOM_JAR,Jar=command-runner.jar,Args=[true]"),
    )
    reason = aws.emr.wait_cluster(cluster)["StateChangeReason"]
    aws("emr", "wait", "cluster-terminated", "--cluster-id", cluster)
    assert reason == {"Code": "ALL_STEPS_COMPLETED", "Message": "Steps completed"}
    described = aws.describe(cluster)
    assert [(g["Market"], g.get("BidPrice")) for g in described["InstanceGroups"]] == [
        ("ON_DEMAND", None),
        ("SPOT", "0.2"),
    ]
    assert cluster in [c["Id"] for c in aws.json("emr", "list-clusters", "--terminated")["Clusters"]]


def test_a_cluster_of_fleets(aws: Cli) -> None:
    cluster = aws.create(
        "--instance-fleets",
        "InstanceFleetType=MASTER,TargetOnDemandCapacity=1,InstanceTypeConfigs=[{InstanceType=m5.xlarge}]",
        "InstanceFleetType=CORE,TargetSpotCapacity=4,"
        "InstanceTypeConfigs=[{InstanceType=m5.xlarge,WeightedCapacity=2},{InstanceType=r5.xlarge}],"
        "LaunchSpecifications={SpotSpecification={TimeoutDurationMinutes=20,TimeoutAction=TERMINATE_CLUSTER}}",
    )
    wait_ready(aws, cluster)
    master, core = aws.describe(cluster)["InstanceFleets"]
    assert (master["ProvisionedOnDemandCapacity"], core["ProvisionedSpotCapacity"]) == (1, 4)
    change = f"InstanceFleetId={core['Id']},TargetSpotCapacity=6"
    aws("emr", "modify-instance-fleet", "--cluster-id", cluster, "--instance-fleet", change)
    fleets = aws.json("emr", "list-instance-fleets", "--cluster-id", cluster)["InstanceFleets"]
    assert fleets[1]["TargetSpotCapacity"] == 6
    aws("emr", "terminate-clusters", "--cluster-ids", cluster)
    assert aws.emr.wait_cluster(cluster)["State"] == "TERMINATED"


def test_what_emr_offers(aws: Cli) -> None:
    labels = aws.json("emr", "list-release-labels", "--filters", "Application=Spark@3.5.6")["ReleaseLabels"]
    assert "emr-7.11.0" in labels
    described = aws.json("emr", "describe-release-label", "--release-label", "emr-7.11.0")
    assert {"Name": "Spark", "Version": "3.5.6"} in described["Applications"]
    types = aws.json("emr", "list-supported-instance-types", "--release-label", "emr-7.11.0")
    assert "m5.xlarge" in [t["Type"] for t in types["SupportedInstanceTypes"]]


def test_a_refusal_reads_as_from_emr(aws: Cli) -> None:
    wrong = (
        "--release-label",
        "emr-7.11.0",
        "--use-default-roles",
        "--instance-type",
        "m9.tiny",
        "--instance-count",
        "1",
    )
    code, _, said = aws.run("emr", "create-cluster", *wrong)
    assert code == 255
    assert said.strip().endswith(
        "An error occurred (ValidationException) when calling the RunJobFlow operation: "
        "Instance type 'm9.tiny' is not supported."
    )
