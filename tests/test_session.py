"""What tasks share: tracked ids, questions that protect a live cluster, and how values are shown."""

from __future__ import annotations

import importlib.util
import io
import re
import shutil
import sys
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from scripts import runs, tracking
from scripts.aws import Clients
from scripts.config import Settings
from scripts.create_cluster import OUR_TAG, OWNER_TAG
from scripts.errors import AwsError, UsageError
from scripts.fetch_results import Summary
from scripts.pipeline import Report

CLUSTER, STEP = "j-2AXXXXXXGAPLF", "s-2AXXXXXXGAPLF"
STATS = "output/etape_1/stats_20250115_102345/"
UNKNOWN = "InvalidRequestException", f"Cluster id '{CLUSTER}' is not valid."
Output = pytest.CaptureFixture[str]
Make = Callable[..., Settings]
pytestmark = pytest.mark.usefixtures("fresh_console")


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def session(project: Path, tmp_path: Path) -> ModuleType:
    """scripts/session.py as in a checkout of its own: its tracking files, results and logs are in tmp_path."""
    (tmp_path / "scripts").mkdir()
    copy = shutil.copy(project / "scripts" / "session.py", tmp_path / "scripts")
    spec = importlib.util.spec_from_file_location("session_of_its_own", copy)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert tmp_path == module.ROOT
    return module


@pytest.fixture
def tracked(tmp_path: Path) -> Path:
    tracking.write(tmp_path, tracking.CLUSTER, CLUSTER)
    tracking.write(tmp_path, tracking.STEP, STEP)
    return tmp_path


@pytest.fixture
def types(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    return lambda text: monkeypatch.setattr(sys, "stdin", Terminal(text))


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.is_file())


def test_an_id_on_the_command_line_comes_before_the_tracked_one(session: ModuleType, tracked: Path) -> None:
    assert session.tracked_cluster(None) == CLUSTER
    assert session.tracked_step(None) == STEP
    assert session.tracked_cluster("j-OTHER") == "j-OTHER"
    assert session.tracked_step("s-OTHER") == "s-OTHER"


def test_no_id_at_all_says_what_makes_one(session: ModuleType) -> None:
    with pytest.raises(UsageError, match="inv create"):
        session.tracked_cluster(None)
    with pytest.raises(UsageError, match="inv submit"):
        session.tracked_step(None)


def test_a_malformed_id_on_the_command_line_names_the_option(session: ModuleType, tracked: Path) -> None:
    with pytest.raises(UsageError, match=r"reading --cluster-id: '\.\./x'"):
        session.tracked_cluster("../x")
    with pytest.raises(UsageError, match="reading --step-id: 'j-1'"):
        session.tracked_step("j-1")


def test_a_new_cluster_takes_the_place_of_the_old_one_and_its_step(session: ModuleType, tracked: Path) -> None:
    tracking.write(tracked, tracking.MASTER_DNS, "ec2-1-2-3-4.compute.amazonaws.com")

    session.remember_cluster("j-NEW")

    assert files(tracked) == [tracking.CLUSTER]
    assert tracking.read(tracked, tracking.CLUSTER) == "j-NEW"


@pytest.mark.parametrize("state", ["STARTING", "BOOTSTRAPPING", "RUNNING", "WAITING", "TERMINATING", "HIBERNATING"])
def test_a_live_tracked_cluster_is_never_overwritten(
    session: ModuleType, tracked: Path, clients: Clients, emr: Any, state: str
) -> None:
    emr.cluster(state)

    with pytest.raises(UsageError, match=f"{CLUSTER}, which is live.*inv terminate") as caught:
        session.refuse_if_live(clients)

    assert caught.value.exit_code == 2


@pytest.mark.parametrize("state", ["TERMINATED", "TERMINATED_WITH_ERRORS"])
def test_an_ended_one_makes_way(session: ModuleType, tracked: Path, clients: Clients, emr: Any, state: str) -> None:
    emr.cluster(state)

    session.refuse_if_live(clients)


def test_one_that_was_seen_to_end_makes_way_wherever_it_is_asked_for_and_nobody_is_asked(
    session: ModuleType, tracked: Path, clients: Clients, settings: Settings, emr: Any, capsys: Output
) -> None:
    runs.mark_ended(tracked, CLUSTER)

    session.refuse_if_live(clients)
    assert session.end_cluster(settings, clients, CLUSTER, yes=False) is True
    assert session.still_running() == f"Cluster {CLUSTER} is terminated: nothing runs."
    session.cleanup_tracking(clients, yes=True)

    assert "nothing to do" in capsys.readouterr().out
    assert files(tracked) == []


