"""fetch: each folder whole or not at all, nothing twice, nothing outside results/; and what the statistics say."""

from __future__ import annotations

import hashlib
import io
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from botocore.response import StreamingBody

from scripts.aws import Clients
from scripts.config import Settings
from scripts.errors import AwsError, WorkflowError
from scripts.fetch_results import (
    Result,
    Summary,
    complete_runs,
    fetch,
    is_here,
    summarise,
    summarise_newest,
    to_fetch,
    written_between,
)
from tests.disk import full_after

Make = Callable[..., Settings]
OUT = "output/etape_1/"
OLD, NEW = "20250115_080000", "20250116_090000"
STATS = "split,label,count\nTraining,Kiwi,3\nTest,Kiwi,1\n"


def run(time: str, *, done: tuple[str, ...] = ("metadata", "stats"), stats: str = STATS) -> dict[str, str]:
    """The objects of one run of the job; `done` are the folders that have _SUCCESS."""
    objects = {f"{OUT}metadata_{time}/part-0.csv": "s3_path,label\n", f"{OUT}stats_{time}/part-0.csv": stats}
    return objects | {f"{OUT}{kind}_{time}/_SUCCESS": "" for kind in done}


def one_result(key: str, size: int = 10, etag: str = "x") -> Result:
    item = {"Key": key, "Size": size, "ETag": f'"{etag}"', "LastModified": datetime(2025, 1, 15, tzinfo=timezone.utc)}
    return Result("stats", NEW, f"{OUT}stats_{NEW}/", (item,))  # type: ignore[arg-type]


def files(folder: Path) -> dict[str, bytes]:
    found = (path for path in sorted(folder.rglob("*")) if path.is_file() and path.name != ".lock")
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in found}


def shown(folder: Path) -> list[str]:
    """What a person sees in the folder: neither the lock nor what is still coming."""
    return sorted(path.name for path in folder.iterdir() if not path.name.startswith("."))


def reads(clients: Clients) -> Iterator[list[str]]:
    """The keys that are asked for, one by one."""
    keys: list[str] = []

    def note(params: Any, **_: Any) -> None:
        keys.append(params["Key"])

    clients.s3.meta.events.register("provide-client-params.s3.GetObject", note)
    yield keys
    clients.s3.meta.events.unregister("provide-client-params.s3.GetObject", note)


read = pytest.fixture(reads)


def test_the_newest_finished_run_is_fetched_and_all_on_demand(
    clients: Clients, settings: Settings, bucket: Any
) -> None:
    bucket.put(run(OLD) | run(NEW))

    assert [one.name for one in to_fetch(clients, settings)] == [f"metadata_{NEW}", f"stats_{NEW}"]
    assert [one.name for one in to_fetch(clients, settings, everything=True)] == [
        f"{kind}_{time}" for time in (OLD, NEW) for kind in ("metadata", "stats")
    ]


@pytest.mark.parametrize("done", [(), ("metadata",), ("stats",)])
def test_a_folder_without_success_is_no_result(
    clients: Clients, settings: Settings, bucket: Any, done: tuple[str, ...]
) -> None:
    bucket.put(run(OLD) | run(NEW, done=done))

    assert list(complete_runs(clients, settings)) == [OLD]


def test_folders_of_other_names_are_none_of_ours(clients: Clients, settings: Settings, bucket: Any) -> None:
    names = ("_SUCCESS", "stats/_SUCCESS", "stats_2025/_SUCCESS", f"x/stats_{NEW}/_SUCCESS", f"Stats_{NEW}/_SUCCESS")
    bucket.put({OUT + name: "" for name in names} | {f"output/etape_10/stats_{NEW}/_SUCCESS": ""})

    assert complete_runs(clients, settings) == {}


def test_no_finished_run_says_what_makes_one(clients: Clients, settings: Settings, bucket: Any) -> None:
    with pytest.raises(WorkflowError, match=f"no finished run under s3://fruits-test/{OUT}.*inv submit"):
        to_fetch(clients, settings)


def test_a_folder_comes_whole_with_the_times_of_its_objects(
    clients: Clients, settings: Settings, bucket: Any, tmp_path: Path
) -> None:
    bucket.put(run(NEW) | {f"{OUT}stats_{NEW}/deep/er.csv": "x"})
    stats = to_fetch(clients, settings)[1]
    told: list[int] = []

    folder = fetch(clients, settings, stats, tmp_path / "results", told.append)

    assert folder == tmp_path / "results" / f"stats_{NEW}"
    assert files(tmp_path / "results") == {
        f"stats_{NEW}/_SUCCESS": b"",
        f"stats_{NEW}/deep/er.csv": b"x",
        f"stats_{NEW}/part-0.csv": STATS.encode(),
    }
    assert sum(told) == stats.size
    assert int((folder / "part-0.csv").stat().st_mtime) == int(stats.objects[-1]["LastModified"].timestamp())


