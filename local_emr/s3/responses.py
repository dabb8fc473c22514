"""Answers as werkzeug responses."""

from __future__ import annotations

import werkzeug.wrappers

from local_emr.s3 import xml
from local_emr.s3.errors import S3Error


class Response(werkzeug.wrappers.Response):
    """One that has no body has no type either."""

    default_mimetype = None


def xml_response(tag: str, body: str = "", headers: dict[str, str] | None = None) -> Response:
    return Response(xml.document(tag, body), headers=headers, content_type="application/xml")


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
    if method == "HEAD" or error.status == 304:
        return Response(status=error.status, content_type="application/xml")
    return Response(f"{xml.HEADER}<Error>{body}</Error>", error.status, content_type="application/xml")
