"""The job against real Spark: its rules as whole DataFrames, its files as Python's csv module reads them."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import datetime
from pathlib import Path

import pytest
import read_fruits_data as job
from binary_files import read_binaryfile, utc_text
from job_errors import JobError
from pyspark.sql import DataFrame, Row, SparkSession
from s3_listing import FILES

from tests.spark_fixture import SCRIPT, Server, put, results

PROJECT = SCRIPT.parent.parent
BOOTSTRAP = PROJECT / "bootstrap" / "install_dependencies.sh"
SAMPLE = PROJECT.parent / "shared" / "fruits-sample"
pytestmark = pytest.mark.spark
METADATA = "s3_path string, label string, filename string, split string, modification_time string, file_size_bytes long"
ODD_LABELS = [
    "Apple Braeburn",
    'a,"b"',
    "Pêche é",
    "100%20 %2F",
    "a+b&c=d",
    "[x]{y}*?",
    "back\\slash",
    " padded ",
    "#no;",
]


def listed(spark: SparkSession, *keys: str, root: str = "s3://bucket/data") -> DataFrame:
    """Give what `read` would for these keys under `root`, 4 bytes each."""
    rows = [(f"{root}/{key}", 4, "2025-01-15 10:23:45") for key in keys]
    return spark.createDataFrame(rows, FILES)


def assert_same(found: DataFrame, expected: DataFrame) -> None:
    """Compare columns, types and rows, in any order (pyspark.testing would do it, but needs pandas)."""
    assert found.dtypes == expected.dtypes
    assert sorted(found.collect(), key=repr) == sorted(expected.collect(), key=repr)


def run_script(*arguments: object) -> subprocess.CompletedProcess[str]:
    """Run the job as a program of its own."""
    environment = {**os.environ, "TZ": "Asia/Tokyo", "SPARK_LOCAL_IP": "127.0.0.1", "PYTHONPATH": str(SCRIPT.parent)}
    command = [sys.executable, str(SCRIPT), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, env=environment, check=False)


def test_transform_gives_every_column_of_an_image(spark: SparkSession) -> None:
    files = listed(spark, "Training/Apple Braeburn/0_100.jpg", "Test/Kiwi/r_1.JPEG")
    expected = [
        Row("s3://bucket/data/Training/Apple Braeburn/0_100.jpg", "Apple Braeburn", "0_100.jpg", "Training",
            "2025-01-15 10:23:45", 4),
        Row("s3://bucket/data/Test/Kiwi/r_1.JPEG", "Kiwi", "r_1.JPEG", "Test", "2025-01-15 10:23:45", 4),
    ]  # fmt: skip
    assert_same(job.transform(files, "s3://bucket/data"), spark.createDataFrame(expected, METADATA))


def test_transform_keeps_images_only_and_any_case_of_their_ending(spark: SparkSession) -> None:
    names = ["a.jpg", "b.JPG", "c.Jpeg", "d.jpeg", "e.png", "f.jpg.txt", "g.jpg\n", "jpg", "h.jpgx"]
    files = listed(spark, *(f"Test/Kiwi/{name}" for name in names))
    found = [row.filename for row in job.transform(files, "s3://bucket/data").collect()]
    assert found == ["a.jpg", "b.JPG", "c.Jpeg", "d.jpeg"]


@pytest.mark.parametrize("ansi", ["false", "true"])
def test_transform_knows_what_is_out_of_place(spark: SparkSession, ansi: str) -> None:
    keys = ["a.jpg", "Training/a.jpg", "training/Kiwi/a.jpg", "Validation/Kiwi/a.jpg", "Test/Kiwi/more/a.jpg",
            "more/Test/Kiwi/a.jpg", "Test//a.jpg"]  # fmt: skip
    spark.conf.set("spark.sql.ansi.enabled", ansi)
    try:
        found = job.transform(listed(spark, *keys), "s3://bucket/data").select("s3_path", "label", "split").collect()
    finally:
        spark.conf.unset("spark.sql.ansi.enabled")
    assert found == [Row(f"s3://bucket/data/{key}", None, None) for key in keys]


def test_transform_is_not_misled_by_a_split_name_in_the_input(spark: SparkSession) -> None:
    files = listed(spark, "Test/Kiwi/a.jpg", "a.jpg", root="s3://bucket/Training/Kiwi")
    found = job.transform(files, "s3://bucket/Training/Kiwi").select("split", "label").collect()
    assert found == [Row("Test", "Kiwi"), Row(None, None)]


@pytest.mark.parametrize(
    ("moment", "text"),
    [("2024-11-03T05:30:00", "2024-11-03 05:30:00"),  # 01:30 in New York, for the first time that night
     ("2024-11-03T06:30:00", "2024-11-03 06:30:00"),  # and for the second
     ("2024-03-10T02:30:00", "2024-03-10 02:30:00"),  # an hour New York did not have
     ("2040-02-29T23:59:59", "2040-02-29 23:59:59")],  # past 32 bits of seconds
)  # fmt: skip
@pytest.mark.parametrize("zone", ["America/New_York", "Asia/Kolkata", "UTC"])
def test_times_are_utc_in_any_time_zone(spark: SparkSession, zone: str, moment: str, text: str) -> None:
    moments = spark.createDataFrame([(datetime.fromisoformat(f"{moment}+00:00"),)], "moment timestamp")
    spark.conf.set("spark.sql.session.timeZone", zone)
    try:
        (row,) = moments.select(utc_text(moments.moment)).collect()
    finally:
        spark.conf.set("spark.sql.session.timeZone", "America/New_York")
    assert row.modification_time == text


def test_statistics_counts_each_class(spark: SparkSession) -> None:
    images = [("Test", "Kiwi"), ("Training", "Kiwi"), ("Training", "Kiwi"), (None, None)]
    expected = [("Test", "Kiwi", 1), ("Training", "Kiwi", 2), (None, None, 1)]
    assert_same(
        job.statistics(spark.createDataFrame(images, "split string, label string")),
        spark.createDataFrame(expected, "split string, label string, count long"),
    )


def test_read_gives_true_keys_sizes_and_times_in_few_tasks(spark: SparkSession, tmp_path: Path) -> None:
    keys = [f"Training/{label}/{label.strip()}.jpg" for label in ODD_LABELS] + [f"Test/Kiwi/{n}.jpg" for n in range(80)]
    files = read_binaryfile(spark, str(put(tmp_path / "odd [root]{a}*", *keys)))
    expected = [(f"{tmp_path}/odd [root]{{a}}*/{key}", 4, "2025-01-15 10:23:45") for key in keys]
    assert_same(files, spark.createDataFrame(expected, files.schema))
    assert files.rdd.getNumPartitions() == 2


@pytest.mark.parametrize("source", ["s3://bucket/data/", "s3://bucket/data", "path", "uri"])
def test_every_spelling_of_the_input_gives_paths_below_it(
    spark: SparkSession, s3: Server, tmp_path: Path, source: str
) -> None:
    bucket = s3.empty()
    put(bucket, "data/Test/Kiwi/a.jpg")
    source = {"path": str(bucket / "data"), "uri": (bucket / "data").as_uri()}.get(source, source)
    root = source.rstrip("/")
    (row,) = read_binaryfile(spark, root).collect()
    assert row.path == f"{root}/Test/Kiwi/a.jpg"


def test_run_writes_what_csv_readers_read(
    spark: SparkSession, s3: Server, tmp_path: Path, capfd: pytest.CaptureFixture
) -> None:
    bucket = s3.empty()
    keys = [f"{split}/{label}/{n}%20.JPG" for split in ("Training", "Test") for label in ODD_LABELS for n in range(3)]
    put(bucket / "data", *keys)
    put(bucket / "data", "Test/Zero/empty.jpg", content=b"")
    put(bucket / "data", "stray.jpg", "Training/stray.jpg", "Test/Kiwi/deep/stray.jpg", "notes.txt")
    (bucket / "data/Training/Nothing here").mkdir()

    job.run(spark, "s3://bucket/data/", str(tmp_path))

    header, *rows = results(tmp_path, "metadata")
    assert header == ["s3_path", "label", "filename", "split", "modification_time", "file_size_bytes"]
    expected = [[f"s3://bucket/data/{key}", *key.split("/")[1:], key.split("/")[0], "2025-01-15 10:23:45", "4"]
                for key in keys]  # fmt: skip
    zero = ["s3://bucket/data/Test/Zero/empty.jpg", "Zero", "empty.jpg", "Test", "2025-01-15 10:23:45", "0"]
    assert rows == sorted([*expected, zero], key=lambda row: [row[3], row[1].encode(), row[0].encode()])

    header, *rows = results(tmp_path, "stats")
    assert header == ["split", "label", "count"]
    counts = [[split, label, "3"] for split in ("Training", "Test") for label in ODD_LABELS] + [["Test", "Zero", "1"]]
    assert rows == sorted(counts, key=lambda row: [row[0], row[1].encode()])

    (metadata,), (stats,) = tmp_path.glob("metadata_*"), tmp_path.glob("stats_*")
    assert metadata.name.removeprefix("metadata_") == stats.name.removeprefix("stats_")
    printed = capfd.readouterr().out
    assert "55 images, 10 classes" in printed
    assert "so left out of the results: 3," in printed
    assert "s3://bucket/data/Test/Kiwi/deep/stray.jpg" in printed


def test_two_runs_write_the_same_bytes(spark: SparkSession, tmp_path: Path) -> None:
    root = put(tmp_path / "in", *(f"Training/L{n % 7}/{n}.jpg" for n in range(100)))
    for name in ("one", "two"):
        job.run(spark, str(root), str(tmp_path / name))
    one, two = ([part.read_bytes() for part in sorted((tmp_path / n).glob("*/part-*"))] for n in ("one", "two"))
    assert len(one) == 2
    assert one == two


def test_a_missing_split_is_pointed_out(spark: SparkSession, tmp_path: Path, capfd: pytest.CaptureFixture) -> None:
    job.run(spark, str(put(tmp_path / "in", "Training/Kiwi/a.jpg")), str(tmp_path / "out"))
    assert "Test               0 images,     0 classes  <- warning" in capfd.readouterr().out


@pytest.mark.parametrize(
    ("keys", "sentence"),
    [([], "cannot read {root}: Path does not exist: file:{root}."),
     (["notes.txt"], "no .jpg or .jpeg image under {root}"),
     (["Kiwi/a.jpg"], "no image under {root} is in Training/<label>/ or Test/<label>/")],
)  # fmt: skip
def test_an_input_without_images_is_one_sentence(
    spark: SparkSession, tmp_path: Path, keys: list[str], sentence: str
) -> None:
    root = put(tmp_path / "in", *keys)
    with pytest.raises(JobError) as raised:
        job.run(spark, str(root), str(tmp_path / "out"))
    assert str(raised.value) == sentence.format(root=root)
    assert not (tmp_path / "out").exists()


def test_an_unknown_bucket_is_one_sentence(spark: SparkSession, tmp_path: Path) -> None:
    with pytest.raises(JobError, match=r"^cannot list s3://no-such-bucket/data/: NoSuchBucket: .+$"):
        job.run(spark, "s3://no-such-bucket/data/", str(tmp_path))


def test_an_output_that_cannot_be_written_is_one_sentence(spark: SparkSession, tmp_path: Path) -> None:
    put(tmp_path, "in/Test/Kiwi/a.jpg", "file")
    with pytest.raises(JobError, match=r"^cannot write \S+/file/out/metadata_\d{8}_\d{6}: .+$"):
        job.run(spark, str(tmp_path / "in"), str(tmp_path / "file/out"))


def test_the_script_runs_by_itself(tmp_path: Path) -> None:
    put(tmp_path / "in", "Test/Kiwi/a.jpg")
    ran = run_script(tmp_path / "in", tmp_path / "out")
    assert ran.returncode == 0, ran.stderr
    assert results(tmp_path / "out", "metadata")[1][4] == "2025-01-15 10:23:45"
    assert f"{tmp_path}/out/stats_" in ran.stdout


def test_the_script_fails_with_a_sentence_and_code_1(tmp_path: Path) -> None:
    ran = run_script(tmp_path / "nowhere", tmp_path / "out")
    assert ran.returncode == 1
    assert ran.stderr.splitlines()[-1].startswith(f"read_fruits_data: cannot read {tmp_path}/nowhere: Path does not")
    assert "Traceback" not in ran.stderr


@pytest.mark.skipif(not SAMPLE.is_dir(), reason="the sample of real images is not beside this repository")
def test_the_sample_of_real_images(spark: SparkSession, tmp_path: Path) -> None:
    job.run(spark, str(SAMPLE), str(tmp_path))
    assert len(results(tmp_path, "metadata")) == 1 + 1_296
    stats = results(tmp_path, "stats")[1:]
    assert len(stats) == 48
    assert {(split, count) for split, _, count in stats} == {("Training", "40"), ("Test", "14")}


def test_the_bootstrap_action_is_quick_when_there_is_nothing_to_do() -> None:
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    ran = subprocess.run(
        ["bash", str(BOOTSTRAP)], capture_output=True, text=True, check=False, timeout=60, env=environment
    )
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.splitlines()[-1] == "install_dependencies: nothing to install"
