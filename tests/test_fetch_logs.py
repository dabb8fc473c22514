"""logs: found by listing, unpacked whatever their state, and the one that matters shown."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import pytest

from scripts.aws import Clients
from scripts.errors import AwsError, WorkflowError
from scripts.fetch_logs import excerpt, fetch

CLUSTER, STEP = "j-2AXXXXXXGAPLF", "s-2AXXXXXXGAPLF"
LOGS = f"logs/emr/{CLUSTER}/"
APPLICATION = "application_1700000000000_0001"
FIRST, SECOND = (f"container_1700000000000_0001_0{attempt}_000001" for attempt in (1, 2))
TRACEBACK = (
    'Traceback (most recent call last):\n  File "job.py", line 3, in <module>\nZeroDivisionError: division by zero\n'
)


def packed(text: str) -> bytes:
    return gzip.compress(text.encode())


@pytest.fixture
def described(emr: Any) -> None:
    """EMR answers the log URI as s3n://, whatever it was given."""
    emr.cluster("TERMINATED", LogUri="s3n://fruits-test/logs/emr/")


@pytest.fixture
def failed_run(bucket: Any) -> Any:
    """The logs of a step whose driver failed twice."""
    step, containers = f"{LOGS}steps/{STEP}/", f"{LOGS}containers/{APPLICATION}/"
    submitter = f"INFO Client: Submitted {APPLICATION}\nERROR Client: Application diagnostics message\n"
    bucket.put(
        {
            f"{step}controller.gz": packed("INFO waitProcessCompletion ended with exit code 1\n"),
            f"{step}stderr.gz": packed(submitter),
            f"{step}stdout.gz": packed(""),
            f"{containers}{FIRST}/stdout.gz": packed("first attempt\n" + TRACEBACK),
            f"{containers}{SECOND}/stdout.gz": packed("second attempt\n" + TRACEBACK),
            f"{containers}{SECOND}/stderr.gz": packed("INFO SparkContext: Running Spark version 3.5.6\n"),
            f"{LOGS}steps/s-OTHER/stderr.gz": packed("another step's"),
            f"{LOGS}containers/application_1700000000000_0002/{FIRST}/stdout.gz": packed("another application's"),
            f"{LOGS}node/i-1/applications/hadoop-yarn/x.log.gz": packed("the node's"),
        }
    )
    return bucket


def relative(files: list[Path], folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in files)


def test_the_steps_logs_and_its_applications_and_nobody_elses(
    clients: Clients, described: None, failed_run: Any, tmp_path: Path
) -> None:
    files = fetch(clients, CLUSTER, STEP, tmp_path)

    assert relative(files, tmp_path / CLUSTER / STEP) == sorted(
        [
            "controller",
            "stderr",
            "stdout",
            f"containers/{APPLICATION}/{FIRST}/stdout",
            f"containers/{APPLICATION}/{SECOND}/stdout",
            f"containers/{APPLICATION}/{SECOND}/stderr",
        ]
    )
    assert (tmp_path / CLUSTER / STEP / "containers" / APPLICATION / SECOND / "stdout").read_text() == (
        "second attempt\n" + TRACEBACK
    )


def test_nothing_but_the_logs_is_left(clients: Clients, described: None, failed_run: Any, tmp_path: Path) -> None:
    files = fetch(clients, CLUSTER, STEP, tmp_path)

    assert sorted(path for path in tmp_path.rglob("*") if path.is_file()) == sorted(files)
    assert not list(tmp_path.rglob("tmp*"))


def test_the_excerpt_is_the_traceback_of_the_attempt_that_decided(
    clients: Clients, described: None, failed_run: Any, tmp_path: Path
) -> None:
    found = excerpt(fetch(clients, CLUSTER, STEP, tmp_path))

    assert found is not None
    assert found.path.parent.name == SECOND
    assert found.lines == ("second attempt", *TRACEBACK.splitlines())


