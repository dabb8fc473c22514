"""The commands as a person runs them, on local EMR with real Spark: the good day and the bad ones."""

from __future__ import annotations

import csv
import json
import re
import signal
from collections import Counter
from pathlib import Path

import pytest

from scripts.sample_images import paths
from tests.integration.checkout import SHARED, Checkout, interrupt

pytestmark = pytest.mark.spark

SAMPLE = SHARED / "fruits-sample"


def read(folder: Path) -> list[dict[str, str]]:
    (file,) = folder.glob("*.csv")
    assert (folder / "_SUCCESS").is_file()
    with file.open(newline="", encoding="utf-8") as text:
        return list(csv.DictReader(text))


def newest(root: Path, kind: str) -> Path:
    return max((root / "results").glob(f"{kind}_*"))


def test_a_pipeline_in_a_fresh_clone_ends_with_results_of_the_sample_and_no_live_cluster(checkout: Checkout) -> None:
    done = checkout.inv("pipeline")

    assert done.returncode == 0, done.stderr
    assert done.stderr.startswith("🔌 local EMR at http://127.0.0.1:")
    assert "filled with a synthetic sample of 647 images" in done.stderr
    for state in ("STARTING", "BOOTSTRAPPING", "WAITING", "PENDING", "RUNNING", "COMPLETED", "TERMINATED"):
        assert re.search(rf"\[\d\d:\d\d:\d\d\] \S+ {state}", done.stderr), f"{state} was never shown:\n{done.stderr}"
    assert "647 images" in done.stdout
    assert "synthetic" in done.stdout
    rows = read(newest(checkout.root, "metadata"))
    assert [row["s3_path"] for row in rows] == sorted(row["s3_path"] for row in rows)
    assert {row["s3_path"].removeprefix("s3://fruits-local/data/fruits-360/") for row in rows} == set(paths())
    counted = Counter((row["split"], row["label"]) for row in rows)
    stats = read(newest(checkout.root, "stats"))
    assert {(row["split"], row["label"]): int(row["count"]) for row in stats} == counted
    assert set(checkout.clusters().values()) == {"TERMINATED"}


def test_results_that_are_here_are_not_fetched_again(checkout: Checkout) -> None:
    before = {path: path.stat().st_ino for path in (checkout.root / "results").rglob("*")}

    again = checkout.inv("fetch")

    assert again.returncode == 0, again.stderr
    assert again.stdout.count("(already here)") == 2
    assert {path: path.stat().st_ino for path in (checkout.root / "results").rglob("*")} == before


def test_a_job_with_a_bug_fails_with_its_traceback_on_screen_and_no_live_cluster(checkout: Checkout) -> None:
    checkout.edit(
        "spark/read_fruits_data.py", lambda text: text.replace("def main() -> None:", "def main():\n    1 / 0\n", 1)
    )
    try:
        done = checkout.inv("pipeline")
        logs = checkout.inv("logs")
        as_json = checkout.inv("logs", "--json")
    finally:
        checkout.restore("spark/read_fruits_data.py")

    assert done.returncode == 1
    assert "FAILED" in done.stderr
    for said in (done.stdout, logs.stdout):
        assert "❌ python-exception-driver: " in said
        assert re.search(r"where +spark/read_fruits_data.py:\d+, in main\n +1 / 0\n +why +ZeroDivisionError: ", said), (
            said
        )
        assert re.search(r"evidence +logs/j-\w+/containers/\S+/stdout:\d+ ", said), said
    found = json.loads(as_json.stdout)
    assert found["category"] == "python-exception-driver"
    assert found["where"]["source"] == "1 / 0"
    assert found["evidence"][0]["uri"].startswith("s3://fruits-local/logs/emr/")
    assert "Traceback" not in done.stderr
    assert logs.returncode == 0
    assert set(checkout.clusters().values()) == {"TERMINATED"}


