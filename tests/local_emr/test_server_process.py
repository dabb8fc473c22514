"""The server as a process of its own: started, found, stopped, killed; and by the AWS CLI."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from local_emr import control
from local_emr.control import LocalEmrError
from tests.local_emr.emr_fixtures import BUCKET, Emr, processes_mentioning, until

ROOT = Path(__file__).parents[2]


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    home = tmp_path / "home"
    yield home
    control.down(home)


def test_up_starts_one_server_however_many_ask_and_down_ends_it(home: Path) -> None:
    with ThreadPoolExecutor(3) as pool:
        servers = list(pool.map(lambda _: control.up(home), range(3)))
    assert len({(server.url, server.pid) for server in servers}) == 1
    assert sorted(server.started for server in servers) == [False, False, True]
    status = control.status(home)
    assert status is not None
    assert (status["url"], status["clusters"], status["buckets"]) == (servers[0].url, [], [])
    assert control.down(home) is True
    assert control.down(home) is False
    assert control.status(home) is None
    assert control.up(home).url == servers[0].url  # an exported AWS_ENDPOINT_URL stays right


def test_a_server_of_older_code_is_replaced_unless_it_has_clusters(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = control.up(home)
    monkeypatch.setattr(control, "fingerprint", lambda: "newer")
    second = control.up(home)
    assert (second.started, second.pid != first.pid, second.url) == (True, True, first.url)
    Emr(second.url, home).cluster()
    assert control.up(home).pid == second.pid


def test_a_failed_start_says_why_in_one_sentence(home: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(LocalEmrError, match=f"Port {port} cannot be used") as caught:
            control.up(home, port)
    assert "\n" not in str(caught.value)


def test_a_stale_record_does_no_harm(home: Path) -> None:
    home.mkdir()
    (home / "server.json").write_text('{"pid": 1, "port": 1, "url": "http://127.0.0.1:1"}')
    (home / "lock").write_text("1")
    assert control.status(home) is None
    assert control.down(home) is False
    assert control.up(home).started


def test_a_second_server_and_other_addresses_are_refused(home: Path) -> None:
    control.up(home)
    command = [sys.executable, "-m", "local_emr", "--home", str(home)]
    second = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=30)
    assert second.returncode == 1
    assert second.stderr.startswith("Another local EMR already uses")
    other = subprocess.run([*command, "--host", "0.0.0.0"], cwd=ROOT, capture_output=True, text=True, timeout=30)  # noqa: S104
    assert other.returncode == 2
    assert "127.0.0.1 only" in other.stderr


def test_it_ends_by_itself_when_nothing_is_to_be_done(home: Path) -> None:
    command = [sys.executable, "-m", "local_emr", "--home", str(home), "--idle-exit", "0.5"]
    assert subprocess.run(command, cwd=ROOT, capture_output=True, timeout=30).returncode == 0


def test_after_kill_9_nothing_runs_and_clusters_are_as_they_were(home: Path) -> None:
    first = control.up(home)
    emr = Emr(first.url, home)
    waiting, working = emr.cluster(Name="waiting"), emr.cluster(Name="working")
    emr.wait_cluster(waiting, "WAITING")
    done = emr.step(waiting, "true")
    emr.wait_step(waiting, done)
    step = emr.step(working, "bash", "-c", "echo begun; setsid sleep 65432 & trap '' TERM; sleep 65432")
    following = emr.step(working, "bash", "-c", "echo again")
    until(lambda: len(processes_mentioning("sleep 65432")) >= 2)
    os.kill(first.pid, signal.SIGKILL)
    until(lambda: processes_mentioning("sleep 65432") == [])

    second = control.up(home)
    assert second.url == first.url
    emr = Emr(second.url, home)
    assert emr.wait_step(working, step)["State"] == "FAILED"
    logs = emr.logs(f"{working}/steps/{step}/")
    assert logs["stdout.gz"] == "begun\n"
    assert "local EMR was stopped" in logs["stderr.gz"]
    assert emr.wait_step(working, following)["State"] == "COMPLETED"
    assert emr.step_status(waiting, done)["State"] == "COMPLETED"
    assert emr.wait_step(waiting, emr.step(waiting, "python3", "-c", "import boto3"))["State"] == "COMPLETED"
    emr.terminate(waiting, working)
    for cluster in (waiting, working):
        assert emr.wait_cluster(cluster)["State"] == "TERMINATED"
    control.down(home)
    assert Emr(control.up(home).url, home).status(waiting)["State"] == "TERMINATED"


def test_killed_at_any_moment_a_server_s_clusters_go_on(home: Path) -> None:
    gate, mark = home / "gate", "sleep 54321"
    first = control.up(home)
    emr = Emr(first.url, home)
    actions = emr.bootstrap(f"#!/bin/bash\necho begun\n[ -e '{gate}' ] || {mark}\n")
    starting = emr.cluster(BootstrapActions=actions)
    until(lambda: processes_mentioning(mark))
    ending = emr.cluster()
    step = emr.step(ending, "bash", "-c", f"trap '' TERM; {mark}")
    emr.wait_step(ending, step, "RUNNING")
    emr.terminate(ending)
    os.kill(first.pid, signal.SIGKILL)
    until(lambda: processes_mentioning(mark) == [])
    gate.touch()
    half, nameless = home / "clusters" / starting / ".cluster.json.1", home / "clusters" / "j-NEVERANSWERED"
    half.write_text("{")
    nameless.mkdir()

    emr = Emr(control.up(home).url, home)
    assert emr.status(starting)["State"] not in ("STARTING", "TERMINATING")
    emr.wait_cluster(starting, "WAITING")
    assert emr.wait_cluster(ending)["StateChangeReason"]["Code"] == "USER_REQUEST"
    assert emr.step_status(ending, step)["State"] == "CANCELLED"
    assert (half.exists(), nameless.exists()) == (False, False)
    assert processes_mentioning(mark) == []
    assert control.down(home)  # with a live cluster
    assert Emr(control.up(home).url, home).status(starting)["State"] == "WAITING"


def test_web_pages_are_refused(home: Path) -> None:
    server = control.up(home)
    port = int(server.url.rpartition(":")[2])

    def status(path: str = "/", **headers: str) -> int:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        try:
            connection.request("GET", path, headers=headers)
            return connection.getresponse().status
        finally:
            connection.close()

    assert status(Host="evil.example") == 403  # a name that its owner has led here
    assert status("/_local_emr/status", Host=f"evil.example:{port}") == 403
    assert status(Origin="https://evil.example") == 403
    assert status(Origin="null") == 403
    for host in (f"127.0.0.1:{port}", f"localhost:{port}", "bucket.localhost", "bucket.s3.eu-west-1.amazonaws.com", ""):
        assert status(Host=host) in (200, 404), host


def test_another_choice_of_settings_is_another_server(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = control.up(home)
    monkeypatch.setenv("LOCAL_EMR_EXECUTORS", "2")
    second = control.up(home)
    assert (second.started, control.up(home).pid) == (True, second.pid)
    assert second.pid != first.pid
    control.down(home)
    (home / "settings.json").write_text('{"executors": "many"}')
    monkeypatch.delenv("LOCAL_EMR_EXECUTORS")
    with pytest.raises(LocalEmrError, match="executors"):
        control.up(home)


def test_the_aws_cli_unmodified(home: Path, tmp_path: Path) -> None:
    server = control.up(home)
    environment = {
        "PATH": os.defpath,
        "HOME": str(tmp_path),
        "AWS_ENDPOINT_URL": server.url,
        "AWS_ACCESS_KEY_ID": "any",
        "AWS_SECRET_ACCESS_KEY": "any",
        "AWS_DEFAULT_REGION": "eu-central-1",
        "AWS_DEFAULT_OUTPUT": "json",
    }
    cli = [sys.executable, "-m", "awscli"]

    def aws(*words: str) -> str:
        done = subprocess.run([*cli, *words], env=environment, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
        return done.stdout

    script = tmp_path / "prepare.sh"
    script.write_text("#!/bin/bash\necho prepared $1\n")
    aws("s3", "mb", f"s3://{BUCKET}")
    aws("s3", "cp", str(script), f"s3://{BUCKET}/prepare.sh")
    created = aws(
        *("emr", "create-cluster", "--name", "by hand", "--release-label", "emr-7.11.0", "--use-default-roles"),
        *("--instance-type", "m5.xlarge", "--instance-count", "3", "--applications", "Name=Spark"),
        *("--ec2-attributes", "KeyName=local-emr", "--log-uri", f"s3://{BUCKET}/logs/"),
        *("--bootstrap-actions", f"Path=s3://{BUCKET}/prepare.sh,Args=[well]"),
    )
    cluster = json.loads(created)["ClusterId"]
    emr = Emr(server.url, home, "eu-central-1")
    emr.wait_cluster(cluster, "WAITING")  # the CLI's own waiter looks every 30 s
    aws("emr", "wait", "cluster-running", "--cluster-id", cluster)
    step = "Type=CUSTOM_JAR,Name=hello,ActionOnFailure=CONTINUE,Jar=command-runner.jar,Args=[bash,-c,aws s3 ls]"
    added = json.loads(aws("emr", "add-steps", "--cluster-id", cluster, "--steps", step))["StepIds"]
    assert emr.wait_step(cluster, added[0])["State"] == "COMPLETED"
    described = json.loads(aws("emr", "describe-cluster", "--cluster-id", cluster))["Cluster"]
    assert [group["InstanceGroupType"] for group in described["InstanceGroups"]] == ["MASTER", "CORE"]
    assert described["BootstrapActions"][0]["Args"] == ["well"]
    assert json.loads(aws("emr", "list-steps", "--cluster-id", cluster))["Steps"][0]["Name"] == "hello"
    # Version 1 has addresses of its own for EMR in most regions, and they outrank AWS_ENDPOINT_URL; not the option.
    elsewhere = ("--region", "eu-west-1", "--endpoint-url", server.url)
    assert json.loads(aws("emr", "list-clusters", *elsewhere))["Clusters"] == []
    aws("emr", "terminate-clusters", "--cluster-ids", cluster)
    emr.wait_cluster(cluster)
    aws("s3", "cp", "--recursive", f"s3://{BUCKET}/logs/{cluster}", str(tmp_path / "logs"))
    assert len(list((tmp_path / "logs").rglob("*.gz"))) == 7
    assert BUCKET in emr.logs(f"{cluster}/steps/{added[0]}/")["stdout.gz"]
