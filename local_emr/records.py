"""From requests to records: the dicts of a new cluster, its steps, groups, instances. See `store` for their shape."""

import random
import re
import string
from typing import Any

from local_emr import catalog, ebs
from local_emr.errors import validation_error
from local_emr.store import ACTIVE_STEP, Cluster, Step, now

ACCOUNT = "123456789012"  # moto's, so that ARNs agree with what STS says
MAX_ACTIVE_STEPS = 256
MAX_STEP_CHARACTERS = 10_240
AUTO_SCALING_STATUS = {"State": "ATTACHED", "StateChangeReason": {"Code": "USER_REQUEST", "Message": ""}}
TERMINATE_ACTIONS = ("TERMINATE_CLUSTER", "TERMINATE_JOB_FLOW")

# Members of RunJobFlow that DescribeCluster's Cluster has under the same name.
SAME_IN_CLUSTER = [
    "Applications",
    "AutoScalingRole",
    "Configurations",
    "CustomAmiId",
    "EbsRootVolumeIops",
    "EbsRootVolumeSize",
    "EbsRootVolumeThroughput",
    "ExtendedSupport",
    "KerberosAttributes",
    "LogEncryptionKmsKeyId",
    "MonitoringConfiguration",
    "OSReleaseLabel",
    "ReleaseLabel",
    "RepoUpgradeOnBoot",
    "ScaleDownBehavior",
    "SecurityConfiguration",
    "ServiceRole",
    "SessionEnabled",
    "Tags",
]
# Members of Instances that Ec2InstanceAttributes has under the same name.
SAME_IN_EC2 = [
    "Ec2KeyName",
    "EmrManagedMasterSecurityGroup",
    "EmrManagedSlaveSecurityGroup",
    "ServiceAccessSecurityGroup",
    "AdditionalMasterSecurityGroups",
    "AdditionalSlaveSecurityGroups",
]


def new_id(prefix: str) -> str:
    """An id as EMR makes them: j-2AXXXXXXGAPLF, s-…, ig-…, if-…, ci-…"""
    return prefix + "".join(random.choices(string.ascii_uppercase + string.digits, k=13))  # noqa: S311


def new_instance_id() -> str:
    """An EC2 instance's id: i-0123456789abcdef0."""
    return f"i-{random.getrandbits(68):017x}"


def new_cluster(region: str, request: dict[str, Any]) -> Cluster:
    """The whole record of a cluster that RunJobFlow asks for, in STARTING."""
    cluster_id, created = new_id("j-"), now()
    instances = request["Instances"]
    fleets = bool(instances.get("InstanceFleets"))
    highly_available = any(g["InstanceRole"] == "MASTER" and g["InstanceCount"] > 1 for g in group_configs(instances))
    keep_alive = instances.get("KeepJobFlowAliveWhenNoSteps", False) or highly_available
    log_uri = request.get("LogUri")
    cluster: Cluster = {key: request[key] for key in SAME_IN_CLUSTER if key in request}
    cluster |= {
        "Id": cluster_id,
        "Name": request["Name"],
        "ClusterArn": f"arn:aws:elasticmapreduce:{region}:{ACCOUNT}:cluster/{cluster_id}",
        "Status": {"State": "STARTING", "StateChangeReason": {}, "Timeline": {"CreationDateTime": created}},
        "Ec2InstanceAttributes": _ec2_attributes(region, instances, request.get("JobFlowRole")),
        "InstanceCollectionType": "INSTANCE_FLEET" if fleets else "INSTANCE_GROUP",
        "LogUri": log_uri and as_described(log_uri),
        "RequestedAmiVersion": request.get("AmiVersion"),
        "RunningAmiVersion": request.get("AmiVersion"),
        "AutoTerminate": not keep_alive,
        "TerminationProtected": instances.get("TerminationProtected", False) or highly_available,
        "UnhealthyNodeReplacement": instances.get("UnhealthyNodeReplacement", False),
        "VisibleToAllUsers": request.get("VisibleToAllUsers", True),
        "NormalizedInstanceHours": 0,
        "StepConcurrencyLevel": request.get("StepConcurrencyLevel", 1),
        "PlacementGroups": request.get("PlacementGroupConfigs"),
        "_Region": region,
        "_CreatedMs": int(created * 1000),
        "_LogUri": log_uri,
        "_Steps": [],
        "_Groups": new_fleets(instances["InstanceFleets"]) if fleets else new_groups(group_configs(instances)),
        "_Bootstrap": [
            {
                "Name": b["Name"],
                "ScriptPath": b["ScriptBootstrapAction"]["Path"],
                "Args": b["ScriptBootstrapAction"].get("Args", []),
            }
            for b in request.get("BootstrapActions", [])
        ],
        "_AutoTermination": request.get("AutoTerminationPolicy"),
        "_ManagedScaling": request.get("ManagedScalingPolicy"),
    }
    cluster["Applications"] = catalog.with_versions(request.get("ReleaseLabel"), request.get("Applications", []))
    cluster["Tags"] = [{"Value": "", **tag} for tag in request.get("Tags", [])]
    cluster.setdefault("Configurations", [])
    if request.get("ReleaseLabel"):
        cluster.setdefault("ScaleDownBehavior", "TERMINATE_AT_TASK_COMPLETION")
    cluster["_Steps"] = new_steps(cluster, request.get("Steps", []), request.get("StepExecutionRoleArn"))
    return cluster


