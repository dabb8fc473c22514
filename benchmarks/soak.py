"""Local EMR under many clients: clusters and short steps at once, then what is left of them.

`python -m benchmarks.soak` starts a server of its own in a temporary home, runs 50 clusters with 500 steps from 8
clients, and prints a table. It ends with 1 when anything went wrong: an error, a step that was lost or ran twice, a
state that went back, a process, thread, descriptor or folder that was left behind. Linux: it measures through /proc.
"""

from __future__ import annotations

import argparse
import contextlib
import statistics
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

from local_emr import control

CLUSTER_RANK = {"STARTING": 0, "BOOTSTRAPPING": 1, "RUNNING": 2, "WAITING": 2, "TERMINATING": 3}  # the ended: 4
STEP_RANK = {"PENDING": 0, "RUNNING": 1, "CANCEL_PENDING": 1}  # the ended: 2
STEP_ENDED = ("COMPLETED", "FAILED", "CANCELLED")
WHOLE_CLUSTER = ("Id", "Name", "Status", "ClusterArn", "NormalizedInstanceHours")
LOOK_SECONDS = 0.2
PATIENCE = 600.0  # seconds for one cluster's life


def emr_client(url: str) -> Any:
    """A client that tells every error at once."""
    return boto3.client(
        "emr",
        endpoint_url=url,
        region_name="eu-west-1",
        aws_access_key_id="soak",
        aws_secret_access_key="soak",  # noqa: S106
        config=Config(retries={"total_max_attempts": 1}),
    )


@dataclass
class Findings:
    """What the clients saw. `took` holds seconds by what was done."""

    errors: list[str] = field(default_factory=list)
    took: dict[str, list[float]] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def error(self, text: str) -> None:
        with self.lock:
            self.errors.append(text)

    @contextlib.contextmanager
    def timed(self, what: str) -> Iterator[None]:
        started = time.perf_counter()
        yield
        with self.lock:
            self.took.setdefault(what, []).append(time.perf_counter() - started)


@dataclass(frozen=True)
class Footprint:
    """What a server holds at one moment."""

    threads: int
    descriptors: int
    processes: int  # of clusters
    folders: int  # of clusters, beside their records
    megabytes: float  # resident

    @classmethod
    def of(cls, pid: int, home: Path) -> Footprint:
        status = Path(f"/proc/{pid}/status").read_text()
        clusters = home / "clusters"
        return cls(
            int(status.split("Threads:")[1].split()[0]),
            len(list(Path(f"/proc/{pid}/fd").iterdir())),
            _processes(str(clusters)),
            sum(1 for cluster in clusters.iterdir() if cluster.is_dir() for _ in _beside_the_record(cluster)),
            int(status.split("VmRSS:")[1].split()[0]) / 1024,
        )


def _beside_the_record(cluster: Path) -> Iterator[Path]:
    return (path for path in cluster.iterdir() if path.name != "cluster.json")


def _processes(mark: str) -> int:
    """Processes whose environment or command line names the folder of clusters."""
    count = 0
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            text = (entry / "environ").read_bytes() + (entry / "cmdline").read_bytes()
            count += mark.encode() in text
    return count


def request(name: str, concurrency: int) -> dict[str, Any]:
    return {
        "Name": name,
        "ReleaseLabel": "emr-7.11.0",
        "ServiceRole": "EMR_DefaultRole",
        "JobFlowRole": "EMR_EC2_DefaultRole",
        "StepConcurrencyLevel": concurrency,
        "Instances": {
            "InstanceGroups": [{"InstanceRole": "MASTER", "InstanceType": "m5.xlarge", "InstanceCount": 1}],
            "KeepJobFlowAliveWhenNoSteps": True,
        },
    }