@pytest.mark.parametrize("how", ["terminated", "found so"])
def test_an_end_that_was_seen_is_remembered(
    session: ModuleType, tmp_path: Path, clients: Clients, settings: Settings, emr: Any, how: str
) -> None:
    if how == "terminated":
        emr.cluster("WAITING")
        emr.terminated()
    emr.cluster("TERMINATED")

    session.end_cluster(settings, clients, CLUSTER, yes=True)

    assert runs.is_ended(tmp_path, CLUSTER)


def test_one_that_is_unknown_here_may_be_live_elsewhere(
    session: ModuleType, tracked: Path, clients: Clients, emr: Any
) -> None:
    emr.add_client_error("describe_cluster", *UNKNOWN)

    with pytest.raises(AwsError, match=r"rm cluster_id\.txt"):
        session.refuse_if_live(clients)


def test_no_tracked_cluster_makes_no_call(session: ModuleType, clients: Clients, emr: Any) -> None:
    session.refuse_if_live(clients)


def test_after_an_interruption_what_still_runs_is_said(session: ModuleType, tmp_path: Path) -> None:
    assert session.still_running() == "No cluster is tracked."

    tracking.write(tmp_path, tracking.CLUSTER, CLUSTER)
    assert re.search(f"{CLUSTER}.* may still be running.*`inv status` looks, `inv terminate`", session.still_running())

    (tmp_path / tracking.CLUSTER).write_text("garbage")
    assert "garbage" in session.still_running()


def test_a_missing_bucket_is_created_only_when_agreed(
    session: ModuleType, clients: Clients, settings: Settings, types: Callable[[str], None], capsys: Output
) -> None:
    types("non\n")
    with pytest.raises(UsageError, match="does not exist"):
        session.ensure_bucket(settings, clients, yes=False)
    assert clients.s3.list_buckets()["Buckets"] == []

    types("oui\n")
    session.ensure_bucket(settings, clients, yes=False)

    assert [one["Name"] for one in clients.s3.list_buckets()["Buckets"]] == ["fruits-test"]
    assert "Create it in eu-west-1?" in capsys.readouterr().err


def test_a_bucket_that_is_there_is_not_asked_about(
    session: ModuleType, clients: Clients, settings: Settings, bucket: Any, capsys: Output
) -> None:
    session.ensure_bucket(settings, clients, yes=False)

    assert capsys.readouterr() == ("", "")


def test_terminate_asks_first_and_no_is_no(
    session: ModuleType,
    clients: Clients,
    settings: Settings,
    emr: Any,
    types: Callable[[str], None],
    capsys: Output,
) -> None:
    types("non\n")
    emr.cluster("WAITING")

    assert session.end_cluster(settings, clients, CLUSTER, yes=False) is False
    assert f"{CLUSTER} goes on, and costs" in capsys.readouterr().out


def test_a_terminated_cluster_is_nothing_to_do_and_no_question(
    session: ModuleType, clients: Clients, settings: Settings, emr: Any, capsys: Output
) -> None:
    emr.cluster("TERMINATED")

    assert session.end_cluster(settings, clients, CLUSTER, yes=False) is True
    assert "nothing to do" in capsys.readouterr().out


def test_terminate_waits_until_it_is_gone(
    session: ModuleType, clients: Clients, settings: Settings, emr: Any, capsys: Output
) -> None:
    emr.cluster("WAITING")
    emr.terminated()
    emr.cluster("TERMINATING")
    emr.cluster("TERMINATED")

    assert session.end_cluster(settings, clients, CLUSTER, yes=True) is True

    shown = capsys.readouterr()
    assert "🟠 TERMINATING" in shown.err
    assert f"{CLUSTER} is gone" in shown.out


@pytest.mark.parametrize("state", ["WAITING", "TERMINATING", "HIBERNATING"])
def test_cleanup_keeps_the_tracking_files_of_a_live_cluster_whatever_is_answered(
    session: ModuleType, tracked: Path, clients: Clients, emr: Any, state: str
) -> None:
    emr.cluster(state)

    session.cleanup_tracking(clients, yes=True)

    assert files(tracked) == [tracking.CLUSTER, tracking.STEP]


def test_cleanup_removes_those_of_an_ended_cluster(
    session: ModuleType, tracked: Path, clients: Clients, emr: Any, capsys: Output
) -> None:
    emr.cluster("TERMINATED")

    session.cleanup_tracking(clients, yes=True)

    assert files(tracked) == []
    assert f"{tracking.CLUSTER}, {tracking.STEP} removed" in capsys.readouterr().out


