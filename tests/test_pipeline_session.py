"""A pipeline as a person meets it: what is recorded and when, the run that was cut off, and how it goes on."""

from __future__ import annotations

import errno
import io
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from scripts import log_session, pipeline_session, runs, session, tracking
from scripts.aws import Clients
from scripts.config import Settings
from scripts.errors import AwsError, UsageError, WorkflowError
from scripts.lifecycle import Status
from scripts.pipeline import Adopted, Created, NotCreated, Stage, Submitted
from scripts.pipeline_session import Begun, reattach, refuse_if_cut_off, to_resume
from scripts.watch_step import StepFailed
from tests.account import CLUSTER, SECOND, STEP, Account, results

Output = pytest.CaptureFixture[str]
Make = Callable[..., Settings]
UNKNOWN = "InvalidRequestException", f"Cluster id '{CLUSTER}' is not valid."
pytestmark = pytest.mark.usefixtures("fresh_console")


@pytest.fixture(autouse=True)
def here(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The checkout whose records, tracking files, results and logs are used: a folder of its own."""
    for module in (session, pipeline_session, log_session):
        monkeypatch.setattr(module, "ROOT", tmp_path)
    monkeypatch.setattr(session, "RESULTS", tmp_path / "results")
    monkeypatch.setattr(log_session, "LOGS", tmp_path / "logs")
    return tmp_path


Begin = Callable[..., runs.Run]


@pytest.fixture
def begin(here: Path, settings: Settings) -> Begin:
    """A run of this folder, as it was left."""

    def make(settings: Settings = settings, **known: str) -> runs.Run:
        record = runs.begin(here, settings, (), ["--limit", "5"])
        return runs.note(here, record, **known)

    return make


Go = Callable[..., runs.Run]


@pytest.fixture
def go(clients: Clients, settings: Settings, here: Path) -> Go:
    """Runs a pipeline; its record on disk afterwards, whatever it raised."""

    def run(expected: type[BaseException] | None = None, **options: Any) -> runs.Run:
        chosen = {"arguments": ["--limit", "5"], "keep": False, "retries": 1, **options}
        wanted = chosen.pop("settings", settings)
        if expected:
            with pytest.raises(expected):
                pipeline_session.run(clients, wanted, **chosen)
        else:
            pipeline_session.run(clients, wanted, **chosen)
        (record,) = runs.all_runs(here)
        return record

    return run


def tracked(root: Path) -> tuple[str | None, str | None]:
    return tracking.read(root, tracking.CLUSTER), tracking.read(root, tracking.STEP)


# what is recorded


def test_a_good_run_is_recorded_tracked_and_shown(here: Path, cluster: Account, go: Go, capsys: Output) -> None:
    record = go()

    assert (record.cluster_id, record.step_id, record.verdict) == (CLUSTER, STEP, "done")
    assert record.ended
    assert record.arguments == ("--limit", "5")
    assert {"read_fruits_data.py", "s3_listing.py", "install_dependencies.sh"} < set(record.code)
    assert tracked(here) == (CLUSTER, STEP)
    shown = capsys.readouterr()
    assert "4 images (Test 1, Training 3), 1 labels" in shown.out
    assert "📥 results/stats_" in shown.out
    assert "▶ verify" in shown.err
    assert "⚫ TERMINATED" in shown.err


def test_the_record_is_on_disk_before_a_cluster_is_asked_for_and_the_id_before_the_first_look(
    here: Path, cluster: Account, go: Go
) -> None:
    seen: dict[str, tuple[str, str]] = {}

    def watch(call: str, body: Any) -> None:
        (record,) = runs.all_runs(here)
        seen.setdefault(call, (record.cluster_id, record.step_id))
        if call == "RunJobFlow":
            assert {"Key": "fruits-on-emr:run", "Value": record.id} in body["Tags"]

    cluster.watch = watch
    go()

    assert seen["RunJobFlow"] == ("", "")
    assert seen["DescribeCluster"] == (CLUSTER, "")
    assert seen["AddJobFlowSteps"] == (CLUSTER, "")
    assert seen["DescribeStep"] == (CLUSTER, STEP)


def test_a_cluster_that_was_seen_to_end_is_remembered_and_one_that_is_kept_is_not(
    here: Path, cluster: Account, go: Go
) -> None:
    cluster.comes_up = [("TERMINATED_WITH_ERRORS", "BOOTSTRAP_FAILURE"), ("WAITING", "")]

    go(keep=True)

    assert runs.is_ended(here, CLUSTER)
    assert not runs.is_ended(here, SECOND)


def test_a_kept_cluster_closes_its_record_for_the_run_is_done(cluster: Account, go: Go) -> None:
    record = go(keep=True)

    assert record.verdict == "kept"
    assert cluster.live == {CLUSTER}


@pytest.mark.parametrize("keep", [False, True])
def test_a_run_that_failed_before_it_had_a_cluster_is_closed(cluster: Account, go: Go, keep: bool) -> None:
    cluster.bucket.s3.delete_object(Bucket="fruits-test", Key="data/fruits-360/Training/Kiwi/1.jpg")

    record = go(WorkflowError, keep=keep)

    assert record.verdict.startswith("WorkflowError: verifying the set-up")
    assert record.ended
    assert cluster.calls == []


@pytest.mark.parametrize("keep", [False, True])
def test_a_cluster_that_was_refused_closes_the_record(cluster: Account, go: Go, keep: bool) -> None:
    cluster.refuses["RunJobFlow"] = ("ValidationException", "Invalid InstanceProfile")

    assert go(AwsError, keep=keep).verdict.startswith("AwsError: creating the cluster: ValidationException")


def test_a_step_that_failed_is_the_verdict_and_its_logs_are_looked_for(
    here: Path, cluster: Account, go: Go, capsys: Output
) -> None:
    cluster.step = "FAILED"

    record = go(StepFailed)

    assert record.verdict == f"StepFailed: running step {STEP}: it is FAILED. `inv logs` says why."
    assert tracked(here) == (CLUSTER, STEP)
    assert "📄" in capsys.readouterr().err


def test_an_interruption_that_ended_its_cluster_is_closed(cluster: Account, go: Go) -> None:
    cluster.trouble["RunJobFlow"] = ["interrupted"]

    record = go(KeyboardInterrupt)

    assert cluster.live == set()
    assert record.verdict.startswith("KeyboardInterrupt")


def test_where_it_is_not_known_whether_there_is_a_cluster_the_run_stays_unfinished(cluster: Account, go: Go) -> None:
    cluster.trouble = {"RunJobFlow": ["interrupted"], "ListClusters": ["", "no answer"]}

    record = go(KeyboardInterrupt)

    assert cluster.live == {CLUSTER}
    assert (record.cluster_id, record.ended) == ("", "")


def test_a_cluster_that_could_not_be_ended_leaves_the_run_unfinished(cluster: Account, go: Go) -> None:
    cluster.refuses["TerminateJobFlows"] = ("ValidationException", "The job flow is termination protected")

    record = go(AwsError)

    assert (record.cluster_id, record.ended) == (CLUSTER, "")


def test_a_failed_run_whose_cluster_is_kept_stays_unfinished(cluster: Account, go: Go) -> None:
    cluster.step = "FAILED"

    record = go(StepFailed, keep=True)

    assert cluster.live == {CLUSTER}
    assert record.ended == ""


def test_a_cluster_that_did_not_come_up_closes_the_record_of_a_kept_run_too(cluster: Account, go: Go) -> None:
    cluster.comes_up = [("TERMINATED_WITH_ERRORS", "VALIDATION_ERROR")]

    assert go(WorkflowError, keep=True).ended


def test_of_two_clusters_the_second_is_the_one_that_is_known(here: Path, cluster: Account, go: Go) -> None:
    cluster.comes_up = [("TERMINATED_WITH_ERRORS", "BOOTSTRAP_FAILURE"), ("WAITING", "")]

    assert go().cluster_id == SECOND
    assert tracked(here) == (SECOND, STEP)


def test_a_very_long_verdict_is_cut(here: Path, begin: Begin) -> None:
    begun = Begun(begin())

    begun.ended("x" * 10_000)

    assert len(runs.all_runs(here)[0].verdict) == 500


def test_no_place_for_the_record_is_no_cluster(
    here: Path, clients: Clients, settings: Settings, cluster: Account
) -> None:
    (here / ".runs").touch()

    with pytest.raises(WorkflowError, match="writing the run's record"):
        pipeline_session.run(clients, settings, arguments=[], keep=False, retries=1)

    assert cluster.calls == []


class Full(io.StringIO):
    def write(self, _: str) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")


def test_an_id_is_on_disk_although_nothing_can_be_shown(
    here: Path, begin: Begin, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = Begun(begin())
    monkeypatch.setattr(sys, "stderr", Full())

    for event in (Created(CLUSTER), Submitted(STEP)):
        with pytest.raises(OSError, match="No space left"):
            begun.tell(event)

    assert (runs.all_runs(here)[0].cluster_id, runs.all_runs(here)[0].step_id) == (CLUSTER, STEP)
    assert tracked(here) == (CLUSTER, STEP)


def test_what_is_told_is_shown_and_tracked_at_once(here: Path, begin: Begin, capsys: Output) -> None:
    tracking.write(here, tracking.STEP, "s-OLD")
    begun = Begun(begin())

    begun.tell(Stage("create"))
    begun.tell(Created(CLUSTER))
    assert tracked(here) == (CLUSTER, None)
    begun.tell(Status("WAITING"))
    begun.tell(Submitted(STEP))
    assert tracked(here) == (CLUSTER, STEP)

    shown = capsys.readouterr()
    assert shown.out == ""
    assert "✅ WAITING" in shown.err
    assert "▶ create" in shown.err


@pytest.mark.parametrize(
    ("told", "closed"),
    [
        ((), True),
        ((Stage("verify"), Stage("upload")), True),
        ((Stage("create"),), False),
        ((Stage("create"), NotCreated()), True),
        ((Stage("create"), Created(CLUSTER)), False),
        ((Stage("create"), Created(CLUSTER), Status("WAITING")), False),
        ((Stage("create"), Created(CLUSTER), Status("TERMINATING")), True),
        ((Stage("create"), Created(CLUSTER), Status("TERMINATED_WITH_ERRORS"), Stage("create")), False),
        ((Adopted(CLUSTER),), False),
        ((Adopted(CLUSTER), Status("CANCELLED")), False),
        ((Adopted(CLUSTER), Status("TERMINATED")), True),
    ],
)
def test_a_failed_run_is_closed_only_where_no_cluster_of_it_may_go_on(
    here: Path, begin: Begin, told: tuple[object, ...], closed: bool
) -> None:
    begun = Begun(begin())
    for event in told:
        begun.tell(event)

    begun.failed(KeyboardInterrupt())

    assert bool(runs.all_runs(here)[0].ended) is closed


def test_a_resumed_run_has_a_cluster_before_anything_is_told(here: Path, begin: Begin) -> None:
    Begun(begin(cluster_id=CLUSTER)).failed(KeyboardInterrupt())

    assert not runs.all_runs(here)[0].ended


def test_a_failed_pipeline_without_logs_is_no_second_failure(
    begin: Begin, clients: Clients, make_settings: Make, emr: Any, bucket: Any, capsys: Output
) -> None:
    settings = make_settings(logs_timeout=0)
    Begun(begin()).explain(settings, clients)
    assert capsys.readouterr() == ("", "")

    begun = Begun(begin(cluster_id=CLUSTER))
    emr.cluster("TERMINATED", LogUri="s3n://fruits-test/logs/emr/")
    begun.explain(settings, clients)

    assert "📄 looking for logs" in capsys.readouterr().err


# a run that was cut off


def test_a_cut_off_run_with_a_live_cluster_comes_first_and_both_ways_on_are_said(
    here: Path, begin: Begin, clients: Clients, settings: Settings, cluster: Account
) -> None:
    known = begin(cluster_id=CLUSTER)
    cluster.has(CLUSTER, known.id)

    with pytest.raises(UsageError) as caught:
        refuse_if_cut_off(clients, settings)

    assert caught.value.exit_code == 2
    assert f"its cluster {CLUSTER} is live" in caught.value.problem
    assert "`inv pipeline --resume` goes on" in caught.value.remedy
    assert f"`inv terminate --cluster-id {CLUSTER}` ends it" in caught.value.remedy
    assert runs.unfinished(here) == [known]


def test_a_cluster_whose_id_was_never_written_down_is_found_by_the_runs_tag(
    begin: Begin, clients: Clients, settings: Settings, cluster: Account
) -> None:
    known = begin()
    cluster.has("j-THEIRS", "another-run")
    cluster.has(CLUSTER, known.id, "STARTING")

    with pytest.raises(UsageError, match=f"its cluster {CLUSTER} is live"):
        refuse_if_cut_off(clients, settings)


def test_a_second_cluster_of_the_run_counts_although_the_first_is_gone(
    begin: Begin, clients: Clients, settings: Settings, cluster: Account
) -> None:
    known = begin(cluster_id=CLUSTER)
    cluster.has(CLUSTER, known.id, "TERMINATED_WITH_ERRORS")
    cluster.has(SECOND, known.id, "BOOTSTRAPPING")

    with pytest.raises(UsageError, match=f"its cluster {SECOND} is live"):
        refuse_if_cut_off(clients, settings)


@pytest.mark.parametrize("state", ["TERMINATING", "TERMINATED", "TERMINATED_WITH_ERRORS", ""])
def test_a_cut_off_run_whose_cluster_is_gone_or_never_was_is_closed(
    here: Path, begin: Begin, clients: Clients, settings: Settings, cluster: Account, state: str
) -> None:
    known = begin(cluster_id=CLUSTER if state else "")
    if state:
        cluster.has(CLUSTER, known.id, state)

    refuse_if_cut_off(clients, settings)

    assert runs.unfinished(here) == []
    assert runs.all_runs(here)[0].verdict == "cut off; its cluster is gone"


def test_one_whose_cluster_nobody_knows_any_more_is_closed(
    here: Path, begin: Begin, clients: Clients, settings: Settings, cluster: Account
) -> None:
    begin(cluster_id=CLUSTER)
    cluster.refuses["DescribeCluster"] = UNKNOWN

    refuse_if_cut_off(clients, settings)

    assert runs.unfinished(here) == []


@pytest.mark.parametrize("call", ["DescribeCluster", "ListClusters"])
def test_an_outage_closes_nothing(
    here: Path, begin: Begin, clients: Clients, settings: Settings, cluster: Account, call: str
) -> None:
    known = begin(cluster_id=CLUSTER)
    cluster.has(CLUSTER, known.id, "TERMINATED")
    cluster.trouble[call] = ["no answer"]

    with pytest.raises(AwsError, match="Connection was closed"):
        refuse_if_cut_off(clients, settings)

    assert runs.unfinished(here) == [known]


@pytest.mark.parametrize("elsewhere", [{"target": "local"}, {"aws_region": "eu-west-3"}])
def test_one_that_is_unfinished_elsewhere_is_only_told_of(
    here: Path,
    begin: Begin,
    clients: Clients,
    settings: Settings,
    make_settings: Make,
    cluster: Account,
    capsys: Output,
    elsewhere: dict[str, str],
) -> None:
    known = begin(make_settings(**elsewhere), cluster_id=CLUSTER)

    refuse_if_cut_off(clients, settings)

    assert cluster.calls == []
    assert runs.unfinished(here) == [known]
    said = capsys.readouterr().err
    assert f"⚠️ Unfinished elsewhere: {known}" in said
    assert f"TARGET={known.where[0]} inv pipeline --resume" in said


def test_finished_runs_stand_in_nobodys_way(
    here: Path, begin: Begin, clients: Clients, settings: Settings, cluster: Account
) -> None:
    runs.end(here, begin(cluster_id=CLUSTER), "kept")

    refuse_if_cut_off(clients, settings)

    assert cluster.calls == []


def test_the_newest_cut_off_run_is_resumed(here: Path, begin: Begin) -> None:
    for started in ("2025-01-15T10:00:00Z", "2025-01-15T12:00:00Z", "2025-01-15T11:00:00Z"):
        runs.note(here, begin(), started=started)
    runs.end(here, begin(), "done")

    assert to_resume().started == "2025-01-15T12:00:00Z"


def test_nothing_to_resume_says_what_starts_one(here: Path, begin: Begin) -> None:
    runs.end(here, begin(), "done")

    with pytest.raises(UsageError, match=r"no run was cut off in this folder\. `inv pipeline` starts one"):
        to_resume()


# taking it up again


@pytest.mark.parametrize("state", ["STARTING", "WAITING", "RUNNING"])
def test_a_live_cluster_is_taken_up_by_its_record(
    here: Path, begin: Begin, clients: Clients, cluster: Account, capsys: Output, state: str
) -> None:
    known = begin(cluster_id=CLUSTER)
    cluster.has(CLUSTER, known.id, state)

    assert reattach(clients, known) == known
    assert f"⏩ Resuming {known}" in capsys.readouterr().err


def test_a_cluster_is_taken_up_by_its_tag_and_its_id_is_on_disk(
    here: Path, begin: Begin, clients: Clients, cluster: Account
) -> None:
    known = begin()
    cluster.has(CLUSTER, known.id, "STARTING")

    assert reattach(clients, known).cluster_id == CLUSTER
    assert runs.all_runs(here)[0].cluster_id == CLUSTER


def test_no_cluster_yet_means_a_new_one(begin: Begin, clients: Clients, cluster: Account) -> None:
    cluster.has("j-THEIRS", "another-run")

    assert reattach(clients, begin()).cluster_id == ""


@pytest.mark.parametrize("state", ["TERMINATING", "TERMINATED"])
def test_a_cluster_that_ended_without_a_step_is_forgotten(
    here: Path, begin: Begin, clients: Clients, cluster: Account, state: str
) -> None:
    known = begin(cluster_id=CLUSTER)
    cluster.has(CLUSTER, known.id, state)

    assert reattach(clients, known).cluster_id == ""
    assert runs.all_runs(here)[0].cluster_id == ""


def test_one_that_nobody_knows_any_more_is_forgotten_too(begin: Begin, clients: Clients, cluster: Account) -> None:
    known = begin(cluster_id=CLUSTER)
    cluster.refuses = {"DescribeCluster": UNKNOWN, "ListSteps": UNKNOWN}

    assert reattach(clients, known).cluster_id == ""


def test_a_step_is_kept_although_its_cluster_has_ended_and_nothing_is_asked(
    begin: Begin, clients: Clients, cluster: Account
) -> None:
    known = begin(cluster_id=CLUSTER, step_id=STEP)
    cluster.has(CLUSTER, known.id, "TERMINATED")

    assert reattach(clients, known) == known
    assert cluster.calls == []


def test_a_step_that_was_submitted_but_not_written_down_is_found_on_its_ended_cluster(
    here: Path, begin: Begin, clients: Clients, cluster: Account
) -> None:
    known = begin(cluster_id=CLUSTER)
    cluster.has(CLUSTER, known.id, "TERMINATED")
    cluster.steps = {CLUSTER: ["s-LATER", STEP]}

    found = reattach(clients, known)

    assert (found.cluster_id, found.step_id) == (CLUSTER, STEP)
    assert runs.all_runs(here) == [found]


def test_an_outage_while_it_is_taken_up_forgets_nothing(
    here: Path, begin: Begin, clients: Clients, cluster: Account
) -> None:
    known = begin(cluster_id=CLUSTER)
    cluster.trouble["DescribeCluster"] = ["no answer"]

    with pytest.raises(AwsError):
        reattach(clients, known)

    assert runs.all_runs(here) == [known]


def test_a_resumed_run_goes_on_in_its_own_record_with_its_own_arguments(
    here: Path, begin: Begin, cluster: Account, go: Go
) -> None:
    known = begin(cluster_id=CLUSTER)
    cluster.has(CLUSTER, known.id)

    record = go(arguments=["--another"], resumed=known)

    assert record == replace(known, step_id=STEP, ended=record.ended, verdict="done")
    assert "RunJobFlow" not in cluster.calls
    (submitted,) = (body for body in cluster.requests if "Steps" in body)
    assert submitted["Steps"][0]["HadoopJarStep"]["Args"][-2:] == ["--limit", "5"]
    assert tracked(here) == (CLUSTER, STEP)


def test_a_resumed_run_with_a_step_submits_no_other_and_tracks_it(
    here: Path, begin: Begin, cluster: Account, go: Go
) -> None:
    known = begin(cluster_id=CLUSTER, step_id=STEP)
    cluster.has(CLUSTER, known.id)
    cluster.bucket.put(results())

    record = go(resumed=known)

    assert record.verdict == "done"
    assert "AddJobFlowSteps" not in cluster.calls
    assert tracked(here) == (CLUSTER, STEP)


def test_a_resumed_run_that_is_interrupted_again_ends_its_cluster_and_is_closed(
    begin: Begin, cluster: Account, go: Go
) -> None:
    known = begin(cluster_id=CLUSTER)
    cluster.has(CLUSTER, known.id)
    cluster.trouble["AddJobFlowSteps"] = ["interrupted"]

    record = go(KeyboardInterrupt, resumed=known)

    assert cluster.live == set()
    assert record.ended
