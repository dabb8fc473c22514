"""The commands as a person types them, in a checkout of their own: exit codes, questions, what is said first.

Each runs in a process of its own; where it needs AWS, moto answers inside that process.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from scripts import runs
from scripts.config import Settings
from scripts.upload_scripts import scripts
from tests.integration.checkout import attended

SOURCES = ("scripts", "local_emr", "spark", "bootstrap", "tasks.py")
ON_AWS = {
    "TARGET": "aws",
    "S3_BUCKET": "fruits-test",
    "EC2_KEY_NAME": "mine",
    "EC2_SUBNET": "subnet-0123456789abcdef0",
    "POLL_INTERVAL": "0.05",
    "STEP_TIMEOUT": "1",
    "LOGS_TIMEOUT": "1",
}
SECRETS = {"AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI/K7MDENG", "AWS_SESSION_TOKEN": "FwoGZXIvYXdzEBYaD"}
ONE_AFTER_THE_OTHER = """
import contextlib, gc, io, json, os, shlex, sys
gc.disable()  # it looks through moto again and again, and these processes live for a second
from invoke.main import program

def run(command):  # settings may stand before it, as in a shell: TARGET=aws verify
    out, err, words, before = io.StringIO(), io.StringIO(), shlex.split(command), dict(os.environ)
    while "=" in words[0]:
        os.environ.update([words.pop(0).split("=", 1)])
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            program.run(["inv", *words])
        code = 0
    except SystemExit as end:
        code = end.code
    os.environ.clear()
    os.environ.update(before)
    return code, out.getvalue(), err.getvalue()

commands, *more = json.loads(sys.argv[1])
"""
WITHOUT_AWS = f"{ONE_AFTER_THE_OTHER}print(json.dumps([run(command) for command in commands]))"
WITH_MOTO = f"""{ONE_AFTER_THE_OTHER}
import functools
import boto3
from botocore.loaders import JSONFileLoader
from moto import mock_aws

read = functools.cache(JSONFileLoader().load_file)  # the service models, once for all commands
JSONFileLoader.load_file = lambda _, path: read(path)
objects, roles, alone = more
with mock_aws():
    if objects is not None:
        s3 = boto3.client("s3", region_name="eu-west-1")
        s3.create_bucket(Bucket="fruits-test", CreateBucketConfiguration={{"LocationConstraint": "eu-west-1"}})
        for key, body in objects.items():
            s3.put_object(Bucket="fruits-test", Key=key, Body=body)
    if roles:
        iam = boto3.client("iam")
        boto3.client("ec2", region_name="eu-west-1").create_key_pair(KeyName="mine", KeyType="ed25519")
        for role in ("EMR_DefaultRole", "EMR_AutoScaling_DefaultRole"):
            iam.create_role(RoleName=role, AssumeRolePolicyDocument="{{}}")
        iam.create_instance_profile(InstanceProfileName="EMR_EC2_DefaultRole")
    if alone:
        for command in commands[:-1]:
            run(command)
        program.run(["inv", *shlex.split(commands[-1])])
    print(json.dumps([run(command) for command in commands]))
