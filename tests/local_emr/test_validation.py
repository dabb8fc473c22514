"""What EMR refuses at once, what it finds out later, and what it tells though it was not asked for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from local_emr import lifecycle, validation
from local_emr.errors import ApiError
from local_emr.store import Store
from tests.local_emr.test_operations import GROUPS, Api, request, step

MASTER, CORE = GROUPS
FLEET_TYPES = [{"InstanceType": "m5.xlarge"}]
FLEETS = [
    {"InstanceFleetType": "MASTER", "TargetOnDemandCapacity": 1, "InstanceTypeConfigs": FLEET_TYPES},
    {"InstanceFleetType": "CORE", "TargetSpotCapacity": 2, "InstanceTypeConfigs": FLEET_TYPES},
]


@pytest.fixture
def api(tmp_path: Path) -> Api:
    return Api(tmp_path)


def group(**more: Any) -> dict[str, Any]:
    """A RunJobFlow whose core group is changed so."""
    return {"Instances": {"InstanceGroups": [MASTER, {**CORE, **more}]}}


def volumes(**more: Any) -> dict[str, Any]:
    volume = {"VolumeSpecification": {"VolumeType": "gp3", "SizeInGB": 32}, **more}
    return group(EbsConfiguration={"EbsBlockDeviceConfigs": [volume]})


def fleets(*changed: dict[str, Any], **instances: Any) -> dict[str, Any]:
    return {"Instances": {"InstanceFleets": list(changed), **instances}}


def bootstrap(count: int) -> dict[str, Any]:
    return {"BootstrapActions": [{"Name": "b", "ScriptBootstrapAction": {"Path": "s3://b/k"}}] * count}


def managed(**limits: int) -> dict[str, Any]:
    required = {"UnitType": "Instances", "MinimumCapacityUnits": 1, "MaximumCapacityUnits": 4}
    return {"ManagedScalingPolicy": {"ComputeLimits": {**required, **limits}}}


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"ReleaseLabel": "emr-99.0.0"}, "The supplied release label is invalid: emr-99.0.0."),
    (
        {"AmiVersion": "3.8.0"},
        "Only one AMI version and release label may be specified. Provided AMI: 3.8.0, release label: emr-7.11.0.",
    ),
    ({"Applications": [{"Name": "Sprak"}]}, "Specified application: Sprak is invalid."),
    (group(InstanceType="m5.gigantic"), "Instance type 'm5.gigantic' is not supported."),
    (
        {"Instances": {"MasterInstanceType": "c5.large", "InstanceCount": 1}},
        "Instance type 'c5.large' is not supported.",
    ),
    (
        {"Instances": {"InstanceGroups": [MASTER], "MasterInstanceType": "m5.xlarge"}},
        "one and only one of the following",
    ),
    ({"Instances": {"InstanceGroups": GROUPS, "InstanceFleets": FLEETS}}, "mutually exclusive"),
    ({"Instances": {}}, "Zero master instance groups supplied"),
    ({"Instances": {"InstanceGroups": [CORE]}}, "Zero master instance groups supplied"),
    ({"Instances": {"InstanceGroups": [MASTER, MASTER]}}, "Multiple master instance groups supplied"),
    ({"Instances": {"InstanceGroups": [MASTER, CORE, CORE]}}, "Multiple core instance groups supplied"),
    (
        {"Instances": {"InstanceGroups": [{**MASTER, "InstanceCount": 2}]}},
        "must have exactly 3 instances for HA clusters.",
    ),
    (group(InstanceCount=0), "Instance count must be at least 1"),
    (
        group(Market="SPOT", BidPrice="OnDemandPrice"),
        "The bid price is invalid. Revise the configuration and resubmit.",
    ),
    (volumes(VolumeSpecification={"VolumeType": "floppy", "SizeInGB": 1}), "volume type 'floppy' is not valid"),
    (volumes(VolumeSpecification={"VolumeType": "gp3", "SizeInGB": 0}), "size of an EBS volume"),
    (volumes(VolumeSpecification={"VolumeType": "io1", "SizeInGB": 10}), "Iops is required"),
    (volumes(VolumesPerInstance=26), "1 to 25 EBS volumes"),
    ({"EbsRootVolumeSize": 101}, "EbsRootVolumeSize must be between 10 and 100."),
    ({"EbsRootVolumeThroughput": 1}, "EbsRootVolumeThroughput must be between 125 and 1000."),
    (fleets(*FLEETS, FLEETS[0]), "Multiple master instance fleets supplied"),
    (fleets({**FLEETS[0], "TargetOnDemandCapacity": 2}), "master instance fleet must be exactly 1"),
    (fleets(FLEETS[0], {**FLEETS[1], "TargetSpotCapacity": 0}), "core instance fleet must be at least 1"),
    (fleets({**FLEETS[0], "InstanceTypeConfigs": []}), "has no InstanceTypeConfigs"),
    (fleets(*FLEETS, Ec2SubnetId="subnet-1", Ec2SubnetIds=["subnet-2"]), "Only one of Ec2SubnetId and Ec2SubnetIds"),
    (
        {"Instances": {"InstanceGroups": GROUPS, "EmrManagedMasterSecurityGroup": "sg-1"}},
        "both EmrManagedMasterSecurityGroup and EmrManagedSlaveSecurityGroup",
    ),
    (bootstrap(17), "at most 16 bootstrap actions"),
    ({"LogUri": "/tmp/logs"}, "The LogUri '/tmp/logs' is not valid"),  # noqa: S108
    ({"ServiceRole": ""}, "ServiceRole is required for creating cluster."),
    ({"JobFlowRole": ""}, "InstanceProfile is required for creating cluster."),
    ({"JobFlowRole": "missing"}, "Invalid InstanceProfile: missing."),
    ({"SecurityConfiguration": "absent"}, "Security configuration with name 'absent' does not exist."),
    ({"StepConcurrencyLevel": 257}, "StepConcurrencyLevel must be between 1 and 256."),
    ({"StepConcurrencyLevel": 2, "Steps": [step(ActionOnFailure="CANCEL_AND_WAIT")]}, "'CANCEL_AND_WAIT' is invalid."),
    ({"Steps": [step()] * 257}, "Maximum number of active steps"),
    ({"Steps": [step(HadoopJarStep={"Jar": "j", "Args": ["a" * 10_240]})]}, "10240 characters"),
    ({"AutoTerminationPolicy": {"IdleTimeout": 604_801}}, "between 60 and 604800 seconds"),
    (managed(MinimumCapacityUnits=5), "The min capacity cannot be higher than max capacity"),
    (managed(MaximumCoreCapacityUnits=5), "The max Core capacity cannot be higher than max capacity"),
    ({"Tags": [{"Key": f"k{n}"} for n in range(51)]}, "at most 50 tags"),
    ({"Tags": [{"Key": "k" * 129}]}, "1 to 128 characters"),
    ({"Tags": [{"Key": "a"}, {"Key": "a"}]}, "unique"),
    ({"Tags": [{"Key": "aws:cloud", "Value": "9"}]}, "reserved for AWS"),
]


@pytest.mark.parametrize(("change", "message"), REFUSED, ids=[message[:40] for _, message in REFUSED])
def test_a_cluster_that_emr_refuses(api: Api, change: dict[str, Any], message: str) -> None:
    code, said = api.refusal("RunJobFlow", **request(**change))
    assert code == "ValidationException"
    assert message in said
    assert api.store.clusters == {}
    assert api.launched == []


@pytest.mark.parametrize(
    "change",
    [
        bootstrap(16),
        {"Steps": [step()] * 256},
        {"Steps": [step(HadoopJarStep={"Jar": "j" * 40, "Args": ["a" * 10_200]})]},
        {"Tags": [{"Key": f"k{n}"} for n in range(50)]},
        {"EbsRootVolumeSize": 100, "EbsRootVolumeIops": 3000},
        {"LogUri": "s3n://bucket"},
        {"Applications": [{"Name": "spark"}, {"Name": "JupyterEnterpriseGateway"}]},
        {"Instances": {"MasterInstanceType": "m5.xlarge", "SlaveInstanceType": "r5.2xlarge", "InstanceCount": 9}},
        {"Instances": {"InstanceGroups": [{**MASTER, "InstanceCount": 3}, CORE]}},
        fleets(*FLEETS),
        volumes(VolumesPerInstance=25),
        group(Market="SPOT", BidPrice="0.12"),
        {"ReleaseLabel": "emr-5.36.0"},
        managed(MaximumCoreCapacityUnits=4, MaximumOnDemandCapacityUnits=0),
    ],
)
def test_what_is_just_within_the_limits(api: Api, change: dict[str, Any]) -> None:
    assert api("DescribeCluster", ClusterId=api.cluster(**change))["Cluster"]["Status"]["State"] == "STARTING"


def test_several_primaries_are_kept_alive_and_protected(api: Api) -> None:
    highly_available = api.cluster(Instances={"InstanceGroups": [{**MASTER, "InstanceCount": 3}, CORE]})
    cluster = api("DescribeCluster", ClusterId=highly_available)["Cluster"]
    assert (cluster["AutoTerminate"], cluster["TerminationProtected"]) == (False, True)


def test_what_is_told_though_it_was_not_asked_for(api: Api) -> None:
    cluster_id = api.cluster(Tags=[{"Key": "bare"}])
    cluster = api("DescribeCluster", ClusterId=cluster_id)["Cluster"]
    assert cluster["Applications"] == [{"Name": "Hadoop", "Version": "3.4.1"}]
    assert cluster["ScaleDownBehavior"] == "TERMINATE_AT_TASK_COMPLETION"
    assert cluster["Tags"] == [{"Key": "bare", "Value": ""}]
    devices = api("ListInstanceGroups", ClusterId=cluster_id)["InstanceGroups"][0]["EbsBlockDevices"]
    assert [(d["Device"], d["VolumeSpecification"]["SizeInGB"]) for d in devices] == [
        ("/dev/sdb", 32),
        ("/dev/sdc", 32),
    ]
    named = api.cluster(Applications=[{"Name": "spark"}, {"Name": "Hue"}])
    applications = api("DescribeCluster", ClusterId=named)["Cluster"]["Applications"]
    assert applications == [{"Name": "spark", "Version": "3.5.6"}, {"Name": "Hue"}]


def test_weighted_fleets_count_units(api: Api) -> None:
    weighted = {
        **FLEETS[1],
        "TargetSpotCapacity": 5,
        "InstanceTypeConfigs": [{**FLEET_TYPES[0], "WeightedCapacity": 2}],
    }
    cluster_id = api.cluster(**fleets(FLEETS[0], weighted))
    lifecycle.move_instances(api.store, api.store.clusters[cluster_id], "RUNNING")
    assert len(api("ListInstances", ClusterId=cluster_id, InstanceFleetType="CORE")["Instances"]) == 3
    core = api("ListInstanceFleets", ClusterId=cluster_id)["InstanceFleets"][1]
    assert (core["TargetSpotCapacity"], core["ProvisionedSpotCapacity"]) == (5, 6)


def ended(api: Api) -> str:
    cluster_id = api.cluster()
    api("TerminateJobFlows", JobFlowIds=[cluster_id])
    with api.store.transaction():
        lifecycle.ended(api.store, api.store.clusters[cluster_id])
    return cluster_id


ENDED = "A job flow that is shutting down, terminated, or finished may not be modified."
LIMITS = managed()["ManagedScalingPolicy"]


@pytest.mark.parametrize(
    ("operation", "members", "code", "message"),
    [
        ("AddJobFlowSteps", {"JobFlowId": "?", "Steps": [step()]}, "ValidationException", ENDED),
        ("AddInstanceGroups", {"JobFlowId": "?", "InstanceGroups": [CORE]}, "ValidationException", ENDED),
        ("SetTerminationProtection", {"JobFlowIds": ["?"], "TerminationProtected": True}, "ValidationException", ENDED),
        ("PutManagedScalingPolicy", {"ClusterId": "?", "ManagedScalingPolicy": LIMITS}, "ValidationException", ENDED),
        ("PutAutoTerminationPolicy", {"ClusterId": "?"}, "ValidationException", ENDED),
        ("ModifyCluster", {"ClusterId": "?", "StepConcurrencyLevel": 2}, "InvalidRequestException", ENDED),
        ("CancelSteps", {"ClusterId": "?", "StepIds": ["s-0"]}, "InvalidRequestException", ENDED),
        ("AddInstanceFleet", {"ClusterId": "?", "InstanceFleet": FLEETS[1]}, "InvalidRequestException", ENDED),
        (
            "AddTags",
            {"ResourceId": "?", "Tags": [{"Key": "k"}]},
            "InvalidRequestException",
            "Tags cannot be modified on terminated clusters.",
        ),
    ],
)
def test_an_ended_cluster_is_not_changed(
    api: Api, operation: str, members: dict[str, Any], code: str, message: str
) -> None:
    cluster_id = ended(api)
    filled = {
        key: cluster_id if value == "?" else [cluster_id] if value == ["?"] else value for key, value in members.items()
    }
    assert api.refusal(operation, **filled) == (code, message)


def test_terminating_again_is_no_error(api: Api) -> None:
    cluster_id = ended(api)
    assert api("TerminateJobFlows", JobFlowIds=[cluster_id]) == {}
    assert api.refusal("TerminateJobFlows", JobFlowIds=["j-1"] * 11)[0] == "ValidationException"


def test_ids_that_are_none_and_ids_of_nobody(api: Api) -> None:
    assert api.refusal("DescribeCluster", ClusterId='{"ClusterId": "j-1"}') == (
        "ValidationException",
        'clusterId \'{"ClusterId": "j-1"}\' is not valid.',
    )
    cluster_id = api.cluster()
    for operation, members in {
        "ListInstances": {"InstanceGroupId": "ig-0"},
        "PutAutoScalingPolicy": {
            "InstanceGroupId": "ig-0",
            "AutoScalingPolicy": {"Constraints": {"MinCapacity": 1, "MaxCapacity": 2}, "Rules": []},
        },
        "CancelSteps": {"StepIds": ["s-0"]},
    }.items():
        assert api.refusal(operation, ClusterId=cluster_id, **members)[0] == "InvalidRequestException"


def test_groups_may_be_changed_only_while_the_cluster_is_up_and_all_or_none(api: Api) -> None:
    cluster_id = api.cluster()
    master, core = (g["Id"] for g in api("ListInstanceGroups", ClusterId=cluster_id)["InstanceGroups"])
    grow = {"InstanceGroupId": core, "InstanceCount": 7}
    assert api.refusal("ModifyInstanceGroups", ClusterId=cluster_id, InstanceGroups=[grow]) == (
        "ValidationException",
        "An instance group may only be modified when the cluster is running or waiting.",
    )
    lifecycle.move(api.store, api.store.clusters[cluster_id], "WAITING", "")
    both = [grow, {"InstanceGroupId": master, "InstanceCount": 2}]
    assert "cannot be resized" in api.refusal("ModifyInstanceGroups", ClusterId=cluster_id, InstanceGroups=both)[1]
    assert api("ListInstanceGroups", ClusterId=cluster_id)["InstanceGroups"][1]["RequestedInstanceCount"] == 2
    for role in ("MASTER", "CORE"):
        added = [{**CORE, "InstanceRole": role}]
        assert api.refusal("AddInstanceGroups", JobFlowId=cluster_id, InstanceGroups=added)[0] == "ValidationException"


def test_a_list_of_the_other_collection_names_the_right_operation(api: Api) -> None:
    with pytest.raises(ApiError) as caught:
        api("ListInstanceGroups", ClusterId=api.cluster(**fleets(*FLEETS)))
    assert caught.value.error_code == "API_DOES_NOT_SUPPORT_INSTANCE_FLEET_CLUSTERS"
    assert caught.value.message.endswith(
        "The ListInstanceGroups operation does not support clusters that use instance fleets. "
        "Use the ListInstanceFleets operation instead."
    )


def test_the_account_s_settings_survive_and_stay_in_their_region(api: Api, tmp_path: Path) -> None:
    create = {"Name": "kms", "SecurityConfiguration": "{}"}
    api("CreateSecurityConfiguration", **create)
    assert api.refusal("CreateSecurityConfiguration", **create)[1] == (
        "SecurityConfiguration with name 'kms' already exists."
    )
    block = {"BlockPublicSecurityGroupRules": False}
    api("PutBlockPublicAccessConfiguration", BlockPublicAccessConfiguration=block)
    again = Api(tmp_path)
    again.store.load()
    assert again("DescribeSecurityConfiguration", Name="kms")["SecurityConfiguration"] == "{}"
    assert again("ListSecurityConfigurations", region="eu-west-3")["SecurityConfigurations"] == []
    assert again("GetBlockPublicAccessConfiguration")["BlockPublicAccessConfiguration"] == block
    again("DeleteSecurityConfiguration", Name="kms")
    assert again.refusal("DescribeSecurityConfiguration", Name="kms") == (
        "InvalidRequestException",
        "Security configuration with name 'kms' does not exist.",
    )


def test_a_damaged_account_file_is_left_aside(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "account.json").write_text("[")
    Store(tmp_path).load()
    assert "Ignored" in capsys.readouterr().err


class Nothing:
    """An account that has none of what it is asked for but what is named here."""

    def __init__(self, *there: str) -> None:
        self.there = there

    def has_role(self, name: str) -> bool:
        return name in self.there

    def has_key_pair(self, region: str, name: str) -> bool:
        return name in self.there

    has_subnet = has_security_group = has_key_pair


def test_what_emr_finds_out_later(api: Api) -> None:
    instances = {
        "InstanceGroups": GROUPS,
        "Ec2KeyName": "key",
        "Ec2SubnetId": "subnet-1",
        "EmrManagedMasterSecurityGroup": "sg-m",
        "EmrManagedSlaveSecurityGroup": "sg-s",
        "AdditionalMasterSecurityGroups": ["sg-a"],
    }
    cluster = api.store.clusters[api.cluster(Instances=instances)]
    there: list[str] = []
    said = []
    for name in ("EMR_DefaultRole", "key", "subnet-1", "sg-m", "sg-s", "sg-a"):
        problem = validation.find_problem(Nothing(*there), cluster)
        assert problem is not None
        said.append(problem.message)
        there.append(name)
    assert said[:2] == [
        "EMR service role arn:aws:iam::123456789012:role/EMR_DefaultRole is invalid",
        "The given SSH key name was invalid",
    ]
    assert [name in text for name, text in zip(there[2:], said[2:], strict=True)] == [True] * 4
    assert validation.find_problem(Nothing(*there), cluster) is None
    key = validation.find_problem(Nothing("EMR_DefaultRole"), cluster)
    assert key is not None
    assert key.details[0]["ErrorCode"] == "VALIDATION_ERROR_INVALID_SSH_KEY_NAME"
    assert {"ssh-key": "key"} in key.details[0]["ErrorData"]
