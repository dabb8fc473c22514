"""Metadata and statistics of a data set of images laid out as INPUT/Training|Test/<label>/<image>.

    spark-submit read_fruits_data.py INPUT OUTPUT [--reader listing|binaryfile] [--inspect]

Writes, under one UTC timestamp, each as one CSV file (UTF-8, header, RFC 4180 quotes) beside `_SUCCESS`:

    metadata_YYYYMMDD_HHMMSS/    s3_path,label,filename,split,modification_time,file_size_bytes
    inspection_YYYYMMDD_HHMMSS/  s3_path,label,split,width,height,mode,sha256,problem,copies,copies_in   (--inspect)
    stats_YYYYMMDD_HHMMSS/       split,label,count

The statistics are written last: a run is whole when they have their `_SUCCESS`, and they always add up to the metadata.

An image is a file ending in .jpg or .jpeg, in any case; other files are not counted. An image anywhere but directly in
Training/<label>/ or Test/<label>/ is in no table; how many there are, and some of them, is printed. So is one that is
hidden to Hadoop, its name or label beginning with `_` or `.` (macOS's `._0_100.jpg` is no image).

`main -> read -> transform -> write`: `read` knows storage and no rules, `transform` has all the rules and touches no
storage. The job is one file, for Python 3.9 (the nodes') and Spark 3.5; it knows nothing of who submits it.
"""

# ruff: noqa: S310, B905
# S310: the addresses asked are this file's own; B905: zip's `strict` is not in Python 3.9
from __future__ import annotations

import argparse
import hashlib
import io
import os
import re
import sys
import time
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from contextlib import contextmanager
from datetime import datetime, timezone
from typing import Any, Callable, NamedTuple, Optional
from urllib.error import HTTPError
from urllib.parse import unquote, urlsplit
from urllib.request import Request, urlopen

from py4j.protocol import Py4JJavaError
from pyspark.errors import PySparkException
from pyspark.rdd import PythonEvalType
from pyspark.sql import Column, DataFrame, Row, SparkSession, Window
from pyspark.sql import functions as F
from pyspark.sql.udf import UserDefinedFunction

SPLITS = ("Training", "Test")
HIDDEN = r"(^|/)(\.|_(?!(common_)?metadata|[^/]*=))"  # Hadoop's rule, and so what the binaryFile source does not see
ORDER = ("split", "label", "s3_path")
EXAMPLES = 5  # rows shown of a table, or of what is out of place

FILES = "path string, size long, modification_time timestamp"  # what every reader gives; size in bytes
FILES_COLUMNS = ["path", "size", "modification_time"]
PAGE = 1_000  # S3's most keys an answer
PAGES = 10  # listed in one go; of what a folder has beyond them, several parts are listed at once
CONCURRENT_LISTS = 8  # a task; each spends most of its time waiting for S3
MOST_EXPANDED = 64  # folders that the driver looks into itself, so that the executors get smaller ones
DIGITS, LETTERS = "0123456789", "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

# obstore 0.8 encodes other characters of a prefix or an offset before it sends them (it finds nothing in `100%20`)
SENT_AS_IS = re.compile(r"[\w !$&'()+,./:;=@-]+", re.ASCII)

BYTES_PER_OPEN = 4 << 20  # what Spark adds to each file's size: far more than an image, so tasks are alike in number
IMAGES_PER_TASK = 2_000  # Spark alone would make a task of 32

SEEN_COLUMNS = ["width", "height", "mode", "sha256", "problem"]
SEEN = "width int, height int, mode string, sha256 string, problem string"  # of an image's bytes; null where unknown
CONCURRENT_GETS = 16  # a task
MOST_BYTES = 128 << 20  # of images that a task holds at once; a larger image is not read
USUAL_SHARE = 0.9  # of the images have one width and height: then another one is unexpected

# The plans are one small aggregation and one sort: there is nothing to adapt to, and little to shuffle.
QUICK_PLANS = {"spark.sql.adaptive.enabled": "false", "spark.sql.shuffle.partitions": "8"}


class JobError(Exception):
    """What the job cannot go on from, in one sentence for whoever submitted it."""


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
        spark.stop()