def test_fetching_again_brings_what_is_new(clients: Clients, emr: Any, failed_run: Any, tmp_path: Path) -> None:
    for text in ("early\n", "early\nand late\n"):
        emr.cluster("RUNNING", LogUri="s3n://fruits-test/logs/emr/")
        failed_run.put({f"{LOGS}steps/{STEP}/syslog.gz": packed(text)})
        fetch(clients, CLUSTER, STEP, tmp_path)

    assert (tmp_path / CLUSTER / STEP / "syslog").read_text() == "early\nand late\n"


def test_rotated_uncompressed_and_truncated_logs_are_all_read(
    clients: Clients, described: None, bucket: Any, tmp_path: Path
) -> None:
    text = "".join(f"line {n} {hash(n) * 7919 % 10007}\n" for n in range(500))
    step = f"{LOGS}steps/{STEP}/"
    bucket.put(
        {
            f"{step}stderr-2025-01-15-10.gz": packed("ten o'clock\n"),
            f"{step}stderr-2025-01-15-11.gz": packed("eleven\n"),
            f"{step}syslog": b"never compressed\n",
            f"{step}controller.gz": b"not gzip in spite of its name\n",
            f"{step}stdout.gz": packed(text)[:-900],
            f"{step}stderr.gz": b"",
        }
    )

    fetch(clients, CLUSTER, STEP, tmp_path)

    folder = tmp_path / CLUSTER / STEP
    assert (folder / "stderr-2025-01-15-10").read_text() == "ten o'clock\n"
    assert (folder / "stderr-2025-01-15-11").read_text() == "eleven\n"
    assert (folder / "syslog").read_text() == "never compressed\n"
    assert (folder / "controller").read_text() == "not gzip in spite of its name\n"
    assert (folder / "stderr").read_text() == ""
    kept, _, note = (folder / "stdout").read_text().partition("\n[the log is cut short here]")
    assert text.startswith(kept)
    assert len(kept) > 100
    assert note


def test_the_application_is_found_in_a_rotated_log_too(
    clients: Clients, described: None, bucket: Any, tmp_path: Path
) -> None:
    bucket.put(
        {
            f"{LOGS}steps/{STEP}/syslog-2025-01-15-10.gz": packed(f"Submitted {APPLICATION}\n"),
            f"{LOGS}containers/{APPLICATION}/{FIRST}/stdout.gz": packed("here\n"),
        }
    )

    files = fetch(clients, CLUSTER, STEP, tmp_path)

    assert [path.name for path in files] == ["syslog-2025-01-15-10", "stdout"]


def test_without_a_step_the_bootstrap_actions_logs_are_fetched(
    clients: Clients, described: None, bucket: Any, tmp_path: Path
) -> None:
    node = f"{LOGS}node/i-0123/"
    bucket.put(
        {
            f"{node}bootstrap-actions/1/stderr.gz": packed("pip: command not found\n"),
            f"{node}bootstrap-actions/1/stdout.gz": packed("installing\n"),
            f"{node}bootstrap-actions/master.log.gz": packed("the log of all actions\n"),
            f"{node}daemons/instance-state.log.gz": packed("top\n"),
        }
    )

    files = fetch(clients, CLUSTER, None, tmp_path)

    assert relative(files, tmp_path / CLUSTER / "bootstrap") == [
        "i-0123/bootstrap-actions/1/stderr",
        "i-0123/bootstrap-actions/1/stdout",
        "i-0123/bootstrap-actions/master.log",
    ]
    found = excerpt(files)
    assert found is not None
    assert found.lines == ("pip: command not found",)


@pytest.mark.parametrize("step", [STEP, None])
def test_no_logs_yet_says_when_there_will_be(
    clients: Clients, described: None, bucket: Any, tmp_path: Path, step: str | None
) -> None:
    with pytest.raises(WorkflowError, match="every 5 minutes") as caught:
        fetch(clients, CLUSTER, step, tmp_path)

    assert f"s3://fruits-test/{LOGS}" in caught.value.problem
    assert list(tmp_path.iterdir()) == []


