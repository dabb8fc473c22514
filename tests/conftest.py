"""What the tests share: settings, real boto3 clients that reach nothing but moto, and scripted answers of EMR.

Nothing of the developer's own environment is seen: no settings, no credentials, no AWS configuration files.
"""

from __future__ import annotations

import dataclasses
import functools
import gc
import os
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.loaders import JSONFileLoader
from botocore.stub import Stubber
from moto import mock_aws

from scripts import aws, config, console, sample_images
from scripts.create_cluster import OUR_TAG
from tests.account import Account, Run

pytest_plugins = ["tests.spark_fixture"]

CLUSTER, STEP, BUCKET = "j-2AXXXXXXGAPLF", "s-2AXXXXXXGAPLF", "fruits-test"
ON_AWS = {"TARGET": "aws", "S3_BUCKET": BUCKET, "EC2_KEY_NAME": "mine", "EC2_SUBNET": "subnet-0123456789abcdef0"}

Make = Callable[..., config.Settings]

gc.set_threshold(100_000, 20, 20)  # a fifth of the suite's time went into looking through moto's models for garbage


@pytest.fixture(scope="session", autouse=True)
def _environment_of_its_own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    home = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("AWS_") or name in config.NAMES]:
            patch.delenv(name)
        patch.setenv("HOME", str(home))
        patch.setenv("AWS_CONFIG_FILE", str(home / "config"))
        patch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(home / "credentials"))
        patch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        patch.setenv("AWS_ACCESS_KEY_ID", "testing")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
        patch.setenv("MOTO_EC2_LOAD_DEFAULT_AMIS", "false")  # hundreds of images of machines, anew for each test
        yield


@pytest.fixture(scope="session", autouse=True)
def _service_models_read_once() -> Iterator[None]:
    """botocore reads its models anew for every session, 0.2 s of JSON at a time; here there are many sessions."""
    read = functools.cache(JSONFileLoader().load_file)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(JSONFileLoader, "load_file", lambda _, path: read(path))
        yield


@pytest.fixture(scope="session")
def make_settings(tmp_path_factory: pytest.TempPathFactory) -> Make:
    """Settings for AWS as load() gives them, quick to poll; keywords replace single values, unchecked."""
    loaded = config.load(tmp_path_factory.mktemp("root"), ON_AWS)

    def make(**values: Any) -> config.Settings:
        return dataclasses.replace(loaded, **{"poll_interval": 0.01, **values})

    return make


@pytest.fixture
def settings(make_settings: Make) -> config.Settings:
    return make_settings()


@pytest.fixture(scope="session")
def _clients(make_settings: Make) -> aws.Clients:
    return aws.connect(make_settings())


@pytest.fixture
def clients(_clients: aws.Clients) -> Iterator[aws.Clients]:
    """The project's own clients; moto answers, and nothing leaves this machine."""
    with mock_aws():
        yield _clients


class Bucket:
    """A bucket in moto, filled and read in one line."""

    def __init__(self, clients: aws.Clients, name: str, region: str = "eu-west-1") -> None:
        self.s3, self.name = clients.s3, name
        there = self.s3 if region == "eu-west-1" else boto3.client("s3", region_name=region)
        there.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": region})

    def put(self, objects: dict[str, str | bytes]) -> None:
        for key, body in objects.items():
            self.s3.put_object(Bucket=self.name, Key=key, Body=body)

    def get(self, key: str) -> bytes:
        return self.s3.get_object(Bucket=self.name, Key=key)["Body"].read()

    def keys(self, prefix: str = "") -> list[str]:
        pages = self.s3.get_paginator("list_objects_v2").paginate(Bucket=self.name, Prefix=prefix)
        return [item["Key"] for page in pages for item in page.get("Contents", [])]


@pytest.fixture
def bucket(clients: aws.Clients) -> Bucket:
    return Bucket(clients, BUCKET)


@pytest.fixture
def make_bucket(clients: aws.Clients) -> Callable[..., Bucket]:
    return lambda name, region="eu-west-1": Bucket(clients, name, region)


