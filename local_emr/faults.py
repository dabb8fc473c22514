"""Faults on demand: AWS's bad days, rehearsed. HOME/faults.json is read anew whenever it changes; no file, no faults.

    [{"service": "emr", "operation": "DescribeStep", "kind": "throttle", "skip": 2, "times": 3},
     {"cluster": "nightly-*", "kind": "no-capacity", "seconds": 20},
     {"step": "features", "kind": "step-killed", "seconds": 5, "times": -1}]

What a rule is about: `service` is emr, s3, ec2, iam or sts; `operation` is EMR's name for it, or S3's HTTP method;
`cluster` and `step` are names or ids. `*` and `?` stand for any text, and what is not said may be anything. The first
`skip` times that something matches it passes (0), the next `times` it meets the fault (1; -1 is for ever). `kind` is

    throttle   ThrottlingException (S3: SlowDown)        error    500, and nothing was carried out
    expired    the credentials have expired              denied   AccessDenied
    reset      the connection ends without an answer, and nothing was carried out
    lost       it is carried out, then the connection ends without an answer
    slow       it is carried out after `seconds` (1)
    rates      EMR throttles at the rates that AWS publishes (`throttling.py`), whatever `times` says

or, for a cluster or step,

    no-capacity         it stays in STARTING for `seconds`, then ends: EC2 has not enough capacity
    bootstrap-failure   its next bootstrap action, if it has any, returns 1
    slow-logs           logs of ended steps come `seconds` late          no-logs   there are none until the cluster ends
    step-killed         `seconds` after its start the step is killed: exit code 137
    step-interrupted    `seconds` after its start the step is INTERRUPTED
    lost-core-node      `seconds` after its start a core node is lost, with one executor of the step, and replaced
    cluster-lost        `seconds` after its start the primary node is lost, and with it the cluster

A cluster can carry its faults itself, without the file: the tag `local-emr:fault` = `no-capacity=20 slow-logs=5`.
A line that cannot be used is reported in server.log, and left out.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable
from typing import Any
from xml.sax.saxutils import escape

from local_emr.fault_rules import REQUEST_KINDS, Rule, Rules
from local_emr.http_server import Application, StartResponse
from local_emr.protocol import CONTENT_TYPE, TARGET
from local_emr.throttling import Buckets

# kind -> (status, code and message of EMR's JSON, code and message of S3's XML); the query services take EMR's.
# The wording is AWS's: https://docs.aws.amazon.com/emr/latest/APIReference/CommonErrors.html and
# https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
_ANSWERS: dict[str, tuple[tuple[int, str, str], tuple[int, str, str]]] = {
    "throttle": ((400, "ThrottlingException", "Rate exceeded"), (503, "SlowDown", "Please reduce your request rate.")),
    "error": (
        (500, "InternalFailure", "The request processing has failed because of an unknown error."),
        (500, "InternalError", "We encountered an internal error. Please try again."),
    ),
    "expired": (
        (400, "ExpiredTokenException", "The security token included in the request is expired"),
        (400, "ExpiredToken", "The provided token has expired."),
    ),
    "denied": (
        (400, "AccessDeniedException", "User is not authorized to perform this action"),
        (403, "AccessDenied", "Access Denied"),
    ),
}
SINGLE_KINDS = [kind for kind in REQUEST_KINDS if kind != "rates"]
_REASONS = {400: "Bad Request", 403: "Forbidden", 500: "Internal Server Error", 503: "Slow Down"}


class Faults:
    """Stands before the services: passes a request on, or answers for them."""

    def __init__(self, rules: Rules) -> None:
        self.rules, self.buckets = rules, Buckets()

    def answer(
        self, service: str, application: Application, environ: dict[str, Any], start_response: StartResponse
    ) -> Iterable[bytes]:
        """What `application` answers, or the fault that is due."""
        service = "emr" if service == "elasticmapreduce" else service
        rule = self._due(service, _operation(environ), environ["local_emr.region"])
        if rule is None:
            return application(environ, start_response)
        if rule.kind in _ANSWERS:
            environ["wsgi.input"].read()
            return _refuse(rule.kind, service, environ, start_response)
        if rule.kind == "slow":
            time.sleep(rule.seconds)
            return application(environ, start_response)
        if rule.kind == "lost":
            for _ in application(environ, start_response):
                pass
        raise ConnectionResetError("a fault on demand")  # the HTTP server closes the connection

    def _due(self, service: str, operation: str, region: str) -> Rule | None:
        subject = {"service": [service], "operation": [operation]}
        if (rule := self.rules.due(SINGLE_KINDS, **subject)) is not None:
            return rule
        rates = service == "emr" and self.rules.is_there("rates", **subject)
        return Rule("throttle") if rates and not self.buckets.take(region, operation) else None


def _operation(environ: dict[str, Any]) -> str:
    target = str(environ.get("HTTP_X_AMZ_TARGET", ""))
    return target.removeprefix(TARGET) if target.startswith(TARGET) else str(environ["REQUEST_METHOD"])


def _refuse(kind: str, service: str, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
    status, code, message = _ANSWERS[kind][service == "s3"]
    if service == "s3":
        content_type, body = (
            "application/xml",
            f"<Error><Code>{code}</Code><Message>{escape(message)}</Message></Error>",
        )
    elif service == "ec2":
        error = f"<Error><Code>{code}</Code><Message>{escape(message)}</Message></Error>"
        content_type, body = "text/xml", f"<Response><Errors>{error}</Errors><RequestID>0</RequestID></Response>"
    elif service in ("iam", "sts"):
        error = f"<Error><Type>Sender</Type><Code>{code}</Code><Message>{escape(message)}</Message></Error>"
        content_type, body = "text/xml", f"<ErrorResponse>{error}<RequestId>0</RequestId></ErrorResponse>"
    else:
        content_type, body = CONTENT_TYPE, json.dumps({"__type": code, "message": message, "Message": message})
    data = b"" if environ["REQUEST_METHOD"] == "HEAD" else body.encode()
    headers = [("Content-Type", content_type), ("Content-Length", str(len(data)))]
    start_response(f"{status} {_REASONS[status]}", headers)
    return [data]
