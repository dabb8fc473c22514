"""DescribeJobFlows: the oldest of EMR's operations, deprecated and still used, with words of its own for the states."""

import time
from typing import Any

from local_emr import lifecycle
from local_emr.operations.clusters import created_within, normalized_hours
from local_emr.operations.context import Emr
from local_emr.store import ENDED, Cluster

Answer = dict[str, Any]
MOST_JOB_FLOWS = 512  # in one answer
RECENT_SECONDS = 14 * 86400  # without parameters: those that live, and those made in the last two weeks


def describe_job_flows(
    emr: Emr,
    region: str,
    CreatedAfter: float | None = None,
    CreatedBefore: float | None = None,
    JobFlowIds: list[str] | None = None,
    JobFlowStates: list[str] | None = None,
) -> Answer:
    """Everything of clusters in one answer, newest first."""
    known = [emr.job_flow(region, i) for i in JobFlowIds] if JobFlowIds else list(emr.store.clusters.values())[::-1]
    everything = not (CreatedAfter or CreatedBefore or JobFlowIds or JobFlowStates)
    found = [
        job_flow_detail(cluster)
        for cluster in known
        if cluster["_Region"] == region
        and created_within(cluster, CreatedAfter, CreatedBefore)
        and (not JobFlowStates or job_flow_state(cluster["Status"]) in JobFlowStates)
        and (not everything or _is_recent(cluster))
    ]
    return {"JobFlows": found[:MOST_JOB_FLOWS]}


def _is_recent(cluster: Cluster) -> bool:
    return cluster["Status"]["State"] not in ENDED or created_within(cluster, time.time() - RECENT_SECONDS, None)


def job_flow_state(status: Answer) -> str:
    """JobFlowExecutionState of a cluster's status."""
    state = str(status["State"])
    if state == "TERMINATED" and status["StateChangeReason"].get("Code") != "USER_REQUEST":
        return "COMPLETED"
    return {"TERMINATING": "SHUTTING_DOWN", "TERMINATED_WITH_ERRORS": "FAILED"}.get(state, state)


def _step_state(status: Answer) -> str:
    """StepExecutionState, which has no word for a step that is being cancelled."""
    return "RUNNING" if status["State"] == "CANCEL_PENDING" else str(status["State"])


def job_flow_detail(cluster: Cluster) -> Answer:
    """A cluster in the shape of JobFlowDetail."""
    status = cluster["Status"]
    return {
        **cluster,
        "JobFlowId": cluster["Id"],
        "AmiVersion": cluster.get("RunningAmiVersion"),
        "JobFlowRole": cluster["Ec2InstanceAttributes"]["IamInstanceProfile"],
        "ExecutionStatusDetail": _execution_status(status, job_flow_state(status)),
        "Instances": _instances(cluster),
        "Steps": [_step(step) for step in cluster["_Steps"]],
        "BootstrapActions": [_bootstrap_action(action) for action in cluster["_Bootstrap"]],
    }


def _instances(cluster: Cluster) -> Answer:
    attributes = cluster["Ec2InstanceAttributes"]
    types = {g["_Role"]: g["_Instances"][0]["InstanceType"] for g in cluster["_Groups"] if g["_Instances"]}
    return {
        **attributes,
        "MasterInstanceType": types["MASTER"],
        "SlaveInstanceType": types.get("CORE", types["MASTER"]),
        "MasterInstanceId": lifecycle.master_instance(cluster),
        "MasterPublicDnsName": cluster.get("MasterPublicDnsName"),
        "InstanceCount": sum(len(group["_Instances"]) for group in cluster["_Groups"]),
        "InstanceGroups": [_group(group) for group in cluster["_Groups"] if "InstanceGroupType" in group],
        "NormalizedInstanceHours": normalized_hours(cluster),
        "KeepJobFlowAliveWhenNoSteps": not cluster["AutoTerminate"],
        "TerminationProtected": cluster["TerminationProtected"],
        "UnhealthyNodeReplacement": cluster["UnhealthyNodeReplacement"],
        "Placement": {"AvailabilityZone": attributes["Ec2AvailabilityZone"]},
    }


def _group(group: Answer) -> Answer:
    return {
        **group,
        **_execution_status(group["Status"], group["Status"]["State"]),
        "InstanceGroupId": group["Id"],
        "InstanceRole": group["_Role"],
        "InstanceRequestCount": group["RequestedInstanceCount"],
        "InstanceRunningCount": group["RunningInstanceCount"],
    }


def _step(step: Answer) -> Answer:
    properties = [{"Key": key, "Value": value} for key, value in step["Config"]["Properties"].items()]
    return {
        "StepConfig": {
            "Name": step["Name"],
            "ActionOnFailure": step["ActionOnFailure"],
            "HadoopJarStep": {**step["Config"], "Properties": properties},
        },
        "ExecutionStatusDetail": _execution_status(step["Status"], _step_state(step["Status"])),
    }


def _bootstrap_action(action: Answer) -> Answer:
    script = {"Path": action["ScriptPath"], "Args": action["Args"]}
    return {"BootstrapActionConfig": {"Name": action["Name"], "ScriptBootstrapAction": script}}


def _execution_status(status: Answer, state: str) -> Answer:
    timeline = status["Timeline"]
    return {
        **timeline,
        "StartDateTime": timeline.get("StartDateTime", timeline.get("ReadyDateTime")),
        "State": state,
        "LastStateChangeReason": status["StateChangeReason"].get("Message"),
    }