class Emr(Stubber):
    """Stubber with the answers this project waits for. Each call is checked against botocore's model, and its order."""

    cluster_id, step_id = CLUSTER, STEP

    def cluster(
        self, state: str, reason: str = "", code: str = "", *, id: str = CLUSTER, tag: str | None = None, **more: Any
    ) -> None:
        """The next call is DescribeCluster and finds it in this state, with this run's tag."""
        why = {name: text for name, text in (("Code", code), ("Message", reason)) if text}
        tags = {"Tags": [{"Key": OUR_TAG, "Value": tag}]} if tag else {}
        found = {"Id": id, "Status": {"State": state, "StateChangeReason": why}, **tags, **more}
        self.add_response("describe_cluster", {"Cluster": found}, {"ClusterId": id})

    def live(self, *ids: str) -> None:
        """The next call is ListClusters, for the live ones."""
        expected = {"ClusterStates": ["BOOTSTRAPPING", "RUNNING", "STARTING", "WAITING"]}
        self.add_response("list_clusters", {"Clusters": [{"Id": one} for one in ids]}, expected)

    def step(self, state: str, reason: str = "", *, times: dict[str, datetime] | None = None, **failure: str) -> None:
        """The next call is DescribeStep; `failure` is its FailureDetails."""
        status: dict[str, Any] = {"State": state, "StateChangeReason": {"Message": reason} if reason else {}}
        if failure:
            status["FailureDetails"] = failure
        found = {"Step": {"Id": STEP, "Status": {**status, "Timeline": times or {}}}}
        self.add_response("describe_step", found, {"ClusterId": CLUSTER, "StepId": STEP})

    def working(self, *states: str) -> None:
        """The next calls look at a step that has not ended, and then at its cluster, which goes on."""
        for state in states:
            self.step(state)
            self.cluster("RUNNING")

    def no_work(self) -> None:
        """The next call is ListSteps, for the active ones, and there are none."""
        self.steps(states=["CANCEL_PENDING", "PENDING", "RUNNING"])

    def steps(self, *ids: str, states: list[str] | None = None) -> None:
        """The next call is ListSteps, for those in `states` or for all; newest first."""
        expected = {"ClusterId": CLUSTER} | ({"StepStates": states} if states else {})
        self.add_response("list_steps", {"Steps": [{"Id": one} for one in ids]}, expected)

    def terminated(self) -> None:
        """The next call is TerminateJobFlows, and EMR agrees."""
        self.add_response("terminate_job_flows", {}, {"JobFlowIds": [CLUSTER]})


@pytest.fixture
def emr(clients: aws.Clients) -> Iterator[Emr]:
    with Emr(clients.emr) as stub:
        yield stub
        stub.assert_no_pending_responses()


@pytest.fixture
def emr_once(clients: aws.Clients) -> Iterator[Emr]:
    """The same for the client of the two calls that must not be repeated."""
    with Emr(clients.emr_once) as stub:
        yield stub
        stub.assert_no_pending_responses()


@pytest.fixture
def renewals(clients: aws.Clients, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Grows with each renewal of the credentials. The clients stay, so that their scripted answers do."""
    asked: list[str] = []
    monkeypatch.setattr(clients, "renew", lambda: asked.append("renewed"))
    return asked


@pytest.fixture
def cluster(clients: aws.Clients, bucket: Any, renewals: list[str]) -> Iterator[Account]:
    """All that a run needs is in place."""
    bucket.put({"data/fruits-360/Training/Kiwi/1.jpg": "x"})
    one = Account(bucket)
    hooks = [
        (clients.emr, "before-call.emr.*", one.emr),
        (clients.emr_once, "before-call.emr.*", one.emr),
        (clients.ec2, "before-call.ec2.*", one.account),
        (clients.iam, "before-call.iam.*", one.account),
    ]
    for client, event, answer in hooks:
        client.meta.events.register_first(event, answer)
    yield one
    for client, event, answer in hooks:
        client.meta.events.unregister(event, answer)


@pytest.fixture
def pipeline(clients: aws.Clients, tmp_path: Path) -> Run:
    return Run(clients, tmp_path / "results")


@pytest.fixture
def s3_answers(clients: aws.Clients) -> Iterator[Stubber]:
    """Scripted answers of S3, for those that moto does not give."""
    with Stubber(clients.s3) as stub:
        yield stub
        stub.assert_no_pending_responses()


@pytest.fixture
def few_labels(monkeypatch: pytest.MonkeyPatch) -> None:
    """A synthetic sample of three labels: all of it takes seconds to draw."""
    for label in sorted(sample_images.LABELS)[3:]:
        monkeypatch.delitem(sample_images.LABELS, label)


@pytest.fixture
def fresh_console() -> Iterator[None]:
    """console.py looks at a stream when it first writes to it: for tests that hand it another."""
    console._console.cache_clear()
    yield
    console._console.cache_clear()


@pytest.fixture(scope="session")
def project() -> Path:
    return Path(__file__).resolve().parent.parent
