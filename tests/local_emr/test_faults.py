"""Faults on demand: the file's rules, throttling at the published rates, and bad days of clusters and steps."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local_emr.cluster_faults import TAG, tagged_faults
from local_emr.fault_rules import Rules
from local_emr.throttling import Buckets
from tests.local_emr.emr_fixtures import Emr, running, until

CORE = {
    "InstanceGroups": [
        {"InstanceRole": "MASTER", "InstanceType": "m5.xlarge", "InstanceCount": 1},
        {"InstanceRole": "CORE", "InstanceType": "m5.xlarge", "InstanceCount": 2},
    ]
}


@pytest.fixture(scope="module")
def emr(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emr]:
    with running(tmp_path_factory.mktemp("home")) as emr:
        yield emr


@pytest.fixture
def faults(emr: Emr) -> Iterator[Any]:
    path = emr.home / "faults.json"
    yield lambda *rules: path.write_text(json.dumps(rules))
    path.unlink(missing_ok=True)


def test_a_line_that_is_no_rule_is_reported_and_left_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "faults.json"
    lines = [{"kind": "sloth"}, 7, {"kind": "slow", "skip": "2"}, {"kind": "slow", "colour": 1}, {"kind": "error"}]
    path.write_text(json.dumps(lines))
    rules = Rules(path)
    assert rules.due(["slow"]) is None
    assert rules.due(["error"], service=["emr"]) is not None
    said = capsys.readouterr().err
    assert [f"rule {n} is left out" in said for n in (1, 2, 3, 4, 5)] == [True] * 4 + [False]
    assert "skip should be int, not '2'" in said
    for broken in ("{", '{"kind": "slow"}', "\0"):
        path.write_text(broken)
        assert rules.due(["error"]) is None
    assert "faults.json is left out" in capsys.readouterr().err


def test_rules_count_what_they_are_about(tmp_path: Path) -> None:
    path = tmp_path / "faults.json"
    path.write_text(json.dumps([{"kind": "error", "operation": "List*", "skip": 1, "times": 2}]))
    rules = Rules(path)
    names = ["ListSteps", "DescribeStep", "ListSteps", "ListClusters", "ListSteps"]
    assert [rules.due(["error"], operation=[name]) is not None for name in names] == [False, False, True, True, False]


def test_tags_name_faults() -> None:
    cluster = {"Tags": [{"Key": TAG, "Value": "no-capacity=20 step-killed=x slow-logs"}]}
    assert [(fault.kind, fault.seconds) for fault in tagged_faults(cluster)] == [("no-capacity", 20), ("slow-logs", 1)]


def test_buckets_hold_aws_s_published_rates() -> None:
    now = 0.0
    buckets = Buckets(lambda: now)
    taken = [buckets.take("eu-west-1", "DescribeStep") for _ in range(11)]
    assert taken == [True] * 10 + [False]
    assert buckets.take("eu-west-3", "DescribeStep")
    now = 2.0
    assert [buckets.take("eu-west-1", "DescribeStep") for _ in range(2)] == [True, False]
    assert sum(buckets.take("eu-west-1", "ModifyCluster") for _ in range(300)) == 199


def test_emr_throttles_at_those_rates_when_told_to(emr: Emr, faults: Any) -> None:
    faults({"kind": "rates"})
    with pytest.raises(ClientError) as caught:
        for _ in range(25):
            emr.emr.list_clusters()
    assert caught.value.response["Error"] == {"Code": "ThrottlingException", "Message": "Rate exceeded"}
    faults()
    emr.emr.list_clusters()


def test_no_capacity_leaves_a_cluster_in_starting_and_then_ends_it(emr: Emr) -> None:
    cluster = emr.cluster(Tags=[{"Key": TAG, "Value": "no-capacity=0.5"}])
    seen: set[str] = set()

    def ended() -> bool:
        seen.add(emr.status(cluster)["State"])
        return "TERMINATED_WITH_ERRORS" in seen

    until(ended)
    status = emr.status(cluster)
    assert seen <= {"STARTING", "TERMINATING", "TERMINATED_WITH_ERRORS"}
    assert status["StateChangeReason"]["Code"] == "INTERNAL_ERROR"
    assert "sufficient m5.xlarge capacity" in status["StateChangeReason"]["Message"]
    assert status["ErrorDetails"][0]["ErrorCode"] == "INTERNAL_ERROR_EC2_INSUFFICIENT_CAPACITY_AZ"
    assert "ReadyDateTime" not in status["Timeline"]


def test_a_bootstrap_action_fails_on_demand(emr: Emr, faults: Any) -> None:
    faults({"kind": "bootstrap-failure", "cluster": "unlucky"})
    actions = emr.bootstrap("#!/bin/sh\ntrue\n")
    lucky, unlucky = (emr.cluster(Name=name, BootstrapActions=actions) for name in ("lucky", "unlucky"))
    assert emr.wait_cluster(unlucky)["StateChangeReason"]["Code"] == "BOOTSTRAP_FAILURE"
    emr.wait_cluster(lucky, "WAITING")


def test_steps_are_killed_and_interrupted_on_demand(emr: Emr, faults: Any) -> None:
    faults(
        {"kind": "step-killed", "step": "bash", "seconds": 0.1},
        {"kind": "step-interrupted", "step": "python3", "seconds": 0.1},
    )
    cluster = emr.cluster()
    killed = emr.step(cluster, "bash", "-c", "sleep 60")
    interrupted = emr.step(cluster, "python3", "-c", "import time; time.sleep(60)")
    again = emr.step(cluster, "bash", "-c", "sleep 0.3")
    assert emr.wait_step(cluster, killed)["State"] == "FAILED"
    assert emr.logs(f"{cluster}/steps/{killed}/")["stderr.gz"].endswith("Command exiting with ret '137'\n")
    assert emr.wait_step(cluster, interrupted, "INTERRUPTED")
    assert emr.wait_step(cluster, again)["State"] == "COMPLETED"


def test_a_cluster_is_lost_under_its_step(emr: Emr, faults: Any) -> None:
    faults({"kind": "cluster-lost", "seconds": 0.1})
    cluster = emr.cluster()
    step = emr.step(cluster, "sleep", "60")
    status = emr.wait_cluster(cluster)
    assert status["State"] == "TERMINATED_WITH_ERRORS"
    reason = {"Code": "INSTANCE_FAILURE", "Message": "The master node was terminated"}
    assert status["StateChangeReason"] == reason
    assert emr.step_status(cluster, step)["State"] == "CANCELLED"


def test_a_lost_core_node_is_replaced_and_the_step_goes_on(emr: Emr, faults: Any) -> None:
    faults({"kind": "lost-core-node", "seconds": 0.1})
    cluster = emr.cluster(Instances=CORE)
    step = emr.step(cluster, "sleep", "1.5")

    def states() -> list[str]:
        listed = emr.emr.list_instances(ClusterId=cluster, InstanceGroupTypes=["CORE"])["Instances"]
        return sorted(instance["Status"]["State"] for instance in listed)

    until(lambda: states() == ["PROVISIONING", "RUNNING", "TERMINATED"])
    until(lambda: states() == ["RUNNING", "RUNNING", "TERMINATED"])
    assert emr.wait_step(cluster, step)["State"] == "COMPLETED"


@pytest.mark.spark
def test_a_step_outlives_one_of_its_executors(emr: Emr, faults: Any) -> None:
    faults({"kind": "lost-core-node", "seconds": 0.1})
    job = (
        "import time\nfrom pyspark import SparkContext\n"
        "def slow(n):\n    time.sleep(1)\n    return n\n"
        "print(SparkContext().range(8, numSlices=8).map(slow).sum())\n"
    )
    cluster = emr.cluster(Instances=CORE)
    script = emr.put("slow.py", job)
    step = emr.step(cluster, "env", "LOCAL_EMR_EXECUTORS=2", "spark-submit", script)
    emr.wait_step(cluster, step, seconds=200)
    logs = emr.logs(f"{cluster}/steps/{step}/")
    assert logs["stdout.gz"] == "28\n", logs["stderr.gz"]
    assert "exited with code 137" in logs["stderr.gz"]