"""
IMAGE = {"data/fruits-360/Training/Kiwi/1.jpg": "x"}
RESULTS = {
    f"output/etape_1/{kind}_20250115_102345/{name}": text
    for kind, text in (("metadata", "s3_path\n"), ("stats", "split,label,count\nTraining,Kiwi [1],3\n"))
    for name, text in (("part-0.csv", text), ("_SUCCESS", ""))
}


@dataclass
class Ended:
    """How a command ended."""

    code: int
    out: str
    err: str

    def __post_init__(self) -> None:
        assert "Traceback (most recent call last)" not in self.out + self.err, self.err


@pytest.fixture(scope="session")
def sources(project: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sources")
    for name in SOURCES:
        if (project / name).is_dir():
            shutil.copytree(project / name, folder / name)
        else:
            shutil.copy2(project / name, folder)
    return folder


@pytest.fixture
def checkout(sources: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(sources, tmp_path / "checkout"))


Inv = Callable[..., Ended]


@pytest.fixture
def inv(checkout: Path) -> Inv:
    """One command, without any AWS behind it."""

    def run(*arguments: str, **settings: str) -> Ended:
        done = subprocess.run(
            [sys.executable, "-m", "invoke", *arguments],
            cwd=checkout,
            env=os.environ | settings,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        return Ended(done.returncode, done.stdout, done.stderr)

    return run


WITHOUT_CREDENTIALS = ON_AWS | {"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""}
_UNSIGNED = " ".join(f"{name}={value}" for name, value in WITHOUT_CREDENTIALS.items())
EDGES = {
    "help": "--help data",
    "wrong settings": "TARGET=aws S3_BUCKET=s3://x CORE_INSTANCE_COUNT=two verify",
    "verify without credentials": f"{_UNSIGNED} verify",
    "upload without credentials": f"{_UNSIGNED} upload",
    "data of nothing": "data",
    "data of two": "data --sample --from x",
    "data of a missing folder": "data --from no-such-folder",
    "no number of retries": "pipeline --retries two",
    "nothing to resume": "pipeline --resume",
    "resume with arguments": "pipeline --resume --args '--limit 5'",
    "status of nothing": "local.status",
    "down with nothing": "local.down",
}


@pytest.fixture(scope="module")
def edges(sources: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Ended]:
    """How each of EDGES ended, all in one checkout and one process; none has started or left anything."""
    checkout = Path(shutil.copytree(sources, tmp_path_factory.mktemp("edges") / "checkout"))
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_AWS, json.dumps([list(EDGES.values())])],
        cwd=checkout,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert not (checkout / ".local_emr").exists()
    assert not (checkout / "results").exists()
    return {name: Ended(*one) for name, one in zip(EDGES, json.loads(done.stdout), strict=True)}


@pytest.fixture
def on_aws(checkout: Path) -> Callable[..., list[Ended]]:
    """Several commands, one after the other, against one moto; with `objects` it has the bucket and these in it."""

    def run(
        *commands: str,
        objects: dict[str, str] | None = None,
        roles: bool = False,
        stdin: int = subprocess.DEVNULL,
        **settings: str,
    ) -> list[Ended]:
        done = subprocess.run(
            [sys.executable, "-c", WITH_MOTO, json.dumps([commands, objects, roles, False])],
            cwd=checkout,
            env=os.environ | ON_AWS | settings,
            stdin=stdin,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return [Ended(*one) for one in json.loads(done.stdout)]

    return run


def tracked(checkout: Path) -> list[str]:
    return sorted(path.name for path in checkout.glob("*.txt"))


def test_the_list_has_every_task_with_its_help(inv: Inv) -> None:
    listed = inv("--list")

    assert listed.code == 0
    names = re.findall(r"^  (\S+) +[A-Z]", listed.out, re.M)
    verbs = "verify upload data create monitor submit watch-step fetch logs terminate cleanup pipeline status"
    assert sorted(names) == sorted([*verbs.split(), "local.up", "local.down", "local.status"])


def test_the_list_waits_for_no_heavy_import(checkout: Path) -> None:
    heavy = ("boto3", "botocore", "rich", "dotenv", "PIL", "moto", "flask", "werkzeug", "pyspark")
    code = f"import sys, tasks; print([name for name in {heavy} if name in sys.modules])"

    done = subprocess.run([sys.executable, "-c", code], cwd=checkout, capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"


def test_help_has_commands_to_paste(edges: dict[str, Ended]) -> None:
    shown = edges["help"]

    assert "Upload images: a Training/Test folder, or a synthetic sample" in shown.out
    assert "inv data --from ~/fruits-360" in shown.out
    assert "--from" in shown.out
    assert "--sample" in shown.out


def test_wrong_settings_are_all_reported_before_any_call_with_exit_code_2(edges: dict[str, Ended]) -> None:
    ended = edges["wrong settings"]

    assert ended.code == 2
    assert ended.out == ""
    names = [line.strip().partition(":")[0] for line in ended.err.splitlines()]
    assert names == ["S3_BUCKET", "CORE_INSTANCE_COUNT", "EC2_KEY_NAME", "EC2_SUBNET", "❌ Reading the settings"]


def test_verify_without_credentials_makes_every_check_and_is_exit_code_1(edges: dict[str, Ended]) -> None:
    ended = edges["verify without credentials"]

    assert ended.code == 1
    assert ended.err.splitlines()[0] == "🔌 AWS, eu-west-1"
    assert len(ended.out.splitlines()) == 7
    assert "✅ Region" in ended.out
    assert "❌ Credentials: Unable to locate credentials" in ended.out
    assert "Verifying the set-up: Credentials, Bucket" in ended.err


def test_other_commands_without_credentials_say_how_to_sign_in(edges: dict[str, Ended]) -> None:
    ended = edges["upload without credentials"]

    assert (ended.code, ended.out) == (1, "")
    assert ended.err.startswith("❌ Signing in to AWS: Unable to locate credentials. Set AWS_PROFILE")


@pytest.mark.parametrize("name", ["data of nothing", "data of two", "data of a missing folder"])
def test_data_that_is_asked_for_wrongly_is_refused_before_anything_is_started(
    edges: dict[str, Ended], name: str
) -> None:
    assert edges[name].code == 2
    assert edges[name].out == ""
    assert len(edges[name].err.splitlines()) == 1


def test_a_whole_life_of_a_cluster(on_aws: Callable[..., list[Ended]], checkout: Path) -> None:
    expected = {
        "verify": 0,
        "upload": 0,
        "upload ": 0,
        "pipeline --retries 0": 1,
        "pipeline --resume": 2,
        "status": 0,
        "create": 2,
        "create --yes": 0,
        "create --yes ": 2,
        "pipeline": 2,
        "status ": 0,
        "monitor": 0,
        "submit --args '--limit \"two words\"'": 0,
        "watch-step": 3,
        "terminate": 2,
        "terminate --yes": 0,
        "terminate ": 0,
        "submit": 1,
        "terminate --all-ours": 0,
        "cleanup": 2,
        "cleanup --yes": 0,
    }
    objects = IMAGE | RESULTS
    ended = dict(zip(expected, on_aws(*expected, objects=objects, roles=True, **SECRETS), strict=True))

    assert {command: one.code for command, one in ended.items()} == expected
    assert ended["verify"].err.splitlines() == ["🔌 AWS, eu-west-1"]
    unconnected = ("verify", "pipeline --resume")
    assert {one.err.splitlines()[0] for command, one in ended.items() if command not in unconnected} == {
        "🔌 AWS account 123456789012, eu-west-1"
    }
    assert ended["verify"].out.count("✅") == 6
    assert ended["upload"].out.count("uploaded") == len(scripts())
    assert ended["upload "].out.count("is up to date") == len(scripts())
    for question in ("create", "terminate", "cleanup"):
        assert "Add --yes to agree." in ended[question].err
    pipeline = ended["pipeline --retries 0"].err
    assert "still RUNNING after 1 s, so the run was given up" in pipeline
    assert "⚫ TERMINATED" in pipeline
    assert "no run was cut off" in ended["pipeline --resume"].err
    assert "No cluster of ours is live" in ended["status"].out
    cluster_id = ended["create --yes"].out.split()[1]
    assert cluster_id in ended["status "].out
    assert "No cluster of ours is live" in ended["terminate --all-ours"].out
    assert "p11-fruits-etape1" in ended["create --yes"].err
    for refused in ("create --yes ", "pipeline"):
        assert f"{cluster_id}, which is live" in ended[refused].err
        assert "inv terminate" in ended[refused].err
    assert "💾 master_dns.txt" in ended["monitor"].err
    assert ended["submit --args '--limit \"two words\"'"].out.startswith("📋 s-")
    assert "still RUNNING after 1 s" in ended["watch-step"].err
    assert "inv watch-step" in ended["watch-step"].err
    assert f"{cluster_id} is gone" in ended["terminate --yes"].out
    assert "nothing to do" in ended["terminate "].out
    assert f"cluster {cluster_id} is TERMINATED" in ended["submit"].err
    assert "Output: 4 objects deleted" in ended["cleanup --yes"].out
    assert tracked(checkout) == []
    shown = "".join(one.out + one.err for one in ended.values())
    left = [path.read_text() for name in (".runs", "results", "logs") for path in (checkout / name).rglob("*.*")]
    assert any("wJal" not in record and '"verdict": "WorkflowError: ' in record for record in left)
    assert not any(secret in text for text in (shown, *left) for secret in SECRETS.values())


def test_nothing_there_says_what_makes_it_and_results_are_fetched_once(
    on_aws: Callable[..., list[Ended]], checkout: Path
) -> None:
    monitor, watch, terminate, bad, nothing, first, second = on_aws(
        "monitor",
        "watch-step",
        "terminate --yes",
        "monitor --cluster-id nonsense",
        "OUTPUT_PREFIX=other/ fetch",
        "fetch",
        "fetch",
        objects=RESULTS,
    )

    assert [one.code for one in (monitor, watch, terminate, bad, nothing)] == [2, 2, 2, 2, 1]
    assert "no finished run" in nothing.err
    assert "`inv create` makes a cluster" in monitor.err
    assert "'nonsense'" in bad.err
    assert (first.code, second.code) == (0, 0)
    assert second.out.count("(already here)") == 2 > first.out.count("(already here)")
    assert "3 images (Training 3), 1 labels" in first.out
    assert "Kiwi [1]" in first.out
    assert "⚠️ there is no Test image at all" in first.out
    assert sorted(path.name for path in (checkout / "results").iterdir()) == [
        ".lock",
        "metadata_20250115_102345",
        "stats_20250115_102345",
    ]


def test_a_declined_question_changes_nothing(on_aws: Callable[..., list[Ended]], checkout: Path) -> None:
    person, terminal = os.openpty()
    os.write(person, b"non\n" * 10)
    try:
        create, made, terminate, cleanup, upload = on_aws(
            "create", "create --yes", "terminate", "cleanup", "upload", objects=RESULTS, stdin=terminal
        )
    finally:
        os.close(person)
        os.close(terminal)

    assert (create.code, create.out) == (2, "")
    assert "Nothing was created" in create.err
    assert made.code == 0
    assert terminate.code == 2
    assert "goes on, and costs" in terminate.out
    assert cleanup.code == 0
    assert "4 objects kept" in cleanup.out
    assert "Tracking files: kept" in cleanup.out
    assert tracked(checkout) == ["cluster_id.txt"]
    assert upload.code == 0


def start(checkout: Path, *commands: str) -> subprocess.Popen[str]:
    """The last command as a process of its own, the others before it; returns once its step runs."""
    process = subprocess.Popen(
        [sys.executable, "-c", WITH_MOTO, json.dumps([commands, IMAGE, "pipeline" in commands, True])],
        cwd=checkout,
        env=os.environ | ON_AWS | {"STEP_TIMEOUT": "60"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=attended,
    )
    assert process.stderr is not None
    assert any("🟢 RUNNING" in line for line in process.stderr)
    return process


def test_ctrl_c_is_exit_code_130_and_says_what_still_runs(checkout: Path) -> None:
    process = start(checkout, "create --yes", "submit", "watch-step")

    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=30)

    cluster_id = (checkout / "cluster_id.txt").read_text().strip()
    assert process.returncode == 130
    assert re.search(f"⛔ Interrupted. .*{cluster_id}.* may still be running", err)
    assert "Traceback" not in err


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_pipeline_that_is_told_to_stop_terminates_its_cluster(checkout: Path, number: signal.Signals) -> None:
    process = start(checkout, "pipeline")

    process.send_signal(number)
    _, err = process.communicate(timeout=30)

    cluster_id = (checkout / "cluster_id.txt").read_text().strip()
    assert process.returncode == 130
    assert f"terminating {cluster_id}" in err
    assert "⚫ TERMINATED" in err
    assert "Traceback" not in err


def test_a_pipeline_that_cannot_be_run_as_asked_says_so_before_any_call(edges: dict[str, Ended]) -> None:
    nothing, arguments, retries = (
        edges[name] for name in ("nothing to resume", "resume with arguments", "no number of retries")
    )

    assert (nothing.code, arguments.code, retries.code) == (2, 2, 2)
    assert "'two' is no whole number" in retries.err
    assert "no run was cut off in this folder" in nothing.err
    assert "--args is for a new run" in arguments.err


def test_a_run_is_resumed_where_it_was_begun_whatever_the_settings_are_by_now(
    inv: Inv, checkout: Path, make_settings: Callable[..., Settings]
) -> None:
    runs.begin(checkout, make_settings(target="local"), (), [])
    (checkout / ".local_emr").touch()

    ended = inv("pipeline", "--resume", **WITHOUT_CREDENTIALS)

    assert ended.code == 1
    assert ended.err.startswith("❌ Starting local EMR: ")
    assert len(runs.unfinished(checkout)) == 1


def test_nothing_else_creates_a_cluster_in_the_folder_meanwhile_and_the_pid_is_said(checkout: Path) -> None:
    command = [sys.executable, "-c", WITHOUT_AWS, json.dumps([["pipeline", "pipeline --resume", "create --yes"]])]
    with runs.alone(checkout):
        done = subprocess.run(command, cwd=checkout, capture_output=True, text=True, timeout=60, check=True)

    for ended in (Ended(*one) for one in json.loads(done.stdout)):
        assert ended.code == 2
        assert f"is under way in this folder (pid {os.getpid()})" in ended.err
    assert not (checkout / ".local_emr").exists()


def test_a_reader_that_has_seen_enough_is_no_traceback(checkout: Path) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    command: list[Any] = [sys.executable, "-m", "invoke", "verify"]

    try:
        done = subprocess.run(
            command,
            cwd=checkout,
            env=os.environ | WITHOUT_CREDENTIALS,
            stdout=writer,
            stderr=subprocess.PIPE,
            text=True,
        )
    finally:
        os.close(writer)

    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "BrokenPipe" not in done.stderr


def test_local_emr_that_does_not_run_is_nothing_to_do(edges: dict[str, Ended]) -> None:
    status, down = edges["status of nothing"], edges["down with nothing"]

    assert (status.code, down.code) == (0, 0)
    assert "is not running" in status.out
    assert "nothing to do" in down.out


def test_local_emr_that_cannot_start_is_an_error_in_one_line(inv: Inv, checkout: Path) -> None:
    (checkout / ".local_emr").touch()

    ended = inv("verify")

    assert ended.code == 1
    assert ended.err.startswith("❌ Starting local EMR: ")
    assert len(ended.err.splitlines()) == 1
