"""Runs steps on a local EMR of its own and measures them: seconds, S3 requests, peak memory."""

from __future__ import annotations

import contextlib
import gzip
import json
import os
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3

ROOT = Path(__file__).resolve().parent.parent
BUCKET = "bench"  # of the images; scripts, results and logs are in the other one, for this may be mounted read-only
OUTPUT = "bench-output"


@dataclass
class Ran:
    """One step: EMR's own seconds from its start to its end, S3 requests meanwhile, peak MiB by kind of process."""

    seconds: float
    requests: int
    stdout: str
    memory: dict[str, int] = field(default_factory=dict)


class LocalEmr:
    """A local EMR with two buckets and one cluster, all empty at first."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.bucket, self.output = home / "s3" / BUCKET, home / "s3" / OUTPUT
        for folder in (self.bucket, self.output):
            folder.mkdir(parents=True)
        command = [sys.executable, "-m", "local_emr", "--home", str(home), "--port", "0", "--idle-exit", "60"]
        self._server = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL)
        record = home / "server.json"
        while not record.exists():
            time.sleep(0.1)
        self.url = json.loads(record.read_text())["url"]
        keys = {"aws_access_key_id": "local", "aws_secret_access_key": "local"}
        self._emr = boto3.client("emr", endpoint_url=self.url, region_name="eu-west-1", **keys)
        self._cluster = self._start_cluster()

    def _start_cluster(self) -> str:
        group = {"InstanceType": "m5.xlarge", "InstanceCount": 1, "InstanceRole": "MASTER"}
        cluster = self._emr.run_job_flow(
            Name="bench",
            ReleaseLabel="emr-7.11.0",
            LogUri=f"s3://{OUTPUT}/logs/",
            Applications=[{"Name": "Spark"}],
            Instances={"InstanceGroups": [group], "KeepJobFlowAliveWhenNoSteps": True},
            ServiceRole="EMR_DefaultRole",
            JobFlowRole="EMR_EC2_DefaultRole",
        )["JobFlowId"]
        while self._emr.describe_cluster(ClusterId=cluster)["Cluster"]["Status"]["State"] != "WAITING":
            time.sleep(0.2)
        return cluster

    def stop(self) -> None:
        """End the server, and with it the cluster."""
        self._server.terminate()
        self._server.wait(30)

    def wait_for_class_archive(self, patience: float = 60) -> None:
        """After its first step a local EMR archives the classes that it loaded: what is measured should be after."""
        deadline = time.monotonic() + patience
        while not list(self.home.glob("cache/*.jsa")) and time.monotonic() < deadline:
            time.sleep(0.2)

    @contextlib.contextmanager
    def slow_s3(self, latency: float) -> Iterator[None]:
        """Let S3 take `latency` seconds more until it begins to answer a LIST or a GET."""
        rules = self.home / "faults.json"
        rule = {"service": "s3", "operation": "GET", "kind": "slow", "seconds": latency, "times": -1}
        rules.write_text(json.dumps([rule] if latency else []))
        try:
            yield
        finally:
            rules.unlink()

    def requests(self) -> int:
        """Count the S3 requests so far, logs' among them."""
        with urllib.request.urlopen(f"{self.url}/_local_emr/status", timeout=10) as answer:  # noqa: S310 - our own
            return sum(json.load(answer)["s3_requests"].values())

    def run(self, script: Path, *arguments: str, modules: Sequence[Path] = (), options: Sequence[str] = ()) -> Ran:
        """Run a script as a step in client mode, so that what it prints is the step's; raises RuntimeError."""
        script_uri, *module_uris = (self._uploaded(path) for path in (script, *modules))
        py_files = ["--py-files", ",".join(module_uris)] if modules else []
        command = ["spark-submit", "--deploy-mode", "client", *py_files, *options, script_uri, *arguments]
        before = self.requests()
        step = {"Name": script.stem, "HadoopJarStep": {"Jar": "command-runner.jar", "Args": command}}
        with peak_memory(self._server.pid) as memory:
            (identity,) = self._emr.add_job_flow_steps(JobFlowId=self._cluster, Steps=[step])["StepIds"]
            status = self._wait(identity)
        if status["State"] != "COMPLETED":
            raise RuntimeError(f"{script.name} {status['State']}: {self._log(identity, 'stderr')[-2000:]}")
        seconds = (status["Timeline"]["EndDateTime"] - status["Timeline"]["StartDateTime"]).total_seconds()
        return Ran(seconds, self.requests() - before, self._log(identity, "stdout"), dict(memory))

    def _uploaded(self, script: Path) -> str:
        target = self.output / "scripts" / script.name
        target.parent.mkdir(exist_ok=True)
        target.write_bytes(script.read_bytes())
        return f"s3://{OUTPUT}/scripts/{script.name}"

    def _wait(self, step: str) -> dict[str, Any]:
        while True:
            status = self._emr.describe_step(ClusterId=self._cluster, StepId=step)["Step"]["Status"]
            if status["State"] not in ("PENDING", "RUNNING"):
                return status
            time.sleep(0.2)

    def _log(self, step: str, name: str) -> str:
        path = self.output / "logs" / self._cluster / "steps" / step / f"{name}.gz"
        return gzip.decompress(path.read_bytes()).decode() if path.exists() else ""


@contextlib.contextmanager
def serving_webhdfs(folder: Path, latency: float) -> Iterator[str]:
    """Serve the images' bucket over WebHDFS; gives the Spark setting that makes s3://bench of it."""
    command = [sys.executable, "-m", "benchmarks.webhdfs", str(folder), "--latency", str(latency)]
    server = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        port = int(server.stdout.readline())  # type: ignore[union-attr]
        yield f"spark.hadoop.fs.viewfs.mounttable.{BUCKET}.linkFallback=webhdfs://127.0.0.1:{port}/"
    finally:
        server.terminate()
        server.communicate(timeout=30)


@contextlib.contextmanager
def peak_memory(ancestor: int) -> Iterator[dict[str, int]]:
    """Watch the processes below one (Linux); fills {kind: MiB of the largest}, of `java` and Python's `worker`."""
    peak: dict[str, int] = {}
    ended = threading.Event()

    def watch() -> None:
        while not ended.wait(0.25):
            for kind, size in memory_below(ancestor):
                peak[kind] = max(peak.get(kind, 0), size)

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    yield peak
    ended.set()
    thread.join()


def memory_below(ancestor: int) -> list[tuple[str, int]]:
    """List (kind, peak resident MiB) of the descendants of a process that belong to a Spark application."""
    parents, kinds, sizes = {}, {}, {}
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError, ValueError, KeyError):
            status = dict(line.split(":", 1) for line in (folder / "status").read_text().splitlines() if ":" in line)
            command = (folder / "cmdline").read_text()
            pid = int(folder.name)
            parents[pid], sizes[pid] = int(status["PPid"]), int(status["VmHWM"].split()[0]) >> 10
            is_java = os.path.basename(command.partition("\0")[0]) == "java"  # noqa: PTH119 - a word, not a path
            kinds[pid] = "java" if is_java else "worker" if "pyspark.daemon" in command else ""

    def is_below(pid: int) -> bool:
        while pid in parents:
            pid = parents[pid]
            if pid == ancestor:
                return True
        return False

    return [(kind, sizes[pid]) for pid, kind in kinds.items() if kind and is_below(pid)]
