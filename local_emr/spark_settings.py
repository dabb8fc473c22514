"""The properties that Spark runs with here: the cluster's own, and those that make one machine stand in for EMR.

Nothing here changes what a job computes. What is set: where Spark runs (`local[cores]`), that it listens on loopback
only, that memory fits this machine, that `s3://` URIs are the folders that hold the buckets, and that HDFS, the default
file system on EMR, is a folder of the cluster's: a path without a scheme is not a file of this machine.
"""

import contextlib
import os
import re
from pathlib import Path
from typing import Any

SCHEMES = ("s3", "s3a", "s3n")
VIEW_FILE_SYSTEM = "org.apache.hadoop.fs.viewfs.ViewFileSystemOverloadScheme"
# Raw: the checksummed one leaves .crc files beside the objects.
LOCAL_FILE_SYSTEM = "org.apache.hadoop.fs.RawLocalFileSystem"
FILE_COMMITTER = "org.apache.hadoop.mapreduce.lib.output.FileOutputCommitterFactory"
CHECKPOINTS = "org.apache.spark.sql.execution.streaming.FileSystemBasedCheckpointFileManager"
TOO_MUCH = "{} of {} is more than this machine can give a job: {}m is used"
MEMORY_SHARE = 0.6  # of this machine's memory that one job's heap may have
UNITS = {
    "": 1.0,
    "b": 1 / (1 << 20),
    "k": 1 / 1024,
    "m": 1.0,
    "g": 1024.0,
    "t": 1024.0 * 1024,
    "p": 1024.0**3,
}  # in MiB


def cluster_properties(cluster: dict[str, Any], classification: str) -> dict[str, str]:
    """The Properties of one classification: the cluster's, then what its instance groups say on top."""
    configurations = list(cluster.get("Configurations") or [])
    for group in cluster["_Groups"]:
        configurations += group.get("Configurations") or []
    found: dict[str, str] = {}
    for configuration in configurations:
        if configuration.get("Classification") == classification:
            found |= configuration.get("Properties") or {}
    return found


def exported_variables(cluster: dict[str, Any]) -> dict[str, str]:
    """The environment that classification `spark-env` sets, by a nested classification `export`."""
    found: dict[str, str] = {}
    for configuration in cluster.get("Configurations") or []:
        if configuration.get("Classification") == "spark-env":
            for inner in configuration.get("Configurations") or []:
                if inner.get("Classification") == "export":
                    found |= inner.get("Properties") or {}
    return found


def mounts(buckets: Path, hdfs: Path) -> dict[str, str]:
    """A mount for every bucket there is, of the view file system that S3's schemes are, and HDFS's."""
    names = [bucket for bucket in sorted(buckets.iterdir()) if bucket.is_dir() and not bucket.name.startswith(".")]
    return {
        **{f"fs.viewfs.mounttable.{bucket.name}.linkFallback": bucket.as_uri() for bucket in names},
        "fs.viewfs.mounttable.default.linkFallback": hdfs.as_uri(),
    }


def file_systems() -> dict[str, str]:
    """Hadoop's settings that make s3://, s3a://, s3n:// and hdfs:// views of local folders."""
    settings = {"fs.file.impl": LOCAL_FILE_SYSTEM, "fs.defaultFS": "hdfs:///"}
    for scheme in (*SCHEMES, "hdfs"):
        settings[f"fs.{scheme}.impl"] = VIEW_FILE_SYSTEM
        settings[f"fs.viewfs.overload.scheme.target.{scheme}.impl"] = LOCAL_FILE_SYSTEM
    for scheme in SCHEMES:
        # Hadoop's default for s3a is a committer of a jar that is not here; on folders a rename is a rename.
        settings[f"mapreduce.outputcommitter.factory.scheme.{scheme}"] = FILE_COMMITTER
    return settings


def machine_properties() -> dict[str, str]:
    """What must hold here whatever a job asks for."""
    return {
        **{f"spark.hadoop.{name}": value for name, value in file_systems().items()},
        "spark.ui.enabled": "false",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.driver.host": "127.0.0.1",
        # Else a listing starts a process for every file, to ask who owns it: minutes instead of seconds.
        "spark.sql.sources.ignoreDataLocality": "true",
        # The other one asks for HDFS's own client, which wants a name node.
        "spark.sql.streaming.checkpointFileManagerClass": CHECKPOINTS,
    }


def cores() -> int:
    """Processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def memory_limit() -> int:
    """MiB that a job's heap may have: a share of the machine's memory, or of the container's that we are in."""
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    with contextlib.suppress(OSError, ValueError):
        total = min(total, int(Path("/sys/fs/cgroup/memory.max").read_text()))
    return int(total * MEMORY_SHARE) >> 20


def mebibytes(size: str | None) -> int | None:
    """`4g` -> 4096, as Spark reads sizes of memory (a bare number is MiB); None if it is no size."""
    found = re.fullmatch(r"(\d+)\s*([bkmgtp]?)b?", (size or "").strip().lower())
    return int(int(found[1]) * UNITS[found[2]]) if found else None


def fitted_heap(properties: dict[str, str], limit: int) -> tuple[int, list[str]]:
    """(MiB of heap, what is to be said of it). Executors run inside the driver here: the larger of the two counts."""
    asked = {name: mebibytes(properties.get(name)) for name in ("spark.driver.memory", "spark.executor.memory")}
    said = [
        TOO_MUCH.format(name, properties[name], limit)
        for name, size in asked.items()
        if size is not None and size > limit
    ]
    return min(max([1024, *(size for size in asked.values() if size)]), limit), said


def read_properties(path: Path) -> dict[str, str]:
    """A spark-defaults.conf: `name value`, `name=value` or `name: value` a line; # and ! begin comments."""
    found = {}
    for line in path.read_text().splitlines():
        if match := re.match(r"\s*([^\s=:#!][^\s=:]*)\s*[\s=:]\s*(.*?)\s*$", line):
            found[match[1]] = match[2]
    return found


def write_properties(path: Path, properties: dict[str, str]) -> None:
    """For java.util.Properties to read: backslashes and line ends escaped."""
    escaped = {name: value.replace("\\", "\\\\").replace("\n", "\\n") for name, value in properties.items()}
    path.write_text("".join(f"{name}={value}\n" for name, value in escaped.items()))
