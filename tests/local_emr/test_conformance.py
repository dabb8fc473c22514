"""Every operation's answer, through botocore, against the service model: types, enums, required and usual members."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from typing import Any

import botocore.session
import pytest
from botocore.exceptions import ClientError
from botocore.model import ListShape, MapShape, Shape, StructureShape

from local_emr.operations import OPERATIONS
from tests.local_emr.conformance_samples import GROUPS, REFUSALS, SAMPLES, World
from tests.local_emr.emr_fixtures import Emr, client, running, until

MODEL = botocore.session.get_session().get_service_model("emr")
PYTHON_TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "long": (int,),
    "boolean": (bool,),
    "float": (int, float),
    "double": (int, float),
    "timestamp": (datetime.datetime,),
    "structure": (dict,),
    "list": (list,),
    "map": (dict,),
}


def faults(shape: Shape, value: Any, at: str = "") -> list[str]:
    """Where a value, as botocore has parsed it, is not of its shape."""
    is_bool = isinstance(value, bool)
    if not isinstance(value, PYTHON_TYPES[shape.type_name]) or (is_bool and shape.type_name != "boolean"):
        return [f"{at}: {value!r} is no {shape.type_name}"]
    found = []
    if (allowed := shape.metadata.get("enum")) and value not in allowed:
        found.append(f"{at}: {value!r} is not in {allowed}")
    if isinstance(shape, StructureShape):
        found += [f"{at}.{name} is missing" for name in shape.required_members if name not in value]
        found += [f"{at}.{name} is not in the model" for name in value if name not in shape.members]
        for name in value.keys() & shape.members.keys():
            found += faults(shape.members[name], value[name], f"{at}.{name}")
    elif isinstance(shape, ListShape):
        for number, item in enumerate(value):
            found += faults(shape.member, item, f"{at}[{number}]")
    elif isinstance(shape, MapShape):
        for key, item in value.items():
            found += faults(shape.value, item, f"{at}.{key}")
    return found


def python_name(operation: str) -> str:
    return botocore.xform_name(operation)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with running(tmp_path_factory.mktemp("home")) as emr:
        yield World(emr)


def missing(answer: Any, path: str) -> bool:
    """Whether a member is not there; of a list, in any item."""
    name, _, rest = path.partition(".")
    if isinstance(answer, list):
        return not answer or any(missing(item, path) for item in answer)
    if not isinstance(answer, dict) or name not in answer:
        return True
    return bool(rest) and missing(answer[name], rest)


def test_every_operation_is_sampled() -> None:
    assert {operation for operation, _, _ in SAMPLES} | set(REFUSALS) == set(OPERATIONS)


def test_answers_are_of_the_model_s_shapes_and_have_what_emr_tells(world: World) -> None:
    found = []
    for operation, sample, usual in SAMPLES:
        answer = getattr(world.api, python_name(operation))(**sample(world))
        assert answer.pop("ResponseMetadata")["RequestId"]
        shape = MODEL.operation_model(operation).output_shape
        found += faults(shape, answer, operation) if shape else [f"{operation} answered {answer}"] if answer else []
        found += [f"{operation}: {path} is missing" for path in usual.split() if missing(answer, path)]
    assert found == []


def test_what_is_not_there_is_a_clean_error(world: World) -> None:
    for operation, members in REFUSALS.items():
        with pytest.raises(ClientError) as caught:
            getattr(world.api, python_name(operation))(**members)
        assert caught.value.response["Error"]["Code"] == "InvalidRequestException"
    with pytest.raises(world.api.exceptions.InvalidRequestException) as modelled:
        world.api.describe_cluster(ClusterId="j-NOTTHERE")
    assert modelled.value.response["ErrorCode"] == "NoSuchCluster"


def test_the_walk_sees_faults() -> None:
    shape = MODEL.operation_model("DescribeStep").output_shape
    step = {"Id": 7, "ActionOnFailure": "PANIC", "Status": {"Timeline": {"StartDateTime": 1.0}}, "Nonsense": 1}
    said = "\n".join(faults(shape, {"Step": step}))
    assert all(word in said for word in ("7 is no string", "PANIC", "1.0 is no timestamp", "Nonsense"))


PAGINATED = {
    "ListBootstrapActions": ("groups", "BootstrapActions"),
    "ListClusters": (None, "Clusters"),
    "ListInstanceGroups": ("groups", "InstanceGroups"),
    "ListInstances": ("groups", "Instances"),
    "ListSteps": ("groups", "Steps"),
    "ListInstanceFleets": ("fleets", "InstanceFleets"),
    "ListSecurityConfigurations": (None, "SecurityConfigurations"),
    "ListNotebookExecutions": (None, "NotebookExecutions"),
    "ListStudioSessionMappings": (None, "SessionMappings"),
    "ListStudios": (None, "Studios"),
    "ListSessions": ("groups", "Sessions"),
}


def test_every_paginator_of_botocore_runs(world: World) -> None:
    loader = botocore.session.get_session().get_component("data_loader")
    assert set(loader.load_service_model("emr", "paginators-1")["pagination"]) <= set(PAGINATED)
    for operation, (cluster, key) in PAGINATED.items():
        members = {"ClusterId": getattr(world, cluster)} if cluster else {}
        items = world.api.get_paginator(python_name(operation)).paginate(**members).build_full_result().get(key, [])
        listed = getattr(world.api, python_name(operation))(**members)[key]
        assert len(items) >= len(listed), operation


def test_every_waiter_of_botocore_runs(world: World) -> None:
    quick = {"WaiterConfig": {"Delay": 1, "MaxAttempts": 60}}
    cluster = world.emr.cluster(Name="awaited")
    world.api.get_waiter("cluster_running").wait(ClusterId=cluster, **quick)
    step = world.emr.step(cluster, "true")
    world.emr.wait_step(cluster, step)
    world.api.get_waiter("step_complete").wait(ClusterId=cluster, StepId=step, **quick)
    world.emr.terminate(cluster)
    world.emr.wait_cluster(cluster)
    world.api.get_waiter("cluster_terminated").wait(ClusterId=cluster, **quick)
    assert set(world.api.waiter_names) == {"cluster_running", "cluster_terminated", "step_complete"}


def test_pages_do_not_shift_while_clusters_are_made(world: World) -> None:
    other = client("emr", world.emr.url, "eu-west-3")
    mine = Emr(world.emr.url, world.emr.home, "eu-west-3")
    ids = [mine.cluster(Name=f"n{n}") for n in range(52)]
    first = other.list_clusters()
    late = mine.cluster(Name="late")
    second = other.list_clusters(Marker=first["Marker"])
    assert [c["Id"] for c in first["Clusters"] + second["Clusters"]] == ids[::-1]
    for start in range(0, 53, 10):
        mine.terminate(*[*ids, late][start : start + 10])
    until(
        lambda: (
            not other.list_clusters(ClusterStates=["STARTING", "TERMINATING", "WAITING", "BOOTSTRAPPING"])["Clusters"]
        )
    )


def test_resizing_is_seen_and_comes_to_an_end(world: World) -> None:
    cluster = world.emr.cluster(Instances={"InstanceGroups": GROUPS[:2]})
    world.emr.wait_cluster(cluster, "WAITING")

    def core() -> dict[str, Any]:
        return world.api.list_instance_groups(ClusterId=cluster)["InstanceGroups"][1]

    group = core()
    assert (group["Status"]["State"], group["RequestedInstanceCount"], group["RunningInstanceCount"]) == (
        "RUNNING",
        2,
        2,
    )
    change = {"InstanceGroupId": group["Id"], "InstanceCount": 5}
    world.api.modify_instance_groups(ClusterId=cluster, InstanceGroups=[change])
    group = core()
    assert (group["Status"]["State"], group["RequestedInstanceCount"], group["RunningInstanceCount"]) == (
        "RESIZING",
        5,
        2,
    )
    until(lambda: core()["Status"]["State"] == "RUNNING", 5)
    assert core()["RunningInstanceCount"] == 5
    instances = world.api.list_instances(ClusterId=cluster, InstanceGroupId=group["Id"])["Instances"]
    doomed = instances[0]["Ec2InstanceId"]
    shrink = {"InstanceGroupId": group["Id"], "EC2InstanceIdsToTerminate": [doomed]}
    world.api.modify_instance_groups(ClusterId=cluster, InstanceGroups=[shrink])
    gone = world.api.list_instances(ClusterId=cluster, InstanceStates=["TERMINATED"])["Instances"]
    assert [i["Ec2InstanceId"] for i in gone] == [doomed]
    assert core()["RequestedInstanceCount"] == 4
