"""The record of each pipeline: on disk before anything is created, whole or absent, without a secret."""

from __future__ import annotations

import getpass
import hashlib
import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

from scripts import runs
from scripts.config import SETTINGS, Settings
from scripts.errors import UsageError, WorkflowError
from tests.disk import full_after

Make = Callable[..., Settings]
CLUSTER, STEP = "j-2AXXXXXXGAPLF", "s-2AXXXXXXGAPLF"


@pytest.fixture
def record(tmp_path: Path, settings: Settings) -> runs.Run:
    """A run that has just begun in tmp_path."""
    script = tmp_path / "job.py"
    script.write_text("print()\n")
    return runs.begin(tmp_path, settings, (script, tmp_path / "gone.sh"), ["--limit", "two words"])


def written(root: Path) -> dict[str, Any]:
    (path,) = (root / ".runs").glob("*.json")
    found: dict[str, Any] = json.loads(path.read_text())
    return {**found, "file": path.stem}


def test_a_run_is_on_disk_as_it_begins(tmp_path: Path, settings: Settings, record: runs.Run) -> None:
    found = written(tmp_path)

    assert found["file"] == found["id"] == record.id
    assert len(record.id) == 32
    assert found["pid"] == os.getpid()
    assert found["arguments"] == ["--limit", "two words"]
    assert found["settings"] == {one.name: getattr(settings, one.name) for one in SETTINGS}
    assert found["code"] == {"job.py": hashlib.sha256(b"print()\n").hexdigest()}
    assert (found["cluster_id"], found["step_id"], found["ended"], found["verdict"]) == ("", "", "", "")
    assert runs.all_runs(tmp_path) == runs.unfinished(tmp_path) == [record]


def test_every_run_has_an_id_of_its_own(tmp_path: Path, settings: Settings, record: runs.Run) -> None:
    other = runs.begin(tmp_path, settings, (), [])

    assert other.id != record.id
    assert len(runs.all_runs(tmp_path)) == 2


def test_what_becomes_known_is_on_disk_before_the_call_returns(tmp_path: Path, record: runs.Run) -> None:
    noted = runs.note(tmp_path, record, cluster_id=CLUSTER)
    assert written(tmp_path)["cluster_id"] == CLUSTER
    assert runs.all_runs(tmp_path) == [noted]

    runs.note(tmp_path, noted, step_id=STEP)
    assert (written(tmp_path)["cluster_id"], written(tmp_path)["step_id"]) == (CLUSTER, STEP)
    assert [path.name for path in (tmp_path / ".runs").iterdir()] == [f"{record.id}.json"]


def test_an_ended_run_is_known_and_no_longer_unfinished(tmp_path: Path, record: runs.Run) -> None:
    ended = runs.end(tmp_path, record, "done")

    assert ended.verdict == "done"
    assert record.started <= ended.ended
    assert runs.all_runs(tmp_path) == [ended]
    assert runs.unfinished(tmp_path) == []


def test_no_place_for_the_record_is_an_error_and_no_half_of_one(tmp_path: Path, settings: Settings) -> None:
    expected = r"writing the run's record: File too large.*Make room"
    with full_after(20), pytest.raises(WorkflowError, match=expected) as caught:
        runs.begin(tmp_path, settings, (), [])

    assert caught.value.exit_code == 1
    assert list((tmp_path / ".runs").iterdir()) == []


def test_a_note_that_finds_no_place_leaves_what_was_known(tmp_path: Path, record: runs.Run) -> None:
    with full_after(20), pytest.raises(WorkflowError):
        runs.note(tmp_path, record, cluster_id=CLUSTER)

    assert runs.all_runs(tmp_path) == [record]


def test_runs_stand_in_the_order_in_which_they_began(tmp_path: Path, record: runs.Run) -> None:
    times = ["2025-01-15T10:00:00Z", "2024-12-31T23:59:59Z", "2025-01-15T09:00:00Z"]
    for number, started in enumerate(times):
        runs.note(tmp_path, replace(record, id=f"{number}", started=started))

    assert [run.started for run in runs.all_runs(tmp_path)] == [*sorted(times), record.started]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"7",
        b"\xff",
        b"{}",
        b'{"id": "x", "started": "y"}',
        b'{"id": "x", "started": "y", "owner": "z", "pid": 1, "settings": {}, "code": {}}',
        b'{"id": "x", "started": "y", "owner": "z", "pid": 1, "settings": "?", "code": {}}',
    ],
)
def test_a_record_that_cannot_be_read_is_left_alone(tmp_path: Path, record: runs.Run, content: bytes) -> None:
    path = tmp_path / ".runs" / "other.json"
    path.write_bytes(content)

    assert runs.all_runs(tmp_path) == [record]
    assert path.read_bytes() == content


def test_a_record_of_another_version_is_read_as_far_as_it_is_known(tmp_path: Path, record: runs.Run) -> None:
    known = {**asdict(record), "invented_tomorrow": 1}
    del known["verdict"]
    (tmp_path / ".runs" / f"{record.id}.json").write_text(json.dumps(known))

    assert runs.all_runs(tmp_path) == [record]


