"""Metadata and statistics of a data set of images laid out as INPUT/Training|Test/<label>/<image>.

    spark-submit read_fruits_data.py INPUT OUTPUT

Writes, under one UTC timestamp, each as one CSV file (UTF-8, header, RFC 4180 quotes) beside `_SUCCESS`:

    OUTPUT/metadata_YYYYMMDD_HHMMSS/  s3_path,label,filename,split,modification_time,file_size_bytes   a row an image
    OUTPUT/stats_YYYYMMDD_HHMMSS/     split,label,count                                                a row a class

The statistics are written last: a run is whole when they have their `_SUCCESS`, and they always add up to the metadata.

An image is a file ending in .jpg or .jpeg, in any case; other files are not counted. An image anywhere but directly in
Training/<label>/ or Test/<label>/ is in neither table; how many there are, and some of them, is printed. Names that
begin with `_` or `.` are hidden from Spark, as everywhere in Hadoop, and so from this job.

`main -> read -> transform -> write`: `read` knows storage and no rules, `transform` has all the rules and touches no
storage. The job is one file on Python 3.9 (the nodes') and Spark 3.5; it knows nothing of who submits it, nor of AWS.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timezone
from urllib.parse import unquote, urlsplit

from py4j.protocol import Py4JJavaError
from pyspark.errors import AnalysisException, IllegalArgumentException
from pyspark.sql import Column, DataFrame, Row, SparkSession
from pyspark.sql import functions as F

SPLITS = ("Training", "Test")
EXAMPLES = 5  # rows shown of a table, or of what is out of place
BYTES_PER_OPEN = 4 << 20  # what Spark adds to each file's size: far more than an image, so tasks are alike in number
IMAGES_PER_TASK = 2_000  # Spark alone would make a task of 32


class JobError(Exception):
    """What the job cannot go on from, in one sentence for whoever submitted it."""


def main() -> None:
    """Run the job; a JobError ends in its sentence on stderr and exit code 1."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("input", help="folder that holds Training/ and Test/, e.g. s3://bucket/data/fruits-360/")
    parser.add_argument("output", help="folder for the results, made if need be, e.g. s3://bucket/output/etape_1/")
    arguments = parser.parse_args()
    spark = SparkSession.builder.appName("read_fruits_data").getOrCreate()
    try:
        run(spark, arguments.input, arguments.output)
    except JobError as error:
        sys.exit(f"read_fruits_data: {error}")  # a sentence instead of a number: to stderr, and exit code 1
    finally:
        spark.stop()


def run(spark: SparkSession, source: str, target: str) -> None:
    """Read the images under `source`, write both tables under `target`, print what was found. Raises JobError."""
    timestamp = datetime.now(timezone.utc).strftime("%Y%m%d_%H%M%S")
    root, folder = source.rstrip("/"), target.rstrip("/")
    images = transform(read(spark, root), root)
    metadata = images.where(F.col("label").isNotNull())
    misplaced = images.where(F.col("label").isNull())
    classes = statistics(images).collect()
    if not classes:
        raise JobError(f"no .jpg or .jpeg image under {source}")
    report_misplaced(sum(row["count"] for row in classes if row.label is None), misplaced)
    if all(row.label is None for row in classes):
        raise JobError(f"no image under {source} is in Training/<label>/ or Test/<label>/")
    report(classes, metadata)
    write(metadata, f"{folder}/metadata_{timestamp}", "split", "label", "s3_path")
    write(statistics(metadata), f"{folder}/stats_{timestamp}", "split", "label")
    print(f"Results:\n  {folder}/metadata_{timestamp}/\n  {folder}/stats_{timestamp}/")


def read(spark: SparkSession, root: str) -> DataFrame:
    """List every file under `root` (an URI or a path, no `/` at its end).

    Gives (path string, size long: bytes, modification_time timestamp); each path is `root`, as it was given, then `/`
    and the file's key below it, decoded. The rows are persisted: Spark's binaryFile source asks for each file's status
    once, now (and reads no content, since that column is not selected). Raises JobError where `root` is missing or may
    not be read.
    """
    spark.conf.set("spark.sql.files.openCostInBytes", BYTES_PER_OPEN)
    spark.conf.set("spark.sql.files.maxPartitionBytes", BYTES_PER_OPEN * IMAGES_PER_TASK)
    source = spark.read.format("binaryFile").option("recursiveFileLookup", "true")
    with said_as(f"cannot read {root}"):
        files = source.load(re.sub(r"([*?{}\[\]\\])", r"\\\1", f"{root}/"))  # a name, never a pattern
        folder = spark._jvm.org.apache.hadoop.fs.Path(f"{root}/")
        file_system = folder.getFileSystem(spark._jsc.hadoopConfiguration())
        folder = file_system.makeQualified(folder)  # how each of Spark's paths begins
        scanned = files.select(
            F.concat(F.lit(root), after(F.col("path"), folder.toString().rstrip("/"))).alias("path"),
            F.col("length").alias("size"),
            F.col("modificationTime").alias("modification_time"),
        ).persist()
        listed = files._jdf.inputFiles()
        if scanned.count() == len(listed):
            return scanned
        # Spark lists empty files too, and then leaves them out of every scan: those are asked for one by one.
        above = len(folder.toUri().getPath().rstrip("/"))
        uris = spark._jvm.org.apache.hadoop.util.StringUtils.join("\n", listed).split("\n")  # in one call, not one each
        keys = {unquote(urlsplit(uri).path)[above:] for uri in uris}
        keys -= {row.path[len(root) :] for row in scanned.select("path").toLocalIterator()}
        statuses = {key: file_system.getFileStatus(folder.suffix(key)) for key in keys}
        rows = [(root + key, status.getLen(), status.getModificationTime()) for key, status in statuses.items()]
    left_out = spark.createDataFrame(rows, "path string, size long, milliseconds long")
    return scanned.union(left_out.select("path", "size", F.timestamp_millis("milliseconds")))