def test_cleanup_forgets_a_cluster_that_is_unknown_here_only_when_asked_about_it(
    session: ModuleType, tracked: Path, clients: Clients, emr: Any, types: Callable[[str], None], capsys: Output
) -> None:
    emr.add_client_error("describe_cluster", *UNKNOWN)
    session.cleanup_tracking(clients, yes=True)
    assert files(tracked) == [tracking.CLUSTER, tracking.STEP]

    types("oui\n")
    emr.add_client_error("describe_cluster", *UNKNOWN)
    session.cleanup_tracking(clients, yes=False)

    assert files(tracked) == []
    assert "may be live elsewhere" in capsys.readouterr().err


def test_cleanup_does_not_take_an_outage_for_an_ended_cluster(
    session: ModuleType, tracked: Path, clients: Clients, emr: Any
) -> None:
    emr.add_client_error("describe_cluster", "ThrottlingException", "Rate exceeded")

    with pytest.raises(AwsError, match="Rate exceeded"):
        session.cleanup_tracking(clients, yes=True)

    assert files(tracked) == [tracking.CLUSTER, tracking.STEP]


def test_cleanup_counts_before_it_asks_and_no_keeps_everything(
    session: ModuleType,
    clients: Clients,
    settings: Settings,
    bucket: Any,
    types: Callable[[str], None],
    capsys: Output,
) -> None:
    bucket.put({f"{STATS}a": "1", f"{STATS}b": "2"})
    types("non\n")

    assert session.cleanup_objects(settings, clients, "Output", settings.output_prefix, yes=False) == 0

    shown = capsys.readouterr()
    assert "Delete 2 objects (Output) under s3://fruits-test/output/etape_1/?" in shown.err
    assert "2 objects kept" in shown.out
    assert len(bucket.keys()) == 2


def test_cleanup_of_an_empty_prefix_asks_nothing(
    session: ModuleType, clients: Clients, settings: Settings, bucket: Any, capsys: Output
) -> None:
    assert session.cleanup_objects(settings, clients, "Output", settings.output_prefix, yes=False) == 0
    assert "nothing under s3://fruits-test/output/etape_1/" in capsys.readouterr().out


def test_cleanup_names_what_resists(
    session: ModuleType, clients: Clients, settings: Settings, s3_answers: Any, capsys: Output
) -> None:
    page = {"KeyCount": 2, "Contents": [{"Key": f"{STATS}a"}, {"Key": f"{STATS}[b]"}]}
    s3_answers.add_response("list_objects_v2", page)
    s3_answers.add_response("list_objects_v2", page)
    refusal = {"Key": f"{STATS}[b]", "Code": "AccessDenied", "Message": "Access Denied"}
    s3_answers.add_response("delete_objects", {"Errors": [refusal]})

    assert session.cleanup_objects(settings, clients, "Output", settings.output_prefix, yes=True) == 1

    shown = capsys.readouterr()
    assert "1 objects deleted" in shown.out
    assert f"{STATS}[b]: AccessDenied: Access Denied" in shown.err


def test_a_summary_shows_splits_labels_classes_and_warnings(session: ModuleType, capsys: Output) -> None:
    labels = {f"Label [{n}]": n for n in range(1, 13)}

    session.show_summary(Summary(78, {"Training": 1078}, labels, ("there is no Test image at all",)))

    out = capsys.readouterr().out
    assert "78 images (Training 1,078), 12 labels" in out
    assert "Label [12]" in out
    assert "Label [1]" in out
    assert "⚠️ there is no Test image at all" in out


def test_a_summary_of_few_labels_or_none_is_no_crash(session: ModuleType, capsys: Output) -> None:
    session.show_summary(Summary(1, {"Test": 1}, {"Kiwi": 1}))
    session.show_summary(Summary(0, {}, {}))

    assert "0 images" in capsys.readouterr().out


def test_a_report_says_how_long_what_is_odd_and_where_the_results_are(
    session: ModuleType, tmp_path: Path, capsys: Output
) -> None:
    report = Report({"verify": 1.25, "watch-step": 185.0}, [tmp_path / "results" / "stats_x"], None, ["a warning"])

    session.show_report(report)

    out = capsys.readouterr().out
    assert "1.2 s" in out
    assert "3 min 05 s" in out
    assert "⚠️ a warning" in out
    assert "📥 results/stats_x/" in out


