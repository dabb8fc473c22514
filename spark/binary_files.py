"""The other reader: Spark's binaryFile source, on any file system. A request or more per file, where it is S3."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import unquote, urlsplit

from job_errors import said_as
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

BYTES_PER_OPEN = 4 << 20  # what Spark adds to each file's size: far more than an image, so tasks are alike in number
IMAGES_PER_TASK = 2_000  # Spark alone would make a task of 32


def read_binaryfile(spark: SparkSession, root: str) -> DataFrame:
    """List with Spark's binaryFile source, on any file system; gives what the listing reader gives, persisted.

    It asks for each file's status once, now, and reads no content, since that column is not selected. Raises JobError.
    """
    with said_as(f"cannot read {root}"):
        files, path, folder, file_system = binary_files(spark, root)
        scanned = files.select(path, F.col("length").alias("size"), utc_text(F.col("modificationTime")))
        scanned = scanned.persist()
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
    return scanned.union(left_out.select("path", "size", utc_text(F.timestamp_millis("milliseconds"))))


def utc_text(moment: Column) -> Column:
    """Show a timestamp as `modification_time`, such as `2025-01-15 10:23:45`, in UTC.

    Counted from the epoch without a time zone, since date_format and casts use the session's.
    """
    seconds = F.unix_seconds(moment)
    text = (F.expr("timestamp_ntz'1970-01-01 00:00:00'") + F.make_dt_interval(secs=seconds)).cast("string")
    return text.alias("modification_time")


def binary_files(spark: SparkSession, root: str) -> tuple[DataFrame, Column, Any, Any]:
    """Open `root` with binaryFile; gives its files, their `path` below `root`, Hadoop's folder and file system."""
    spark.conf.set("spark.sql.files.openCostInBytes", BYTES_PER_OPEN)
    spark.conf.set("spark.sql.files.maxPartitionBytes", BYTES_PER_OPEN * IMAGES_PER_TASK)
    source = spark.read.format("binaryFile").option("recursiveFileLookup", "true")
    files = source.load(re.sub(r"([*?{}\[\]\\])", r"\\\1", f"{root}/"))  # a name, never a pattern
    folder = spark._jvm.org.apache.hadoop.fs.Path(f"{root}/")
    file_system = folder.getFileSystem(spark._jsc.hadoopConfiguration())
    folder = file_system.makeQualified(folder)  # how each of Spark's paths begins
    below = F.col("path").substr(F.lit(len(folder.toString().rstrip("/")) + 1), F.length("path"))
    return files, F.concat(F.lit(root), below).alias("path"), folder, file_system
