"""A local EMR in this process, with quick states and a home of its own, and what tests ask of it by plain boto3."""

from __future__ import annotations

import contextlib
import gzip
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

from local_emr.agent import Pace
from local_emr.home import Home
from local_emr.server import Server
from local_emr.settings import Settings

QUICK = Pace(starting=0.02, provisioning=0.02, configuring=0.02, bootstrapping=0.02, pending=0.02)
BUCKET = "fruits-local"
CLUSTER_ENDED = ("TERMINATED", "TERMINATED_WITH_ERRORS")
STEP_ENDED = ("COMPLETED", "FAILED", "CANCELLED")


def until(condition: Callable[[], Any], seconds: float = 30) -> Any:
    """The first true value of a condition; AssertionError when it takes longer."""
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)
    return value


def client(service: str, url: str, region: str = "eu-west-1") -> Any:
    return boto3.client(
        service,
        endpoint_url=url,
        region_name=region,
        aws_access_key_id="local",
        aws_secret_access_key="local",
        config=Config(retries={"total_max_attempts": 1}),
    )


class Emr:
    """An account on a local EMR: one bucket, and clusters."""

    def __init__(self, url: str, home: Path, region: str = "eu-west-1") -> None:
        self.url, self.home = url, home
        self.emr, self.s3 = client("emr", url, region), client("s3", url)
        if not self.s3.list_buckets()["Buckets"]:
            self.s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})

    def request(self, **more: Any) -> dict[str, Any]:
        instances = {
            "InstanceGroups": [{"InstanceRole": "MASTER", "InstanceType": "m5.xlarge", "InstanceCount": 1}],
            "KeepJobFlowAliveWhenNoSteps": True,
            **more.pop("Instances", {}),
        }
        return {
            "Name": "test",
            "ReleaseLabel": "emr-7.11.0",
            "LogUri": f"s3://{BUCKET}/logs/",
            "ServiceRole": "EMR_DefaultRole",
            "JobFlowRole": "EMR_EC2_DefaultRole",
            "Instances": instances,
            **more,
        }

    def cluster(self, **more: Any) -> str:
        return self.emr.run_job_flow(**self.request(**more))["JobFlowId"]

    def put(self, key: str, text: str) -> str:
        self.s3.put_object(Bucket=BUCKET, Key=key, Body=text.encode())
        return f"s3://{BUCKET}/{key}"

    def bootstrap(self, script: str) -> list[dict[str, Any]]:
        """BootstrapActions of one script."""
        uri = self.put(f"bootstrap/{abs(hash(script))}.sh", script)
        return [{"Name": "prepare", "ScriptBootstrapAction": {"Path": uri, "Args": []}}]

    def step(self, cluster: str, *arguments: str, action: str = "CONTINUE") -> str:
        jar = {"Jar": "command-runner.jar", "Args": list(arguments)}
        step = {"Name": arguments[0], "ActionOnFailure": action, "HadoopJarStep": jar}
        return self.emr.add_job_flow_steps(JobFlowId=cluster, Steps=[step])["StepIds"][0]

    def status(self, cluster: str) -> dict[str, Any]:
        return self.emr.describe_cluster(ClusterId=cluster)["Cluster"]["Status"]

    def step_status(self, cluster: str, step: str) -> dict[str, Any]:
        return self.emr.describe_step(ClusterId=cluster, StepId=step)["Step"]["Status"]

    def wait_cluster(self, cluster: str, *states: str, seconds: float = 30) -> dict[str, Any]:
        until(lambda: self.status(cluster)["State"] in (states or CLUSTER_ENDED), seconds)
        return self.status(cluster)

    def wait_step(self, cluster: str, step: str, *states: str, seconds: float = 30) -> dict[str, Any]:
        until(lambda: self.step_status(cluster, step)["State"] in (states or STEP_ENDED), seconds)
        return self.step_status(cluster, step)

    def terminate(self, *clusters: str) -> None:
        self.emr.terminate_job_flows(JobFlowIds=list(clusters))

    def logs(self, prefix: str) -> dict[str, str]:
        """{key below the log URI: text} of the logs whose key begins so."""
        pages = self.s3.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix=f"logs/{prefix}")
        keys = [item["Key"] for page in pages for item in page.get("Contents", [])]
        read = {key: self.s3.get_object(Bucket=BUCKET, Key=key)["Body"].read() for key in keys}
        return {key.removeprefix(f"logs/{prefix}"): gzip.decompress(body).decode() for key, body in read.items()}


@contextlib.contextmanager
def running(
    home: Path, pace: Pace = QUICK, python: str | None = None, settings: Settings | None = None
) -> Iterator[Emr]:
    """A server in this process; its clusters are terminated at the end."""
    place = Home(home)
    place.make()
    server = Server(place, 0, python, pace=pace, settings=settings)
    server.start()
    emr = Emr(server.url, place.root)
    try:
        yield emr
    finally:
        for cluster in server.store.live():
            emr.emr.set_termination_protection(JobFlowIds=[cluster["Id"]], TerminationProtected=False)
            emr.terminate(cluster["Id"])
        until(lambda: not server.store.live())
        server.stop()


def processes_mentioning(text: str) -> list[str]:
    """Command lines, of any process but our own, that contain a text. Linux only."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            line = entry.read_bytes().replace(b"\0", b" ").decode(errors="replace")
            if text in line and "pytest" not in line:
                found.append(line)
    return found
