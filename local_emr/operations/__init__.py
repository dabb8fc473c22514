"""The operations of EMR that local EMR has: one function each, whose keyword arguments are the request's members.

What a function returns are the response's members; records may be returned whole, the protocol drops what is not on the
wire. All of them run inside one transaction of the store.
"""

from collections.abc import Callable
from typing import Any

from local_emr.operations import (
    absent,
    auto_scaling,
    clusters,
    instances,
    job_flows,
    policies,
    releases,
    security,
    steps,
    tags,
)
from local_emr.operations.context import Emr

OPERATIONS: dict[str, Callable[..., dict[str, Any] | None]] = {
    "RunJobFlow": clusters.run_job_flow,
    "DescribeCluster": clusters.describe_cluster,
    "ListClusters": clusters.list_clusters,
    "DescribeJobFlows": job_flows.describe_job_flows,
    "TerminateJobFlows": clusters.terminate_job_flows,
    "ModifyCluster": clusters.modify_cluster,
    "SetTerminationProtection": clusters.set_termination_protection,
    "SetKeepJobFlowAliveWhenNoSteps": clusters.set_keep_job_flow_alive_when_no_steps,
    "SetVisibleToAllUsers": clusters.set_visible_to_all_users,
    "SetUnhealthyNodeReplacement": clusters.set_unhealthy_node_replacement,
    "ListBootstrapActions": clusters.list_bootstrap_actions,
    "AddTags": tags.add_tags,
    "RemoveTags": tags.remove_tags,
    "AddJobFlowSteps": steps.add_job_flow_steps,
    "DescribeStep": steps.describe_step,
    "ListSteps": steps.list_steps,
    "CancelSteps": steps.cancel_steps,
    "ListInstances": instances.list_instances,
    "ListInstanceGroups": instances.list_instance_groups,
    "ListInstanceFleets": instances.list_instance_fleets,
    "AddInstanceGroups": instances.add_instance_groups,
    "AddInstanceFleet": instances.add_instance_fleet,
    "ModifyInstanceGroups": instances.modify_instance_groups,
    "ModifyInstanceFleet": instances.modify_instance_fleet,
    "PutAutoScalingPolicy": auto_scaling.put_auto_scaling_policy,
    "RemoveAutoScalingPolicy": auto_scaling.remove_auto_scaling_policy,
    "PutAutoTerminationPolicy": policies.put_auto_termination_policy,
    "GetAutoTerminationPolicy": policies.get_auto_termination_policy,
    "RemoveAutoTerminationPolicy": policies.remove_auto_termination_policy,
    "PutManagedScalingPolicy": policies.put_managed_scaling_policy,
    "GetManagedScalingPolicy": policies.get_managed_scaling_policy,
    "RemoveManagedScalingPolicy": policies.remove_managed_scaling_policy,
    "CreateSecurityConfiguration": security.create_security_configuration,
    "DescribeSecurityConfiguration": security.describe_security_configuration,
    "ListSecurityConfigurations": security.list_security_configurations,
    "DeleteSecurityConfiguration": security.delete_security_configuration,
    "GetBlockPublicAccessConfiguration": security.get_block_public_access_configuration,
    "PutBlockPublicAccessConfiguration": security.put_block_public_access_configuration,
    "DescribeReleaseLabel": releases.describe_release_label,
    "ListReleaseLabels": releases.list_release_labels,
    "ListSupportedInstanceTypes": releases.list_supported_instance_types,
    "ListStudios": absent.list_studios,
    "DescribeStudio": absent.no_studio,
    "UpdateStudio": absent.no_studio,
    "DeleteStudio": absent.no_studio,
    "GetStudioSessionMapping": absent.no_studio,
    "ListStudioSessionMappings": absent.list_studio_session_mappings,
    "ListNotebookExecutions": absent.list_notebook_executions,
    "DescribeNotebookExecution": absent.no_notebook,
    "StopNotebookExecution": absent.no_notebook,
    "ListSessions": absent.list_sessions,
}


def bound(emr: Emr) -> dict[str, Callable[[str, dict[str, Any]], dict[str, Any] | None]]:
    """The operations of one account, as the protocol calls them. Answers are copied before the lock is let go."""

    def bind(function: Callable[..., dict[str, Any] | None]) -> Callable[[str, dict[str, Any]], dict[str, Any] | None]:
        return lambda region, members: function(emr, region, **members)

    return {name: bind(function) for name, function in OPERATIONS.items()}