def test_what_is_here_is_not_fetched_again(clients: Clients, settings: Settings, bucket: Any, tmp_path: Path) -> None:
    bucket.put(run(NEW))
    stats = to_fetch(clients, settings)[1]
    assert not is_here(stats, tmp_path)

    fetch(clients, settings, stats, tmp_path)

    assert is_here(to_fetch(clients, settings)[1], tmp_path)


@pytest.mark.parametrize(
    "change",
    [
        lambda folder: (folder / "part-0.csv").write_text(STATS + "x"),
        lambda folder: os.utime(folder / "part-0.csv", (1, 1)),
        lambda folder: (folder / "_SUCCESS").unlink(),
        lambda folder: (folder / "more.csv").touch(),
    ],
    ids=["size", "time", "a file less", "a file more"],
)
def test_what_was_changed_here_is_fetched_anew_and_replaced_whole(
    clients: Clients, settings: Settings, bucket: Any, tmp_path: Path, change: Callable[[Path], object]
) -> None:
    bucket.put(run(NEW))
    stats = to_fetch(clients, settings)[1]
    change(fetch(clients, settings, stats, tmp_path))
    assert not is_here(stats, tmp_path)

    fetch(clients, settings, stats, tmp_path)

    assert files(tmp_path) == {f"stats_{NEW}/_SUCCESS": b"", f"stats_{NEW}/part-0.csv": STATS.encode()}
    assert sorted(path.name for path in tmp_path.iterdir()) == [".lock", f"stats_{NEW}"]


def test_an_object_replaced_since_the_listing_is_not_taken_for_it(
    clients: Clients, settings: Settings, bucket: Any, tmp_path: Path
) -> None:
    bucket.put(run(NEW))
    stats = to_fetch(clients, settings)[1]
    bucket.put({f"{OUT}stats_{NEW}/part-0.csv": STATS.replace("3", "4")})

    with pytest.raises(AwsError, match=r"part-0\.csv: PreconditionFailed.*run the command again"):
        fetch(clients, settings, stats, tmp_path)

    assert shown(tmp_path) == []


def test_an_object_deleted_since_the_listing_leaves_what_was_here(
    clients: Clients, settings: Settings, bucket: Any, tmp_path: Path
) -> None:
    bucket.put(run(NEW))
    stats = to_fetch(clients, settings)[1]
    (fetch(clients, settings, stats, tmp_path) / "mine.txt").write_text("a note")
    bucket.s3.delete_object(Bucket="fruits-test", Key=f"{OUT}stats_{NEW}/part-0.csv")

    with pytest.raises(AwsError, match="NoSuchKey"):
        fetch(clients, settings, stats, tmp_path)

    assert shown(tmp_path) == [f"stats_{NEW}"]
    assert (tmp_path / f"stats_{NEW}" / "mine.txt").read_text() == "a note"


@pytest.mark.parametrize("promised", [10, 4], ids=["by the connection", "by the object"])
def test_a_download_cut_short_leaves_nothing_that_looks_like_a_result(
    clients: Clients, settings: Settings, s3_answers: Any, tmp_path: Path, promised: int
) -> None:
    body = StreamingBody(io.BytesIO(b"half"), promised)
    s3_answers.add_response("get_object", {"Body": body})
    result = one_result(f"{OUT}stats_{NEW}/part-0.csv")

    with pytest.raises(WorkflowError):
        fetch(clients, settings, result, tmp_path)

    assert shown(tmp_path) == []
    assert not is_here(result, tmp_path)


def answer(text: str, **more: str) -> dict[str, Any]:
    return {"Body": StreamingBody(io.BytesIO(text.encode()), len(text)), **more}


def md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


def test_what_came_altered_is_no_result_and_does_not_stay(
    clients: Clients, settings: Settings, s3_answers: Any, tmp_path: Path
) -> None:
    s3_answers.add_response("get_object", answer("Kiwi,4"))

    with pytest.raises(WorkflowError, match=r"fetching part-0\.csv: .*is not what was listed.*Try again"):
        fetch(clients, settings, one_result(f"{OUT}stats_{NEW}/part-0.csv", 6, md5("Kiwi,3")), tmp_path)

    assert shown(tmp_path) == []
    assert files(tmp_path) == {}