def steps_of(number: int, count: int, ledger: Path) -> list[dict[str, Any]]:
    """Steps that write their names, one line each, to the ledger: what is lost or repeated shows there."""
    return [
        {
            "Name": f"{number}.{n}",
            "ActionOnFailure": "CONTINUE",
            "HadoopJarStep": {
                "Jar": "command-runner.jar",
                "Args": ["bash", "-c", f"echo {number}.{n} >> '{ledger}'"],
            },
        }
        for n in range(count)
    ]


class Soak:
    """Clients on one server. `run` uses `clusters` clusters of `steps` steps each."""

    def __init__(self, url: str, ledger: Path, steps: int) -> None:
        self.url, self.ledger, self.steps = url, ledger, steps
        self.findings = Findings()
        self._local = threading.local()

    @property
    def emr(self) -> Any:
        """This thread's client."""
        if not hasattr(self._local, "emr"):
            self._local.emr = emr_client(self.url)
        return self._local.emr

    def run(self, clusters: int, clients: int) -> None:
        over = threading.Event()
        observers = [threading.Thread(target=self._observe, args=(over,)) for _ in range(2)]
        for observer in observers:
            observer.start()
        try:
            with ThreadPoolExecutor(clients) as pool:
                list(pool.map(self._life, range(clusters)))
        finally:
            over.set()
            for observer in observers:
                observer.join()
        self._check_ledger(clusters)

    def _life(self, number: int) -> None:
        try:
            self._use_cluster(number)
        except Exception as error:
            self.findings.error(f"cluster {number}: {error!r}")

    def _use_cluster(self, number: int) -> None:
        timed = self.findings.timed
        with timed("RunJobFlow"):
            cluster = self.emr.run_job_flow(**request(f"soak-{number}", 1 + number % 3))["JobFlowId"]
        with timed("cluster starts"):
            self._wait(lambda: self._state(cluster) == "WAITING")
        with timed("steps of a cluster"):
            steps = steps_of(number, self.steps, self.ledger)
            with timed("AddJobFlowSteps"):
                ids = self.emr.add_job_flow_steps(JobFlowId=cluster, Steps=steps)["StepIds"]
            self._wait(lambda: all(s["Status"]["State"] in STEP_ENDED for s in self._steps(cluster)))
        ended = self._steps(cluster)
        if [s["Id"] for s in ended] != ids[::-1]:
            self.findings.error(f"cluster {number} lists other steps than it was given")
        if wrong := [s["Name"] for s in ended if s["Status"]["State"] != "COMPLETED"]:
            self.findings.error(f"cluster {number}: {wrong} did not complete")
        with timed("cluster ends"):
            self.emr.terminate_job_flows(JobFlowIds=[cluster])
            self._wait(lambda: self._state(cluster) == "TERMINATED")

    def _state(self, cluster: str) -> str:
        with self.findings.timed("DescribeCluster"):
            return str(self.emr.describe_cluster(ClusterId=cluster)["Cluster"]["Status"]["State"])

    def _steps(self, cluster: str) -> list[dict[str, Any]]:
        return list(self.emr.get_paginator("list_steps").paginate(ClusterId=cluster).search("Steps[]"))

    def _wait(self, condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + PATIENCE
        while not condition():
            if time.monotonic() > deadline:
                raise TimeoutError("it did not come to an end")
            time.sleep(LOOK_SECONDS)

    def _observe(self, over: threading.Event) -> None:
        """Look at everything all the time: whole clusters only, and no state that goes back."""
        seen: dict[str, int] = {}
        try:
            while not over.is_set():
                for cluster in self.emr.list_clusters()["Clusters"]:
                    if missing := [name for name in WHOLE_CLUSTER if name not in cluster]:
                        self.findings.error(f"a cluster without {missing} was seen")
                    self._advance(seen, cluster, CLUSTER_RANK, 4)
                    if cluster["Status"]["State"] in ("RUNNING", "WAITING"):
                        for step in self.emr.list_steps(ClusterId=cluster["Id"])["Steps"]:
                            self._advance(seen, step, STEP_RANK, 2)
                over.wait(0.05)
        except Exception as error:
            self.findings.error(f"an observer: {error!r}")

    def _advance(self, seen: dict[str, int], item: dict[str, Any], ranks: dict[str, int], end: int) -> None:
        rank = ranks.get(item["Status"]["State"], end)
        if rank < seen.get(item["Id"], 0):
            self.findings.error(f"{item['Name']} went back to {item['Status']['State']}")
        seen[item["Id"]] = rank

    def _check_ledger(self, clusters: int) -> None:
        ran = Counter(self.ledger.read_text().split() if self.ledger.exists() else ())
        asked = {f"{number}.{n}" for number in range(clusters) for n in range(self.steps)}
        if lost := asked - set(ran):
            self.findings.error(f"{len(lost)} steps never ran: {sorted(lost)[:5]}")
        if repeated := [name for name, times in ran.items() if times > 1]:
            self.findings.error(f"{len(repeated)} steps ran more than once: {sorted(repeated)[:5]}")


def settled(pid: int, home: Path, before: Footprint, patience: float = 20.0) -> Footprint:
    """The footprint once it is back to what it was, else after `patience` seconds: ending takes a moment."""
    deadline = time.monotonic() + patience
    while True:
        now = Footprint.of(pid, home)
        back = now.threads <= before.threads and now.descriptors <= before.descriptors
        if (back and now.processes <= before.processes and not now.folders) or time.monotonic() > deadline:
            return now
        time.sleep(LOOK_SECONDS)


def leaks(before: Footprint, after: Footprint) -> list[str]:
    kinds = ("threads", "descriptors", "processes", "folders")
    more = {kind: getattr(after, kind) - getattr(before, kind) for kind in kinds}
    return [f"{count} {kind} were left behind" for kind, count in more.items() if count > 0]


def soak(home: Path, clusters: int, steps: int, clients: int) -> tuple[Findings, Footprint, Footprint, float]:
    """(what was seen, before, after, seconds) of one run on a server process of its own."""
    server = control.up(home)
    try:
        warm = Soak(server.url, home / "warm", 1)
        warm.run(1, 1)  # what is loaded once is no leak
        before = settled(server.pid, home, Footprint(0, 0, 0, 0, 0.0), patience=2.0)
        started = time.perf_counter()
        run = Soak(server.url, home / "ledger", steps)
        run.run(clusters, clients)
        seconds = time.perf_counter() - started
        run.findings.errors[:0] = warm.findings.errors
        after = settled(server.pid, home, before)
    finally:
        control.down(home)
    run.findings.errors += leaks(before, after)
    return run.findings, before, after, seconds


def report(findings: Findings, before: Footprint, after: Footprint, seconds: float) -> None:
    print(f"{seconds:.0f} s in all, {len(findings.errors)} errors")
    print(f"{'seconds':22}{'count':>8}{'median':>10}{'p95':>10}{'most':>10}")
    for what, took in findings.took.items():
        high = statistics.quantiles(took, n=20)[-1] if len(took) > 1 else took[0]
        print(f"{what:22}{len(took):8}{statistics.median(took):10.3f}{high:10.3f}{max(took):10.3f}")
    print(f"{'server':22}{'before':>8}{'after':>10}")
    for kind in ("threads", "descriptors", "processes", "folders", "megabytes"):
        print(f"{kind:22}{getattr(before, kind):8.0f}{getattr(after, kind):10.0f}")
    for error in findings.errors[:20]:
        print(f"ERROR {error}", file=sys.stderr)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clusters", type=int, default=50)
    parser.add_argument("--steps", type=int, default=10, help="of each cluster (10)")
    parser.add_argument("--clients", type=int, default=8)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        findings, before, after, seconds = soak(Path(folder), options.clusters, options.steps, options.clients)
    print(f"{options.clusters} clusters of {options.steps} steps, {options.clients} clients")
    report(findings, before, after, seconds)
    return 1 if findings.errors else 0


if __name__ == "__main__":
    sys.exit(main())
