"""The one port: which service a request is for, by what it is signed for."""

import json
import re
import time
from collections.abc import Iterable
from functools import lru_cache
from typing import Any
from urllib.parse import unquote

from local_emr.faults import Faults
from local_emr.http_server import Application, StartResponse
from local_emr.protocol import TARGET

STATUS_PATH = "/_local_emr/status"  # no bucket can have this name
# AWS Signature Version 4, in a header or a presigned URL's query: Credential=AKIA…/20250115/eu-west-1/s3/aws4_request
SCOPE = re.compile(r"Credential=[^/]*/\d{8}/([^/]*)/([^/]*)/aws4_request")
DEFAULT_REGION = "us-east-1"
# Names that no web page of a stranger's can have: this machine's own, and AWS's, which clients sign for.
LOCAL_HOST = re.compile(
    r"(.*\.)?(localhost|localhost\.localdomain|127\.\d+\.\d+\.\d+(\.nip\.io)?|amazonaws\.com(\.cn)?)|\[::1\]|s3|",
    re.IGNORECASE,
)
REFUSAL = b"local EMR answers to names of this machine only.\n"


class App:
    """Dispatches to EMR, S3, the other services, or the server's own status."""

    def __init__(self, emr: Application, s3: Application, services: Application, status: Any, faults: Faults) -> None:
        self.emr, self.s3, self.services, self.faults = emr, s3, services, faults
        self.status = status
        self.last_request = time.monotonic()

    def __call__(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        if environ["PATH_INFO"] == STATUS_PATH and is_local(environ):
            body = json.dumps(self.status()).encode()
            start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
            return [body]
        if not is_local(environ):
            start_response("403 Forbidden", [("Content-Type", "text/plain"), ("Content-Length", str(len(REFUSAL)))])
            return [REFUSAL]
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
        form = form and environ["REQUEST_METHOD"] == "POST" and environ["PATH_INFO"] == "/"
        return (self.services, service) if service or target or form else (self.s3, "s3")


def is_local(environ: dict[str, Any]) -> bool:
    """Whether a request is a program's of this machine, and not a web page's: the user's browser is on it, too.

    A page whose name its owner has led to 127.0.0.1 (DNS rebinding) says that name as Host; one that posts here from
    its own place says so as Origin.
    """
    return _are_local(environ.get("HTTP_HOST", ""), environ.get("HTTP_ORIGIN", ""))


@lru_cache(maxsize=256)
def _are_local(host: str, origin: str) -> bool:
    name = re.sub(r":\d*$", "", host)
    of_page = re.sub(r":\d*$", "", origin.partition("://")[2])
    return bool(LOCAL_HOST.fullmatch(name)) and (not origin or bool(of_page and LOCAL_HOST.fullmatch(of_page)))


def signed_for(environ: dict[str, Any]) -> tuple[str, str]:
    """(region, service) of a request's signature; no service when it is unsigned, or signed in an older way."""
    found = SCOPE.search(environ.get("HTTP_AUTHORIZATION", "") or unquote(environ.get("QUERY_STRING", "")))
    return (found[1], found[2]) if found else (DEFAULT_REGION, "")
