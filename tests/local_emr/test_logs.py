"""When logs are in S3 and how they are cut; what a node's commands do that cannot run here, or run otherwise."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from local_emr import log_archive, settings
from local_emr.settings import Settings, SettingsError
from tests.local_emr.emr_fixtures import BUCKET, Emr, running, until


@pytest.fixture(scope="module")
def emr(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emr]:
    with running(tmp_path_factory.mktemp("home"), settings=Settings(log_interval=0.1)) as emr:
        yield emr


@pytest.fixture(scope="module")
def cluster(emr: Emr) -> str:
    return emr.cluster()


def run(emr: Emr, cluster: str, *words: str) -> tuple[str, str, str]:
    """(state, stdout, stderr) of a step."""
    step = emr.step(cluster, *words)
    state = emr.wait_step(cluster, step)["State"]
    logs = emr.logs(f"{cluster}/steps/{step}/")
    return state, logs["stdout.gz"], logs["stderr.gz"]


def test_logs_come_while_a_step_runs(emr: Emr, cluster: str) -> None:
    gate = emr.home / "gate"
    step = emr.step(cluster, "bash", "-c", f"echo first; until [ -e '{gate}' ]; do sleep 0.05; done; echo last")
    until(lambda: emr.logs(f"{cluster}/steps/{step}/").get("stdout.gz") == "first\n")
    assert emr.step_status(cluster, step)["State"] == "RUNNING"
    gate.touch()
    emr.wait_step(cluster, step)
    assert emr.logs(f"{cluster}/steps/{step}/")["stdout.gz"] == "first\nlast\n"


def test_logs_may_be_late_and_all_are_there_when_the_cluster_has_ended(tmp_path: Path) -> None:
    late = Settings(log_interval=0, log_delay=0.5)
    with running(tmp_path / "home", settings=late) as emr:
        cluster = emr.cluster()
        step = emr.step(cluster, "echo", "hello")
        emr.wait_step(cluster, step)
        assert emr.logs(f"{cluster}/steps/") == {}
        until(lambda: emr.logs(f"{cluster}/steps/{step}/").get("stdout.gz") == "hello\n")
        (emr.home / "faults.json").write_text(json.dumps([{"kind": "no-logs", "step": "bash"}]))
        silent = emr.step(cluster, "bash", "-c", "echo again")
        emr.wait_step(cluster, silent)
        time.sleep(0.8)  # longer than the delay
        assert emr.logs(f"{cluster}/steps/{silent}/") == {}
        emr.terminate(cluster)
        emr.wait_cluster(cluster)
        assert emr.logs(f"{cluster}/steps/{silent}/")["stdout.gz"] == "again\n"


def test_a_step_s_logs_begin_anew_every_so_often(tmp_path: Path) -> None:
    cut = Settings(log_interval=0.1, log_rotation=1)
    with running(tmp_path / "home", settings=cut) as emr:
        cluster = emr.cluster()
        step = emr.step(cluster, "bash", "-c", "echo early; sleep 3; echo late")
        emr.wait_step(cluster, step)
        logs = emr.logs(f"{cluster}/steps/{step}/")
        (rotated,) = [name for name in logs if name.startswith("stdout.2")]
        assert re.fullmatch(r"stdout\.\d{4}-\d\d-\d\d-\d\d\.gz", rotated)
        assert (logs[rotated], logs["stdout.gz"]) == ("early\n", "late\n")


def test_rotation_keeps_what_an_hour_has_already(tmp_path: Path) -> None:
    log = tmp_path / "stderr"
    for text in ("one\n", "two\n"):
        log.write_text(text)
        log_archive.rotate(log, 1736935200)
    assert (tmp_path / "stderr.2025-01-15-10").read_text() == "one\ntwo\n"
    assert log.read_text() == ""


def test_a_step_may_have_a_log_uri_of_its_own(emr: Emr, cluster: str) -> None:
    jar = {"Jar": "command-runner.jar", "Args": ["false"]}
    monitoring = {"S3MonitoringConfiguration": {"LogUri": f"s3://{BUCKET}/own/"}}
    step = {
        "Name": "own",
        "HadoopJarStep": jar,
        "StepMonitoringConfiguration": monitoring,
        "ActionOnFailure": "CONTINUE",
    }
    (step_id,) = emr.emr.add_job_flow_steps(JobFlowId=cluster, Steps=[step])["StepIds"]
    failure = emr.wait_step(cluster, step_id)["FailureDetails"]
    assert failure["LogFile"] == f"s3://{BUCKET}/own/{cluster}/steps/{step_id}/stderr.gz"
    assert emr.s3.head_object(Bucket=BUCKET, Key=f"own/{cluster}/steps/{step_id}/stderr.gz")
    assert emr.logs(f"{cluster}/steps/{step_id}/") == {}


def test_what_cannot_run_here_fails_as_a_step_and_says_so(emr: Emr, cluster: str) -> None:
    for words in (["hive-script", "--run-hive-script"], ["hadoop", "jar", "x.jar"], ["spark-shell"], ["hdfs", "fsck"]):
        state, _, stderr = run(emr, cluster, *words)
        assert state == "FAILED"
        assert "local EMR: " in stderr
        assert "not available" in stderr
        assert stderr.endswith("Command exiting with ret '1'\n")
    state, _, stderr = run(emr, cluster, "no-such-command")
    assert (state, 'Cannot run program "no-such-command"' in stderr) == ("FAILED", True)
    assert run(emr, cluster, "state-pusher-script")[0] == "COMPLETED"


def test_script_runner_in_its_spellings(emr: Emr, cluster: str) -> None:
    script = emr.put("script.sh", "echo $0 $*\n").replace("s3://", "s3a://")
    for place in (
        "s3://eu-west-1.elasticmapreduce/libs/script-runner/",
        "s3://elasticmapreduce/libs/script-runner/",
        "",
    ):
        jar = {"Jar": f"{place}script-runner.jar", "Args": [script, "well", "done"]}
        step = {"Name": "script", "ActionOnFailure": "CONTINUE", "HadoopJarStep": jar}
        (step_id,) = emr.emr.add_job_flow_steps(JobFlowId=cluster, Steps=[step])["StepIds"]
        assert emr.wait_step(cluster, step_id)["State"] == "COMPLETED"
        assert emr.logs(f"{cluster}/steps/{step_id}/")["stdout.gz"].endswith("script.sh well done\n")


def test_s3_dist_cp_copies_between_file_systems(emr: Emr, cluster: str) -> None:
    for name in ("a.csv", "b.txt", "deep/c.csv"):
        emr.put(f"source/{name}", name)
    source, pattern = f"s3://{BUCKET}/source/", ".*\\.csv"
    assert (
        run(emr, cluster, "s3-dist-cp", "--src", source, "--dest", "hdfs:///in", "--srcPattern", pattern)[0]
        == "COMPLETED"
    )
    back = ("s3-dist-cp", "--src", "/in", f"--dest=s3a://{BUCKET}/copied", "--deleteOnSuccess")
    assert run(emr, cluster, *back)[0] == "COMPLETED"
    listed = emr.s3.list_objects_v2(Bucket=BUCKET, Prefix="copied/")["Contents"]
    assert [item["Key"] for item in listed] == ["copied/a.csv", "copied/deep/c.csv"]
    for words in (
        ["--src", source, "--dest", "hdfs:///x", "--groupBy", ".*"],
        ["--src", f"s3://{BUCKET}/../../", "--dest", "/x"],
    ):
        state, _, stderr = run(emr, cluster, "s3-dist-cp", *words)
        assert (state, "local EMR: s3-dist-cp: not a" in stderr) == ("FAILED", True), stderr


def test_packages_of_a_user_are_the_node_s(emr: Emr, cluster: str) -> None:
    for pip in ("pip3", "python3 -m pip"):
        state, _, stderr = run(emr, cluster, "bash", "-c", f"{pip} install --user --no-index --find-links . boto3")
        assert state == "COMPLETED", stderr
    state, stdout, _ = run(emr, cluster, "python3", "-c", "import sys; print(sys.argv[1:])", "--user")
    assert stdout == "['--user']\n"


def test_settings_come_from_options_the_environment_and_the_file_in_this_order(tmp_path: Path) -> None:
    path = tmp_path / "settings.json"
    assert settings.load(path, {}, {}) == Settings()
    path.write_text('{"executors": 1, "log_interval": 2, "pace": 3}')
    environment = {"LOCAL_EMR_LOG_INTERVAL": "4", "LOCAL_EMR_PACE": "5"}
    assert settings.load(path, environment, {"pace": "6", "port": 1}) == Settings(1, 4, pace=6)
    assert settings.chosen({**environment, "LOCAL_EMR_CLUSTER": "x"}) == environment


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"executors": 1.5e99}', "executors"),
        ('{"executors": "two"}', "executors (LOCAL_EMR_EXECUTORS) should be a whole number of 0 or more, not 'two'"),
        ('{"pace": -1}', "pace"),
        ('{"pase": 1}', "pase"),
        ("[]", "one JSON object"),
        ("{", "cannot be read"),
    ],
)
def test_a_setting_that_cannot_be_used_is_named(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "settings.json"
    path.write_text(text)
    with pytest.raises(SettingsError) as caught:
        settings.load(path, {}, {})
    assert said in str(caught.value)
