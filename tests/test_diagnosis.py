"""The diagnosis, held to its samples: every category found, healthy runs left alone, and the screen that says it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from scripts import config
from scripts.diagnosis import Diagnosis, Evidence, Facts, diagnose, of_folder
from scripts.diagnosis.catalogue import CATEGORIES, CLUSTER_RULES, RULES
from scripts.diagnosis.catalogue.cluster import BOOTSTRAP_FAILED
from scripts.diagnosis.catalogue.code import FALLBACKS
from scripts.diagnosis.model import CONSEQUENCE, Frame, Rule
from scripts.explain import as_json, screen, with_source
from tests.diagnosis_table import Sample, samples, table

PROJECT = Path(__file__).resolve().parent.parent
SAMPLES = samples()
ALL_RULES = (*RULES, *CLUSTER_RULES, BOOTSTRAP_FAILED, *FALLBACKS.values())


def each(chosen: list[Sample]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("sample", chosen, ids=lambda sample: sample.name)


def sample(name: str) -> Sample:
    return next(one for one in SAMPLES if one.name == name)


@each(SAMPLES)
def test_the_cause_of_each_sample_is_found_and_no_other(sample: Sample) -> None:
    found = sample.diagnosis()

    assert found.category == sample.category, found
    assert found.failed == (sample.folder.parent.name != "healthy")


@each([one for one in SAMPLES if one.can_do_without_emr()])
def test_it_is_found_in_the_files_alone(sample: Sample) -> None:
    assert sample.diagnosis(files_only=True).category == sample.category


def test_every_category_has_a_sample_and_every_sample_a_category() -> None:
    assert {one.category for one in SAMPLES if one.category} == set(CATEGORIES)
    assert len([one for one in SAMPLES if one.folder.parent.name == "healthy"]) >= 20


@each([one for one in SAMPLES if not one.is_real])
def test_a_sample_that_was_not_made_here_names_its_source(sample: Sample) -> None:
    assert len((sample.folder / "SOURCE").read_text()) > 10


def test_the_table_in_the_documentation_is_true() -> None:
    assert table() in (PROJECT / "docs" / "diagnosis.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("rule", ALL_RULES, ids=lambda rule: rule.category)
def test_a_rule_is_whole(rule: Rule) -> None:
    patterns = [re.compile(pattern) for pattern in rule.patterns]
    given = {name.rstrip("23") for pattern in patterns for name in pattern.groupindex}
    assert set(re.findall(r"\{(\w+)\}", rule.means)) <= given
    assert rule.means.endswith(".") or "{" in rule.means
    assert rule.do.endswith((".", "?"))
    assert set(rule.explained_by) <= set(CATEGORIES)
    assert bool(rule.explained_by) == (rule.role == CONSEQUENCE)


@pytest.mark.parametrize("rule", ALL_RULES, ids=lambda rule: rule.category)
def test_a_setting_that_a_rule_names_is_one(rule: Rule) -> None:
    named = set(re.findall(r"\b[A-Z][A-Z0-9]+_[A-Z0-9_]+\b", rule.do)) - {"PYSPARK_PYTHON"}

    assert {name for name in named if not name.endswith("_")} <= set(config.NAMES)


@pytest.mark.parametrize(
    ("name", "file", "line", "source"),
    [
        ("python-exception-driver/division", "job.py", 9, "return total / parts"),
        ("python-exception-driver/chained", "job.py", 10, "return config['size']"),
        ("python-exception-executor/rdd", "job.py", 9, "return 10 / (n - 3)"),
        ("python-exception-executor/udf", "job.py", 10, "return len(text)"),
        ("import-error/executor", "job.py", 9, "import torchvision_missing"),
        ("syntax-error/colon", "job.py", 1, "def main()"),
        ("sql-analysis/column", "job.py", 7, "spark.range(3).select('identifier').show()"),
        ("bootstrap-failed/command-not-found", "install_dependencies.sh", 4, ""),
    ],
)
def test_the_user_s_own_line_is_named(name: str, file: str, line: int, source: str) -> None:
    frame = sample(name).diagnosis().frame

    assert frame is not None
    assert (frame.name, frame.line, frame.source) == (file, line, source)


def test_the_evidence_is_where_it_says() -> None:
    for one in SAMPLES:
        for shown in one.diagnosis().evidence:
            if shown.line:
                assert shown.path
                text = shown.path.read_text(errors="replace").split("\n")[shown.line - 1]
                assert text.rstrip().endswith(shown.text.rstrip()[-200:])


def test_a_consequence_gives_way_to_its_cause_and_is_told_with_it() -> None:
    found = sample("executor-memory-yarn/behind-a-fetch-failure").diagnosis()

    assert "Container killed by YARN for exceeding memory limits" in found.evidence[0].text
    assert any("MetadataFetchFailedException" in one for one in found.chain)


def test_the_screen_fits_and_says_all_of_it() -> None:
    for one in SAMPLES:
        assert len(screen(one.diagnosis(), PROJECT)) <= 16
    found = Diagnosis(
        "import-error",
        "It means this.",
        "Do that.",
        True,
        "ImportError: x",
        ("ImportError: x", "Wrapped: y"),
        Frame("/mnt/x/read_fruits_data.py", 7, "main", "import x"),
        (Evidence("steps/s-1/stdout", 3, "ImportError: x", "s3://b/k.gz", PROJECT / "logs" / "j" / "stdout"),),
    )

    assert screen(found, PROJECT) == [
        "❌ import-error: It means this.",
        "   where     spark/read_fruits_data.py:7, in main",
        "             import x",
        "   why       ImportError: x",
        "             which led to  Wrapped: y",
        "   evidence  logs/j/stdout:3  ImportError: x",
        "             s3://b/k.gz",
        "   next      Do that.",
    ]
    as_data = as_json(found, PROJECT, step="s-1")
    assert (as_data["step"], as_data["category"], as_data["where"]["file"]) == (
        "s-1",
        "import-error",
        "spark/read_fruits_data.py",
    )


def test_no_cause_is_said_as_such_with_the_likeliest_lines() -> None:
    shown = screen(sample("unknown/silent").diagnosis(), PROJECT, "Step s-1")

    assert shown[0] == "❔ Step s-1: no cause found. The likeliest lines:"
    assert any("13 of 30 batches done" in line for line in shown)
    assert screen(Diagnosis(), PROJECT)[0].endswith("no cause found")


def test_a_line_that_the_traceback_did_not_print_is_looked_up() -> None:
    found = Diagnosis("x", frame=Frame("/mnt/job.py", 3))

    assert with_source(found, lambda name, line: f"{name} {line}").frame == Frame("/mnt/job.py", 3, "", "job.py 3")


def logs(folder: Path, **texts: str | bytes) -> Path:
    for name, text in texts.items():
        path = folder / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return folder


TRACEBACK = 'Traceback (most recent call last):\n  File "/mnt/job.py", line 3, in <module>\n    f()\nKeyError: 1\n'


def test_an_exception_that_was_survived_is_no_cause(tmp_path: Path) -> None:
    went_on = "".join(f"batch {n}\n" for n in range(40))
    logs(tmp_path, steps__stdout=TRACEBACK + went_on, steps__stderr="Command exiting with ret '1'\n")

    assert diagnose(of_folder(tmp_path), Facts("FAILED")).category == ""


def test_a_driver_that_yarn_started_again_and_that_came_through_is_healthy(tmp_path: Path) -> None:
    first, second = (f"containers__application_1_0001__container_1_0001_0{n}_000001__" for n in (1, 2))
    said = "25/11/18 09:12:59 INFO ApplicationMaster: Final app status: {}, exitCode: 0\n"
    logs(tmp_path, **{f"{first}stderr": said.format("FAILED"), f"{first}stdout": TRACEBACK})
    logs(tmp_path, **{f"{second}stderr": said.format("SUCCEEDED"), "steps__stderr": "final status: SUCCEEDED\n"})

    assert not diagnose(of_folder(tmp_path)).failed


def test_what_a_job_s_own_exception_speaks_of_is_no_cause(tmp_path: Path) -> None:
    own = TRACEBACK.replace("KeyError: 1", "ValueError: Connection refused, No space left on device")
    logs(tmp_path, steps__stdout=own)

    assert diagnose(of_folder(tmp_path), Facts("FAILED")).category == "python-exception-driver"


def test_noise_after_the_exception_does_not_hide_it(tmp_path: Path) -> None:
    shutdown = "25/11/18 09:12:59 INFO ShutdownHookManager: Deleting directory /mnt/tmp\n" * 60
    logs(tmp_path, steps__stderr=TRACEBACK + shutdown + "java.lang.InterruptedException\n\tat java.lang.Object.wait\n")

    found = diagnose(of_folder(tmp_path), Facts("FAILED"))
    assert (found.category, found.certain) == ("python-exception-driver", True)


def test_bytes_that_are_no_text_progress_bars_and_colours_do_no_harm(tmp_path: Path) -> None:
    dirty = b"\xff\xfe caf\xe9\x00\n[Stage 1:>   (0 + 2) / 2]\r        \r"
    dirty += b"\x1b[31mTraceback (most recent call last):\x1b[0m\r\n"
    logs(tmp_path, steps__stdout=dirty + TRACEBACK.partition("\n")[2].replace("\n", "\r\n").encode())

    assert diagnose(of_folder(tmp_path), Facts("FAILED")).exception == "KeyError: 1"


def test_line_numbers_are_right_far_into_a_long_log(tmp_path: Path) -> None:
    before = "".join(f"25/11/18 09:12:01 INFO Task: {n} {'x' * 200}\n" for n in range(30_000))
    logs(tmp_path, steps__stdout=before + TRACEBACK)

    assert diagnose(of_folder(tmp_path), Facts("FAILED")).evidence[0].line == 30_004


def test_much_trouble_of_one_kind_is_kept_in_bounds(tmp_path: Path) -> None:
    from scripts.diagnosis.scan import KEPT, scan

    retried = "25/11/18 09:12:01 WARN TaskSetManager: Lost task {n}.0 in stage 1.0: java.io.IOException: {n}\n"
    logs(tmp_path, steps__stdout="".join(retried.format(n=n) for n in range(50_000)) + TRACEBACK)
    (file,) = of_folder(tmp_path)

    assert len(scan(file).blocks) <= KEPT * 5
    assert diagnose([file], Facts("FAILED")).exception == "KeyError: 1"


def test_an_empty_log_and_no_log_say_nothing(tmp_path: Path) -> None:
    logs(tmp_path, steps__stdout="", steps__stderr="\n\n")

    assert not diagnose(of_folder(tmp_path), Facts("FAILED")).found
    assert not diagnose([], Facts("FAILED")).found