def transform(files: DataFrame, root: str) -> DataFrame:
    """Keep the images of `files` (as `read` gives them) and say where each belongs.

    Gives the metadata's columns; label and split are null for an image that is out of place.
    """
    parts = F.split(after(F.col("path"), f"{root}/"), "/")
    split, label, filename = F.get(parts, 0), F.get(parts, 1), F.element_at(parts, -1)
    ending = F.lower(filename)
    is_image = ending.endswith(".jpg") | ending.endswith(".jpeg")
    is_in_place = (F.size(parts) == 3) & split.isin(*SPLITS) & (label != "")
    return files.where(is_image).select(
        F.col("path").alias("s3_path"),
        F.when(is_in_place, label).alias("label"),
        filename.alias("filename"),
        F.when(is_in_place, split).alias("split"),
        utc_text(F.col("modification_time")).alias("modification_time"),
        F.col("size").alias("file_size_bytes"),
    )


def statistics(images: DataFrame) -> DataFrame:
    """Count the images of each class: (split string, label string, count long)."""
    return images.groupBy("split", "label").agg(F.count("*").alias("count"))


def write(table: DataFrame, folder: str, *order: str) -> None:
    """Write `table`, sorted by `order`, as one CSV file in the new `folder`; `_SUCCESS` comes last.

    Raises JobError where the folder exists or cannot be written.
    """
    # repartition, not coalesce: that would run everything before it in one task too. And one partition needs no
    # sampling to be sorted.
    one_file = table.repartition(1).sortWithinPartitions(*order)
    with said_as(f"cannot write {folder}"):
        one_file.write.csv(
            folder, header=True, escape='"', ignoreLeadingWhiteSpace=False, ignoreTrailingWhiteSpace=False
        )


def report(classes: Sequence[Row], metadata: DataFrame) -> None:
    """Print the images and classes of each split, from the collected rows of `statistics`, and some rows."""
    counts = {(row.split, row.label): row["count"] for row in classes if row.label is not None}
    print(f"\n{sum(counts.values()):,} images, {len({label for _, label in counts}):,} classes")
    for split in SPLITS:
        of_split = [count for (name, _), count in counts.items() if name == split]
        warning = "" if of_split else "  <- warning: is the folder missing, or spelt otherwise?"
        print(f"  {split:<8} {sum(of_split):>11,} images, {len(of_split):>5,} classes{warning}")
    print()
    metadata.sort("split", "label", "s3_path").show(EXAMPLES, truncate=False)


def report_misplaced(count: int, misplaced: DataFrame) -> None:
    """Print how many images are out of place, and the first few; nothing when there are none."""
    if count:
        print(f"\nImages not in Training/<label>/ or Test/<label>/, so left out of the results: {count:,}, such as")
        for row in misplaced.sort("s3_path").limit(EXAMPLES).collect():
            print(f"  {row.s3_path}")


def after(text: Column, beginning: str) -> Column:
    """Cut `beginning`, which every value starts with, off a string column."""
    return text.substr(F.lit(len(beginning) + 1), F.length(text))


def utc_text(moment: Column) -> Column:
    """Show a timestamp as `2025-01-15 10:23:45` in UTC.

    Counted from the epoch without a time zone, since date_format and casts use the session's.
    """
    seconds = F.unix_seconds(moment)
    return (F.expr("timestamp_ntz'1970-01-01 00:00:00'") + F.make_dt_interval(secs=seconds)).cast("string")


@contextmanager
def said_as(what: str) -> Iterator[None]:
    """Turn an error out of Spark into a JobError: `what`, then the first line of the error's deepest cause."""
    try:
        yield
    except (AnalysisException, IllegalArgumentException) as error:
        raise JobError(f"{what}: {first_line(error.desc)}") from error
    except Py4JJavaError as error:
        cause = error.java_exception
        while cause.getCause() is not None:
            cause = cause.getCause()
        raise JobError(f"{what}: {first_line(cause.toString())}") from error


def first_line(message: str) -> str:
    """Give the first line of a message without its error class, such as `[PATH_NOT_FOUND]`."""
    return re.sub(r"^\[[A-Z_.]+\] ", "", message.strip().partition("\n")[0])


if __name__ == "__main__":
    main()
