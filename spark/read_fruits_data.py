"""Metadata and statistics of a data set of images laid out as INPUT/Training|Test/<label>/<image>.

    spark-submit --py-files … read_fruits_data.py INPUT OUTPUT [--reader listing|binaryfile] [--inspect]

Writes, under one UTC timestamp, each as one CSV file (UTF-8, header, RFC 4180 quotes) beside `_SUCCESS`:

    metadata_YYYYMMDD_HHMMSS/    s3_path,label,filename,split,modification_time,file_size_bytes
    inspection_YYYYMMDD_HHMMSS/  s3_path,label,split,width,height,mode,sha256,problem,copies,copies_in   (--inspect)
    stats_YYYYMMDD_HHMMSS/       split,label,count

The statistics are written last: a run is whole when they have their `_SUCCESS`, and they always add up to the metadata.

An image is a file ending in .jpg or .jpeg, in any case; other files are not counted. An image anywhere but directly in
Training/<label>/ or Test/<label>/ is in no table; how many there are, and some of them, is printed. So is one that is
hidden to Hadoop, its name or label beginning with `_` or `.` (macOS's `._0_100.jpg` is no image).

`main -> read -> transform -> write`: `read` knows storage and no rules, `transform` has all the rules and touches no
storage. The modules beside it come along as spark-submit's `--py-files`. All is for Python 3.9 (the nodes') and Spark
3.5, and knows nothing of who submits it.
"""

from __future__ import annotations

import argparse
import re
import sys
import time
from collections.abc import Sequence
from datetime import datetime, timezone

from binary_files import read_binaryfile
from image_inspection import judge, look, report_inspection, usual_size
from job_errors import JobError, said_as
from pyspark.sql import DataFrame, Row, SparkSession
from pyspark.sql import functions as F
from s3_listing import read_listing

READERS = {"listing": read_listing, "binaryfile": read_binaryfile}
SPLITS = ("Training", "Test")
HIDDEN = r"(^|/)(\.|_(?!(common_)?metadata|[^/]*=))"  # Hadoop's rule, and so what the binaryFile source does not see
ORDER = ("split", "label", "s3_path")
EXAMPLES = 5  # images shown of those out of place

# The plans are one small aggregation and one sort: there is nothing to adapt to, and only the classes are shuffled. The
# aggregation's fast map takes longer to compile than it saves.
QUICK_PLANS = {
    "spark.sql.adaptive.enabled": "false",
    "spark.sql.shuffle.partitions": "1",
    "spark.sql.codegen.aggregate.map.twolevel.enabled": "false",
}


