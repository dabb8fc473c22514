"""create: one RunJobFlow. The request is a pure function of the settings, so that a test can compare it whole."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from scripts.aws import Clients
from scripts.config import Settings
from scripts.errors import AwsError, WorkflowError, doing
from scripts.lifecycle import LIVE_CLUSTER, Status, once
from scripts.upload_scripts import BOOTSTRAP

if TYPE_CHECKING:
    from mypy_boto3_emr.type_defs import ClusterTypeDef, InstanceGroupConfigTypeDef, RunJobFlowInputTypeDef

OUR_TAG = "fruits-on-emr:run"
"""Every cluster of ours carries it, with a value of its own: one whose id was lost can be found again."""
OWNER_TAG = "fruits-on-emr:owner"


def cluster_request(settings: Settings, run: str, owner: str) -> RunJobFlowInputTypeDef:
    """The whole RunJobFlow request. `run` is the run's unique id, `owner` whoever runs it: both become tags.

    https://docs.aws.amazon.com/emr/latest/APIReference/API_RunJobFlow.html
    """
    instances: dict[str, object] = {
        "InstanceGroups": [
            _group("MASTER", settings.master_instance_type, 1, settings.ebs_volume_size),
            _group("CORE", settings.core_instance_type, settings.core_instance_count, settings.ebs_volume_size),
        ],
        # The API's own default is False: the cluster would end as soon as it is up, before a step can be added.
        "KeepJobFlowAliveWhenNoSteps": True,
        "TerminationProtected": False,
        "Ec2KeyName": settings.ec2_key_name,
        "Ec2SubnetId": settings.ec2_subnet,
        "EmrManagedMasterSecurityGroup": settings.master_security_group,
        "EmrManagedSlaveSecurityGroup": settings.slave_security_group,
    }
    request: RunJobFlowInputTypeDef = {
        "Name": settings.cluster_name,
        "ReleaseLabel": settings.emr_release,
        "LogUri": settings.uri(settings.logs_prefix),
        "Applications": [{"Name": "Hadoop"}, {"Name": "Spark"}],
        "Instances": {name: value for name, value in instances.items() if value != ""},  # type: ignore[typeddict-item]
        "BootstrapActions": [
            {
                "Name": "Install the job's dependencies",
                "ScriptBootstrapAction": {"Path": settings.uri(settings.scripts_prefix + BOOTSTRAP.name), "Args": []},
            }
        ],
        "Configurations": [
            {
                "Classification": "spark-defaults",
                "Properties": {
                    "spark.driver.memory": settings.spark_driver_memory,
                    "spark.executor.memory": settings.spark_executor_memory,
                    "spark.executor.memoryOverhead": settings.spark_executor_memory_overhead,
                },
            }
        ],
        "ServiceRole": settings.iam_service_role,
        "JobFlowRole": settings.iam_instance_profile,
        "AutoScalingRole": settings.iam_autoscaling_role,
        "ScaleDownBehavior": "TERMINATE_AT_TASK_COMPLETION",
        "AutoTerminationPolicy": {"IdleTimeout": settings.idle_timeout},
        "StepConcurrencyLevel": 1,
        "VisibleToAllUsers": True,
        "Tags": [
            {"Key": OUR_TAG, "Value": run},
            {"Key": OWNER_TAG, "Value": owner},
            # What AmazonEMRServicePolicy_v2, the policy of today's default roles, wants to see.
            {"Key": "for-use-with-amazon-emr-managed-policies", "Value": "true"},
        ],
    }
    return request


def _group(role: str, instance_type: str, count: int, volume_size: int) -> InstanceGroupConfigTypeDef:
    group: dict[str, object] = {
        "Name": role.title(),
        "InstanceRole": role,
        "InstanceType": instance_type,
        "InstanceCount": count,
        "Market": "ON_DEMAND",
        "EbsConfiguration": {
            "EbsBlockDeviceConfigs": [
                {"VolumeSpecification": {"VolumeType": "gp3", "SizeInGB": volume_size}, "VolumesPerInstance": 1}
            ]
        },
    }
    return group  # type: ignore[return-value]


def describe_configuration(settings: Settings) -> dict[str, str]:
    """What a person should see before agreeing to it, in order: label -> value."""
    return {
        "Name": settings.cluster_name,
        "Release": settings.emr_release,
        "Region": settings.aws_region,
        "Nodes": f"1 x {settings.master_instance_type} (primary), "
        f"{settings.core_instance_count} x {settings.core_instance_type} (core)",
        "Disks": f"{settings.ebs_volume_size} GiB gp3 on each node",
        "Subnet": settings.ec2_subnet or "EMR's choice",
        "Key pair": settings.ec2_key_name,
        "Spark": f"driver {settings.spark_driver_memory}, executors {settings.spark_executor_memory}"
        f" + {settings.spark_executor_memory_overhead} overhead",
        "Logs": settings.uri(settings.logs_prefix),
        "Ends by itself": f"after {settings.idle_timeout} s idle",
    }


def create(clients: Clients, settings: Settings, run: str, owner: str) -> str:
    """Ask for a cluster, one and no more; its id (`j-…`), the moment AWS answers. It costs money from now on.

    Raises:
        AwsError: EMR refuses the request. (A wrong subnet, key or role may show only later: see monitor.)
    """
    request = cluster_request(settings, run, owner)
    known = set(live_of_run(clients, run))  # an earlier try of the same run may still be shutting down

    def ask() -> str:
        with doing("creating the cluster"):
            return clients.emr_once.run_job_flow(**request)["JobFlowId"]

    def find() -> str | None:
        return next((cluster_id for cluster_id in live_of_run(clients, run) if cluster_id not in known), None)

    return once(ask, find, every=settings.poll_interval, renew=clients.renew)


def live_of_run(clients: Clients, run: str) -> list[str]:
    """The ids of the live clusters that carry a run's tag, newest first: how a lost id is found again."""
    with doing("looking for the run's clusters"):
        pages = clients.emr.get_paginator("list_clusters").paginate(ClusterStates=sorted(LIVE_CLUSTER))  # type: ignore[arg-type]
        found = [cluster["Id"] for page in pages for cluster in page["Clusters"]]
    return [cluster_id for cluster_id in found if tags_of(describe(clients, cluster_id)).get(OUR_TAG) == run]


