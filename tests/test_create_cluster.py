"""create: the whole request, word for word; one cluster and no more; and what DescribeCluster's answers are read as."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from botocore.validate import ParamValidator

from scripts.aws import Clients
from scripts.config import Settings
from scripts.create_cluster import (
    cluster_request,
    create,
    describe,
    describe_configuration,
    live_of_run,
    log_location,
    require_live,
    status_of,
    tags_of,
)
from scripts.errors import AwsError, Trouble, WorkflowError
from scripts.lifecycle import Status

Make = Callable[..., Settings]
CLUSTER = "j-2AXXXXXXGAPLF"


def volume(size: int) -> dict[str, Any]:
    return {
        "EbsBlockDeviceConfigs": [
            {"VolumeSpecification": {"VolumeType": "gp3", "SizeInGB": size}, "VolumesPerInstance": 1}
        ]
    }


WHOLE_REQUEST = {
    "Name": "p11-fruits-etape1",
    "ReleaseLabel": "emr-7.11.0",
    "LogUri": "s3://fruits-test/logs/emr/",
    "Applications": [{"Name": "Hadoop"}, {"Name": "Spark"}],
    "Instances": {
        "InstanceGroups": [
            {
                "Name": "Master",
                "InstanceRole": "MASTER",
                "InstanceType": "m5.2xlarge",
                "InstanceCount": 1,
                "Market": "ON_DEMAND",
                "EbsConfiguration": volume(64),
            },
            {
                "Name": "Core",
                "InstanceRole": "CORE",
                "InstanceType": "r5.xlarge",
                "InstanceCount": 4,
                "Market": "ON_DEMAND",
                "EbsConfiguration": volume(64),
            },
        ],
        "KeepJobFlowAliveWhenNoSteps": True,
        "TerminationProtected": False,
        "Ec2KeyName": "mine",
        "Ec2SubnetId": "subnet-0123456789abcdef0",
        "EmrManagedMasterSecurityGroup": "sg-01234567",
        "EmrManagedSlaveSecurityGroup": "sg-89abcdef",
    },
    "BootstrapActions": [
        {
            "Name": "Install the job's dependencies",
            "ScriptBootstrapAction": {"Path": "s3://fruits-test/scripts/install_dependencies.sh", "Args": []},
        }
    ],
    "Configurations": [
        {
            "Classification": "spark-defaults",
            "Properties": {
                "spark.driver.memory": "2g",
                "spark.executor.memory": "6g",
                "spark.executor.memoryOverhead": "512m",
            },
        }
    ],
    "ServiceRole": "EMR_DefaultRole",
    "JobFlowRole": "EMR_EC2_DefaultRole",
    "AutoScalingRole": "EMR_AutoScaling_DefaultRole",
    "ScaleDownBehavior": "TERMINATE_AT_TASK_COMPLETION",
    "AutoTerminationPolicy": {"IdleTimeout": 7200},
    "StepConcurrencyLevel": 1,
    "VisibleToAllUsers": True,
    "Tags": [
        {"Key": "fruits-on-emr:run", "Value": "the-run"},
        {"Key": "fruits-on-emr:owner", "Value": "me@here"},
        {"Key": "for-use-with-amazon-emr-managed-policies", "Value": "true"},
    ],
}


@pytest.fixture
def chosen(make_settings: Make) -> Settings:
    return make_settings(
        master_instance_type="m5.2xlarge",
        core_instance_type="r5.xlarge",
        core_instance_count=4,
        ebs_volume_size=64,
        master_security_group="sg-01234567",
        slave_security_group="sg-89abcdef",
        spark_driver_memory="2g",
        spark_executor_memory="6g",
        spark_executor_memory_overhead="512m",
        idle_timeout=7200,
    )


def test_the_request_is_this_one_and_no_other(chosen: Settings) -> None:
    assert cluster_request(chosen, "the-run", "me@here") == WHOLE_REQUEST


def test_botocore_takes_the_request_as_it_is(chosen: Settings, clients: Clients) -> None:
    shape = clients.emr.meta.service_model.operation_model("RunJobFlow").input_shape

    assert not ParamValidator().validate(cluster_request(chosen, "the-run", "me@here"), shape).has_errors()


def test_what_is_not_set_is_left_out_and_never_empty(make_settings: Make) -> None:
    instances = cluster_request(make_settings(ec2_key_name="", ec2_subnet=""), "the-run", "me@here")["Instances"]

    assert sorted(instances) == ["InstanceGroups", "KeepJobFlowAliveWhenNoSteps", "TerminationProtected"]


def test_a_person_sees_what_it_will_be(chosen: Settings) -> None:
    assert describe_configuration(chosen) == {
        "Name": "p11-fruits-etape1",
        "Release": "emr-7.11.0",
        "Region": "eu-west-1",
        "Nodes": "1 x m5.2xlarge (primary), 4 x r5.xlarge (core)",
        "Disks": "64 GiB gp3 on each node",
        "Subnet": "subnet-0123456789abcdef0",
        "Key pair": "mine",
        "Spark": "driver 2g, executors 6g + 512m overhead",
        "Logs": "s3://fruits-test/logs/emr/",
        "Ends by itself": "after 7200 s idle",
    }


def test_create_is_one_call_and_returns_the_id(clients: Clients, settings: Settings) -> None:
    cluster_id = create(clients, settings, "the-run", "me@here")

    (found,) = clients.emr.list_clusters()["Clusters"]
    assert found["Id"] == cluster_id
    assert found["Name"] == "p11-fruits-etape1"
    assert tags_of(describe(clients, cluster_id)) == {
        "fruits-on-emr:run": "the-run",
        "fruits-on-emr:owner": "me@here",
        "for-use-with-amazon-emr-managed-policies": "true",
    }


def test_a_runs_clusters_are_found_by_their_tag_among_those_of_others(
    clients: Clients, settings: Settings, emr: Any
) -> None:
    emr.live("j-THEIRS", "j-MINE", "j-OLD", "j-UNTAGGED")
    emr.cluster("RUNNING", id="j-THEIRS", tag="another-run")
    emr.cluster("RUNNING", id="j-MINE", tag="the-run")
    emr.cluster("RUNNING", id="j-OLD", tag="the-run")
    emr.cluster("RUNNING", id="j-UNTAGGED")

    assert live_of_run(clients, "the-run") == ["j-MINE", "j-OLD"]


def test_a_refusal_says_what_was_being_done_and_what_emr_said_and_is_final(
    clients: Clients, settings: Settings, emr: Any, emr_once: Any
) -> None:
    emr.live()
    emr_once.add_client_error("run_job_flow", "ValidationException", "Invalid InstanceProfile: x.")

    with pytest.raises(AwsError, match=r"creating the cluster: ValidationException: Invalid InstanceProfile: x\."):
        create(clients, settings, "the-run", "me@here")


def test_where_it_may_not_be_looked_for_no_cluster_is_asked_for(
    clients: Clients, settings: Settings, emr: Any, emr_once: Any
) -> None:
    emr.add_client_error("list_clusters", "AccessDeniedException", "User is not authorized")

    with pytest.raises(AwsError, match="looking for the run's clusters: AccessDenied"):
        create(clients, settings, "the-run", "me@here")


def lost(stub: Any) -> None:
    """The next call reaches EMR, and its answer does not come back."""
    stub.add_client_error("run_job_flow", "InternalFailure", "", 500)


def test_a_lost_answer_finds_the_cluster_by_its_tag_and_asks_for_no_second(
    clients: Clients, settings: Settings, emr: Any, emr_once: Any
) -> None:
    emr.live("j-THEIRS")
    emr.cluster("RUNNING", id="j-THEIRS", tag="another-run")
    lost(emr_once)
    emr.live(CLUSTER, "j-THEIRS")
    emr.cluster("STARTING", tag="the-run")
    emr.cluster("RUNNING", id="j-THEIRS", tag="another-run")

    assert create(clients, settings, "the-run", "me@here") == CLUSTER


def test_an_earlier_cluster_of_the_same_run_is_not_taken_for_the_new_one(
    clients: Clients, settings: Settings, emr: Any, emr_once: Any
) -> None:
    emr.live("j-FIRST")
    emr.cluster("RUNNING", id="j-FIRST", tag="the-run")
    lost(emr_once)
    emr.live("j-FIRST")
    emr.cluster("RUNNING", id="j-FIRST", tag="the-run")
    emr_once.add_response("run_job_flow", {"JobFlowId": "j-SECOND"})

    assert create(clients, settings, "the-run", "me@here") == "j-SECOND"


def test_a_request_that_never_arrived_is_made_again(
    clients: Clients, settings: Settings, emr: Any, emr_once: Any
) -> None:
    emr.live()
    lost(emr_once)
    emr.live()
    emr_once.add_response("run_job_flow", {"JobFlowId": CLUSTER})

    assert create(clients, settings, "the-run", "me@here") == CLUSTER


def test_throttled_is_asked_again_without_looking(
    clients: Clients, settings: Settings, emr: Any, emr_once: Any
) -> None:
    emr.live()
    emr_once.add_client_error("run_job_flow", "ThrottlingException", "Rate exceeded")
    emr_once.add_response("run_job_flow", {"JobFlowId": CLUSTER})

    assert create(clients, settings, "the-run", "me@here") == CLUSTER


def test_expired_credentials_are_renewed_for_it(
    clients: Clients, settings: Settings, emr: Any, emr_once: Any, renewals: list[str]
) -> None:
    emr.live()
    emr_once.add_client_error("run_job_flow", "ExpiredTokenException", "expired")
    emr_once.add_response("run_job_flow", {"JobFlowId": CLUSTER})

    assert create(clients, settings, "the-run", "me@here") == CLUSTER
    assert renewals == ["renewed"]


def test_lost_for_good_says_that_it_is_not_known(clients: Clients, settings: Settings, emr: Any, emr_once: Any) -> None:
    emr.live()
    for _ in range(4):
        lost(emr_once)
        emr.live()

    with pytest.raises(AwsError, match="creating the cluster: RunJobFlow answered InternalFailure") as caught:
        create(clients, settings, "the-run", "me@here")

    assert caught.value.trouble is Trouble.UNANSWERED


def test_an_unknown_cluster_says_where_it_may_be(clients: Clients, emr: Any) -> None:
    emr.add_client_error("describe_cluster", "InvalidRequestException", "Cluster id 'j-GONE' is not valid.")

    with pytest.raises(
        AwsError, match=r"looking at cluster j-GONE: .*another account's, region's or TARGET's"
    ) as caught:
        describe(clients, "j-GONE")

    assert caught.value.code == "InvalidRequestException"


@pytest.mark.parametrize(
    ("status", "read"),
    [
        ({"State": "STARTING"}, Status("STARTING")),
        ({"State": "STARTING", "StateChangeReason": {}}, Status("STARTING")),
        ({"State": "HIBERNATING", "StateChangeReason": {"Message": "night"}}, Status("HIBERNATING", "night")),
        (
            {"State": "TERMINATED_WITH_ERRORS", "StateChangeReason": {"Code": "BOOTSTRAP_FAILURE", "Message": "On m"}},
            Status("TERMINATED_WITH_ERRORS", "On m", "BOOTSTRAP_FAILURE"),
        ),
    ],
)
def test_status_is_read_as_emr_says_it(status: Any, read: Status) -> None:
    assert status_of({"Id": CLUSTER, "Status": status}) == read


@pytest.mark.parametrize(
    ("uri", "location"),
    [
        ("s3n://fruits-test/logs/emr/", ("fruits-test", f"logs/emr/{CLUSTER}/")),
        ("s3://fruits-test/logs/emr", ("fruits-test", f"logs/emr/{CLUSTER}/")),
        ("s3a://fruits-test/", ("fruits-test", f"{CLUSTER}/")),
        ("s3n://fruits-test", ("fruits-test", f"{CLUSTER}/")),
    ],
)
def test_logs_are_where_the_log_uri_says_whatever_its_scheme(uri: str, location: tuple[str, str]) -> None:
    assert log_location({"Id": CLUSTER, "LogUri": uri}) == location


@pytest.mark.parametrize("found", [{}, {"LogUri": ""}, {"LogUri": "hdfs:///logs"}])
def test_a_cluster_without_logs_says_so(found: Any) -> None:
    with pytest.raises(WorkflowError, match="without a log URI"):
        log_location({"Id": CLUSTER, **found})


@pytest.mark.parametrize("state", ["STARTING", "BOOTSTRAPPING", "RUNNING", "WAITING"])
def test_a_live_cluster_can_take_work(clients: Clients, emr: Any, state: str) -> None:
    emr.cluster(state)

    assert require_live(clients, CLUSTER, "submitting")["Id"] == CLUSTER


@pytest.mark.parametrize("state", ["TERMINATING", "TERMINATED", "TERMINATED_WITH_ERRORS"])
def test_a_cluster_that_ends_cannot_take_work_and_emrs_reason_is_shown(clients: Clients, emr: Any, state: str) -> None:
    emr.cluster(state, "Auto-terminated while idle")

    with pytest.raises(WorkflowError) as caught:
        require_live(clients, CLUSTER, "submitting")

    assert str(caught.value) == (
        f"submitting: cluster {CLUSTER} is {state} - Auto-terminated while idle. `inv create` makes a new one."
    )
