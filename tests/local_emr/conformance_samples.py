"""A request of every operation, in the order in which they are made, and clusters to make them of."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from typing import Any

from tests.local_emr.emr_fixtures import Emr

TYPE = {"InstanceType": "m5.xlarge"}
GROUPS = [
    {"InstanceRole": "MASTER", "InstanceCount": 1, **TYPE},
    {"InstanceRole": "CORE", "InstanceCount": 2, "Market": "SPOT", "BidPrice": "0.1", **TYPE},
    {
        "InstanceRole": "TASK",
        "InstanceCount": 0,
        "InstanceType": "c5.2xlarge",
        "EbsConfiguration": {
            "EbsOptimized": True,
            "EbsBlockDeviceConfigs": [{"VolumeSpecification": {"VolumeType": "gp3", "SizeInGB": 40}}],
        },
    },
]
FLEETS = [
    {"InstanceFleetType": "MASTER", "TargetOnDemandCapacity": 1, "InstanceTypeConfigs": [TYPE]},
    {
        "InstanceFleetType": "CORE",
        "TargetOnDemandCapacity": 2,
        "TargetSpotCapacity": 4,
        "InstanceTypeConfigs": [{**TYPE, "WeightedCapacity": 2, "BidPriceAsPercentageOfOnDemandPrice": 80.5}],
        "LaunchSpecifications": {
            "SpotSpecification": {"TimeoutDurationMinutes": 60, "TimeoutAction": "SWITCH_TO_ON_DEMAND"}
        },
    },
]
SCALING = {
    "Constraints": {"MinCapacity": 1, "MaxCapacity": 3},
    "Rules": [
        {
            "Name": "more",
            "Action": {"SimpleScalingPolicyConfiguration": {"ScalingAdjustment": 1}},
            "Trigger": {
                "CloudWatchAlarmDefinition": {
                    "ComparisonOperator": "LESS_THAN",
                    "MetricName": "YARNMemoryAvailablePercentage",
                    "Period": 300,
                    "Threshold": 15.0,
                }
            },
        }
    ],
}
LIMITS = {"ComputeLimits": {"UnitType": "Instances", "MinimumCapacityUnits": 1, "MaximumCapacityUnits": 4}}


class World:
    """Clusters in all sorts of states, made once."""

    def __init__(self, emr: Emr) -> None:
        self.emr, self.api = emr, emr.emr
        jar = {"Jar": "command-runner.jar", "Args": ["bash", "-c", "exit 3"], "Properties": [{"Key": "k"}]}
        failing = {"Name": "fails", "ActionOnFailure": "CONTINUE", "HadoopJarStep": jar}
        self.groups = emr.cluster(
            Instances={"InstanceGroups": GROUPS},
            Steps=[failing],
            Tags=[{"Key": "team", "Value": "fruits"}, {"Key": "bare"}],
            Applications=[{"Name": "Spark"}, {"Name": "hive"}],
            Configurations=[{"Classification": "spark", "Properties": {"maximizeResourceAllocation": "true"}}],
            BootstrapActions=emr.bootstrap("#!/bin/sh\ntrue\n"),
            AutoTerminationPolicy={"IdleTimeout": 3600},
            ManagedScalingPolicy=LIMITS,
        )
        self.fleets = emr.cluster(Instances={"InstanceGroups": [], "InstanceFleets": FLEETS})
        self.invalid = emr.cluster(Instances={"Ec2KeyName": "lost"})
        self.ended = emr.cluster(BootstrapActions=emr.bootstrap("#!/bin/sh\nexit 4\n"))
        emr.wait_cluster(self.groups, "WAITING")
        emr.wait_cluster(self.fleets, "WAITING")
        emr.wait_cluster(self.invalid)
        emr.wait_cluster(self.ended)
        (self.step,) = (s["Id"] for s in self.api.list_steps(ClusterId=self.groups)["Steps"])
        self.core, self.task = (
            g["Id"] for g in self.api.list_instance_groups(ClusterId=self.groups)["InstanceGroups"][1:]
        )
        self.core_fleet = self.api.list_instance_fleets(ClusterId=self.fleets)["InstanceFleets"][1]["Id"]


Sample = Callable[[World], dict[str, Any]]


def of(cluster: str, **more: Any) -> Sample:
    return lambda w: {"ClusterId": getattr(w, cluster), **more}


def flows(cluster: str, **more: Any) -> Sample:
    return lambda w: {"JobFlowIds": [getattr(w, cluster)], **more}


# Requests in the order in which they are made, and the members that their answers ordinarily have ("a.b" is within a;
# of a list, in every item).
SAMPLES: list[tuple[str, Sample, str]] = [
    ("RunJobFlow", lambda w: w.emr.request(Name="another"), "JobFlowId ClusterArn"),
    *(
        (
            "DescribeCluster",
            of(cluster),
            "Cluster.Id Cluster.Name Cluster.ClusterArn Cluster.Status.State Cluster.Status.StateChangeReason "
            "Cluster.Status.Timeline.CreationDateTime Cluster.Ec2InstanceAttributes.Ec2AvailabilityZone "
            "Cluster.Ec2InstanceAttributes.IamInstanceProfile Cluster.Ec2InstanceAttributes.RequestedEc2SubnetIds "
            "Cluster.InstanceCollectionType Cluster.LogUri Cluster.ReleaseLabel Cluster.AutoTerminate "
            "Cluster.TerminationProtected Cluster.VisibleToAllUsers Cluster.Applications.Name Cluster.Tags "
            "Cluster.ServiceRole Cluster.NormalizedInstanceHours Cluster.Configurations Cluster.ScaleDownBehavior "
            "Cluster.StepConcurrencyLevel" + more,
        )
        for cluster, more in (
            ("groups", " Cluster.MasterPublicDnsName Cluster.Status.Timeline.ReadyDateTime Cluster.Tags.Value"),
            ("fleets", " Cluster.Applications.Version"),
            ("invalid", " Cluster.Status.ErrorDetails.ErrorCode Cluster.Status.Timeline.EndDateTime"),
            ("ended", " Cluster.Status.ErrorDetails.ErrorData Cluster.Status.StateChangeReason.Code"),
        )
    ),
    (
        "ListClusters",
        lambda w: {
            "ClusterStates": ["WAITING", "TERMINATED_WITH_ERRORS"],
            "CreatedAfter": datetime.datetime(2020, 1, 1),
        },
        "Clusters.Id Clusters.Name Clusters.Status.Timeline Clusters.NormalizedInstanceHours Clusters.ClusterArn",
    ),
    (
        "DescribeJobFlows",
        lambda w: {"JobFlowIds": [w.groups, w.fleets, w.ended]},
        "JobFlows.JobFlowId JobFlows.ExecutionStatusDetail.State JobFlows.Instances.InstanceCount JobFlows.LogUri",
    ),
    ("ListBootstrapActions", of("groups"), "BootstrapActions.Name BootstrapActions.ScriptPath BootstrapActions.Args"),
    (
        "DescribeStep",
        lambda w: {"ClusterId": w.groups, "StepId": w.step},
        "Step.Id Step.Name Step.Config.Jar Step.Config.Args Step.Config.Properties Step.ActionOnFailure "
        "Step.Status.State Step.Status.StateChangeReason Step.Status.FailureDetails.LogFile "
        "Step.Status.Timeline.StartDateTime Step.Status.Timeline.EndDateTime",
    ),
    ("ListSteps", of("groups", StepStates=["FAILED"]), "Steps.Id Steps.Config.Jar Steps.Status.FailureDetails.Reason"),
    (
        "ListInstances",
        of("groups", InstanceGroupTypes=["MASTER", "CORE"], InstanceStates=["RUNNING"]),
        "Instances.Id Instances.Ec2InstanceId Instances.InstanceGroupId Instances.InstanceType Instances.Market "
        "Instances.PrivateDnsName Instances.Status.State Instances.Status.Timeline.ReadyDateTime Instances.EbsVolumes",
    ),
    ("ListInstances", of("fleets", InstanceFleetType="CORE"), "Instances.InstanceFleetId Instances.Market"),
    (
        "ListInstanceGroups",
        of("groups"),
        "InstanceGroups.Id InstanceGroups.Name InstanceGroups.Market InstanceGroups.InstanceGroupType "
        "InstanceGroups.InstanceType InstanceGroups.RequestedInstanceCount InstanceGroups.RunningInstanceCount "
        "InstanceGroups.Status.State InstanceGroups.Status.Timeline InstanceGroups.EbsBlockDevices.Device "
        "InstanceGroups.Configurations InstanceGroups.ShrinkPolicy",
    ),
    (
        "ListInstanceFleets",
        of("fleets"),
        "InstanceFleets.Id InstanceFleets.Name InstanceFleets.InstanceFleetType InstanceFleets.TargetSpotCapacity "
        "InstanceFleets.ProvisionedOnDemandCapacity InstanceFleets.InstanceTypeSpecifications.WeightedCapacity",
    ),
    (
        "AddJobFlowSteps",
        lambda w: {
            "JobFlowId": w.groups,
            "Steps": [{"Name": "s", "HadoopJarStep": {"Jar": "command-runner.jar", "Args": ["sleep", "60"]}}],
        },
        "StepIds",
    ),
    (
        "CancelSteps",
        lambda w: {"ClusterId": w.groups, "StepIds": [w.step, w.api.list_steps(ClusterId=w.groups)["Steps"][0]["Id"]]},
        "CancelStepsInfoList.StepId CancelStepsInfoList.Status",
    ),
    ("ModifyCluster", of("groups", StepConcurrencyLevel=2), "StepConcurrencyLevel"),
    ("SetTerminationProtection", flows("groups", TerminationProtected=True), ""),
    ("SetTerminationProtection", flows("groups", TerminationProtected=False), ""),
    ("SetKeepJobFlowAliveWhenNoSteps", flows("groups", KeepJobFlowAliveWhenNoSteps=True), ""),
    ("SetVisibleToAllUsers", flows("groups", VisibleToAllUsers=True), ""),
    ("SetUnhealthyNodeReplacement", flows("groups", UnhealthyNodeReplacement=True), ""),
    ("AddTags", lambda w: {"ResourceId": w.groups, "Tags": [{"Key": "new", "Value": "1"}]}, ""),
    ("RemoveTags", lambda w: {"ResourceId": w.groups, "TagKeys": ["new", "absent"]}, ""),
    ("PutAutoTerminationPolicy", of("groups", AutoTerminationPolicy={"IdleTimeout": 7200}), ""),
    ("GetAutoTerminationPolicy", of("groups"), "AutoTerminationPolicy.IdleTimeout"),
    ("RemoveAutoTerminationPolicy", of("groups"), ""),
    ("PutManagedScalingPolicy", of("groups", ManagedScalingPolicy=LIMITS), ""),
    ("GetManagedScalingPolicy", of("groups"), "ManagedScalingPolicy.ComputeLimits.UnitType"),
    ("RemoveManagedScalingPolicy", of("groups"), ""),
    (
        "PutAutoScalingPolicy",
        lambda w: {"ClusterId": w.groups, "InstanceGroupId": w.core, "AutoScalingPolicy": SCALING},
        "ClusterId InstanceGroupId ClusterArn AutoScalingPolicy.Status.State AutoScalingPolicy.Rules.Name",
    ),
    ("ListInstanceGroups", of("groups"), "InstanceGroups.Id"),
    ("RemoveAutoScalingPolicy", lambda w: {"ClusterId": w.groups, "InstanceGroupId": w.core}, ""),
    (
        "ModifyInstanceGroups",
        lambda w: {"ClusterId": w.groups, "InstanceGroups": [{"InstanceGroupId": w.task, "InstanceCount": 2}]},
        "",
    ),
    (
        "AddInstanceGroups",
        lambda w: {"JobFlowId": w.groups, "InstanceGroups": [{"InstanceRole": "TASK", "InstanceCount": 1, **TYPE}]},
        "JobFlowId InstanceGroupIds ClusterArn",
    ),
    (
        "ModifyInstanceFleet",
        lambda w: {
            "ClusterId": w.fleets,
            "InstanceFleet": {"InstanceFleetId": w.core_fleet, "TargetSpotCapacity": 2},
        },
        "",
    ),
    (
        "AddInstanceFleet",
        lambda w: {
            "ClusterId": w.fleets,
            "InstanceFleet": {**FLEETS[1], "InstanceFleetType": "TASK"},
        },
        "ClusterId InstanceFleetId ClusterArn",
    ),
    ("ListInstanceFleets", of("fleets"), "InstanceFleets.Status.State"),
    (
        "CreateSecurityConfiguration",
        lambda w: {"Name": "kms", "SecurityConfiguration": '{"EncryptionConfiguration": {}}'},
        "Name CreationDateTime",
    ),
    ("DescribeSecurityConfiguration", lambda w: {"Name": "kms"}, "Name SecurityConfiguration CreationDateTime"),
    ("ListSecurityConfigurations", lambda w: {}, "SecurityConfigurations.Name SecurityConfigurations.CreationDateTime"),
    ("DeleteSecurityConfiguration", lambda w: {"Name": "kms"}, ""),
    (
        "PutBlockPublicAccessConfiguration",
        lambda w: {"BlockPublicAccessConfiguration": {"BlockPublicSecurityGroupRules": False}},
        "",
    ),
    (
        "GetBlockPublicAccessConfiguration",
        lambda w: {},
        "BlockPublicAccessConfiguration.BlockPublicSecurityGroupRules "
        "BlockPublicAccessConfigurationMetadata.CreatedByArn",
    ),
    ("DescribeReleaseLabel", lambda w: {"ReleaseLabel": "emr-7.11.0"}, "ReleaseLabel Applications.Version"),
    ("ListReleaseLabels", lambda w: {"MaxResults": 5}, "ReleaseLabels NextToken"),
    (
        "ListSupportedInstanceTypes",
        lambda w: {"ReleaseLabel": "emr-7.11.0"},
        "SupportedInstanceTypes.Type SupportedInstanceTypes.VCPU SupportedInstanceTypes.MemoryGB Marker",
    ),
    ("ListStudios", lambda w: {}, "Studios"),
    ("ListStudioSessionMappings", lambda w: {}, "SessionMappings"),
    ("ListNotebookExecutions", lambda w: {}, "NotebookExecutions"),
    ("ListSessions", of("groups"), "Sessions"),
    ("TerminateJobFlows", flows("fleets"), ""),
    ("ListInstanceFleets", of("fleets"), "InstanceFleets.Id"),
    ("DescribeJobFlows", lambda w: {}, "JobFlows.ExecutionStatusDetail.CreationDateTime"),
]
REFUSALS: dict[str, dict[str, Any]] = {  # what names something that no account of local EMR has
    "DescribeStudio": {"StudioId": "es-1"},
    "UpdateStudio": {"StudioId": "es-1"},
    "DeleteStudio": {"StudioId": "es-1"},
    "GetStudioSessionMapping": {"StudioId": "es-1", "IdentityType": "USER"},
    "DescribeNotebookExecution": {"NotebookExecutionId": "ex-1"},
    "StopNotebookExecution": {"NotebookExecutionId": "ex-1"},
}