def tags_of(cluster: ClusterTypeDef) -> dict[str, str]:
    return {tag.get("Key", ""): tag.get("Value", "") for tag in cluster.get("Tags", [])}


def describe(clients: Clients, cluster_id: str) -> ClusterTypeDef:
    """DescribeCluster's answer.

    Raises:
        AwsError: there is no such cluster here; its code is InvalidRequestException.
    """
    try:
        with doing(f"looking at cluster {cluster_id}"):
            return clients.emr.describe_cluster(ClusterId=cluster_id)["Cluster"]
    except AwsError as error:
        if error.code in ("InvalidRequestException", "ValidationException"):
            error.remedy = "Is it another account's, region's or TARGET's? `rm cluster_id.txt` forgets the id."
        raise


def status_of(cluster: ClusterTypeDef) -> Status:
    """A cluster's state, with EMR's reason for it."""
    status = cluster["Status"]
    why = status.get("StateChangeReason", {})
    return Status(str(status["State"]), why.get("Message", ""), str(why.get("Code", "")))


def log_location(cluster: ClusterTypeDef) -> tuple[str, str]:
    """The bucket and prefix of this very cluster's logs: `logs/emr/j-…/`.

    EMR answers the LogUri as s3n://, whatever it was given.

    Raises:
        WorkflowError: the cluster keeps no logs.
    """
    found = re.fullmatch(r"s3[an]?://([^/]+)/?(.*)", cluster.get("LogUri", ""))
    if not found:
        raise WorkflowError("looking for logs", f"cluster {cluster['Id']} was created without a log URI", "")
    bucket, prefix = found.groups()
    return bucket, f"{prefix.rstrip('/')}/{cluster['Id']}/".lstrip("/")


def require_live(clients: Clients, cluster_id: str, wanted_for: str) -> ClusterTypeDef:
    """DescribeCluster's answer, where the cluster can still take work.

    Raises:
        WorkflowError: it is ending or has ended.
        AwsError: there is no such cluster here.
    """
    cluster = describe(clients, cluster_id)
    status = status_of(cluster)
    if status.state not in LIVE_CLUSTER:
        raise WorkflowError(wanted_for, f"cluster {cluster_id} is {status}", "`inv create` makes a new one.")
    return cluster
