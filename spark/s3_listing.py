"""The default reader: the files below a folder from S3's own listing, a request per folder and 1,000 files.

The executors list the folders at the same time, straight into Arrow batches. It knows no rules, and asks for no file.
Credentials come from each process's environment or instance, as AWS's own clients find them.
"""

# ruff: noqa: S310, B905
# S310: the addresses asked are this file's own; B905: zip's `strict` is not in Python 3.9
from __future__ import annotations

import os
import re
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from typing import Any, NamedTuple, Optional
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from job_errors import said_as
from pyspark.sql import DataFrame, SparkSession
from spark_arrow import map_in_arrow

# What every reader gives: size in bytes; the time in UTC, as `2025-01-15 10:23:45`. It is text from the beginning: to
# make it of timestamps would take Spark more time than all the rules.
FILES = "path string, size long, modification_time string"
FILES_COLUMNS = ["path", "size", "modification_time"]
PAGE = 1_000  # S3's most keys an answer
PAGES = 10  # listed in one go; of what a folder has beyond them, several parts are listed at once
CONCURRENT_LISTS = 16  # a task; each spends most of its time waiting for S3
MOST_EXPANDED = 64  # folders that the driver looks into itself, so that the executors get smaller ones
DIGITS, LETTERS = "0123456789", "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

# obstore 0.8 encodes other characters of a prefix or an offset before it sends them (it finds nothing in `100%20`)
SENT_AS_IS = re.compile(r"[\w !$&'()+,./:;=@-]+", re.ASCII)


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
    tasks = max(1, min(len(names), spark.sparkContext.defaultParallelism))

    def list_dealt_folders(batches: Iterable[Any]) -> Iterator[Any]:
        for batch in batches:
            for task in batch.column(0).to_pylist():
                yield from list_folders(top, names[task::tasks])

    listed = map_in_arrow(spark.range(0, tasks, 1, tasks), list_dealt_folders, FILES)
    return listed.union(spark.createDataFrame(files, FILES)) if files else listed


def children(folder: Folder) -> tuple[list[str], list[tuple[str, int, str]]]:
    """List one level: the names of the folders in `folder`, and its own files as rows of FILES. Raises JobError."""
    with said_as(f"cannot list {folder.uri}/"):
        import obstore

        found = obstore.list_with_delimiter(folder.store())
    files = [
        (f"{folder.uri}/{file['path']}", file["size"], f"{file['last_modified']:%Y-%m-%d %H:%M:%S}")
        for file in found["objects"]
    ]
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
            utc_texts = times.cast(pa.timestamp("s"), safe=False).cast(pa.string())
            batch = pa.RecordBatch.from_arrays([paths, sizes.cast(pa.int64()), utc_texts], FILES_COLUMNS)
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