def test_a_cluster_without_a_log_uri_says_so(clients: Clients, emr: Any, tmp_path: Path) -> None:
    emr.cluster("TERMINATED")

    with pytest.raises(WorkflowError, match="without a log URI"):
        fetch(clients, CLUSTER, STEP, tmp_path)


def test_a_bucket_that_is_gone_says_so(clients: Clients, described: None, tmp_path: Path) -> None:
    with pytest.raises(AwsError, match="NoSuchBucket"):
        fetch(clients, CLUSTER, STEP, tmp_path)


@pytest.mark.parametrize("name", ["../../../evil", "a/../../evil", "a\\..\\..\\evil"])
def test_a_key_that_would_lead_out_of_its_folder_is_refused(
    clients: Clients, described: None, bucket: Any, tmp_path: Path, name: str
) -> None:
    bucket.put({f"{LOGS}steps/{STEP}/{name}": "x"})

    with pytest.raises(WorkflowError, match="would leave its folder"):
        fetch(clients, CLUSTER, STEP, tmp_path / "logs")

    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_a_folder_that_cannot_be_written_says_so(
    clients: Clients, described: None, failed_run: Any, tmp_path: Path
) -> None:
    (tmp_path / CLUSTER).touch()

    with pytest.raises(WorkflowError, match=f"writing the logs: .*{CLUSTER}"):
        fetch(clients, CLUSTER, STEP, tmp_path)


@pytest.fixture
def logs(tmp_path: Path) -> Any:
    """Write fetched logs: path -> text."""

    def write(**texts: str) -> list[Path]:
        files = []
        for name, text in texts.items():
            path = tmp_path / name.replace("__", "/")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
            files.append(path)
        return files

    return write


def test_empty_logs_have_no_end_to_show(logs: Any) -> None:
    assert excerpt([]) is None
    assert excerpt(logs(stdout="", stderr="")) is None


def test_the_log_that_speaks_of_an_error_comes_before_the_one_that_does_not(logs: Any) -> None:
    found = excerpt(logs(stdout="all is well so far\n", stderr=f"INFO starting\n{TRACEBACK}"))

    assert found is not None
    assert found.path.name == "stderr"
    assert found.lines[-1] == "ZeroDivisionError: division by zero"


def test_without_any_error_the_drivers_own_words_are_shown(logs: Any) -> None:
    files = logs(stderr="INFO x\n", controller="INFO y\n", **{f"containers__a__{FIRST}__stdout": "80 images\n"})

    found = excerpt(files)

    assert found is not None
    assert found.lines == ("80 images",)


def test_the_drivers_traceback_comes_before_the_submitters_complaint(logs: Any) -> None:
    submitter = 'Exception in thread "main" org.apache.spark.SparkException: Application finished with failed status\n'

    found = excerpt(logs(stderr=submitter, **{f"containers__a__{FIRST}__stdout": TRACEBACK}))

    assert found is not None
    assert found.lines[-1].startswith("ZeroDivisionError")


def test_only_the_end_is_shown(logs: Any) -> None:
    found = excerpt(logs(stdout="".join(f"{n}\n" for n in range(100))), lines=3)

    assert found is not None
    assert found.lines == ("97", "98", "99")


def test_a_traceback_is_shown_although_much_follows_it(logs: Any) -> None:
    found = excerpt(logs(stderr=TRACEBACK + "INFO ShutdownHookManager: Deleting directory\n" * 60))

    assert found is not None
    assert "ZeroDivisionError: division by zero" in found.lines


def test_a_log_of_many_megabytes_and_bytes_that_are_no_text_do_no_harm(logs: Any, tmp_path: Path) -> None:
    (tmp_path / "stdout").write_bytes(b"\xff\xfe noise\n" * 300_000 + TRACEBACK.encode())

    found = excerpt([tmp_path / "stdout"], lines=1)

    assert found is not None
    assert found.lines == ("ZeroDivisionError: division by zero",)