@pytest.mark.parametrize(
    ("etag", "encryption"),
    [
        (md5("Kiwi,3"), {}),
        (md5("Kiwi,3"), {"ServerSideEncryption": "AES256"}),
        (md5("something"), {"ServerSideEncryption": "aws:kms"}),
        (md5("something"), {"ServerSideEncryption": "aws:kms:dsse"}),
        (f"{md5('something')}-3", {}),
    ],
    ids=["plain", "under S3's key", "under a KMS key", "under two", "in parts"],
)
def test_an_etag_is_compared_where_it_is_a_checksum_and_only_there(
    clients: Clients, settings: Settings, s3_answers: Any, tmp_path: Path, etag: str, encryption: dict[str, str]
) -> None:
    s3_answers.add_response("get_object", answer("Kiwi,3", **encryption))

    folder = fetch(clients, settings, one_result(f"{OUT}stats_{NEW}/part-0.csv", 6, etag), tmp_path)

    assert files(folder) == {"part-0.csv": b"Kiwi,3"}


def test_ctrl_c_leaves_nothing_that_looks_like_a_result_and_the_next_time_goes_on(
    clients: Clients, settings: Settings, bucket: Any, tmp_path: Path, read: list[str]
) -> None:
    def interrupt(_: int) -> None:
        raise KeyboardInterrupt

    bucket.put(run(NEW) | {f"{OUT}stats_{NEW}/part-{n}.csv": f"{n}" for n in range(1, 40)})
    stats = to_fetch(clients, settings)[1]

    with pytest.raises(KeyboardInterrupt):
        fetch(clients, settings, stats, tmp_path, interrupt)
    came = set(read)

    assert shown(tmp_path) == []
    assert not is_here(stats, tmp_path)
    told: list[int] = []
    fetch(clients, settings, stats, tmp_path, told.append)
    assert is_here(stats, tmp_path)
    assert sum(told) == stats.size
    assert sorted(read) == sorted(item["Key"] for item in stats.objects)
    assert came


def test_after_a_cut_off_only_what_is_missing_or_half_there_is_fetched(
    clients: Clients, settings: Settings, bucket: Any, tmp_path: Path, read: list[str]
) -> None:
    bucket.put({f"{OUT}stats_{NEW}/part-1.csv": "second", f"{OUT}stats_{NEW}/part-2.csv": "third"} | run(NEW))
    stats = to_fetch(clients, settings)[1]
    whole = fetch(clients, settings, stats, tmp_path)
    part = whole.rename(tmp_path / f".incoming-stats_{NEW}")
    (part / "part-1.csv").write_text("sec")
    (part / "part-2.csv").unlink()
    (part / "of-an-earlier-run.csv").touch()
    read.clear()

    fetch(clients, settings, stats, tmp_path)

    assert sorted(read) == [f"{OUT}stats_{NEW}/part-1.csv", f"{OUT}stats_{NEW}/part-2.csv"]
    assert is_here(stats, tmp_path)
    assert not part.exists()


def test_what_was_replaced_since_the_cut_off_is_fetched_anew(
    clients: Clients, settings: Settings, bucket: Any, tmp_path: Path
) -> None:
    bucket.put(run(NEW))
    whole = fetch(clients, settings, to_fetch(clients, settings)[1], tmp_path)
    part = whole.rename(tmp_path / f".incoming-stats_{NEW}")
    os.utime(part / "part-0.csv", (1_700_000_000, 1_700_000_000))
    bucket.put({f"{OUT}stats_{NEW}/part-0.csv": STATS.replace("3", "4")})

    folder = fetch(clients, settings, to_fetch(clients, settings)[1], tmp_path)

    assert (folder / "part-0.csv").read_text() == STATS.replace("3", "4")