def ours(emr: Any, tag: str, owner: str = "me@here", *, id: str = CLUSTER, state: str = "WAITING") -> None:
    """The next calls look at a cluster of ours: half an hour old, idle for ten minutes, with three instances."""
    now = datetime.now(timezone.utc)
    times = {"CreationDateTime": now - timedelta(minutes=30), "ReadyDateTime": now - timedelta(minutes=20)}
    tags = [{"Key": OUR_TAG, "Value": tag}, *([{"Key": OWNER_TAG, "Value": owner}] if owner else [])]
    found = {"Id": id, "Name": "fruits", "Status": {"State": state, "Timeline": times}, "Tags": tags}
    emr.add_response("describe_cluster", {"Cluster": found}, {"ClusterId": id})
    ended = {"Status": {"State": "COMPLETED", "Timeline": {"EndDateTime": now - timedelta(minutes=10)}}}
    emr.add_response("list_steps", {"Steps": [ended]}, {"ClusterId": id})
    instance = {"Status": {"Timeline": {"CreationDateTime": now - timedelta(minutes=30)}}}
    emr.add_response("list_instances", {"Instances": [instance] * 3}, {"ClusterId": id})


def listed(emr: Any, *ids: str) -> None:
    emr.add_response("list_clusters", {"Clusters": [{"Id": one} for one in ids]})


def begun(root: Path, settings: Settings) -> runs.Run:
    return runs.begin(root, settings, (), [])


def test_status_has_a_line_for_each_cluster_of_ours_and_whose_it_is(
    session: ModuleType, tmp_path: Path, clients: Clients, settings: Settings, emr: Any, capsys: Output
) -> None:
    unfinished, done = begun(tmp_path, settings), begun(tmp_path, settings)
    runs.end(tmp_path, done, "kept")
    listed(emr, "j-1", "j-2", "j-3", "j-4")
    ours(emr, unfinished.id, id="j-1")
    ours(emr, done.id, id="j-2")
    ours(emr, "a-run-of-elsewhere", "you@there", id="j-3", state="TERMINATING")
    ours(emr, "a-run-of-elsewhere", "", id="j-4")

    found = session.show_clusters(clients)

    assert [one.cluster_id for one in found] == ["j-1", "j-2", "j-3", "j-4"]
    lines = [re.split(r" {2,}", line.strip()) for line in capsys.readouterr().out.splitlines() if "j-" in line]
    assert lines == [
        ["j-1", "WAITING", "30 min", "10 min", "1.5", "this folder's pipeline, unfinished"],
        ["j-2", "WAITING", "30 min", "10 min", "1.5", "this folder's pipeline"],
        ["j-3", "TERMINATING", "30 min", "10 min", "1.5", "you@there"],
        ["j-4", "WAITING", "30 min", "10 min", "1.5", "?"],
    ]


def test_no_cluster_of_ours_is_good_news(session: ModuleType, clients: Clients, emr: Any, capsys: Output) -> None:
    listed(emr)

    assert session.show_clusters(clients) == []
    assert "✅ No cluster of ours is live" in capsys.readouterr().out


def test_all_of_ours_are_shown_asked_about_once_and_ended_together(
    session: ModuleType,
    clients: Clients,
    settings: Settings,
    emr: Any,
    types: Callable[[str], None],
    capsys: Output,
) -> None:
    types("oui\n")
    listed(emr, "j-1", "j-2")
    ours(emr, "one", id="j-1")
    ours(emr, "two", id="j-2")
    emr.add_response("terminate_job_flows", {}, {"JobFlowIds": ["j-1", "j-2"]})
    for id in ("j-1", "j-2"):
        emr.add_response("terminate_job_flows", {}, {"JobFlowIds": [id]})
        emr.cluster("TERMINATED", id=id)

    session.end_all(settings, clients, yes=False)

    shown = capsys.readouterr()
    assert "Terminate all 2?" in shown.err
    assert (
        shown.out.index("j-1") < shown.out.index("✅ Cluster j-1 is gone") < shown.out.index("✅ Cluster j-2 is gone")
    )


def test_a_no_ends_none_of_them(
    session: ModuleType, clients: Clients, settings: Settings, emr: Any, types: Callable[[str], None]
) -> None:
    types("non\n")
    listed(emr, CLUSTER)
    ours(emr, "one")

    with pytest.raises(UsageError, match="They go on, and cost"):
        session.end_all(settings, clients, yes=False)


def test_none_of_ours_is_nothing_to_end_and_no_question(
    session: ModuleType, clients: Clients, settings: Settings, emr: Any, capsys: Output
) -> None:
    listed(emr)

    session.end_all(settings, clients, yes=False)

    assert capsys.readouterr().err == ""