def as_described(log_uri: str) -> str:
    """DescribeCluster's form of a LogUri: s3n://, with a slash at the end."""
    return re.sub(r"^s3a?://", "s3n://", log_uri.rstrip("/") + "/")


def _ec2_attributes(region: str, instances: dict[str, Any], instance_profile: str | None) -> dict[str, Any]:
    subnets = instances.get("Ec2SubnetIds") or ([instances["Ec2SubnetId"]] if instances.get("Ec2SubnetId") else [])
    placement = instances.get("Placement", {})
    zones = placement.get("AvailabilityZones") or (
        [placement["AvailabilityZone"]] if "AvailabilityZone" in placement else []
    )
    return {
        **{key: instances[key] for key in SAME_IN_EC2 if key in instances},
        "IamInstanceProfile": instance_profile,
        "Ec2SubnetId": subnets[0] if subnets else None,
        "RequestedEc2SubnetIds": subnets,
        "Ec2AvailabilityZone": zones[0] if zones else region + "a",
        "RequestedEc2AvailabilityZones": zones,
    }


def group_configs(instances: dict[str, Any]) -> list[dict[str, Any]]:
    """InstanceGroups, or what MasterInstanceType, SlaveInstanceType and InstanceCount mean as such."""
    if groups := instances.get("InstanceGroups"):
        return list(groups)
    master = instances.get("MasterInstanceType")
    count = instances.get("InstanceCount", 1)
    if not master:
        return []
    configs = [{"InstanceRole": "MASTER", "InstanceType": master, "InstanceCount": 1}]
    if count > 1:
        slave = instances.get("SlaveInstanceType", master)
        configs.append({"InstanceRole": "CORE", "InstanceType": slave, "InstanceCount": count - 1})
    return configs


