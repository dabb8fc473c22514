"""`inv logs` as a person sees it: the screen, what is missing, and the driver's output as it comes."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from scripts import fetch_logs, follow_logs, log_session
from scripts.aws import Clients
from scripts.errors import UsageError, WorkflowError
from scripts.follow_logs import Output
from scripts.lifecycle import Status

CLUSTER, STEP = "j-2AXXXXXXGAPLF", "s-2AXXXXXXGAPLF"
LOGS = f"logs/emr/{CLUSTER}/"
APPLICATION = "application_1700000000000_0001"
DRIVER = f"{LOGS}containers/{APPLICATION}/container_1700000000000_0001_01_000001/"
SCRIPT = "s3://fruits-test/scripts/read_fruits_data.py"
TRACEBACK = 'Traceback (most recent call last):\n  File "/mnt/tmp/read_fruits_data.py", line 2, in main\n'
ENDED = "INFO ApplicationMaster: Final app status: FAILED, exitCode: 13\n"
SUBMITTER = f"INFO Client: Submitted application {APPLICATION}\n"

Output_ = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_session, "ROOT", tmp_path)
    monkeypatch.setattr(log_session, "LOGS", tmp_path / "logs")


def run(emr: Any, state: str, times: int = 1, **failure: str) -> None:
    for _ in range(times):
        emr.cluster("RUNNING", LogUri="s3n://fruits-test/logs/emr/")
        emr.step(state, **failure)


def put(bucket: Any, **texts: str) -> None:
    places = {"stdout": f"{DRIVER}stdout.gz", "stderr": f"{DRIVER}stderr.gz", "step": f"{LOGS}steps/{STEP}/stderr.gz"}
    bucket.put({places[name]: gzip.compress(text.encode()) for name, text in texts.items()})


@pytest.mark.parametrize(
    "words",
    [[SCRIPT], ["--py-files", f"s3://fruits-test/scripts/a.py,{SCRIPT}", "s3://fruits-test/scripts/main.py"]],
    ids=["the script", "a module of it"],
)
def test_a_failed_step_is_explained_on_one_screen(
    clients: Clients, emr: Any, bucket: Any, settings: Any, capsys: Output_, words: list[str]
) -> None:
    run(emr, "FAILED", Reason="Unknown Error.")
    bucket.put({"scripts/read_fruits_data.py": "def main():\n    1 / [0][0]\n"})
    put(
        bucket,
        stdout=f"{TRACEBACK}ZeroDivisionError: division by [0]\n",
        stderr=ENDED,
        step=f"{SUBMITTER}Command exiting with ret '1'\n",
    )
    emr.add_response(
        "describe_step",
        {"Step": {"Id": STEP, "Config": {"Args": ["spark-submit", *words]}, "Status": {"State": "FAILED"}}},
    )

    log_session.explain(settings, clients, CLUSTER, STEP)

    shown = capsys.readouterr()
    assert "❌ python-exception-driver: " in shown.out
    assert "   where     read_fruits_data.py:2, in main\n             1 / [0][0]\n" in shown.out
    assert "   why       ZeroDivisionError: division by [0]\n" in shown.out
    assert f"evidence  logs/{CLUSTER}/containers/{APPLICATION}/" in shown.out
    assert f"s3://fruits-test/{DRIVER}stdout.gz" in shown.out
    assert f"📄 3 logs in logs/{CLUSTER}/" in shown.err


def test_json_is_all_that_stdout_gets(clients: Clients, emr: Any, bucket: Any, settings: Any, capsys: Output_) -> None:
    run(emr, "FAILED")
    put(bucket, step="nothing\nCommand exiting with ret '1'\n")

    log_session.explain(settings, clients, CLUSTER, STEP, as_json=True)

    found = json.loads(capsys.readouterr().out)
    assert (found["cluster"], found["step"], found["category"], found["failed"]) == (CLUSTER, STEP, None, True)
    assert found["files"] == [f"steps/{STEP}/stderr"]


def test_what_is_missing_is_said(clients: Clients, emr: Any, bucket: Any, make_settings: Any, capsys: Output_) -> None:
    run(emr, "FAILED")
    put(bucket, step=f"{SUBMITTER}Command exiting with ret '1'\n")

    log_session.explain(make_settings(logs_timeout=0), clients, CLUSTER, STEP)

    shown = capsys.readouterr()
    assert f"Waiting for the driver's logs ({APPLICATION}). EMR copies logs every 5 minutes" in shown.err
    assert f"Not here: the driver's logs ({APPLICATION})" in shown.err
    assert "no cause found" in shown.out


def test_a_completed_step_shows_the_end_of_what_it_printed(
    clients: Clients, emr: Any, bucket: Any, settings: Any, capsys: Output_
) -> None:
    run(emr, "COMPLETED")
    put(bucket, step=f"{SUBMITTER}Command exiting with ret '0'\n", stdout="80 images\n", stderr=ENDED)

    log_session.explain(settings, clients, CLUSTER, STEP)

    assert capsys.readouterr().out == f"✅ Step {STEP}: COMPLETED\n80 images\n"


def test_without_any_log_it_is_said_when_there_will_be_some(
    clients: Clients, emr: Any, bucket: Any, make_settings: Any
) -> None:
    run(emr, "FAILED")

    with pytest.raises(WorkflowError, match="every 5 minutes"):
        log_session.explain(make_settings(logs_timeout=0), clients, CLUSTER, STEP)


def test_a_cluster_that_never_came_up_is_explained_without_logs(
    clients: Clients, emr: Any, bucket: Any, settings: Any, capsys: Output_
) -> None:
    message = "The given SSH key name was invalid"
    emr.cluster("TERMINATED_WITH_ERRORS", message, "VALIDATION_ERROR", LogUri="s3n://fruits-test/logs/emr/")

    log_session.explain(settings, clients, CLUSTER, None)

    out = capsys.readouterr().out
    assert "❌ cluster-key-pair: " in out
    assert "EC2_KEY_NAME" in out


def test_a_folder_of_logs_needs_no_aws(tmp_path: Path, capsys: Output_) -> None:
    folder = tmp_path / "sent" / "steps" / "s-1"
    folder.mkdir(parents=True)
    (folder / "stderr").write_text(f"{TRACEBACK}KeyError: 1\nCommand exiting with ret '1'\n")

    log_session.explain_folder(tmp_path / "sent")
    assert "KeyError: 1" in capsys.readouterr().out

    with pytest.raises(UsageError, match="holds none"):
        log_session.explain_folder(tmp_path / "nothing")


def test_packed_logs_of_a_folder_are_read_too(tmp_path: Path, capsys: Output_) -> None:
    folder = tmp_path / "sent" / "steps" / "s-1"
    folder.mkdir(parents=True)
    text = f"{TRACEBACK}KeyError: 1\nCommand exiting with ret '1'\n"
    (folder / "stderr.gz").write_bytes(gzip.compress(text.encode()))

    log_session.explain_folder(tmp_path / "sent")

    assert "KeyError: 1" in capsys.readouterr().out


def test_the_driver_s_new_lines_come_with_each_look(
    clients: Clients, emr: Any, bucket: Any, settings: Any, tmp_path: Path
) -> None:
    emr.cluster("RUNNING", LogUri="s3n://fruits-test/logs/emr/")
    for state in ("RUNNING", "RUNNING", "COMPLETED"):
        emr.step(state)
        if state == "RUNNING":
            emr.cluster("RUNNING")
    put(bucket, step=SUBMITTER, stdout="one\nhal")
    seen = []
    for status in follow_logs.output(clients, settings, CLUSTER, STEP, tmp_path):
        assert isinstance(status, Output)
        seen.append((status.state, status.lines))
        put(bucket, stdout="one\nhalf\n" if len(seen) == 1 else "one\nhalf\nand more\n")

    assert seen == [("RUNNING", ("one",)), ("RUNNING", ("half",)), ("COMPLETED", ("and more",))]


def test_states_go_to_stderr_and_the_output_to_stdout(capsys: Output_) -> None:
    def statuses() -> Iterator[Status]:
        yield Output("RUNNING")
        yield Output("RUNNING", lines=("[a]", "b"))
        yield Output("COMPLETED", lines=("c",))

    log_session.show_output(statuses(), "Step")

    shown = capsys.readouterr()
    assert shown.out == "[a]\nb\nc\n"
    assert shown.err.count("RUNNING") == 1
    assert "COMPLETED" in shown.err


def test_a_step_that_runs_is_not_waited_for(clients: Clients, emr: Any, bucket: Any, settings: Any) -> None:
    run(emr, "RUNNING")
    put(bucket, step=SUBMITTER)
    logs = fetch_logs.open_logs(clients, CLUSTER, STEP, log_session.LOGS)

    assert list(fetch_logs.fetch(logs, settings)) == []
