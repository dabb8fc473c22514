"""Whatever clients do at once, nobody sees a state go back, or anything half made."""

from __future__ import annotations

import random
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.local_emr.emr_fixtures import Emr, client, running, until

CLUSTER = {"STARTING": 0, "BOOTSTRAPPING": 1, "RUNNING": 2, "WAITING": 2, "TERMINATING": 3}
STEP = {"PENDING": 0, "RUNNING": 1, "CANCEL_PENDING": 2}
GROUP = {"PROVISIONING": 0, "BOOTSTRAPPING": 1, "RUNNING": 2, "RESIZING": 2, "TERMINATING": 3}
INSTANCE = {"PROVISIONING": 0, "BOOTSTRAPPING": 1, "RUNNING": 2}
ENDED = ("TERMINATED", "TERMINATED_WITH_ERRORS")
STEP_ENDED = ("COMPLETED", "FAILED", "CANCELLED")
ACTORS, LIVES, OBSERVERS = 5, 4, 3


class Observer:
    """A client of its own that looks at everything it can find, and remembers."""

    def __init__(self, url: str) -> None:
        self.api = client("emr", url)
        self.ranks: dict[str, int] = {}
        self.fixed: dict[tuple[str, str], Any] = {}  # what never changes once it was seen
        self.faults: list[str] = []
        self.looks = 0

    def look(self) -> None:
        for summary in self.api.list_clusters()["Clusters"]:
            if self.ranks.get(summary["Id"], 0) < 4 or self.looks % 10 == 0:
                self._cluster(summary["Id"])
        self.looks += 1

    def _cluster(self, cluster_id: str) -> None:
        cluster = self.api.describe_cluster(ClusterId=cluster_id)["Cluster"]
        status = cluster["Status"]
        self._advance(cluster_id, status, CLUSTER)
        for name in ("Name", "LogUri", "Ec2InstanceAttributes", "ClusterArn"):
            self._stays(cluster_id, name, cluster.get(name))
        if status["State"].startswith("TERMINAT"):
            self._stays(cluster_id, "the reason of its end", status["StateChangeReason"])
        groups = self.api.list_instance_groups(ClusterId=cluster_id)["InstanceGroups"]
        steps = self.api.list_steps(ClusterId=cluster_id)["Steps"]
        instances = self.api.list_instances(ClusterId=cluster_id)["Instances"]
        for items, order in ((groups, GROUP), (steps, STEP), (instances, INSTANCE)):
            for item in items:
                self._advance(item["Id"], item["Status"], order)
        if len(groups) != 2 or len(instances) < 2:
            self.faults.append(f"{cluster_id} was seen with {len(groups)} groups and {len(instances)} instances")
        if status["State"] in ENDED:  # asked for after it had ended: all in it must have ended too
            left = [s["Status"]["State"] for s in steps if s["Status"]["State"] not in STEP_ENDED]
            left += [i["Status"]["State"] for i in (*groups, *instances) if i["Status"]["State"] != "TERMINATED"]
            if left or "EndDateTime" not in status["Timeline"]:
                self.faults.append(f"{cluster_id} has ended, but {left}")

    def _advance(self, item_id: str, status: dict[str, Any], order: dict[str, int]) -> None:
        rank, before = order.get(status["State"], 4), self.ranks.get(item_id, 0)
        if rank < before or (before == 4 and self.fixed[item_id, "end"] != status["State"]):
            self.faults.append(f"{item_id} went back to {status['State']}")
        if rank == 4:
            self._stays(item_id, "end", status["State"])
        self.ranks[item_id] = rank
        times = status["Timeline"]
        for name, value in times.items():
            self._stays(item_id, name, value)
        if sorted(times.values()) != [times[n] for n in ("CreationDateTime", "StartDateTime", "ReadyDateTime", "EndDateTime") if n in times]:  # fmt: skip  # noqa: E501
            self.faults.append(f"{item_id} has times in disorder: {times}")

    def _stays(self, item_id: str, name: str, value: Any) -> None:
        if self.fixed.setdefault((item_id, name), value) != value:
            self.faults.append(f"{name} of {item_id} was {self.fixed[item_id, name]}, and is {value}")


