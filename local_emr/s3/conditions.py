"""If-Match and its kin, on reads, on writes and on the source of a copy."""

from __future__ import annotations

from werkzeug.http import parse_date
from werkzeug.wrappers import Request

from local_emr.s3.errors import S3Error

_OF_READS = {"HTTP_IF_MATCH", "HTTP_IF_NONE_MATCH", "HTTP_IF_MODIFIED_SINCE", "HTTP_IF_UNMODIFIED_SINCE"}


def _names(etag: str, header: str) -> bool:
    """Whether a header's list of ETags has this one; clients send it with quotes and without."""
    return header.strip() == "*" or etag in [part.strip().removeprefix("W/").strip('"') for part in header.split(",")]


def _seconds(header: str | None) -> int | None:
    date = parse_date(header)
    return int(date.timestamp()) if date else None


def check_read(request: Request, etag: str, mtime: int, prefix: str = "") -> None:
    """Raise PreconditionFailed or NotModified as RFC 7232 orders them; `prefix` is that of a copy's source."""
    if not prefix and _OF_READS.isdisjoint(request.environ):
        return  # as nearly always; four headers that are not there would cost a GET a twentieth of its time
    headers = request.headers
    match, none_match = headers.get(f"{prefix}If-Match"), headers.get(f"{prefix}If-None-Match")
    unmodified = _seconds(headers.get(f"{prefix}If-Unmodified-Since"))
    modified = _seconds(headers.get(f"{prefix}If-Modified-Since"))
    not_modified = "PreconditionFailed" if prefix else "NotModified"
    if match is not None:
        if not _names(etag, match):
            raise S3Error("PreconditionFailed", Condition=f"{prefix}If-Match")
    elif unmodified is not None and mtime > unmodified:
        raise S3Error("PreconditionFailed", Condition=f"{prefix}If-Unmodified-Since")
    if none_match is not None:
        if _names(etag, none_match):
            raise S3Error(not_modified, Condition=f"{prefix}If-None-Match")
    elif modified is not None and mtime <= modified:
        raise S3Error(not_modified, Condition=f"{prefix}If-Modified-Since")


def check_write(if_match: str | None, if_none_match: str | None, key: str, etag: str | None) -> None:
    """Raise when the object that is there (its ETag, or None) is not what the write was meant to meet."""
    if if_none_match is not None:
        if if_none_match.strip() != "*":
            raise S3Error("NotImplemented", "If-None-Match of a write can only be '*'.")
        if etag is not None:
            raise S3Error("PreconditionFailed", Condition="If-None-Match")
    if if_match is not None:
        if etag is None:
            raise S3Error("NoSuchKey", Key=key)
        if not _names(etag, if_match):
            raise S3Error("PreconditionFailed", Condition="If-Match")
