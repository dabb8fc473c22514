"""What EMR refuses at once of a cluster that is asked for: the rules that its service model does not hold.

Each `check_` raises ValidationException. The sentences are EMR's where they have been seen in public (tools look for
them, issues quote them); the others say the rule that the API reference gives.
"""

from collections.abc import Iterable
from typing import Any

from local_emr import catalog, ebs
from local_emr.errors import validation_error

Members = dict[str, Any]
MAX_BOOTSTRAP_ACTIONS = 16
MAX_CONCURRENT_STEPS = 256
MAX_GROUPS = 50
MAX_TAGS, MAX_TAG_KEY, MAX_TAG_VALUE = 50, 128, 256
HIGHLY_AVAILABLE = 3  # primary nodes, where there is more than one
LOG_SCHEMES = ("s3://", "s3n://", "s3a://")


def check_cluster(region: str, request: Members) -> None:
    """A whole RunJobFlow, but for what must be asked of other services."""
    _check_release(region, request)
    check_collection(request["Instances"])
    check_groups(request.get("ReleaseLabel"), request["Instances"].get("InstanceGroups", []))
    check_fleets(request.get("ReleaseLabel"), request["Instances"].get("InstanceFleets", []))
    for member in ("MasterInstanceType", "SlaveInstanceType"):
        _check_type(request.get("ReleaseLabel"), request["Instances"].get(member))
    _check_network(request["Instances"])
    check_concurrency(request.get("StepConcurrencyLevel", 1))
    check_tags(request.get("Tags", []))
    ebs.check_root(request)
    if len(request.get("BootstrapActions", [])) > MAX_BOOTSTRAP_ACTIONS:
        raise validation_error(f"A cluster can have at most {MAX_BOOTSTRAP_ACTIONS} bootstrap actions.")
    if (log_uri := request.get("LogUri")) and not log_uri.startswith(LOG_SCHEMES):
        raise validation_error(f"The LogUri '{log_uri}' is not valid: it must be an S3 location.")
    if not request.get("ServiceRole"):
        raise validation_error("ServiceRole is required for creating cluster.")
    if not request.get("JobFlowRole"):
        raise validation_error("InstanceProfile is required for creating cluster.")


def _check_release(region: str, request: Members) -> None:
    label, ami = request.get("ReleaseLabel"), request.get("AmiVersion")
    if label and ami:
        raise validation_error(
            "Only one AMI version and release label may be specified. "
            f"Provided AMI: {ami}, release label: {label}."
        )  # fmt: skip
    catalog.check_release_label(region, label)
    if label:
        catalog.check_applications(application.get("Name") for application in request.get("Applications", []))


def check_collection(instances: Members) -> None:
    """One way to ask for instances, with one primary and at most one core group or fleet."""
    groups, fleets = instances.get("InstanceGroups", []), instances.get("InstanceFleets", [])
    if groups and fleets:
        raise validation_error("InstanceGroups and InstanceFleets are mutually exclusive.")
    if (groups or fleets) and (instances.get("MasterInstanceType") or instances.get("SlaveInstanceType")):
        raise validation_error(
            "Please configure instances using one and only one of the following: instance groups; "
            "instance fleets; instance count, master and slave instance type."
        )
    if not (groups or fleets) and instances.get("InstanceCount", 1) < 1:
        raise validation_error("InstanceCount must be at least 1.")
    roles = [g["InstanceRole"] for g in groups] + [f["InstanceFleetType"] for f in fleets]
    masters = roles.count("MASTER") + bool(instances.get("MasterInstanceType"))
    kind = "fleet" if fleets else "group"
    if masters == 0:
        raise validation_error(
            f"Zero master instance {kind}s supplied, you must specify exactly one master instance {kind}"
        )
    if masters > 1 or roles.count("CORE") > 1:
        role = "master" if masters > 1 else "core"
        raise validation_error(
            f"Multiple {role} instance {kind}s supplied, you must specify exactly one {role} instance {kind}"
        )
    if len(roles) > MAX_GROUPS:
        raise validation_error(f"A cluster can have at most {MAX_GROUPS} instance groups.")