def test_a_bootstrap_script_that_fails_ends_the_run_with_its_output(checkout: Checkout) -> None:
    script = "bootstrap/install_dependencies.sh"
    checkout.edit(script, lambda text: "#!/bin/bash\necho 'no such package: fruits' >&2\nexit 3\n")
    try:
        done = checkout.inv("pipeline")
    finally:
        checkout.restore(script)

    assert done.returncode == 1
    assert "bootstrap action 1 returned a non-zero return code" in done.stderr
    assert "❌ bootstrap-failed: " in done.stdout
    assert "no such package: fruits" in done.stdout
    assert "TERMINATED_WITH_ERRORS" in checkout.clusters().values()
    assert not set(checkout.clusters().values()) - {"TERMINATED", "TERMINATED_WITH_ERRORS"}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda number: number.name)
def test_a_pipeline_that_is_interrupted_leaves_no_live_cluster(checkout: Checkout, number: signal.Signals) -> None:
    process = checkout.start("pipeline")
    assert process.stderr
    for line in process.stderr:
        if "BOOTSTRAPPING" in line:
            break
    said = interrupt(process, number)

    assert process.returncode == 130, said
    assert "Traceback" not in said
    assert not set(checkout.clusters().values()) - {"TERMINATED", "TERMINATED_WITH_ERRORS"}


def test_the_edit_run_loop_runs_the_script_as_it_is_now(checkout: Checkout) -> None:
    def run() -> str:
        for words in (["submit"], ["watch-step"], ["logs"]):
            done = checkout.inv(*words)
            assert done.returncode == 0, (words, done.stderr)
        return done.stdout

    def greet(text: str) -> str:
        return text.replace("def main() -> None:", "def main() -> None:\n    print('version', 2)\n", 1)

    try:
        assert checkout.inv("create", "--yes").returncode == 0
        assert checkout.inv("monitor").returncode == 0
        cluster_id = (checkout.root / "cluster_id.txt").read_text().strip()
        refused = checkout.inv("create", "--yes")
        assert refused.returncode == 2
        assert f"{cluster_id}, which is live" in refused.stderr
        assert "647 images" in run()
        checkout.edit("spark/read_fruits_data.py", greet)
        assert run() != ""
        drivers = sorted((checkout.root / "logs" / cluster_id).glob("containers/*/*_000001/stdout"))
        assert ["version 2" in driver.read_text() for driver in drivers] == [False, True]
    finally:
        checkout.restore("spark/read_fruits_data.py")
        ended = checkout.inv("terminate", "--yes")
    assert ended.returncode == 0, ended.stderr
    nothing = checkout.inv("terminate")
    assert nothing.returncode == 0
    assert "nothing to do" in nothing.stdout


def test_a_question_that_nobody_can_answer_is_an_error_with_the_flag_to_use(checkout: Checkout) -> None:
    done = checkout.inv("create")

    assert done.returncode == 2
    assert "--yes" in done.stderr
    assert "p11-fruits-etape1" in done.stderr  # the configuration was shown


def test_cleanup_deletes_output_and_logs_and_never_the_images(checkout: Checkout) -> None:
    done = checkout.inv("cleanup", "--yes")

    assert done.returncode == 0, done.stderr
    bucket = checkout.root / ".local_emr" / "s3" / "fruits-local"
    assert not (bucket / "output").exists()
    assert not (bucket / "logs").exists()
    assert len(list((bucket / "data").rglob("*.jpg"))) == 647
    assert not (checkout.root / "cluster_id.txt").exists()


@pytest.mark.skipif(not SAMPLE.is_dir(), reason="the real images (../shared/fruits-sample) are not here")
def test_real_images_take_the_place_of_the_sample(checkout: Checkout) -> None:
    sent = checkout.inv("data", "--from", str(SAMPLE))
    assert sent.returncode == 0, sent.stderr
    assert "1296 images uploaded" in sent.stdout
    again = checkout.inv("data", "--from", str(SAMPLE))
    assert "0 images uploaded" in again.stdout

    done = checkout.inv("pipeline")

    assert done.returncode == 0, done.stderr
    assert "synthetic" not in done.stdout
    assert len(read(newest(checkout.root, "metadata"))) == 1296
    stats = read(newest(checkout.root, "stats"))
    assert len(stats) == 48
    assert {(row["split"], row["count"]) for row in stats} == {("Training", "40"), ("Test", "14")}
