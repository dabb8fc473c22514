"""logs: found by listing, unpacked whatever their state, waited for while they are still to come."""

from __future__ import annotations

import gzip
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from scripts import fetch_logs
from scripts.aws import Clients
from scripts.errors import AwsError, WorkflowError
from scripts.fetch_logs import Logs, fetch, open_logs, require_some

CLUSTER, STEP = "j-2AXXXXXXGAPLF", "s-2AXXXXXXGAPLF"
LOGS = f"logs/emr/{CLUSTER}/"
APPLICATION = "application_1700000000000_0001"
FIRST, SECOND = (f"container_1700000000000_0001_0{attempt}_000001" for attempt in (1, 2))
EXECUTOR = "container_1700000000000_0001_02_000002"
SUBMITTER = f"INFO Client: Submitted application {APPLICATION}\nCommand exiting with ret '1'\n"
DRIVER = "INFO ApplicationMaster: Final app status: FAILED, exitCode: 13\n"


def packed(text: str) -> bytes:
    return gzip.compress(text.encode())


@pytest.fixture
def opened(clients: Clients, emr: Any, tmp_path: Path) -> Logs:
    """The logs of a failed step. EMR answers the log URI as s3n://, whatever it was given."""
    emr.cluster("TERMINATED", LogUri="s3n://fruits-test/logs/emr/")
    emr.step("FAILED", Reason="Unknown Error.")
    return open_logs(clients, CLUSTER, STEP, tmp_path)


@pytest.fixture
def failed_run(bucket: Any) -> Any:
    """The logs of a step whose driver failed twice."""
    step, containers = f"{LOGS}steps/{STEP}/", f"{LOGS}containers/{APPLICATION}/"
    bucket.put(
        {
            f"{step}controller.gz": packed("INFO waitProcessCompletion ended with exit code 1\n"),
            f"{step}stderr.gz": packed(SUBMITTER),
            f"{containers}{FIRST}/stdout.gz": packed("first attempt\n"),
            f"{containers}{SECOND}/stdout.gz": packed("second attempt\n"),
            f"{containers}{SECOND}/stderr.gz": packed(DRIVER),
            f"{containers}{EXECUTOR}/stderr.gz": packed("ERROR Executor\n"),
            f"{LOGS}steps/s-OTHER/stderr.gz": packed("another step's"),
            f"{LOGS}containers/application_1700000000000_0002/{FIRST}/stdout.gz": packed("another application's"),
            f"{LOGS}node/i-1/applications/hadoop-yarn/x.log.gz": packed("the node's"),
        }
    )
    return bucket


def names(logs: Logs) -> list[str]:
    return sorted(file.name for file in logs.files)


def test_the_steps_logs_and_its_applications_and_nobody_elses(
    opened: Logs, failed_run: Any, settings: Any, tmp_path: Path
) -> None:
    assert [status.state for status in fetch(opened, settings)] == ["COMPLETE"]

    containers = f"containers/{APPLICATION}"
    assert names(opened) == sorted(
        [
            f"steps/{STEP}/controller",
            f"steps/{STEP}/stderr",
            f"{containers}/{FIRST}/stdout",
            f"{containers}/{SECOND}/stdout",
            f"{containers}/{SECOND}/stderr",
            f"{containers}/{EXECUTOR}/stderr",
        ]
    )
    assert (tmp_path / CLUSTER / containers / SECOND / "stdout").read_text() == "second attempt\n"
    kept = sorted(path for path in tmp_path.rglob("*") if path.is_file())
    assert kept == sorted(file.path for file in opened.files)  # and nothing else is left


def test_the_driver_comes_first_and_of_its_attempts_the_last(opened: Logs, failed_run: Any, settings: Any) -> None:
    list(fetch(opened, settings))

    sides = [(file.side.name, file.name.split("/")[-2]) for file in opened.files]
    assert sides[0] == ("DRIVER", SECOND)
    assert sides[-1] == ("ATTEMPT", FIRST)
    assert ("EXECUTOR", EXECUTOR) in sides