def new_groups(configs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Instance groups with their instances, in PROVISIONING."""
    return [
        {
            "Id": new_id("ig-"),
            "Name": config.get("Name", config["InstanceRole"]),
            "Market": config.get("Market", "ON_DEMAND"),
            "BidPrice": config.get("BidPrice"),
            "InstanceGroupType": config["InstanceRole"],
            "InstanceType": config["InstanceType"],
            "RequestedInstanceCount": config["InstanceCount"],
            "RunningInstanceCount": 0,
            "Configurations": config.get("Configurations", []),
            "EbsBlockDevices": _devices(config),
            "EbsOptimized": config.get("EbsConfiguration", {}).get("EbsOptimized"),
            "ShrinkPolicy": {},
            "AutoScalingPolicy": config.get("AutoScalingPolicy")
            and {**config["AutoScalingPolicy"], "Status": AUTO_SCALING_STATUS},
            "CustomAmiId": config.get("CustomAmiId"),
            "Status": _provisioning("PROVISIONING"),
            "_Role": config["InstanceRole"],
            "_Instances": [
                new_instance(config["InstanceType"], config.get("Market", "ON_DEMAND"))
                for _ in range(config["InstanceCount"])
            ],
        }
        for config in configs
    ]


def new_fleets(configs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Instance fleets, with instances of the first type that is asked for, until the target capacities are reached."""
    fleets = []
    for config in configs:
        types = config["InstanceTypeConfigs"]
        on_demand, spot = config.get("TargetOnDemandCapacity", 0), config.get("TargetSpotCapacity", 0)
        weight = types[0].get("WeightedCapacity", 1)
        markets = ["ON_DEMAND"] * -(-on_demand // weight) + ["SPOT"] * -(-spot // weight)
        fleets.append(
            {
                "Id": new_id("if-"),
                "Name": config.get("Name", config["InstanceFleetType"]),
                "InstanceFleetType": config["InstanceFleetType"],
                "TargetOnDemandCapacity": on_demand,
                "TargetSpotCapacity": spot,
                "ProvisionedOnDemandCapacity": 0,
                "ProvisionedSpotCapacity": 0,
                "InstanceTypeSpecifications": [
                    {
                        **t,
                        "WeightedCapacity": t.get("WeightedCapacity", 1),
                        "EbsBlockDevices": _devices(t),
                    }
                    for t in types
                ],
                "LaunchSpecifications": config.get("LaunchSpecifications"),
                "ResizeSpecifications": config.get("ResizeSpecifications"),
                "Context": config.get("Context"),
                "Status": _provisioning("PROVISIONING"),
                "_Role": config["InstanceFleetType"],
                "_Instances": [new_instance(types[0]["InstanceType"], market) for market in markets],
            }
        )
    return fleets


def new_instance(instance_type: str, market: str) -> dict[str, Any]:
    return {
        "Id": new_id("ci-"),
        "Ec2InstanceId": new_instance_id(),
        "InstanceType": instance_type,
        "Market": market,
        "PublicDnsName": "localhost",
        "PublicIpAddress": "127.0.0.1",
        "PrivateDnsName": "localhost",
        "PrivateIpAddress": "127.0.0.1",
        "EbsVolumes": [],
        "Status": _provisioning("PROVISIONING"),
    }


def _devices(config: dict[str, Any]) -> list[dict[str, Any]]:
    """The EbsBlockDevices of an instance group's or a fleet's instance type."""
    instance_type = config["InstanceType"]
    return ebs.devices(config.get("EbsConfiguration"), instance_type, catalog.has_only_ebs(instance_type))


def _provisioning(state: str) -> dict[str, Any]:
    return {"State": state, "StateChangeReason": {"Message": ""}, "Timeline": {"CreationDateTime": now()}}


def new_steps(cluster: Cluster, configs: list[dict[str, Any]], role: str | None = None) -> list[Step]:
    """The records of steps to be added to a cluster, PENDING; ValidationException if it may not have them."""
    active = sum(step["Status"]["State"] in ACTIVE_STEP for step in cluster["_Steps"])
    if active + len(configs) > MAX_ACTIVE_STEPS:
        raise validation_error(
            "Maximum number of active steps(State = 'Running', 'Pending' or 'Cancel_Pending') for cluster exceeded."
        )
    return [_new_step(cluster, config, role) for config in configs]


def _new_step(cluster: Cluster, config: dict[str, Any], role: str | None) -> Step:
    jar = config["HadoopJarStep"]
    action = config.get("ActionOnFailure", "TERMINATE_CLUSTER")
    if cluster["StepConcurrencyLevel"] > 1 and action != "CONTINUE":
        raise validation_error(f"Action on failure '{action}' is invalid.")
    if _characters(jar) > MAX_STEP_CHARACTERS:
        raise validation_error(f"The strings of a step may have at most {MAX_STEP_CHARACTERS} characters.")
    logging = config.get("StepMonitoringConfiguration", {}).get("S3MonitoringConfiguration", {})
    return {
        "Id": new_id("s-"),
        "Name": config["Name"],
        "ActionOnFailure": action,
        "ExecutionRoleArn": role,
        "LogUri": logging.get("LogUri"),
        "EncryptionKeyArn": logging.get("EncryptionKeyArn"),
        "Config": {
            "Jar": jar["Jar"],
            "MainClass": jar.get("MainClass"),
            "Args": jar.get("Args", []),
            "Properties": {p.get("Key", ""): p.get("Value", "") for p in jar.get("Properties", [])},
        },
        "Status": {"State": "PENDING", "StateChangeReason": {}, "Timeline": {"CreationDateTime": now()}},
    }


def _characters(value: Any) -> int:
    if isinstance(value, str):
        return len(value)
    parts = value.values() if isinstance(value, dict) else value
    return sum(_characters(part) for part in parts)
