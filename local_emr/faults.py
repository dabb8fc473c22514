"""Faults on demand: AWS's bad days, rehearsed. HOME/faults.json is read anew whenever it changes; no file, no faults.

    [{"service": "emr", "operation": "DescribeStep", "kind": "throttle", "skip": 2, "times": 3}]

`service` is emr, s3, ec2, iam, sts or * (all); `operation` is EMR's name for it, S3's HTTP method, or * (the default).
The first `skip` requests that match pass (0), the next `times` meet the fault (1; -1 is all of them). `kind` is

    throttle   ThrottlingException (S3: SlowDown)        error    500, and nothing was carried out
    expired    the credentials have expired              denied   AccessDenied
    reset      the connection ends without an answer, and nothing was carried out
    lost       it is carried out, then the connection ends without an answer
    slow       it is carried out after `seconds` (1)
"""

from __future__ import annotations

import json
import sys
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

from local_emr.http_server import Application, StartResponse
from local_emr.protocol import CONTENT_TYPE, TARGET

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
_KINDS = (*_ANSWERS, "reset", "lost", "slow")
_REASONS = {400: "Bad Request", 403: "Forbidden", 500: "Internal Server Error", 503: "Slow Down"}


@dataclass
class Rule:
    """One line of the file, and how many requests have matched it."""

    kind: str
    service: str = "*"
    operation: str = "*"
    skip: int = 0
    times: int = 1
    seconds: float = 1.0
    seen: int = 0

    def __post_init__(self) -> None:
        if self.kind not in _KINDS:
            raise ValueError(f"kind should be one of {', '.join(_KINDS)}, not {self.kind!r}")

    def meets(self, service: str, operation: str) -> bool:
        """Whether this request meets the fault; counts it."""
        if self.service not in ("*", service) or self.operation not in ("*", operation):
            return False
        self.seen += 1
        return self.seen > self.skip and (self.times < 0 or self.seen <= self.skip + self.times)


class Faults:
    """Stands before the services: passes a request on, or answers for them."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()
        self._version: tuple[int, int] | None = None
        self._rules: list[Rule] = []

    def answer(
        self, service: str, application: Application, environ: dict[str, Any], start_response: StartResponse
    ) -> Iterable[bytes]:
        """What `application` answers, or the fault that is due."""
        service = "emr" if service == "elasticmapreduce" else service
        rule = self._due(service, _operation(environ))
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

    def _due(self, service: str, operation: str) -> Rule | None:
        with self._lock:
            self._refresh()
            return next((rule for rule in self._rules if rule.meets(service, operation)), None)

    def _refresh(self) -> None:
        try:
            stat = self.path.stat()
        except FileNotFoundError:
            self._version, self._rules = None, []
            return
        if self._version == (stat.st_mtime_ns, stat.st_ino):
            return
        self._version = (stat.st_mtime_ns, stat.st_ino)
        try:
            self._rules = [Rule(**line) for line in json.loads(self.path.read_text())]
        except (OSError, TypeError, ValueError) as error:
            self._rules = []
            print(f"{self.path} is left out: {error}", file=sys.stderr)


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