def run(spark: SparkSession, input: str, output: str, reader: str = "listing", inspect: bool = False) -> None:
    """Read the images under `input`, write the tables under `output`, print what was found. Raises JobError."""
    timestamp = datetime.now(timezone.utc).strftime("%Y%m%d_%H%M%S")
    root, target = input.rstrip("/"), output.rstrip("/")
    if reader == "listing" and not re.match("s3[an]?://", root):
        print(f"{root} is not on S3: its files are read by binaryfile")
        reader = "binaryfile"
    stopwatch = Stopwatch()

    images = transform(READERS[reader](spark, root), root).persist()  # one pass over the storage
    with said_as(f"cannot read {input}"):
        classes = statistics(images).collect()
    stopwatch.lap("listing")

    metadata, misplaced = images.where(F.col("label").isNotNull()), images.where(F.col("label").isNull())
    found = [row for row in classes if row.label is not None]
    if not classes:
        raise JobError(f"no .jpg or .jpeg image under {input}")
    if len(found) < len(classes):
        report_misplaced(sum(row["count"] for row in classes if row.label is None), misplaced)
    if not found:
        raise JobError(f"no image under {input} is in Training/<label>/ or Test/<label>/")
    report(found, metadata)
    stopwatch.lap("report")
    tables = ["metadata", "inspection", "stats"] if inspect else ["metadata", "stats"]

    write(metadata, f"{target}/metadata_{timestamp}", *ORDER)
    stopwatch.lap("writing")
    if inspect:
        with said_as(f"cannot read the images under {input}"):
            seen = look(spark, metadata, root, reader).persist()  # one pass over the bytes
            inspected = judge(seen, usual_size(seen))
            report_inspection(inspected)
        write(inspected, f"{target}/inspection_{timestamp}", *ORDER)
        stopwatch.lap("inspection")
    stats = spark.createDataFrame(found, "split string, label string, count long")
    write(stats, f"{target}/stats_{timestamp}", "split", "label")
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
        utc_text(F.col("modification_time")).alias("modification_time"),
        F.col("size").alias("file_size_bytes"),
    )


def statistics(images: DataFrame) -> DataFrame:
    """Count the images of each class: (split string, label string, count long)."""
    return images.groupBy("split", "label").agg(F.count("*").alias("count"))


def utc_text(moment: Column) -> Column:
    """Show a timestamp as `2025-01-15 10:23:45` in UTC.

    Counted from the epoch without a time zone, since date_format and casts use the session's.
    """
    seconds = F.unix_seconds(moment)
    return (F.expr("timestamp_ntz'1970-01-01 00:00:00'") + F.make_dt_interval(secs=seconds)).cast("string")


# -- the listing reader ------------------------------------------------------------------------------------------------


class Folder(NamedTuple):
    """A folder of a bucket, and how to reach it. `uri` is how its files' paths begin, but for a `/`."""

    uri: str
    options: dict[str, Any]

    def store(self) -> Any:
        """Open it; its files' names are then those below it."""
        from obstore.store import S3Store

        bucket, _, prefix = self.uri.partition("://")[2].partition("/")
        return S3Store(bucket, prefix=prefix or None, **self.options)

    def __truediv__(self, name: str) -> Folder:
        """Give a folder in this one."""
        return self._replace(uri=f"{self.uri}/{name}")


class Part(NamedTuple):
    """Of the files below `uri`/`prefix`/, those whose names come after `after` and up to `until`; None is no limit.

    `store` is `uri` opened, and names, prefix included, are those below it.
    """

    uri: str
    store: Any
    prefix: Optional[str]
    after: Optional[str] = None
    until: Optional[str] = None
    stream: Any = None  # the listing to go on with, where one has begun


def read_listing(spark: SparkSession, root: str) -> DataFrame:
    """List with S3's ListObjectsV2 on the executors: a request per folder and 1,000 files. Lazy; gives FILES.

    The driver looks two levels down, for Training/<label>/, and deals the folders out to tasks; each task lists several
    folders at once, and all that is below them. Raises JobError.
    """
    top = Folder(root, s3_options(root))
    names, files = children(top)
    if len(names) <= MOST_EXPANDED:
        with ThreadPoolExecutor(CONCURRENT_LISTS) as pool:
            levels = dict(zip(names, pool.map(children, [top / name for name in names])))
        names = [f"{name}/{below}" for name, (folders, _) in levels.items() for below in folders]
        files += [file for _, files_below in levels.values() for file in files_below]
    tasks = max(1, min(len(names), 2 * spark.sparkContext.defaultParallelism))

    def list_dealt_folders(batches: Iterable[Any]) -> Iterator[Any]:
        for batch in batches:
            for task in batch.column(0).to_pylist():
                yield from list_folders(top, names[task::tasks])

    listed = map_in_arrow(spark.range(0, tasks, 1, tasks), list_dealt_folders, FILES)
    return listed.union(spark.createDataFrame(files, FILES)) if files else listed


