"""The wire protocol, without a server: bytes in, bytes out."""

from __future__ import annotations

import contextlib
import io
import json
from typing import Any

import pytest

from local_emr.errors import invalid_request
from local_emr.protocol import EmrProtocol


def answers(region: str, members: dict[str, Any]) -> dict[str, Any]:
    return {"Cluster": {"Id": members["ClusterId"], "Name": region, "LogUri": None, "_Secret": 1, "Tags": []}}


def fails(region: str, members: dict[str, Any]) -> None:
    raise RuntimeError("a fault of ours")


def refuses(region: str, members: dict[str, Any]) -> None:
    raise invalid_request("Cluster id 'j-X' is not valid.", "NoSuchCluster")


def nothing(region: str, members: dict[str, Any]) -> None:
    assert members == {} or "Steps" in members or "Instances" in members


OPERATIONS = {
    "DescribeCluster": answers,
    "ListSteps": fails,
    "DescribeStep": refuses,
    "RunJobFlow": nothing,
    "ListClusters": nothing,
}


def call(operation: str, body: Any) -> tuple[str, dict[str, str], dict[str, Any]]:
    """(status, headers, answer) of one request."""
    said: list[Any] = []
    payload = body if isinstance(body, bytes) else json.dumps(body).encode()
    environ = {
        "HTTP_X_AMZ_TARGET": f"ElasticMapReduce.{operation}",
        "local_emr.region": "eu-west-1",
        "wsgi.input": io.BytesIO(payload),
    }
    protocol = EmrProtocol(OPERATIONS, contextlib.nullcontext)
    chunks = protocol(environ, lambda status, headers, _=None: said.extend([status, dict(headers)]))  # type: ignore[arg-type,return-value]
    return said[0], said[1], json.loads(b"".join(chunks))


def test_an_answer_has_only_what_the_model_has_and_no_nulls() -> None:
    status, headers, answer = call("DescribeCluster", {"ClusterId": "j-1"})
    assert status == "200 OK"
    assert headers["Content-Type"] == "application/x-amz-json-1.1"
    assert answer == {"Cluster": {"Id": "j-1", "Name": "eu-west-1", "Tags": []}}


def test_members_that_the_model_does_not_know_are_dropped() -> None:
    assert call("ListClusters", {"Foo": 1, "Marker": None})[0] == "200 OK"


def test_a_missing_member_is_named_in_aws_words() -> None:
    status, _, answer = call("DescribeCluster", {})
    assert status == "400 Bad Request"
    assert answer["__type"] == "ValidationException"
    assert answer["message"] == (
        "1 validation error detected: Value null at 'clusterId' failed to satisfy constraint: Member must not be null"
    )


def test_every_violation_is_told_with_its_path() -> None:
    group = {"InstanceRole": "BOSS", "InstanceType": "m5.xlarge"}
    message = call("RunJobFlow", {"Name": "n" * 257, "Instances": {"InstanceGroups": [group]}})[2]["message"]
    at = "'instances.instanceGroups.1.member."
    assert message.startswith("3 validation errors detected: ")
    assert f"Value 'BOSS' at {at}instanceRole' failed to satisfy constraint: Member must satisfy enum" in message
    assert f"Value null at {at}instanceCount' failed to satisfy constraint: Member must not be null" in message
    assert "Member must have length less than or equal to 256" in message


@pytest.mark.parametrize("body", [b"{", b"[]", {"ClusterId": 7}, {"ClusterId": True}])
def test_what_is_not_json_or_of_another_type_does_not_serialize(body: Any) -> None:
    assert call("DescribeCluster", body)[2]["__type"] == "SerializationException"


def test_unknown_and_missing_operations_are_clean_errors() -> None:
    assert call("Explode", {})[2]["__type"] == "UnknownOperationException"
    status, _, answer = call("ListStudios", {})
    assert (status, answer["__type"]) == ("400 Bad Request", "ValidationException")
    assert "not available on local EMR" in answer["message"]


def test_an_error_carries_the_model_s_error_code() -> None:
    answer = call("DescribeStep", {"ClusterId": "j-X", "StepId": "s-X"})[2]
    assert (answer["__type"], answer["ErrorCode"]) == ("InvalidRequestException", "NoSuchCluster")


def test_a_fault_of_ours_is_an_internal_error_with_its_traceback_in_the_log(capsys: pytest.CaptureFixture[str]) -> None:
    status, _, answer = call("ListSteps", {"ClusterId": "j-X"})
    assert (status, answer["__type"]) == ("500 Internal Server Error", "InternalServerException")
    assert "a fault of ours" not in answer["message"]
    assert "RuntimeError: a fault of ours" in capsys.readouterr().err