@pytest.mark.parametrize("changed", [True, False])
def test_a_replacement_that_was_cut_off_at_its_last_moment_stands_in_nobodys_way(
    clients: Clients, settings: Settings, bucket: Any, tmp_path: Path, changed: bool
) -> None:
    bucket.put(run(NEW))
    stats = to_fetch(clients, settings)[1]
    old = tmp_path / f".incoming-stats_{NEW}-replaced"
    old.mkdir()
    (old / "part-0.csv").touch()
    if changed:
        (fetch(clients, settings, stats, tmp_path) / "more.csv").touch()
        old.mkdir(exist_ok=True)
        (old / "part-0.csv").touch()

    fetch(clients, settings, stats, tmp_path)

    assert is_here(stats, tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == [".lock", f"stats_{NEW}"]


HOLD = """
import sys
from pathlib import Path
from scripts.files import lock
with lock(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_two_fetches_at_once_do_not_mix_and_the_second_names_the_first(
    clients: Clients, settings: Settings, bucket: Any, tmp_path: Path, project: Path
) -> None:
    bucket.put(run(NEW))
    stats = to_fetch(clients, settings)[1]
    command = [sys.executable, "-c", HOLD, str(tmp_path / ".lock")]
    with subprocess.Popen(command, cwd=project, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout
        assert other.stdout.readline() == b"held\n"

        with pytest.raises(WorkflowError, match=rf"fetching stats_{NEW}: another .* \(pid {other.pid}\)\. Wait"):
            fetch(clients, settings, stats, tmp_path)
        assert files(tmp_path) == {}
        other.communicate()

    fetch(clients, settings, stats, tmp_path)
    assert is_here(stats, tmp_path)


def test_a_disk_that_fills_up_says_so_and_nothing_is_lost(
    clients: Clients, settings: Settings, bucket: Any, tmp_path: Path, read: list[str]
) -> None:
    bucket.put(run(NEW))
    stats = to_fetch(clients, settings)[1]

    with full_after(8), pytest.raises(WorkflowError, match=f"fetching stats_{NEW}: File too large.*try again"):
        fetch(clients, settings, stats, tmp_path)
    assert shown(tmp_path) == []

    fetch(clients, settings, stats, tmp_path)
    assert is_here(stats, tmp_path)
    assert read.count(f"{OUT}stats_{NEW}/_SUCCESS") == 1


def test_a_folder_that_may_not_be_written_to_says_so(
    clients: Clients, settings: Settings, bucket: Any, tmp_path: Path
) -> None:
    bucket.put(run(NEW))
    (tmp_path / "results").mkdir()
    (tmp_path / "results" / ".lock").mkdir()  # the one refusal that root meets as well

    with pytest.raises(WorkflowError, match=rf"fetching stats_{NEW}: Is a directory \(.*\.lock\)"):
        fetch(clients, settings, to_fetch(clients, settings)[1], tmp_path / "results")


def test_a_persons_own_file_of_the_results_name_is_left_alone(
    clients: Clients, settings: Settings, bucket: Any, tmp_path: Path, read: list[str]
) -> None:
    bucket.put(run(NEW))
    (tmp_path / f"stats_{NEW}").write_text("mine")

    with pytest.raises(WorkflowError, match=rf"there is a file of that name \(.*stats_{NEW}\)"):
        fetch(clients, settings, to_fetch(clients, settings)[1], tmp_path)

    assert files(tmp_path) == {f"stats_{NEW}": b"mine"}
    assert read == []


def test_a_file_in_the_way_of_the_folder_says_so(
    clients: Clients, settings: Settings, bucket: Any, tmp_path: Path
) -> None:
    bucket.put(run(NEW))
    (tmp_path / "results").touch()

    with pytest.raises(WorkflowError, match=f"fetching stats_{NEW}: .*results"):
        fetch(clients, settings, to_fetch(clients, settings)[1], tmp_path / "results")


@pytest.mark.parametrize("name", ["../evil", "a/../../evil", "/etc/evil", "a//b", "..", ".", "a\\..\\evil", "a/./b"])
def test_a_key_that_would_lead_out_of_its_folder_stops_everything(
    clients: Clients, settings: Settings, tmp_path: Path, s3_answers: Any, name: str
) -> None:
    into = tmp_path / "deep" / "results"

    with pytest.raises(WorkflowError, match="would leave its folder"):
        fetch(clients, settings, one_result(f"{OUT}stats_{NEW}/{name}"), into)

    assert files(tmp_path) == {}
    assert shown(into) == []


def at(time: str) -> datetime:
    return datetime.strptime(f"{time}+0000", "%Y%m%d_%H%M%S%z")


@pytest.mark.parametrize(
    ("start", "end", "found"),
    [
        ("20250115_075900", "20250115_080100", OLD),
        ("20250115_080045", "20250115_080200", OLD),  # the driver's clock is late
        ("20250115_075000", "20250115_075915", OLD),  # or early
        ("20250116_085900", "20250116_090100", NEW),
        ("20250115_075900", "20250116_090100", NEW),
    ],
)
def test_a_steps_own_run_is_picked_by_its_time_and_not_the_newest(
    clients: Clients, settings: Settings, bucket: Any, start: str, end: str, found: str
) -> None:
    bucket.put(run(OLD) | run(NEW))

    results = written_between(clients, settings, at(start), at(end))

    assert [one.name for one in results] == [f"metadata_{found}", f"stats_{found}"]


def test_times_of_other_zones_are_compared_in_utc(clients: Clients, settings: Settings, bucket: Any) -> None:
    bucket.put(run(OLD))
    paris = timezone(timedelta(hours=1))
    start, end = (datetime(2025, 1, 15, 9, minute, tzinfo=paris) for minute in (0, 2))

    assert {one.time for one in written_between(clients, settings, start, end)} == {OLD}


@pytest.mark.parametrize("done", [("metadata", "stats"), ("stats",)], ids=["of others", "half written"])
def test_a_step_that_left_no_whole_run_has_none_whatever_others_left(
    clients: Clients, settings: Settings, bucket: Any, done: tuple[str, ...]
) -> None:
    bucket.put(run(OLD) | run(NEW, done=done))
    times = ("20250116_085900", "20250116_090500") if len(done) == 1 else ("20250116_100000", "20250116_100500")

    with pytest.raises(WorkflowError, match=f"the step left no finished run under s3://fruits-test/{OUT}.*inv logs"):
        written_between(clients, settings, *map(at, times))


def stats_folder(folder: Path, *texts: str) -> Path:
    folder.mkdir()
    for n, text in enumerate(texts):
        (folder / f"part-{n}.csv").write_text(text, encoding="utf-8")
    return folder


def test_the_summary_adds_up_all_parts(tmp_path: Path) -> None:
    folder = stats_folder(
        tmp_path / "stats",
        'split,label,count\nTraining,"Pêche, ""plate""",40\nTest,"Pêche, ""plate""",14\n',
        "split,label,count\nTraining,Kiwi [1],7\nTest,Kiwi [1],2\n",
    )
    (folder / "_SUCCESS").touch()

    assert summarise(folder) == Summary(
        images=63, splits={"Training": 47, "Test": 16}, labels={'Pêche, "plate"': 54, "Kiwi [1]": 9}, warnings=()
    )