def children(folder: Folder) -> tuple[list[str], list[tuple[str, int, datetime]]]:
    """List one level: the names of the folders in `folder`, and its own files as rows of FILES. Raises JobError."""
    with said_as(f"cannot list {folder.uri}/"):
        import obstore

        found = obstore.list_with_delimiter(folder.store())
    files = [(f"{folder.uri}/{file['path']}", file["size"], file["last_modified"]) for file in found["objects"]]
    return found["common_prefixes"], files


def list_folders(top: Folder, names: Iterable[str]) -> Iterator[Any]:
    """List all that is below some folders in `top`; gives Arrow record batches of FILES. Raises JobError."""
    with said_as(f"cannot list {top.uri}/"):
        store = top.store()
        # of its own where its name may not be a prefix; else all share one, and with it its connections
        todo = deque(
            Part(top.uri, store, name)
            if SENT_AS_IS.fullmatch(name)
            else Part((top / name).uri, (top / name).store(), None)
            for name in names
        )
    running = set()
    with ThreadPoolExecutor(CONCURRENT_LISTS) as pool:
        while todo or running:
            while todo and len(running) < CONCURRENT_LISTS:  # no more is held at once than these bring
                running.add(pool.submit(list_part, todo.popleft()))
            done, running = wait(running, return_when=FIRST_COMPLETED)
            for future in done:
                batches, rest = future.result()
                todo.extend(rest)
                yield from batches


def list_part(part: Part) -> tuple[list[Any], list[Part]]:
    """List up to PAGES pages; gives them, and what parts are still to be listed. Raises JobError."""
    batches: list[Any] = []
    first = last = ""
    with said_as(f"cannot list {part.uri}/" + (f"{part.prefix}/" if part.prefix else "")):
        import obstore
        import pyarrow as pa
        import pyarrow.compute as pc

        stream = part.stream
        if stream is None:
            stream = obstore.list(part.store, part.prefix, offset=part.after, chunk_size=PAGE, return_arrow=True)
        for _ in range(PAGES):
            page = next(stream, None)
            if page is None:
                return batches, []
            names, times, sizes = (pa.array(page.column(name)) for name in ("path", "last_modified", "size"))
            paths = pc.binary_join_element_wise(part.uri, names, "/")
            batch = pa.RecordBatch.from_arrays([paths, sizes.cast(pa.int64()), times], FILES_COLUMNS)
            first, last = first or names[0].as_py(), names[-1].as_py()
            if part.until is not None and last > part.until:
                return [*batches, batch.filter(pc.less_equal(names, part.until))], []
            batches.append(batch)
    return batches, divide(part._replace(stream=stream), first, last)


def divide(part: Part, first: str, last: str) -> list[Part]:
    """Divide what follows `last` in a large part, of which first..last were listed, into parts to list at once.

    S3 lists from any name on, so all it takes is a guess at the names to come: where they count up, they differ from
    `last` in a digit (or, where the listed ones began to differ, in a digit or letter) that is higher. A wrong guess
    costs a request; no file is lost or listed twice, for the parts join.
    """
    differ = next(at for at, char in enumerate(last) if first[at : at + 1] != char)
    cuts = []
    for at in range(differ, max(-1, differ - 4), -1):  # each position to the left may hold ten times as many
        alphabet = DIGITS if last[at] in DIGITS else LETTERS if at == differ and last[at] in LETTERS else ""
        cuts += [last[:at] + char for char in alphabet if char > last[at]]
    inside = f"{part.prefix}/" if part.prefix else ""
    parts, until = [], part.until
    for cut in reversed(cuts):
        if cut.startswith(inside) and (until is None or cut < until) and SENT_AS_IS.fullmatch(cut):
            parts.append(part._replace(after=cut, until=until, stream=None))
            until = cut
    return [*parts, part._replace(until=until)]