def request(chance: random.Random, emr: Emr) -> dict[str, Any]:
    """A cluster of any fate: it may be invalid, fail in its bootstrap action, end by itself, or be kept."""
    jar = {"Jar": "command-runner.jar", "Args": ["bash", "-c", f"exit {chance.choice([0, 0, 1])}"]}
    action = chance.choice(["CONTINUE", "CANCEL_AND_WAIT", "TERMINATE_CLUSTER"])
    steps = [{"Name": "s", "ActionOnFailure": action, "HadoopJarStep": jar}] * chance.randrange(3)
    more: dict[str, Any] = {"Steps": steps}
    if chance.random() < 0.2:
        more["BootstrapActions"] = emr.bootstrap(f"#!/bin/sh\nexit {chance.choice([0, 9])}\n")
    groups = [
        {"InstanceRole": role, "InstanceType": "m5.xlarge", "InstanceCount": count}
        for role, count in (("MASTER", 1), ("CORE", 2))
    ]
    instances = {"InstanceGroups": groups, "KeepJobFlowAliveWhenNoSteps": chance.random() < 0.7}
    if chance.random() < 0.1:
        instances["Ec2KeyName"] = "lost"
    return emr.request(Instances=instances, **more)


def disturb(chance: random.Random, emr: Emr, cluster: str) -> None:
    """One thing that a client may do to a cluster, in whatever state it is; EMR may refuse it."""
    api = emr.emr
    deed = chance.randrange(6)
    if deed < 2:
        emr.step(cluster, "bash", "-c", chance.choice(["true", "exit 2", "sleep 0.2", "sleep 30"]))
    elif deed == 2:
        ids = [s["Id"] for s in api.list_steps(ClusterId=cluster)["Steps"]]
        if ids:
            option = chance.choice(["SEND_INTERRUPT", "TERMINATE_PROCESS"])
            api.cancel_steps(ClusterId=cluster, StepIds=ids, StepCancellationOption=option)
    elif deed == 3:
        core = api.list_instance_groups(ClusterId=cluster)["InstanceGroups"][1]["Id"]
        change = {"InstanceGroupId": core, "InstanceCount": chance.randrange(1, 5)}
        api.modify_instance_groups(ClusterId=cluster, InstanceGroups=[change])
    elif deed == 4:
        api.modify_cluster(ClusterId=cluster, StepConcurrencyLevel=chance.randrange(1, 4))
    else:
        api.add_tags(ResourceId=cluster, Tags=[{"Key": f"k{chance.randrange(9)}", "Value": "v"}])


def lives(seed: int, emr: Emr) -> list[str]:
    """What went wrong in the lives of some clusters."""
    chance = random.Random(seed)  # noqa: S311
    faults = []
    for _ in range(LIVES):
        cluster = emr.emr.run_job_flow(**request(chance, emr))["JobFlowId"]
        for _ in range(chance.randrange(8)):
            try:
                disturb(chance, emr, cluster)
            except ClientError as error:
                if error.response["Error"]["Code"] not in ("ValidationException", "InvalidRequestException"):
                    faults.append(str(error))
            threading.Event().wait(chance.random() * 0.15)
        emr.terminate(cluster)
        emr.wait_cluster(cluster, seconds=60)
    return faults


@pytest.mark.parametrize("seed", [1])
def test_no_client_sees_a_state_go_back_or_half_a_cluster(tmp_path: Path, seed: int) -> None:
    with running(tmp_path) as emr:
        over = threading.Event()
        observers = [Observer(emr.url) for _ in range(OBSERVERS)]

        def observe(observer: Observer) -> None:
            while not over.is_set():
                observer.look()

        with ThreadPoolExecutor(ACTORS + OBSERVERS) as pool:
            watching = [pool.submit(observe, observer) for observer in observers]
            try:
                actors = [Emr(emr.url, emr.home) for _ in range(ACTORS)]
                acting = [pool.submit(lives, seed * 100 + n, actor) for n, actor in enumerate(actors)]
                faults = [fault for act in acting for fault in act.result()]
            finally:
                over.set()
            for watch in watching:
                watch.result()
        for observer in observers:
            observer.look()
        assert faults == []
        assert [fault for observer in observers for fault in observer.faults] == []
        assert len(observers[0].ranks) > ACTORS * LIVES
        until(lambda: threading.active_count() < 40, 10)


def test_an_observer_tells_what_is_wrong() -> None:
    observer = Observer("http://127.0.0.1:1")
    times = {"CreationDateTime": 2, "StartDateTime": 1}
    observer._advance("s-1", {"State": "RUNNING", "Timeline": {"CreationDateTime": 1}}, STEP)
    observer._advance("s-1", {"State": "PENDING", "Timeline": times}, STEP)
    observer._advance("j-1", {"State": "TERMINATED", "Timeline": {}}, CLUSTER)
    observer._advance("j-1", {"State": "TERMINATED_WITH_ERRORS", "Timeline": {}}, CLUSTER)
    told = "\n".join(observer.faults)
    assert "s-1 went back to PENDING" in told
    assert "CreationDateTime of s-1 was 1, and is 2" in told
    assert "s-1 has times in disorder" in told
    assert "j-1 went back to TERMINATED_WITH_ERRORS" in told
