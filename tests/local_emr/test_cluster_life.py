"""The life of clusters with real processes, driven as any client drives it: boto3, over HTTP."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from botocore.exceptions import ClientError

from local_emr.agent import Pace
from tests.local_emr.emr_fixtures import BUCKET, Emr, client, processes_mentioning, running, until


@pytest.fixture(scope="module")
def emr(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emr]:
    with running(tmp_path_factory.mktemp("home with a space")) as emr:
        yield emr


def test_states_come_in_order_with_emr_s_own_reasons(tmp_path_factory: pytest.TempPathFactory) -> None:
    with running(tmp_path_factory.mktemp("home"), Pace(0.3, 0.3, 0.3, 0.3, 0.1)) as emr:
        cluster = emr.cluster(BootstrapActions=emr.bootstrap("#!/bin/sh\necho prepared\n"))
        step = emr.step(cluster, "bash", "-c", "sleep 0.5")
        assert emr.step_status(cluster, step)["State"] == "PENDING"
        seen: list[tuple[str, str]] = []

        def at_rest() -> bool:
            status = emr.status(cluster)
            now = (status["State"], status["StateChangeReason"].get("Message", ""))
            seen.extend([now] if now not in seen else [])
            return status["State"] == "WAITING"

        until(at_rest)
        assert seen == [
            ("STARTING", ""),
            ("STARTING", "Provisioning Amazon EC2 capacity"),
            ("STARTING", "Configuring cluster software"),
            ("BOOTSTRAPPING", "Running bootstrap actions"),
            ("RUNNING", "Running step"),
            ("WAITING", "Cluster ready after last step completed."),
        ]
        timeline = emr.status(cluster)["Timeline"]
        assert timeline["CreationDateTime"] < timeline["ReadyDateTime"]
        logs = emr.logs(f"{cluster}/node/")
        assert [text for key, text in logs.items() if key.endswith("/bootstrap-actions/1/stdout.gz")] == ["prepared\n"]


def test_a_step_s_logs_are_there_before_it_is_seen_to_have_failed(emr: Emr) -> None:
    cluster = emr.cluster()
    step = emr.step(cluster, "bash", "-c", "echo out; echo err >&2; exit 7")
    status = emr.wait_step(cluster, step)
    logs = emr.logs(f"{cluster}/steps/{step}/")
    assert status["State"] == "FAILED"
    assert status["StateChangeReason"] == {}
    assert status["FailureDetails"] == {
        "Reason": "Unknown Error.",
        "LogFile": f"s3://{BUCKET}/logs/{cluster}/steps/{step}/stderr.gz",
    }
    assert set(logs) == {"controller.gz", "stderr.gz", "stdout.gz", "syslog.gz"}
    assert logs["stdout.gz"] == "out\n"
    assert logs["stderr.gz"] == "err\nCommand exiting with ret '7'\n"
    assert "INFO startExec 'hadoop jar" in logs["controller.gz"]
    assert "INFO waitProcessCompletion ended with exit code 7 : hadoop jar" in logs["controller.gz"]
    reason = emr.wait_cluster(cluster, "WAITING")["StateChangeReason"]
    assert reason == {"Message": "Cluster ready after last step failed."}


def test_a_command_that_is_not_there_fails_as_a_step_with_the_reason_in_its_log(emr: Emr) -> None:
    cluster = emr.cluster()
    step = emr.step(cluster, "hive-of-bees")
    assert emr.wait_step(cluster, step)["State"] == "FAILED"
    assert "No such file or directory: hive-of-bees" in emr.logs(f"{cluster}/steps/{step}/")["stderr.gz"]


def test_a_failed_bootstrap_action_ends_the_cluster(emr: Emr) -> None:
    cluster = emr.cluster(BootstrapActions=emr.bootstrap("#!/bin/bash\necho going wrong >&2\nexit 3\n"))
    step = emr.step(cluster, "true")
    status = emr.wait_cluster(cluster)
    (master,) = emr.emr.list_instances(ClusterId=cluster)["Instances"]
    message = f"On the master instance ({master['Ec2InstanceId']}), bootstrap action 1 returned a non-zero return code"
    assert status["State"] == "TERMINATED_WITH_ERRORS"
    assert status["StateChangeReason"] == {"Code": "BOOTSTRAP_FAILURE", "Message": message}
    (details,) = status["ErrorDetails"]
    assert details["ErrorCode"] == "BOOTSTRAP_FAILURE_PRIMARY_WITH_NON_ZERO_CODE"
    assert {"return-code": "3"} in details["ErrorData"]
    assert emr.step_status(cluster, step)["State"] == "CANCELLED"
    logs = emr.logs(f"{cluster}/node/{master['Ec2InstanceId']}/bootstrap-actions/1/")
    assert logs["stderr.gz"] == "going wrong\n"
    assert logs["controller.gz"].endswith("ERROR Execution failed with code '3'\n")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"ServiceRole": "nobody"}, "EMR service role arn:aws:iam::123456789012:role/nobody is invalid"),
        ({"Instances": {"Ec2KeyName": "lost"}}, "The given SSH key name was invalid"),
        ({"Instances": {"Ec2SubnetId": "subnet-0"}}, "subnet-0"),
    ],
)
def test_what_aws_finds_out_later_ends_in_a_validation_error(emr: Emr, change: dict[str, object], message: str) -> None:
    status = emr.wait_cluster(emr.cluster(**change))
    assert status["State"] == "TERMINATED_WITH_ERRORS"
    assert status["StateChangeReason"]["Code"] == "VALIDATION_ERROR"
    assert message in status["StateChangeReason"]["Message"]


def test_a_missing_instance_profile_is_refused_at_once(emr: Emr) -> None:
    with pytest.raises(ClientError, match="Invalid InstanceProfile: nobody"):
        emr.cluster(JobFlowRole="nobody")


def test_terminate_in_mid_bootstrap_kills_the_whole_tree(emr: Emr) -> None:
    # An orphan in a session of its own, one in the background, and one that will not listen.
    orphan, background, stubborn = "bash -c 'setsid sleep 98765 &'", "nohup sleep 98765 &", "trap '' TERM\nsleep 98765"
    script = "\n".join(["#!/bin/bash", orphan, background, stubborn])
    cluster = emr.cluster(BootstrapActions=emr.bootstrap(script))
    until(lambda: len(processes_mentioning("sleep 98765")) >= 3)
    emr.terminate(cluster)
    status = emr.wait_cluster(cluster, seconds=8)
    assert status["State"] == "TERMINATED"
    assert status["StateChangeReason"] == {"Code": "USER_REQUEST", "Message": "Terminated by user request"}
    assert processes_mentioning("sleep 98765") == []
    assert list((emr.home / "clusters" / cluster).iterdir()) == [emr.home / "clusters" / cluster / "cluster.json"]


def test_steps_run_in_turn_or_together_and_what_is_left_behind_lives_until_the_end(emr: Emr) -> None:
    cluster = emr.cluster()
    emr.wait_step(cluster, emr.step(cluster, "bash", "-c", "sleep 87654 &"))
    assert processes_mentioning("sleep 87654")
    first, second = (emr.step(cluster, "bash", "-c", "sleep 0.3") for _ in range(2))
    emr.wait_step(cluster, second)
    ends = emr.step_status(cluster, first)["Timeline"]["EndDateTime"]
    assert ends <= emr.step_status(cluster, second)["Timeline"]["StartDateTime"]
    emr.emr.modify_cluster(ClusterId=cluster, StepConcurrencyLevel=3)
    gate = emr.home / "s3" / BUCKET / "gate"
    waiting = [emr.step(cluster, "bash", "-c", f"while [ ! -e '{gate}' ]; do sleep 0.05; done") for _ in range(3)]
    until(lambda: [emr.step_status(cluster, s)["State"] for s in waiting] == ["RUNNING"] * 3)
    gate.touch()
    assert [emr.wait_step(cluster, s)["State"] for s in waiting] == ["COMPLETED"] * 3
    emr.terminate(cluster)
    emr.wait_cluster(cluster)
    assert not processes_mentioning("sleep 87654")


def test_cancel_stops_a_running_step_and_forgets_a_pending_one(emr: Emr) -> None:
    cluster = emr.cluster()
    stubborn = emr.step(cluster, "bash", "-c", "trap '' TERM; while true; do sleep 76543; done")
    pending = emr.step(cluster, "true")
    emr.wait_step(cluster, stubborn, "RUNNING")
    option = {"StepCancellationOption": "TERMINATE_PROCESS"}
    answer = emr.emr.cancel_steps(ClusterId=cluster, StepIds=[stubborn, pending], **option)
    assert [info["Status"] for info in answer["CancelStepsInfoList"]] == ["SUBMITTED", "SUBMITTED"]
    assert emr.wait_step(cluster, stubborn)["State"] == "CANCELLED"
    assert emr.wait_step(cluster, pending)["State"] == "CANCELLED"
    assert not processes_mentioning("sleep 76543")
    again = emr.emr.cancel_steps(ClusterId=cluster, StepIds=[pending])["CancelStepsInfoList"][0]
    assert again["Status"] == "FAILED"


def test_action_on_failure_decides_what_becomes_of_the_rest(emr: Emr) -> None:
    waits = emr.cluster()
    failing = emr.step(waits, "bash", "-c", "exit 1", action="CANCEL_AND_WAIT")
    following = emr.step(waits, "true")
    assert emr.wait_step(waits, failing)["State"] == "FAILED"
    assert emr.wait_step(waits, following)["State"] == "CANCELLED"
    assert emr.wait_cluster(waits, "WAITING")
    emr.step(waits, "bash", "-c", "exit 1", action="TERMINATE_CLUSTER")
    status = emr.wait_cluster(waits)
    assert status["State"] == "TERMINATED_WITH_ERRORS"
    assert status["StateChangeReason"] == {"Code": "STEP_FAILURE", "Message": "Shut down as step failed"}


def test_a_transient_cluster_ends_after_its_last_step(emr: Emr) -> None:
    def transient(command: str) -> dict[str, object]:
        jar = {"Jar": "command-runner.jar", "Args": ["bash", "-c", command]}
        steps = [{"Name": "s", "ActionOnFailure": "CONTINUE", "HadoopJarStep": jar}]
        return emr.wait_cluster(emr.cluster(Instances={"KeepJobFlowAliveWhenNoSteps": False}, Steps=steps))

    good, bad = transient("true"), transient("false")
    assert good["State"] == bad["State"] == "TERMINATED"  # never infer a step's success from the cluster's state
    assert good["StateChangeReason"] == {"Code": "ALL_STEPS_COMPLETED", "Message": "Steps completed"}
    assert bad["StateChangeReason"]["Message"] == "Steps completed with errors"  # type: ignore[index]


def test_the_node_is_clean_and_its_own(emr: Emr, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "the user's own")
    monkeypatch.setenv("GITHUB_TOKEN", "the user's own")
    monkeypatch.setenv("HTTPS_PROXY", "http://user:the user's own@proxy")
    cluster = emr.cluster()
    commands = [
        "env",
        "sudo -E -H -u hadoop FOO=bar bash -c 'echo FOO=$FOO'",
        "sudo yum install -y gcc",
        "python3 -c 'import sys, boto3; print(sys.prefix)'",
        "pip3 --version",
        "command -v spark-submit",
    ]
    step = emr.step(cluster, "bash", "-e", "-c", "\n".join(commands))
    emr.wait_step(cluster, step)
    logs = emr.logs(f"{cluster}/steps/{step}/")
    assert emr.step_status(cluster, step)["State"] == "COMPLETED", logs["stderr.gz"]
    node = emr.home / "clusters" / cluster / "node"
    assert "the user's own" not in logs["stdout.gz"] + logs["controller.gz"]
    assert f"AWS_ENDPOINT_URL={emr.url}\n" in logs["stdout.gz"]
    assert "FOO=bar\n" in logs["stdout.gz"]
    assert f"\n{node}\n" in logs["stdout.gz"]
    assert logs["stdout.gz"].endswith(f"{node}/bin/spark-submit\n")
    assert "not run on this machine: yum install -y gcc" in logs["stderr.gz"]


def test_idle_clusters_end_by_their_policy(emr: Emr, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("local_emr.operations.policies.IDLE_TIMEOUTS", range(1, 604_801))
    cluster = emr.cluster(AutoTerminationPolicy={"IdleTimeout": 1})
    assert emr.wait_cluster(cluster)["State"] == "TERMINATED"


def test_ec2_iam_and_sts_answer_on_the_same_port(emr: Emr) -> None:
    assert client("sts", emr.url).get_caller_identity()["Account"] == "123456789012"
    profile = client("iam", emr.url).get_instance_profile(InstanceProfileName="EMR_EC2_DefaultRole")
    assert profile["InstanceProfile"]["Roles"][0]["RoleName"] == "EMR_EC2_DefaultRole"
    keys = client("ec2", emr.url).describe_key_pairs()["KeyPairs"]
    assert [key["KeyName"] for key in keys] == ["local-emr"]


def test_many_clusters_and_steps_at_once(emr: Emr) -> None:
    """8 clients, 8 clusters, 40 steps; and nobody sees a state go back."""
    rank = {"STARTING": 0, "BOOTSTRAPPING": 1, "RUNNING": 2, "WAITING": 2, "TERMINATING": 3, "TERMINATED": 4}
    backwards: list[str] = []
    over = threading.Event()

    def watch() -> None:
        seen: dict[str, str] = {}
        mine = client("emr", emr.url)
        while not over.is_set():
            for cluster in mine.list_clusters()["Clusters"]:
                state = cluster["Status"]["State"]
                before = seen.get(cluster["Id"], "STARTING")
                if rank.get(state, 4) < rank.get(before, 4):
                    backwards.append(f"{before} -> {state}")
                seen[cluster["Id"]] = state

    def use(number: int) -> list[str]:
        mine = Emr(emr.url, emr.home)
        cluster = mine.cluster(Name=f"soak-{number}", StepConcurrencyLevel=2)
        steps = [mine.step(cluster, "bash", "-c", f"echo {number}.{n}") for n in range(5)]
        ends = [mine.wait_step(cluster, step, seconds=60)["State"] for step in steps]
        texts = [mine.logs(f"{cluster}/steps/{step}/")["stdout.gz"] for step in steps]
        mine.terminate(cluster)
        mine.wait_cluster(cluster)
        assert texts == [f"{number}.{n}\n" for n in range(5)]
        return ends

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        with ThreadPoolExecutor(8) as pool:
            ends = [end for ended in pool.map(use, range(8)) for end in ended]
    finally:
        over.set()
        watcher.join()
    assert ends == ["COMPLETED"] * 40
    assert backwards == []
    assert not processes_mentioning(str(emr.home / "clusters" / "j-"))