def check_groups(label: str | None, groups: Iterable[Members]) -> None:
    for group in groups:
        role, count = group["InstanceRole"], group["InstanceCount"]
        _check_type(label, group["InstanceType"])
        if count < (0 if role == "TASK" else 1):
            raise validation_error("Instance count must be at least 1 for the master and core instance groups.")
        if role == "MASTER" and count not in (1, HIGHLY_AVAILABLE):
            raise validation_error("Master instance group must have exactly 3 instances for HA clusters.")
        _check_bid(group)
        check_auto_scaling(group.get("AutoScalingPolicy"))
        ebs.check(group.get("EbsConfiguration"))


def check_fleets(label: str | None, fleets: Iterable[Members]) -> None:
    for fleet in fleets:
        role = fleet["InstanceFleetType"]
        capacity = fleet.get("TargetOnDemandCapacity", 0) + fleet.get("TargetSpotCapacity", 0)
        if role == "MASTER" and capacity != 1:
            raise validation_error("The target capacity of the master instance fleet must be exactly 1.")
        if role == "CORE" and capacity < 1:
            raise validation_error("The target capacity of the core instance fleet must be at least 1.")
        if not fleet.get("InstanceTypeConfigs"):
            raise validation_error(f"The {role.lower()} instance fleet has no InstanceTypeConfigs.")
        for config in fleet["InstanceTypeConfigs"]:
            _check_type(label, config["InstanceType"])
            if config.get("WeightedCapacity", 1) < 1:
                raise validation_error("WeightedCapacity must be 1 or greater.")
            _check_bid(config)
            ebs.check(config.get("EbsConfiguration"))


def _check_type(label: str | None, instance_type: str | None) -> None:
    if instance_type and label and not catalog.supports(label, instance_type):
        raise validation_error(f"Instance type '{instance_type}' is not supported.")


def _check_bid(config: Members) -> None:
    try:
        valid = float(config.get("BidPrice", "1")) > 0
    except ValueError:
        valid = False
    if not valid:
        raise validation_error("The bid price is invalid. Revise the configuration and resubmit.")


def _check_network(instances: Members) -> None:
    if bool(instances.get("EmrManagedMasterSecurityGroup")) != bool(instances.get("EmrManagedSlaveSecurityGroup")):
        raise validation_error(
            "You must specify both EmrManagedMasterSecurityGroup and EmrManagedSlaveSecurityGroup, or neither."
        )
    if instances.get("Ec2SubnetId") and instances.get("Ec2SubnetIds"):
        raise validation_error("Only one of Ec2SubnetId and Ec2SubnetIds may be specified.")


def check_auto_scaling(policy: Members | None) -> None:
    limits = (policy or {}).get("Constraints")
    if limits and not 0 <= limits["MinCapacity"] <= limits["MaxCapacity"]:
        raise validation_error("MinCapacity must not be higher than MaxCapacity.")


def check_concurrency(level: int) -> None:
    if not 1 <= level <= MAX_CONCURRENT_STEPS:
        raise validation_error(f"StepConcurrencyLevel must be between 1 and {MAX_CONCURRENT_STEPS}.")


def check_tags(tags: list[Members], there: Iterable[str] = ()) -> None:
    """Tags to be added to a resource that has those of the keys `there`."""
    keys = [tag.get("Key", "") for tag in tags]
    if len(set(keys) | set(there)) > MAX_TAGS:
        raise validation_error(f"A resource can have at most {MAX_TAGS} tags.")
    if len(set(keys)) < len(keys):
        raise validation_error("Tag keys must be unique.")
    for tag in tags:
        key, value = tag.get("Key", ""), tag.get("Value", "")
        if not 1 <= len(key) <= MAX_TAG_KEY or len(value) > MAX_TAG_VALUE:
            raise validation_error(
                f"A tag's key has 1 to {MAX_TAG_KEY} characters, its value up to {MAX_TAG_VALUE}: '{key}'."
            )
        if key.lower().startswith("aws:"):
            raise validation_error(f"Tag keys that start with 'aws:' are reserved for AWS: '{key}'.")
