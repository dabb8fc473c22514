"""EMR's wire protocol, AWS JSON 1.1: botocore's own service model checks every request and shapes every response.

A request is one POST: the operation in `X-Amz-Target: ElasticMapReduce.<Operation>`, its members as a JSON object.
Timestamps are epoch seconds on the wire and stay so here.
"""

import functools
import json
import sys
import traceback
import uuid
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from typing import Any

import botocore.session
from botocore.model import ListShape, MapShape, ServiceModel, Shape, StructureShape

from local_emr.errors import ApiError, validation_error
from local_emr.http_server import StartResponse

TARGET = "ElasticMapReduce."
CONTENT_TYPE = "application/x-amz-json-1.1"
STATUS_LINES = {200: "200 OK", 400: "400 Bad Request", 500: "500 Internal Server Error"}

Members = dict[str, Any]
Operation = Callable[[str, Members], Members | None]  # region, checked members -> output members


@functools.cache
def service_model() -> ServiceModel:
    """botocore's model of EMR: names, shapes, enums and limits of all operations. It takes a third of a second."""
    return botocore.session.get_session().get_service_model("emr")


class EmrProtocol:
    """The WSGI application that speaks EMR's protocol; `operations` does what is asked."""

    def __init__(
        self, operations: dict[str, Operation], transaction: Callable[[], AbstractContextManager[None]]
    ) -> None:
        self.model = service_model()
        self.operations = operations
        self.transaction = transaction

    def __call__(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        name = environ.get("HTTP_X_AMZ_TARGET", "").rpartition(".")[2]
        try:
            status, answer = 200, self.call(name, environ["local_emr.region"], environ["wsgi.input"].read())
        except ApiError as error:
            status, answer = error.status, {"__type": error.code, "message": error.message, "Message": error.message}
            if error.error_code:
                answer["ErrorCode"] = error.error_code
        except Exception:
            print(f"EMR {name} failed:", file=sys.stderr)
            traceback.print_exc()
            message = "An internal error occurred in local EMR; its server.log has the traceback."
            status, answer = 500, {"__type": "InternalServerException", "message": message, "Message": message}
        payload = json.dumps(answer).encode()
        headers = [("Content-Type", CONTENT_TYPE), ("x-amzn-RequestId", str(uuid.uuid4()))]
        start_response(STATUS_LINES[status], [*headers, ("Content-Length", str(len(payload)))])
        return [payload]

    def call(self, name: str, region: str, body: bytes) -> Members:
        """One operation: the request's JSON in, the response's JSON out."""
        if name not in self.model.operation_names:
            raise ApiError("UnknownOperationException", f"EMR has no operation {name!r}.")
        model = self.model.operation_model(name)
        members = check(model.input_shape, parse(body)) if model.input_shape else {}
        if name not in self.operations:
            raise validation_error(f"The operation {name} is not available on local EMR.")
        with self.transaction():  # shaping copies: what leaves the lock is one moment's truth
            answer = self.operations[name](region, members)
            return shaped(model.output_shape, answer or {}) if model.output_shape else {}


def parse(body: bytes) -> Any:
    try:
        return json.loads(body or b"{}")
    except ValueError:
        raise ApiError("SerializationException", "The request's body is not JSON.") from None


def check(shape: Shape, value: Any) -> Members:
    """The members of a request that the model knows; or all violations in one ValidationException, in AWS's words."""
    violations: list[str] = []
    members = _read(shape, value, "", violations)
    if violations:
        count = f"{len(violations)} validation error{'s' if len(violations) > 1 else ''} detected"
        raise validation_error(f"{count}: {'; '.join(violations)}")
    return members if isinstance(members, dict) else {}


# What a shape's type must be in JSON. bool is an int in Python, and never a number on the wire.
JSON_TYPES: dict[str, tuple[type, ...]] = {
    "structure": (dict,),
    "map": (dict,),
    "list": (list,),
    "string": (str,),
    "boolean": (bool,),
    "integer": (int,),
    "long": (int,),
    "float": (int, float),
    "double": (int, float),
    "timestamp": (int, float),
}


def _read(shape: Shape, value: Any, path: str, violations: list[str]) -> Any:
    kind = shape.type_name
    if not _is_of_type(kind, value):
        raise ApiError("SerializationException", f"The value of '{path or 'the request'}' must be of type {kind}.")
    violations += _violations(shape, value, path)
    if isinstance(shape, StructureShape):
        return _read_structure(shape, value, path, violations)
    if isinstance(shape, ListShape):
        return [_read(shape.member, item, f"{path}.{n}.member", violations) for n, item in enumerate(value, 1)]
    if isinstance(shape, MapShape):
        return {key: _read(shape.value, item, f"{path}.{key}", violations) for key, item in value.items()}
    return value


def _is_of_type(kind: str, value: Any) -> bool:
    types = JSON_TYPES.get(kind, (object,))
    return isinstance(value, types) and (bool in types or not isinstance(value, bool))


def _read_structure(shape: StructureShape, value: Members, path: str, violations: list[str]) -> Members:
    members = {}
    for name, member in shape.members.items():
        at = f"{path}.{name[0].lower()}{name[1:]}".lstrip(".")
        if value.get(name) is not None:  # null is absent in AWS JSON
            members[name] = _read(member, value[name], at, violations)
        elif name in shape.required_members:
            violations.append(f"Value null at '{at}' failed to satisfy constraint: Member must not be null")
    return members  # members that the model does not know are dropped, as AWS does


NUMBERS = ("integer", "long", "float", "double")


def _violations(shape: Shape, value: Any, path: str) -> list[str]:
    """What the model's enum and limits say against a value. Patterns are left out: they are Java's, on surrogates."""
    low, high, allowed = (shape.metadata.get(limit) for limit in ("min", "max", "enum"))
    what, size = ("value", value) if shape.type_name in NUMBERS else ("length", _length(value))
    rules = []
    if allowed and value not in allowed:
        rules.append(f"Member must satisfy enum value set: [{', '.join(allowed)}]")
    if size is not None and low is not None and size < low:
        rules.append(f"Member must have {what} greater than or equal to {low}")
    if size is not None and high is not None and size > high:
        rules.append(f"Member must have {what} less than or equal to {high}")
    said = f"[{', '.join(map(str, value))}]" if isinstance(value, list) else value
    return [f"Value '{said}' at '{path}' failed to satisfy constraint: {rule}" for rule in rules]


def _length(value: Any) -> int | None:
    return len(value) if isinstance(value, (str, list, dict)) else None


def shaped(shape: Shape, value: Any) -> Any:
    """The members that the response's shape has; what else a record holds, and None, stays here."""
    if isinstance(shape, StructureShape):
        return {name: shaped(m, value[name]) for name, m in shape.members.items() if value.get(name) is not None}
    if isinstance(shape, ListShape):
        return [shaped(shape.member, item) for item in value]
    if isinstance(shape, MapShape):
        return {key: shaped(shape.value, item) for key, item in value.items()}
    return value