def test_no_folder_yet_is_no_run(tmp_path: Path) -> None:
    assert runs.all_runs(tmp_path) == []


def test_a_run_is_named_by_time_place_and_cluster(record: runs.Run) -> None:
    known = replace(record, id="0123456789abcdef", started="2025-01-15T10:00:00Z")

    assert str(known) == "run 01234567 of 2025-01-15T10:00:00Z on aws eu-west-1"
    assert str(replace(known, cluster_id=CLUSTER)).endswith(f"eu-west-1, cluster {CLUSTER}")
    assert known.where == ("aws", "eu-west-1")


def test_a_resumed_run_has_the_settings_it_was_begun_with(tmp_path: Path, make_settings: Make) -> None:
    settings = make_settings(core_instance_count=7, poll_interval=0.5, job_args="--limit 5", s3_bucket="another")
    runs.begin(tmp_path, settings, (), [])

    (known,) = runs.all_runs(tmp_path)

    assert runs.settings_of(known) == settings


def test_where_local_emr_answers_is_not_a_setting_and_is_not_kept(tmp_path: Path, make_settings: Make) -> None:
    runs.begin(tmp_path, make_settings(target="local", endpoint_url="http://127.0.0.1:1"), (), [])

    assert runs.settings_of(runs.all_runs(tmp_path)[0]).endpoint_url is None


def test_a_record_that_lacks_a_setting_is_not_resumed_and_says_what_to_do(record: runs.Run) -> None:
    older = {name: value for name, value in record.settings.items() if name != "pipeline_idle_timeout"}

    with pytest.raises(UsageError, match=r"has no PIPELINE_IDLE_TIMEOUT: another version wrote it.*inv status"):
        runs.settings_of(replace(record, settings=older))


def test_a_setting_that_is_no_more_is_ignored(record: runs.Run, settings: Settings) -> None:
    assert runs.settings_of(replace(record, settings={**record.settings, "gone": 1})) == settings


def test_the_record_has_no_secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings: Settings) -> None:
    secrets = {
        "AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE",
        "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI/K7MDENG",
        "AWS_SESSION_TOKEN": "FwoGZXIvYXdzEBYaD",
    }
    for name, value in secrets.items():
        monkeypatch.setenv(name, value)

    runs.begin(tmp_path, settings, (), [])

    text = "".join(path.read_text() for path in (tmp_path / ".runs").iterdir())
    assert not any(value in text for value in secrets.values())


def test_a_cluster_that_was_seen_to_end_is_remembered_for_good(tmp_path: Path) -> None:
    assert not runs.is_ended(tmp_path, CLUSTER)

    runs.mark_ended(tmp_path, "j-ANOTHER")
    runs.mark_ended(tmp_path, CLUSTER)

    assert runs.is_ended(tmp_path, CLUSTER)
    assert not runs.is_ended(tmp_path, CLUSTER[:-1])
    assert runs.all_runs(tmp_path) == []


def test_that_it_cannot_be_remembered_is_no_failure(tmp_path: Path) -> None:
    (tmp_path / ".runs").touch()

    runs.mark_ended(tmp_path, CLUSTER)

    assert not runs.is_ended(tmp_path, CLUSTER)


def test_the_owner_is_who_and_where() -> None:
    assert runs.owner() == f"{getpass.getuser()}@{socket.gethostname()}"


def test_a_user_without_a_name_is_a_number(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(os, "getuid", lambda: 2_000_000_000)  # no line in /etc/passwd

    assert runs.owner() == f"2000000000@{socket.gethostname()}"


HOLD = """
import sys
from pathlib import Path
from scripts import runs
with runs.alone(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_second_pipeline_in_the_folder_is_refused_with_the_pid_of_the_first(tmp_path: Path, project: Path) -> None:
    command = [sys.executable, "-c", HOLD, str(tmp_path)]
    with subprocess.Popen(command, cwd=project, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout
        assert other.stdout.readline() == b"held\n"

        with (
            pytest.raises(UsageError, match=rf"is under way in this folder \(pid {other.pid}\)\. Wait") as caught,
            runs.alone(tmp_path),
        ):
            pytest.fail("both are under way")
        assert caught.value.exit_code == 2

        other.kill()
        other.wait()
        with runs.alone(tmp_path):
            pass


def test_two_folders_do_not_stand_in_each_others_way(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()

    with runs.alone(tmp_path / "a"), runs.alone(tmp_path / "b"):
        assert runs.all_runs(tmp_path / "a") == []


def test_the_folder_of_the_records_that_cannot_be_made_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / ".runs").touch()

    said = r"writing the run's record: File exists.*mend the permissions"

    with pytest.raises(WorkflowError, match=said), runs.alone(tmp_path):
        pass


def test_an_error_of_the_run_itself_passes_as_it_is(tmp_path: Path) -> None:
    with pytest.raises(BrokenPipeError), runs.alone(tmp_path):
        raise BrokenPipeError