def test_the_recorded_run_with_no_test_image_would_have_been_told(tmp_path: Path) -> None:
    found = summarise(stats_folder(tmp_path / "stats", "split,label,count\nTraining,Kiwi,3\n"))

    assert found.warnings == ("there is no Test image at all",)


def test_labels_that_lack_a_split_are_counted_and_some_are_named(tmp_path: Path) -> None:
    rows = "".join(f"Training,{label},1\n" for label in "EDCBA")
    found = summarise(stats_folder(tmp_path / "stats", f"split,label,count\n{rows}Test,A,1\nTest,F,1\n"))

    assert found.warnings == (
        "1 label(s) have no Training image: F",
        "4 label(s) have no Test image: B, C, D, …",
    )


def test_no_image_at_all_is_two_warnings(tmp_path: Path) -> None:
    found = summarise(stats_folder(tmp_path / "stats", "split,label,count\n"))

    assert found.images == 0
    assert found.warnings == ("there is no Training image at all", "there is no Test image at all")


def test_largest_and_smallest_classes_ties_by_name() -> None:
    found = Summary(0, {}, {f"{n:02}": n // 2 for n in range(24)})

    assert found.largest(3) == [("22", 11), ("23", 11), ("20", 10)]
    assert found.smallest(3) == [("00", 0), ("01", 0), ("02", 1)]
    assert len(found.largest()) == len(found.smallest()) == 10


@pytest.mark.parametrize(
    "content",
    [
        b"split;label;count\nTest;Kiwi;1\n",
        b"split,label,count\nTest,Kiwi,many\n",
        b"split,label,count\nTest,Kiwi\n",
        b"split,label,count\nTest,\xff,1\n",
        b"split,label,count\nTest," + b"x" * 200_000 + b",1\n",
    ],
    ids=["other columns", "no number", "cut off", "no UTF-8", "huge field"],
)
def test_what_is_not_the_jobs_statistics_is_an_error_and_no_traceback(tmp_path: Path, content: bytes) -> None:
    folder = stats_folder(tmp_path / "stats")
    (folder / "part-0.csv").write_bytes(content)

    with pytest.raises(WorkflowError, match="reading stats: it is not the job's statistics"):
        summarise(folder)


def test_the_newest_of_the_fetched_runs_is_the_one_that_is_shown(
    clients: Clients, settings: Settings, bucket: Any, tmp_path: Path
) -> None:
    bucket.put(run(OLD, stats=STATS.replace("3", "99")) | run(NEW))
    found = to_fetch(clients, settings, everything=True)
    for result in found:
        fetch(clients, settings, result, tmp_path)

    assert summarise_newest(found, tmp_path).images == 4
