"""The one port: which service a request is for, by what it is signed for."""

import json
import re
import time
from collections.abc import Iterable
from typing import Any
from urllib.parse import unquote

from local_emr.faults import Faults
from local_emr.http_server import Application, StartResponse
from local_emr.protocol import TARGET

STATUS_PATH = "/_local_emr/status"  # no bucket can have this name
# AWS Signature Version 4, in a header or a presigned URL's query: Credential=AKIA…/20250115/eu-west-1/s3/aws4_request
SCOPE = re.compile(r"Credential=[^/]*/\d{8}/([^/]*)/([^/]*)/aws4_request")
DEFAULT_REGION = "us-east-1"


class App:
    """Dispatches to EMR, S3, the other services, or the server's own status."""

    def __init__(self, emr: Application, s3: Application, services: Application, status: Any, faults: Faults) -> None:
        self.emr, self.s3, self.services, self.faults = emr, s3, services, faults
        self.status = status
        self.last_request = time.monotonic()

    def __call__(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        if environ["PATH_INFO"] == STATUS_PATH:
            body = json.dumps(self.status()).encode()
            start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
            return [body]
        self.last_request = time.monotonic()
        region, service = signed_for(environ)
        environ["local_emr.region"] = region
        application, service = self._application(environ, service)
        return self.faults.answer(service, application, environ, start_response)

    def _application(self, environ: dict[str, Any], service: str) -> tuple[Application, str]:
        target = environ.get("HTTP_X_AMZ_TARGET", "")
        if target.startswith(TARGET) or service == "elasticmapreduce":
            return self.emr, "emr"
        if service == "s3":
            return self.s3, "s3"
        # Unsigned calls of the query protocol (some of STS) are forms; everything else unsigned is a public object.
        form = environ.get("CONTENT_TYPE", "").startswith("application/x-www-form-urlencoded")
        return (self.services, service) if service or target or form else (self.s3, "s3")


def signed_for(environ: dict[str, Any]) -> tuple[str, str]:
    """(region, service) of a request's signature; no service when it is unsigned, or signed in an older way."""
    query = unquote(environ.get("QUERY_STRING", ""))
    found = SCOPE.search(environ.get("HTTP_AUTHORIZATION", "") or query)
    return (found[1], found[2]) if found else (DEFAULT_REGION, "")
