"""An account with a few clusters for the pipeline's tests: what it is asked, and what it answers, good days and bad."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from botocore.awsrequest import AWSResponse
from botocore.exceptions import ConnectionClosedError

from scripts.aws import Clients
from scripts.config import Settings
from scripts.create_cluster import OUR_TAG
from scripts.pipeline import Options, Report, Stage, run

CLUSTER, SECOND, STEP = "j-2AXXXXXXGAPLF", "j-3BXXXXXXGAPLF", "s-2AXXXXXXGAPLF"
TIME, BEGAN, ENDED = "20250115_102345", (2025, 1, 15, 10, 22), (2025, 1, 15, 10, 24)


def results(time: str = TIME) -> dict[str, str]:
    """What a run of the job writes."""
    return {
        f"output/etape_1/metadata_{time}/part-0.csv": "s3_path\n",
        f"output/etape_1/metadata_{time}/_SUCCESS": "",
        f"output/etape_1/stats_{time}/part-0.csv": "split,label,count\nTraining,Kiwi,3\nTest,Kiwi,1\n",
        f"output/etape_1/stats_{time}/_SUCCESS": "",
    }


class Account:
    """An account behind the real clients: botocore checks every request, these few lines answer.

    `comes_up` is what becomes of each cluster in turn: its state and EMR's reason code; `last` what becomes of one that
    is terminated. `refuses` are calls that are refused for good, `trouble` what happens to the next calls one by one.
    """

    def __init__(self, bucket: Any) -> None:
        self.bucket, self.step, self.last = bucket, "COMPLETED", "TERMINATED"
        self.writes = results()
        self.comes_up = [("WAITING", "")]
        self.refuses: dict[str, tuple[str, str]] = {}
        self.trouble: dict[str, list[str]] = {}
        self.watch: Callable[[str, Any], None] = lambda call, body: None
        self.reset()

    def reset(self) -> None:
        self.calls: list[str] = []
        self.requests: list[dict[str, Any]] = []
        self.clusters: dict[str, dict[str, Any]] = {}
        self.steps: dict[str, list[str]] = {}

    def has(self, cluster_id: str, tag: str = "", state: str = "WAITING") -> None:
        """A cluster that is there already."""
        self.clusters[cluster_id] = {
            "Id": cluster_id,
            "Name": "fruits",
            "Status": {"State": state, "StateChangeReason": {}},
            "Tags": [{"Key": OUR_TAG, "Value": tag}] if tag else [],
        }

    def emr(self, model: Any, params: Any, **_: Any) -> tuple[AWSResponse, dict[str, Any]]:
        name, body = model.name, json.loads(params["body"])
        self.watch(name, body)
        self.calls.append(name)
        self.requests.append(body)
        if name in self.refuses:
            return refusal(*self.refuses[name])
        trouble = self.trouble[name].pop(0) if self.trouble.get(name) else ""
        if trouble == "throttled":
            return refusal("ThrottlingException", "Rate exceeded")
        if trouble == "expired":
            return refusal("ExpiredTokenException", "expired")
        if trouble == "no answer":
            raise ConnectionClosedError(endpoint_url="https://emr")
        answer = getattr(self, name)(body)
        if trouble == "answer lost":
            raise ConnectionClosedError(endpoint_url="https://emr")
        if trouble == "interrupted":
            raise KeyboardInterrupt
        return AWSResponse("", 200, {}, None), answer

    def RunJobFlow(self, body: Any) -> dict[str, Any]:
        cluster_id = [CLUSTER, SECOND, "j-4CXXXXXXGAPLF"][sum(one in self.clusters for one in (CLUSTER, SECOND))]
        state, code = self.comes_up[min(len(self.clusters), len(self.comes_up) - 1)]
        self.has(cluster_id, next(tag["Value"] for tag in body["Tags"] if tag["Key"] == OUR_TAG), state)
        self.clusters[cluster_id]["Status"]["StateChangeReason"] = {"Code": code} if code else {}
        return {"JobFlowId": cluster_id}

    def ListClusters(self, body: Any) -> dict[str, Any]:
        wanted = (one for one in self.clusters.values() if one["Status"]["State"] in body["ClusterStates"])
        return {"Clusters": [{"Id": one["Id"]} for one in wanted]}

    def DescribeCluster(self, body: Any) -> dict[str, Any]:
        return {"Cluster": self.clusters[body["ClusterId"]]}

    def ListSteps(self, body: Any) -> dict[str, Any]:
        return {"Steps": [] if "StepStates" in body else [{"Id": one} for one in self.steps.get(body["ClusterId"], [])]}

    def AddJobFlowSteps(self, body: Any) -> dict[str, Any]:
        self.bucket.put(self.writes)
        self.steps.setdefault(body["JobFlowId"], []).insert(0, STEP)
        return {"StepIds": [STEP]}

    def DescribeStep(self, _: Any) -> dict[str, Any]:
        times = {"StartDateTime": datetime(*BEGAN, tzinfo=timezone.utc)}
        if self.step not in ("PENDING", "RUNNING"):
            times["EndDateTime"] = datetime(*ENDED, tzinfo=timezone.utc)
        return {"Step": {"Id": STEP, "Status": {"State": self.step, "Timeline": times}}}

    def TerminateJobFlows(self, body: Any) -> dict[str, Any]:
        for cluster_id in body["JobFlowIds"]:
            self.clusters[cluster_id]["Status"] = {"State": self.last}
        return {}

    def account(self, model: Any, **_: Any) -> tuple[AWSResponse, dict[str, Any]]:
        """The key pair and the roles are there."""
        answers = {"DescribeKeyPairs": {"KeyPairs": [{"KeyName": "mine"}]}, "GetRole": {}, "GetInstanceProfile": {}}
        return AWSResponse("", 200, {}, None), answers[model.name]

    @property
    def asked_to_end(self) -> set[str]:
        calls = zip(self.calls, self.requests, strict=True)
        return {one for call, body in calls if call == "TerminateJobFlows" for one in body["JobFlowIds"]}

    @property
    def live(self) -> set[str]:
        return {id for id, one in self.clusters.items() if not one["Status"]["State"].startswith("TERMINAT")}

    def count(self, call: str) -> int:
        return self.calls.count(call)


def refusal(code: str, message: str) -> tuple[AWSResponse, dict[str, Any]]:
    return AWSResponse("", 400, {}, None), {"Error": {"Code": code, "Message": message}}


class Run:
    """Runs the pipeline and notes what it tells."""

    def __init__(self, clients: Clients, results: Path) -> None:
        self.clients, self.results = clients, results
        self.told: list[object] = []

    def __call__(self, settings: Settings, tell: Callable[[object], None] | None = None, **options: Any) -> Report:
        self.told.clear()
        chosen = Options(run="the-run", owner="me@here", results=self.results, **options)
        return run(self.clients, settings, tell or self.told.append, chosen)

    @property
    def text(self) -> str:
        return "\n".join(str(event) for event in self.told)

    @property
    def stages(self) -> list[str]:
        return [event.name for event in self.told if isinstance(event, Stage)]