def s3_options(root: str) -> dict[str, Any]:
    """Say where the bucket of `root` is. Credentials are left to each process, from its environment or its instance."""
    endpoint = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")
    region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
    if endpoint:
        client = {"allow_http": endpoint.startswith("http:")}
        return {"endpoint": endpoint, "region": region or "us-east-1", "client_options": client}
    return {"region": bucket_region(root.split("/")[2], region or instance_region() or "us-east-1")}


def instance_region(metadata: str = "http://169.254.169.254/latest") -> Optional[str]:
    """Ask the EC2 instance that this runs on; None on any other machine."""
    ask_token = Request(f"{metadata}/api/token", method="PUT", headers={"X-aws-ec2-metadata-token-ttl-seconds": "60"})
    try:
        token = urlopen(ask_token, timeout=2).read().decode()
        headers = {"X-aws-ec2-metadata-token": token}
        ask_region = Request(f"{metadata}/meta-data/placement/region", headers=headers)
        return urlopen(ask_region, timeout=2).read().decode()
    except OSError:
        return None


def bucket_region(bucket: str, nearby: str, endpoint: str = "https://s3.{region}.amazonaws.com") -> str:
    """Ask S3 in the region `nearby` where `bucket` is; it tells even who may not read it. `nearby` if it does not."""
    ask = Request(f"{endpoint.format(region=nearby)}/{bucket}", method="HEAD")
    try:
        answer = urlopen(ask, timeout=5)
    except HTTPError as refusal:
        answer = refusal
    except OSError:
        return nearby
    return answer.headers.get("x-amz-bucket-region") or nearby


def map_in_arrow(table: DataFrame, function: Callable[[Iterable[Any]], Iterator[Any]], schema: str) -> DataFrame:
    """Do what DataFrame.mapInArrow does, which demands pandas, though neither it nor the workers then use it.

    pandas would be 35 MB more on each node, and a second of imports on the driver and again in each worker.
    """
    mapped = UserDefinedFunction(function, schema, evalType=PythonEvalType.SQL_MAP_ARROW_ITER_UDF)
    expression = mapped(*[table[name] for name in table.columns])._jc.expr()
    return DataFrame(table._jdf.pythonMapInArrow(expression, False), table.sparkSession)


# -- the binaryFile reader ---------------------------------------------------------------------------------------------


def read_binaryfile(spark: SparkSession, root: str) -> DataFrame:
    """List with Spark's binaryFile source, on any file system; gives FILES, persisted.

    It asks for each file's status once, now, and reads no content, since that column is not selected. Raises JobError.
    """
    with said_as(f"cannot read {root}"):
        files, path, folder, file_system = binary_files(spark, root)
        scanned = files.select(
            path, F.col("length").alias("size"), F.col("modificationTime").alias("modification_time")
        )
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
    return scanned.union(left_out.select("path", "size", F.timestamp_millis("milliseconds")))


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


READERS = {"listing": read_listing, "binaryfile": read_binaryfile}

# -- the inspection ----------------------------------------------------------------------------------------------------


def look(spark: SparkSession, metadata: DataFrame, root: str, reader: str) -> DataFrame:
    """Read each image of `metadata` whole; gives (s3_path, label, split) and SEEN, lazily. Raises JobError.

    From S3 that is one GET an image, many at once; Spark's binaryFile reads one after another in each task.
    """
    images = metadata.select("s3_path", "label", "split", "file_size_bytes")
    if reader == "listing":
        tasks = 4 * spark.sparkContext.defaultParallelism
        bucket = Folder("/".join(root.split("/")[:3]), s3_options(root))
        schema = f"s3_path string, label string, split string, {SEEN}"
        return map_in_arrow(images.repartition(tasks), lambda batches: look_in_s3(bucket, batches), schema)
    files, path, _, _ = binary_files(spark, root)
    spark.conf.set("spark.sql.execution.arrow.maxRecordsPerBatch", 64)  # images, whole
    seen = map_in_arrow(files.select(path, "content"), look_in_contents, f"path string, {SEEN}")
    joined = images.join(seen, F.col("path") == F.col("s3_path"), "left")
    problem = F.when(F.col("path").isNull(), "empty").otherwise(F.col("problem")).alias("problem")  # those Spark skips
    return joined.select("s3_path", "label", "split", "width", "height", "mode", "sha256", problem)


