"""Answers: documents, errors, and what has only headers. Knows nothing of requests."""

from __future__ import annotations

from collections.abc import Iterable
from http import HTTPStatus
from typing import Any

from local_emr.s3 import xml
from local_emr.s3.errors import S3Error


class Response:
    """Status, headers and body. werkzeug's own would take a fifth of the time of a small object's GET."""

    def __init__(
        self, body: str | bytes | Iterable[bytes] = b"", status: int = 200, headers: dict[str, str] | None = None
    ) -> None:
        """A body that is neither text nor bytes comes with its Content-Length among the headers."""
        self.status, self.headers = status, dict(headers or {})
        self.chunks = [body.encode()] if isinstance(body, str) else [body] if isinstance(body, bytes) else body
        if isinstance(self.chunks, list) and status not in (204, 304):
            self.headers.setdefault("Content-Length", str(len(self.chunks[0])))

    def __call__(self, start_response: Any) -> Iterable[bytes]:
        """As a WSGI application."""
        start_response(f"{self.status} {HTTPStatus(self.status).phrase}", list(self.headers.items()))
        return self.chunks


def xml_response(tag: str, body: str = "", headers: dict[str, str] | None = None) -> Response:
    return Response(xml.document(tag, body), headers={"Content-Type": "application/xml", **(headers or {})})


def error_response(error: S3Error, resource: str, request_id: str, method: str) -> Response:
    """AWS's error document; none for HEAD and 304, which have no body."""
    body = (
        xml.element("Code", error.code)
        + xml.element("Message", error.message)
        + "".join(xml.element(tag, value) for tag, value in error.details.items())
        + xml.element("Resource", resource)
        + xml.element("RequestId", request_id)
        + xml.element("HostId", request_id)
    )
    if error.status == 304:
        return Response(status=304)
    document = "" if method == "HEAD" else f"{xml.HEADER}<Error>{body}</Error>"
    return Response(document, error.status, {"Content-Type": "application/xml"})