def main() -> None:
    """Run the job; a JobError ends in its sentence on stderr and exit code 1."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("input", help="folder that holds Training/ and Test/, e.g. s3://bucket/data/fruits-360/")
    parser.add_argument("output", help="folder for the results, made if need be, e.g. s3://bucket/output/etape_1/")
    reader_help = "listing: S3's own, a request per 1,000 files (default); binaryfile: Spark's, a request per file"
    parser.add_argument("--reader", choices=READERS, default="listing", help=reader_help)
    parser.add_argument("--inspect", action="store_true", help="read the images too: size, mode, defects, copies")
    arguments = parser.parse_args()
    builder = SparkSession.builder.appName("read_fruits_data")
    for name, value in QUICK_PLANS.items():
        builder = builder.config(name, value)
    spark = builder.getOrCreate()
    try:
        run(spark, **vars(arguments))
    except JobError as error:
        sys.exit(f"read_fruits_data: {error}")  # a sentence instead of a number: to stderr, and exit code 1
    finally:
        # SparkContext.stop() without its wait for Python's own accumulators, of which there are none: up to a second
        spark.sparkContext._jsc.stop()


def run(spark: SparkSession, input: str, output: str, reader: str = "listing", inspect: bool = False) -> None:
    """Read the images under `input`, write the tables under `output`, print what was found. Raises JobError."""
    timestamp = datetime.now(timezone.utc).strftime("%Y%m%d_%H%M%S")
    root, target = input.rstrip("/"), output.rstrip("/")
    if reader == "listing" and not re.match("s3[an]?://", root):
        print(f"{root} is not on S3: its files are read by binaryfile")
        reader = "binaryfile"
    stopwatch = Stopwatch()

    # One pass over the storage. Checkpoints, not persist(): all tables are of what was listed once, for a lost executor
    # fails the step instead of listing anew, which may see other files; and to keep rows as they are takes less time.
    images = transform(READERS[reader](spark, root), root).localCheckpoint(eager=False)
    with said_as(f"cannot read {input}"):
        counts = statistics(images).localCheckpoint(eager=False)  # written as they are shown
        classes = counts.collect()
    stopwatch.lap("listing")

    metadata, misplaced = images.where(F.col("label").isNotNull()), images.where(F.col("label").isNull())
    found = [row for row in classes if row.label is not None]
    if not classes:
        raise JobError(f"no .jpg or .jpeg image under {input}")
    if len(found) < len(classes):
        report_misplaced(sum(row["count"] for row in classes if row.label is None), misplaced)
    if not found:
        raise JobError(f"no image under {input} is in Training/<label>/ or Test/<label>/")
    report(found)
    tables = ["metadata", "inspection", "stats"] if inspect else ["metadata", "stats"]

    write(metadata, f"{target}/metadata_{timestamp}", *ORDER)
    stopwatch.lap("writing")
    if inspect:
        with said_as(f"cannot read the images under {input}"):
            count = sum(row["count"] for row in found)
            seen = look(spark, metadata, count, root, reader).persist()  # one pass over the bytes
            inspected = judge(seen, usual_size(seen))
            report_inspection(inspected)
        write(inspected, f"{target}/inspection_{timestamp}", *ORDER)
        stopwatch.lap("inspection")
    write(counts.where(F.col("label").isNotNull()), f"{target}/stats_{timestamp}", "split", "label")
    stopwatch.lap("statistics")
    print("Results:", *(f"  {target}/{table}_{timestamp}/" for table in tables), sep="\n")
    print(f"Time: {stopwatch}")


# -- the rules ---------------------------------------------------------------------------------------------------------


def transform(files: DataFrame, root: str) -> DataFrame:
    """Keep the images of `files` (FILES, each path below `root`) and say where each belongs.

    Gives the metadata's columns; label and split are null for an image that is out of place.
    """
    path, inner = F.col("path"), F.substring_index("path", "/", -3)
    split = F.substring_index(inner, "/", 1)
    label = F.substring_index(F.substring_index("path", "/", -2), "/", 1)
    filename = F.substring_index("path", "/", -1)
    is_image = filename.contains(".") & F.lower(F.substring_index(filename, ".", -1)).isin("jpg", "jpeg")
    is_hidden = F.concat_ws("/", label, filename).rlike(HIDDEN)
    is_right_below = path == F.concat(F.lit(f"{root}/"), inner)
    is_in_place = is_right_below & split.isin(*SPLITS) & (label != "") & ~is_hidden
    return files.where(is_image).select(
        path.alias("s3_path"),
        F.when(is_in_place, label).alias("label"),
        filename.alias("filename"),
        F.when(is_in_place, split).alias("split"),
        "modification_time",
        F.col("size").alias("file_size_bytes"),
    )


def statistics(images: DataFrame) -> DataFrame:
    """Count the images of each class: (split string, label string, count long)."""
    return images.groupBy("split", "label").agg(F.count("*").alias("count"))


# -- the results -------------------------------------------------------------------------------------------------------


def write(table: DataFrame, folder: str, *order: str) -> None:
    """Write `table`, sorted by `order`, as one CSV file in the new `folder`; `_SUCCESS` comes last.

    Raises JobError where the folder exists or cannot be written.
    """
    # what is written was kept: one task gathers it and sorts it, and nothing is read or computed in that one task
    one_file = table.coalesce(1).sortWithinPartitions(*order)
    with said_as(f"cannot write {folder}"):
        one_file.write.csv(
            folder, header=True, escape='"', ignoreLeadingWhiteSpace=False, ignoreTrailingWhiteSpace=False
        )


def report(classes: Sequence[Row]) -> None:
    """Print the images and classes of each split, from the collected rows of `statistics`."""
    counts = {(row.split, row.label): row["count"] for row in classes}
    print(f"\n{sum(counts.values()):,} images, {len({label for _, label in counts}):,} classes")
    for split in SPLITS:
        of_split = [count for (name, _), count in counts.items() if name == split]
        warning = "" if of_split else "  <- warning: is the folder missing, or spelt otherwise?"
        print(f"  {split:<8} {sum(of_split):>11,} images, {len(of_split):>5,} classes{warning}")
    print()


def report_misplaced(count: int, misplaced: DataFrame) -> None:
    """Print how many images are out of place, and the first few."""
    where = "not in Training/<label>/ or Test/<label>/, or hidden by a name with _ or . in front"
    print(f"\nImages {where}, so left out of the results: {count:,}, such as")
    for row in misplaced.sort("s3_path").limit(EXAMPLES).collect():
        print(f"  {row.s3_path}")


class Stopwatch:
    """Says where the time went."""

    def __init__(self) -> None:
        self.stages: list[str] = []
        self.last = time.monotonic()

    def lap(self, stage: str) -> None:
        """End a stage."""
        now = time.monotonic()
        self.stages.append(f"{stage} {now - self.last:.1f} s")
        self.last = now

    def __str__(self) -> str:
        """Give the stages with their seconds."""
        return ", ".join(self.stages)


if __name__ == "__main__":
    main()
