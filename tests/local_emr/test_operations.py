"""What operations answer, on records alone: no cluster lives here."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from local_emr import lifecycle
from local_emr.errors import ApiError
from local_emr.operations import bound
from local_emr.operations.context import Emr
from local_emr.protocol import EmrProtocol
from local_emr.store import Store


class Everyone:
    """An account that has any instance profile but one."""

    def has_instance_profile(self, name: str) -> bool:
        return name != "missing"


class Api:
    """EMR by its protocol, and what it launched."""

    def __init__(self, folder: Path) -> None:
        self.store = Store(folder)
        self.launched: list[str] = []
        emr = Emr(self.store, Everyone(), lambda cluster: self.launched.append(cluster["Id"]))
        self.protocol = EmrProtocol(bound(emr), self.store.transaction)

    def __call__(self, operation: str, region: str = "eu-west-1", **members: Any) -> dict[str, Any]:
        return self.protocol.call(operation, region, json.dumps(members).encode())

    def refusal(self, operation: str, **members: Any) -> tuple[str, str]:
        with pytest.raises(ApiError) as caught:
            self(operation, **members)
        return caught.value.code, caught.value.message

    def cluster(self, **more: Any) -> str:
        return str(self("RunJobFlow", **request(**more))["JobFlowId"])


GROUPS = [
    {"InstanceRole": "MASTER", "InstanceType": "m5.xlarge", "InstanceCount": 1},
    {"InstanceRole": "CORE", "InstanceType": "m5.xlarge", "InstanceCount": 2},
]


def request(**more: Any) -> dict[str, Any]:
    instances = more.pop("Instances", {"InstanceGroups": GROUPS, "KeepJobFlowAliveWhenNoSteps": True})
    roles = {"ServiceRole": "EMR_DefaultRole", "JobFlowRole": "EMR_EC2_DefaultRole"}
    return {"Name": "c", "ReleaseLabel": "emr-7.11.0", "Instances": instances, **roles, **more}


def step(name: str = "s", **more: Any) -> dict[str, Any]:
    return {"Name": name, "ActionOnFailure": "CONTINUE", "HadoopJarStep": {"Jar": "command-runner.jar"}, **more}


@pytest.fixture
def api(tmp_path: Path) -> Api:
    return Api(tmp_path)


def test_a_new_cluster_is_whole_and_starting(api: Api) -> None:
    cluster_id = api.cluster(LogUri="s3://b/logs", Tags=[{"Key": "k", "Value": "v"}], Steps=[step()])
    cluster = api("DescribeCluster", ClusterId=cluster_id)["Cluster"]
    assert api.launched == [cluster_id]
    assert cluster["Status"]["State"] == "STARTING"
    assert cluster["LogUri"] == "s3n://b/logs/"
    assert cluster["Ec2InstanceAttributes"]["IamInstanceProfile"] == "EMR_EC2_DefaultRole"
    assert cluster["AutoTerminate"] is False
    assert cluster["ClusterArn"] == f"arn:aws:elasticmapreduce:eu-west-1:123456789012:cluster/{cluster_id}"
    assert api("ListSteps", ClusterId=cluster_id)["Steps"][0]["Status"]["State"] == "PENDING"
    groups = api("ListInstanceGroups", ClusterId=cluster_id)["InstanceGroups"]
    assert [group["RequestedInstanceCount"] for group in groups] == [1, 2]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"JobFlowRole": "missing"}, "Invalid InstanceProfile: missing."),
        ({"ServiceRole": ""}, "ServiceRole is required for creating cluster."),
        ({"ReleaseLabel": "emr-99.0.0"}, "The supplied release label is invalid: emr-99.0.0."),
        ({"Instances": {}}, "Zero master instance groups supplied, you must specify exactly one master instance group"),
        (
            {"Instances": {"InstanceGroups": GROUPS, "InstanceFleets": [{"InstanceFleetType": "MASTER"}]}},
            "InstanceGroups and InstanceFleets are mutually exclusive.",
        ),
        (
            {"Steps": [step(ActionOnFailure="CANCEL_AND_WAIT")], "StepConcurrencyLevel": 2},
            "Action on failure 'CANCEL_AND_WAIT' is invalid.",
        ),
        (
            {"AutoTerminationPolicy": {"IdleTimeout": 59}},
            "The IdleTimeout of an auto-termination policy must be between 60 and 604800 seconds.",
        ),
    ],
)
def test_what_aws_refuses_at_once(api: Api, change: dict[str, Any], message: str) -> None:
    assert api.refusal("RunJobFlow", **request(**change)) == ("ValidationException", message)
    assert api("ListClusters")["Clusters"] == []


def test_the_three_ways_to_ask_for_instances(api: Api) -> None:
    sizes = {"MasterInstanceType": "m5.xlarge", "SlaveInstanceType": "c5.xlarge", "InstanceCount": 3}
    old = api.cluster(Instances=sizes)
    groups = api("ListInstanceGroups", ClusterId=old)["InstanceGroups"]
    assert [(g["InstanceGroupType"], g["InstanceType"], g["RequestedInstanceCount"]) for g in groups] == [
        ("MASTER", "m5.xlarge", 1),
        ("CORE", "c5.xlarge", 2),
    ]
    types = [{"InstanceType": "m5.xlarge"}]
    master = {"InstanceFleetType": "MASTER", "TargetOnDemandCapacity": 1, "InstanceTypeConfigs": types}
    core = {**master, "InstanceFleetType": "CORE", "TargetOnDemandCapacity": 1, "TargetSpotCapacity": 2}
    fleets = api.cluster(Instances={"InstanceFleets": [master, core]})
    listed = api("ListInstanceFleets", ClusterId=fleets)["InstanceFleets"]
    assert [fleet["InstanceFleetType"] for fleet in listed] == ["MASTER", "CORE"]
    assert api.refusal("ListInstanceGroups", ClusterId=fleets)[0] == "InvalidRequestException"
    core_nodes = api("ListInstances", ClusterId=fleets, InstanceFleetType="CORE")["Instances"]
    assert [node["Market"] for node in core_nodes] == ["ON_DEMAND", "SPOT", "SPOT"]


def test_unknown_ids_are_told_as_each_operation_tells_them(api: Api) -> None:
    assert api.refusal("DescribeCluster", ClusterId="j-0") == (
        "InvalidRequestException",
        "Cluster id 'j-0' is not valid.",
    )
    jobs = ("ValidationException", "Specified job flow ID not valid.")
    assert api.refusal("TerminateJobFlows", JobFlowIds=["j-0"]) == jobs
    assert api.refusal("AddJobFlowSteps", JobFlowId="j-0", Steps=[step()]) == jobs
    cluster_id = api.cluster()
    assert api.refusal("DescribeStep", ClusterId=cluster_id, StepId="s-0")[1] == "Step id 's-0' is not valid."


def test_a_cluster_is_seen_in_its_own_region_only(api: Api) -> None:
    cluster_id = api.cluster()
    assert api("ListClusters", region="eu-west-3")["Clusters"] == []
    assert api.protocol.call("DescribeCluster", "eu-west-1", json.dumps({"ClusterId": cluster_id}).encode())
    with pytest.raises(ApiError):
        api("DescribeCluster", region="eu-west-3", ClusterId=cluster_id)


def test_lists_are_newest_first_in_pages_of_fifty(api: Api) -> None:
    cluster_id = api.cluster()
    ids = api("AddJobFlowSteps", JobFlowId=cluster_id, Steps=[step(f"s{n}") for n in range(120)])["StepIds"]
    seen, marker = [], None
    while True:
        page = api("ListSteps", ClusterId=cluster_id, **({"Marker": marker} if marker else {}))
        seen.append([s["Id"] for s in page["Steps"]])
        if (marker := page.get("Marker")) is None:
            break
    assert [len(page) for page in seen] == [50, 50, 20]
    assert [i for page in seen for i in page] == ids[::-1]
    assert api("ListClusters")["Clusters"][0]["Id"] == cluster_id


def test_no_more_than_256_active_steps(api: Api) -> None:
    cluster_id = api.cluster(Steps=[step()] * 256)
    assert "Maximum number of active steps" in api.refusal("AddJobFlowSteps", JobFlowId=cluster_id, Steps=[step()])[1]
    newest = api("ListSteps", ClusterId=cluster_id)["Steps"][0]["Id"]
    cancelled = api("CancelSteps", ClusterId=cluster_id, StepIds=[newest])["CancelStepsInfoList"]
    assert cancelled == [{"StepId": newest, "Status": "SUBMITTED"}]
    assert api("AddJobFlowSteps", JobFlowId=cluster_id, Steps=[step()])["StepIds"]


def test_an_ending_cluster_takes_no_more_steps_and_no_state_goes_back(api: Api) -> None:
    cluster_id = api.cluster()
    api("TerminateJobFlows", JobFlowIds=[cluster_id])
    message = "A job flow that is shutting down, terminated, or finished may not be modified."
    assert api.refusal("AddJobFlowSteps", JobFlowId=cluster_id, Steps=[step()]) == ("ValidationException", message)
    cluster = api.store.clusters[cluster_id]
    lifecycle.move(api.store, cluster, "WAITING", "too late")
    lifecycle.end(api.store, cluster, "STEP_FAILURE", "too late")
    assert cluster["Status"]["StateChangeReason"] == {"Code": "USER_REQUEST", "Message": "Terminated by user request"}


def test_protection_keeps_only_the_protected_and_only_if_kept_alive(api: Api) -> None:
    kept, other = api.cluster(), api.cluster()
    transient = api.cluster(Instances={"InstanceGroups": GROUPS, "TerminationProtected": True})
    api("SetTerminationProtection", JobFlowIds=[kept], TerminationProtected=True)
    code, message = api.refusal("TerminateJobFlows", JobFlowIds=[kept, other])
    assert (code, "termination protected" in message) == ("ValidationException", True)
    api("TerminateJobFlows", JobFlowIds=[transient])
    states = {c["Id"]: c["Status"]["State"] for c in api("ListClusters")["Clusters"]}
    assert states == {kept: "STARTING", other: "TERMINATING", transient: "TERMINATING"}
    live = api("ListClusters", ClusterStates=["STARTING"])["Clusters"]
    assert [c["Id"] for c in live] == [kept]


def test_tags_policies_and_sizes_can_be_changed(api: Api) -> None:
    cluster_id = api.cluster(Tags=[{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "2"}])
    api("AddTags", ResourceId=cluster_id, Tags=[{"Key": "a", "Value": "9"}])
    api("RemoveTags", ResourceId=cluster_id, TagKeys=["b"])
    assert api("DescribeCluster", ClusterId=cluster_id)["Cluster"]["Tags"] == [{"Key": "a", "Value": "9"}]
    api("PutAutoTerminationPolicy", ClusterId=cluster_id, AutoTerminationPolicy={"IdleTimeout": 60})
    assert api("GetAutoTerminationPolicy", ClusterId=cluster_id) == {"AutoTerminationPolicy": {"IdleTimeout": 60}}
    api("RemoveAutoTerminationPolicy", ClusterId=cluster_id)
    assert api("GetAutoTerminationPolicy", ClusterId=cluster_id) == {}
    core = api("ListInstanceGroups", ClusterId=cluster_id)["InstanceGroups"][1]["Id"]
    lifecycle.move(api.store, api.store.clusters[cluster_id], "WAITING", "ready")
    api("ModifyInstanceGroups", ClusterId=cluster_id, InstanceGroups=[{"InstanceGroupId": core, "InstanceCount": 4}])
    assert api("ListInstanceGroups", ClusterId=cluster_id)["InstanceGroups"][1]["RequestedInstanceCount"] == 4
    assert api("ModifyCluster", ClusterId=cluster_id, StepConcurrencyLevel=3) == {"StepConcurrencyLevel": 3}


def test_release_labels_are_aws_s_own(api: Api) -> None:
    assert "emr-7.11.0" in api("ListReleaseLabels", Filters={"Prefix": "emr-7"})["ReleaseLabels"]
    described = api("DescribeReleaseLabel", ReleaseLabel="emr-7.11.0")
    assert {"Name": "Spark", "Version": "3.5.6"} in described["Applications"]
    types = api("ListSupportedInstanceTypes", ReleaseLabel="emr-7.11.0")["SupportedInstanceTypes"]
    assert next(t for t in types if t["Type"] == "m5.xlarge")["VCPU"] == 4


def test_the_oldest_operation_tells_all_in_one_answer(api: Api) -> None:
    cluster_id = api.cluster(Steps=[step("first")])
    (flow,) = api("DescribeJobFlows", JobFlowIds=[cluster_id])["JobFlows"]
    assert flow["ExecutionStatusDetail"]["State"] == "STARTING"
    assert flow["Instances"]["InstanceCount"] == 3
    assert flow["Steps"][0]["StepConfig"]["Name"] == "first"


def test_clusters_survive_in_snapshots(api: Api, tmp_path: Path) -> None:
    ids = [api.cluster(), api.cluster(Steps=[step()])]
    again = Store(tmp_path)
    again.load()
    assert list(again.clusters) == ids
    assert again.clusters == api.store.clusters
