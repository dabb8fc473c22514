"""EBS volumes of a cluster's nodes: what may be asked for, and what EMR attaches where nothing was."""

from typing import Any

from local_emr.errors import validation_error

Members = dict[str, Any]
VOLUME_TYPES = ("gp3", "gp2", "io1", "st1", "sc1", "standard")
VOLUME_SIZES = range(1, 16_385)  # GiB, the most that EBS has
MAX_VOLUMES = 25  # of one node
ROOT_LIMITS = {  # members of RunJobFlow: GiB, operations a second, MiB/s
    "EbsRootVolumeSize": range(10, 101),
    "EbsRootVolumeIops": range(3_000, 16_001),
    "EbsRootVolumeThroughput": range(125, 1_001),
}
# (volumes, GiB of each) by size, from emr-5.22 on, of types that have no disks of their own:
# https://docs.aws.amazon.com/emr/latest/ManagementGuide/emr-plan-storage.html
DEFAULTS = {
    "large": (1, 32),
    "xlarge": (2, 32),
    "2xlarge": (4, 32),
    "4xlarge": (4, 64),
    "8xlarge": (4, 128),
    "9xlarge": (4, 144),
    "10xlarge": (4, 160),
    "12xlarge": (4, 192),
    "16xlarge": (4, 256),
    "18xlarge": (4, 288),
    "24xlarge": (4, 384),
}


def check_root(request: Members) -> None:
    for member, allowed in ROOT_LIMITS.items():
        if member in request and request[member] not in allowed:
            raise validation_error(f"{member} must be between {allowed[0]} and {allowed[-1]}.")


def check(configuration: Members | None) -> None:
    """An EbsConfiguration of instances."""
    volumes = 0
    for config in (configuration or {}).get("EbsBlockDeviceConfigs", []):
        volume, count = config["VolumeSpecification"], config.get("VolumesPerInstance", 1)
        volumes += count
        if volume["VolumeType"] not in VOLUME_TYPES:
            raise validation_error(f"The EBS volume type '{volume['VolumeType']}' is not valid.")
        if volume["SizeInGB"] not in VOLUME_SIZES:
            raise validation_error(f"The size of an EBS volume must be from 1 to {VOLUME_SIZES[-1]} GiB.")
        if volume["VolumeType"] == "io1" and "Iops" not in volume:
            raise validation_error("Iops is required for EBS volumes of type io1.")
        if count < 1 or volumes > MAX_VOLUMES:
            raise validation_error(f"An instance can have 1 to {MAX_VOLUMES} EBS volumes.")


def devices(configuration: Members | None, instance_type: str, only_ebs: bool) -> list[Members]:
    """EbsBlockDevices: those that were asked for, else EMR's own choice for a type without disks."""
    configs = (configuration or {}).get("EbsBlockDeviceConfigs", [])
    if not configs and only_ebs:
        count, size = DEFAULTS.get(instance_type.partition(".")[2], (0, 0))
        configs = [{"VolumeSpecification": {"VolumeType": "gp2", "SizeInGB": size}, "VolumesPerInstance": count}]
    volumes = [c["VolumeSpecification"] for c in configs for _ in range(c.get("VolumesPerInstance", 1))]
    return [
        {"VolumeSpecification": volume, "Device": f"/dev/sd{chr(ord('b') + number)}"}
        for number, volume in enumerate(volumes)
    ]