def look_in_s3(bucket: Folder, batches: Iterable[Any]) -> Iterator[Any]:
    """Look at the images of Arrow batches of (s3_path, label, split, file_size_bytes), CONCURRENT_GETS at once.

    At most MOST_BYTES are held, or one image. Raises JobError.
    """
    store = bucket.store()
    columns = ["s3_path", "label", "split", *SEEN_COLUMNS]

    def look_at(path: str, label: str, split: str, size: int) -> tuple[Any, ...]:
        return (path, label, split, *describe_object(store, path, path[len(bucket.uri) + 1 :], size))

    with ThreadPoolExecutor(CONCURRENT_GETS) as pool:
        for batch in batches:
            rows: list[tuple[Any, ...]] = []
            waiting: deque[tuple[Any, int]] = deque()
            held = 0
            for image in zip(*(column.to_pylist() for column in batch.columns)):
                size = min(image[-1], MOST_BYTES)
                while waiting and (len(waiting) == 2 * CONCURRENT_GETS or held + size > MOST_BYTES):
                    future, done = waiting.popleft()
                    rows.append(future.result())
                    held -= done
                waiting.append((pool.submit(look_at, *image), size))
                held += size
            rows += [future.result() for future, _ in waiting]
            yield arrow_batch(rows, columns)


def look_in_contents(batches: Iterable[Any]) -> Iterator[Any]:
    """Look at the images of Arrow batches of (path, content)."""
    for batch in batches:
        paths, contents = batch.columns
        rows = [(path.as_py(), *describe(content.as_py())) for path, content in zip(paths, contents)]
        yield arrow_batch(rows, ["path", *SEEN_COLUMNS])


def arrow_batch(rows: Sequence[tuple[Any, ...]], columns: Sequence[str]) -> Any:
    """Make an Arrow record batch; whole numbers are 32 bits, all else is text."""
    import pyarrow as pa

    types = [pa.int32() if name in ("width", "height") else pa.string() for name in columns]
    arrays = [pa.array([row[at] for row in rows], kind) for at, kind in enumerate(types)]
    return pa.RecordBatch.from_arrays(arrays, list(columns))


def describe_object(store: Any, path: str, key: str, size: int) -> tuple[Any, ...]:
    """Fetch one image and describe it; gives SEEN. Raises JobError where S3 fails, not where the image is bad."""
    if size == 0 or size > MOST_BYTES:
        return (None, None, None, None, "empty" if size == 0 else f"larger than {MOST_BYTES >> 20} MiB, not read")
    with said_as(f"cannot read {path}"):
        import obstore

        try:
            return describe(bytes(obstore.get(store, key).bytes()))
        except (FileNotFoundError, obstore.exceptions.PermissionDeniedError) as error:
            return (None, None, None, None, f"cannot be read: {reason(error)}")


def describe(content: bytes) -> tuple[Any, ...]:
    """Decode an image; gives SEEN. Never raises: what is wrong with it is the last column."""
    from PIL import Image

    width = height = mode = problem = None
    try:
        with Image.open(io.BytesIO(content)) as image:
            (width, height), mode, kind = image.size, image.mode, image.format
            if kind not in ("JPEG", "MPO"):  # MPO: a phone's JPEG with further pictures behind it
                problem = f"not a JPEG but {kind}"
            image.draft(None, (1, 1))  # at an eighth of its size: every byte is still decoded, in less time and memory
            image.load()
    except Exception as error:  # a decoder may fail in any way on bytes that are not what they seem
        problem = "not an image" if width is None else f"damaged: {reason(error)}"
    return (width, height, mode, hashlib.sha256(content).hexdigest(), problem)


def usual_size(seen: DataFrame) -> Optional[tuple[int, int]]:
    """Give the width and height that nearly all images have, in pixels; None where they differ."""
    sizes = seen.where("width is not null").groupBy("width", "height").count().collect()
    most = max(sizes, key=lambda row: row["count"], default=None)
    if most is None or most["count"] < USUAL_SHARE * sum(row["count"] for row in sizes):
        return None
    return most.width, most.height