def test_what_emr_says_is_kept_with_the_logs(clients: Clients, emr: Any, tmp_path: Path) -> None:
    details = [{"ErrorCode": "X", "ErrorMessage": "no disk", "ErrorData": [{"node": "i-1"}, {"doc": "https"}]}]
    emr.add_response(
        "describe_cluster",
        {
            "Cluster": {
                "Id": CLUSTER,
                "LogUri": "s3://fruits-test/l/",
                "Status": {
                    "State": "TERMINATED_WITH_ERRORS",
                    "StateChangeReason": {"Code": "BOOTSTRAP_FAILURE", "Message": "why"},
                    "ErrorDetails": details,
                },
            }
        },
    )

    facts = open_logs(clients, CLUSTER, None, tmp_path).facts

    assert (facts.cluster_state, facts.cluster_code, facts.cluster_reason) == (
        "TERMINATED_WITH_ERRORS",
        "BOOTSTRAP_FAILURE",
        "why",
    )
    assert facts.errors == ("X: no disk (node=i-1, doc=https)",)


def test_it_waits_for_the_driver_s_log_and_says_what_is_missing(opened: Logs, bucket: Any, settings: Any) -> None:
    bucket.put({f"{LOGS}steps/{STEP}/stderr.gz": packed(SUBMITTER)})
    said = []
    for status in fetch(opened, settings):
        said.append(str(status))
        bucket.put({f"{LOGS}containers/{APPLICATION}/{FIRST}/stderr.gz": packed(DRIVER)})

    assert said == [f"MISSING - the driver's logs ({APPLICATION})", "COMPLETE"]
    assert opened.missing == ()


def test_a_log_that_has_not_come_whole_is_waited_for(opened: Logs, bucket: Any, settings: Any) -> None:
    bucket.put({f"{LOGS}steps/{STEP}/stderr.gz": packed("INFO just begun\n")})
    said = []
    for status in fetch(opened, settings):
        said.append(status.reason)
        bucket.put({f"{LOGS}steps/{STEP}/stderr.gz": packed("INFO just begun\nCommand exiting with ret '1'\n")})

    assert said == ["the end of the step's logs", ""]


def test_after_the_deadline_what_is_here_is_taken(opened: Logs, bucket: Any, make_settings: Any) -> None:
    assert [status.state for status in fetch(opened, make_settings(logs_timeout=0))] == ["MISSING"]
    assert opened.missing == ("the step's logs",)
    with pytest.raises(WorkflowError, match="every 5 minutes"):
        require_some(opened)


def test_what_ended_long_ago_is_not_waited_for(
    clients: Clients, emr: Any, bucket: Any, settings: Any, tmp_path: Path
) -> None:
    end = datetime.now(timezone.utc) - timedelta(hours=1)
    emr.add_response(
        "describe_cluster",
        {
            "Cluster": {
                "Id": CLUSTER,
                "LogUri": "s3://fruits-test/logs/emr",
                "Status": {"State": "TERMINATED", "Timeline": {"EndDateTime": end}},
            }
        },
    )
    emr.step("FAILED")
    logs = open_logs(clients, CLUSTER, STEP, tmp_path)

    assert list(fetch(logs, settings)) == []
    assert logs.missing


def test_fetching_again_brings_only_what_has_changed(opened: Logs, failed_run: Any, settings: Any) -> None:
    list(fetch(opened, settings))
    before = {file.name: file.path.stat().st_ino for file in opened.files}
    failed_run.put({f"{LOGS}steps/{STEP}/controller.gz": packed("more\n")})

    list(fetch(opened, settings))

    changed = [file.name for file in opened.files if file.path.stat().st_ino != before[file.name]]
    assert changed == [f"steps/{STEP}/controller"]


def test_rotated_uncompressed_and_truncated_logs_are_all_read(
    opened: Logs, bucket: Any, settings: Any, tmp_path: Path
) -> None:
    text = "".join(f"line {n} {hash(n) * 7919 % 10007}\n" for n in range(500))
    step = f"{LOGS}steps/{STEP}/"
    bucket.put(
        {
            f"{step}stderr.2025-11-18-09.gz": packed("nine o'clock\n"),
            f"{step}stderr-2025-11-18-10.txt.gz": packed("ten\n"),
            f"{step}syslog": b"never compressed\n",
            f"{step}controller.gz": b"Command exiting with ret '1': not gzip in spite of its name\n",
            f"{step}stdout.gz": packed(text)[:-900],
            f"{step}stderr.gz": b"",
        }
    )

    list(fetch(opened, settings))

    folder = tmp_path / CLUSTER / "steps" / STEP
    assert (folder / "stderr.2025-11-18-09").read_text() == "nine o'clock\n"
    assert (folder / "stderr-2025-11-18-10").read_text() == "ten\n"
    assert (folder / "syslog").read_text() == "never compressed\n"
    assert (folder / "controller").read_text().startswith("Command exiting")
    assert (folder / "stderr").read_text() == ""
    kept, _, note = (folder / "stdout").read_text().partition("\n[the log is cut short here]")
    assert text.startswith(kept)
    assert len(kept) > 100
    assert note
    streams = {file.name.rpartition("/")[2]: file.stream for file in opened.files}
    assert streams["stderr.2025-11-18-09"] == streams["stderr-2025-11-18-10"] == "stderr"


