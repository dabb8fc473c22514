"""`--inspect`: what the bytes of the images say, what is wrong with them, and which are there more than once."""

# ruff: noqa: B905
# zip's `strict` is not in Python 3.9
from __future__ import annotations

import hashlib
import io
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Optional

from binary_files import binary_files
from job_errors import reason, said_as
from pyspark.sql import DataFrame, SparkSession, Window
from pyspark.sql import functions as F
from s3_listing import Folder, s3_options
from spark_arrow import arrow_batch, map_in_arrow

SEEN_COLUMNS = ["width", "height", "mode", "sha256", "problem"]
SEEN = "width int, height int, mode string, sha256 string, problem string"  # of an image's bytes; null where unknown
IMAGES_PER_TASK = 4_000
CONCURRENT_GETS = 16  # a task
MOST_BYTES = 128 << 20  # of images that a task holds at once; a larger image is not read
USUAL_SHARE = 0.9  # of the images have one width and height: then another one is unexpected


def look(spark: SparkSession, metadata: DataFrame, count: int, root: str, reader: str) -> DataFrame:
    """Read each of the `count` images of `metadata` whole; gives (s3_path, label, split) and SEEN, lazily.

    Raises JobError.

    From S3 that is one GET an image, many at once; Spark's binaryFile reads one after another in each task.
    """
    images = metadata.select("s3_path", "label", "split", "file_size_bytes")
    if reader == "listing":
        # by the images, not by the cores: on EMR executors are added while tasks wait, and at first there are few
        tasks = max(spark.sparkContext.defaultParallelism, -(-count // IMAGES_PER_TASK))
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