def judge(seen: DataFrame, usual: Optional[tuple[int, int]]) -> DataFrame:
    """Add to what was seen what only the whole shows: unexpected sizes, and copies (equal bytes) with their splits.

    `copies` counts an image itself, so 1 is unique; `copies_in` is the splits they are in, such as Test+Training.
    """
    problem, size = F.col("problem"), F.concat_ws("x", "width", "height")
    if usual:
        unexpected = size != "x".join(map(str, usual))
        problem = F.coalesce(problem, F.when(unexpected, F.concat(F.lit("unexpected size "), size)))
    same = Window.partitionBy("sha256")
    copies = F.when(F.col("sha256").isNotNull(), F.count("*").over(same))
    splits = F.concat_ws("+", F.sort_array(F.collect_set("split").over(same)))
    return seen.select(
        "s3_path",
        "label",
        "split",
        "width",
        "height",
        "mode",
        "sha256",
        problem.alias("problem"),
        copies.alias("copies"),
        F.when(copies > 1, splits).alias("copies_in"),
    )


# -- the results -------------------------------------------------------------------------------------------------------


def write(table: DataFrame, folder: str, *order: str) -> None:
    """Write `table`, sorted by `order`, as one CSV file in the new `folder`; `_SUCCESS` comes last.

    Raises JobError where the folder exists or cannot be written.
    """
    # what is written was persisted: one task gathers it and sorts it, and nothing is read or computed in that one task
    one_file = table.coalesce(1).sortWithinPartitions(*order)
    with said_as(f"cannot write {folder}"):
        one_file.write.csv(
            folder, header=True, escape='"', ignoreLeadingWhiteSpace=False, ignoreTrailingWhiteSpace=False
        )


def report(classes: Sequence[Row], metadata: DataFrame) -> None:
    """Print the images and classes of each split, from the collected rows of `statistics`, and some rows."""
    counts = {(row.split, row.label): row["count"] for row in classes}
    print(f"\n{sum(counts.values()):,} images, {len({label for _, label in counts}):,} classes")
    for split in SPLITS:
        of_split = [count for (name, _), count in counts.items() if name == split]
        warning = "" if of_split else "  <- warning: is the folder missing, or spelt otherwise?"
        print(f"  {split:<8} {sum(of_split):>11,} images, {len(of_split):>5,} classes{warning}")
    print()
    metadata.sort(*ORDER).show(EXAMPLES, truncate=False)


def report_misplaced(count: int, misplaced: DataFrame) -> None:
    """Print how many images are out of place, and the first few."""
    print(f"\nImages not in Training/<label>/ or Test/<label>/, so left out of the results: {count:,}, such as")
    for row in misplaced.sort("s3_path").limit(EXAMPLES).collect():
        print(f"  {row.s3_path}")


def report_inspection(inspected: DataFrame) -> None:
    """Print what is wrong with how many images, and how many pictures are there more than once, in which splits."""
    kind = F.coalesce(F.substring_index("problem", ":", 1), F.lit("in order")).alias("kind")
    print("\nInspection")
    for row in inspected.groupBy(kind).count().sort("kind").collect():
        print(f"  {row['count']:>11,} {row.kind}")
    copied = inspected.where("copies > 1").groupBy("copies_in").agg(F.countDistinct("sha256").alias("pictures"))
    for row in copied.sort("copies_in").collect():
        leak = "  <- warning: what is tested was trained on" if "+" in row.copies_in else ""
        print(f"  {row.pictures:>11,} pictures more than once in {row.copies_in}{leak}")
    print()


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


@contextmanager
def said_as(what: str) -> Iterator[None]:
    """Turn an error of Spark, S3 or a missing package into a JobError: `what`, and the reason in a line."""
    try:
        yield
    except JobError:
        raise
    except (PySparkException, Py4JJavaError, OSError, ImportError) as error:
        raise JobError(f"{what}: {reason(error)}") from error
    except Exception as error:
        if type(error).__module__.startswith("obstore"):
            raise JobError(f"{what}: {reason(error)}") from error
        raise


def reason(error: BaseException) -> str:
    """Give the line of an error that says why, without class names, traces and XML."""
    text = str(error)
    if isinstance(error, Py4JJavaError):
        cause = error.java_exception
        while cause.getCause() is not None:
            cause = cause.getCause()
        text = cause.toString()
    in_a_worker = re.search(r"JobError: (.+)", text)
    if in_a_worker:
        return in_a_worker[1]
    in_s3 = re.search(r"<Code>(.*?)</Code>\s*<Message>(.*?)</Message>", text, re.DOTALL)
    if in_s3:
        return f"{in_s3[1]}: {in_s3[2]}"
    return re.sub(r"^\[[A-Z_.]+\] ", "", text.strip().partition("\n")[0])


if __name__ == "__main__":
    main()