def test_the_application_is_found_in_a_rotated_log_too(opened: Logs, bucket: Any, settings: Any) -> None:
    bucket.put(
        {
            f"{LOGS}steps/{STEP}/syslog-2025-01-15-10.gz": packed(f"Submitted application {APPLICATION}\n"),
            f"{LOGS}steps/{STEP}/stderr.gz": packed("Command exiting with ret '1'\n"),
            f"{LOGS}containers/{APPLICATION}/{FIRST}/stderr.gz": packed(DRIVER),
        }
    )

    list(fetch(opened, settings))

    assert f"containers/{APPLICATION}/{FIRST}/stderr" in names(opened)


def test_of_many_executors_logs_the_largest_are_left_out_unless_all_are_wanted(
    opened: Logs, failed_run: Any, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetch_logs, "MOST_BYTES", 10)

    list(fetch(opened, settings))
    assert [one.name for one in opened.left_out] == [f"containers/{APPLICATION}/{EXECUTOR}/stderr.gz"]

    list(fetch(opened, settings, everything=True))
    assert opened.left_out == ()


def test_without_a_step_the_bootstrap_actions_logs_are_fetched(
    clients: Clients, emr: Any, bucket: Any, settings: Any, tmp_path: Path
) -> None:
    emr.cluster("TERMINATED_WITH_ERRORS", "it failed", "BOOTSTRAP_FAILURE", LogUri="s3n://fruits-test/logs/emr/")
    node = f"{LOGS}node/i-0123/"
    bucket.put(
        {
            f"{node}bootstrap-actions/1/stderr.gz": packed("pip: command not found\n"),
            f"{node}bootstrap-actions/1/stdout.gz": packed("installing\n"),
            f"{node}daemons/instance-state.log.gz": packed("top\n"),
        }
    )
    logs = open_logs(clients, CLUSTER, None, tmp_path)

    list(fetch(logs, settings))

    assert names(logs) == [f"node/i-0123/bootstrap-actions/1/{name}" for name in ("stderr", "stdout")]
    assert {file.side.name for file in logs.files} == {"BOOTSTRAP"}


def test_a_cluster_that_never_came_up_has_no_logs_to_wait_for(
    clients: Clients, emr: Any, bucket: Any, settings: Any, tmp_path: Path
) -> None:
    emr.cluster("TERMINATED_WITH_ERRORS", "a wrong key", "VALIDATION_ERROR", LogUri="s3n://fruits-test/logs/emr/")

    assert list(fetch(open_logs(clients, CLUSTER, None, tmp_path), settings)) == []


def test_a_cluster_without_a_log_uri_says_so(clients: Clients, emr: Any, tmp_path: Path) -> None:
    emr.cluster("TERMINATED")

    with pytest.raises(WorkflowError, match="without a log URI"):
        open_logs(clients, CLUSTER, STEP, tmp_path)


def test_a_bucket_that_is_gone_says_so(opened: Logs, settings: Any) -> None:
    with pytest.raises(AwsError, match="NoSuchBucket"):
        list(fetch(opened, settings))


@pytest.mark.parametrize("name", ["../../../evil", "a/../../evil", "a\\..\\..\\evil"])
def test_a_key_that_would_lead_out_of_its_folder_is_refused(
    opened: Logs, bucket: Any, settings: Any, tmp_path: Path, name: str
) -> None:
    bucket.put({f"{LOGS}steps/{STEP}/{name}": "x"})

    with pytest.raises(WorkflowError, match="would leave its folder"):
        list(fetch(opened, settings))

    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_a_folder_that_cannot_be_written_says_so(opened: Logs, failed_run: Any, settings: Any, tmp_path: Path) -> None:
    (tmp_path / CLUSTER).touch()

    with pytest.raises(WorkflowError, match=f"writing the logs: .*{CLUSTER}"):
        list(fetch(opened, settings))
