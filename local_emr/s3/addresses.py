"""Which bucket and key a request is for: from its path, or from its host and path. Knows nothing of what exists."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any
from urllib.parse import unquote_to_bytes

from local_emr.s3.errors import S3Error

# <bucket>.<what comes here>: s3.anything, s3-anything, localhost, 127.0.0.1 and 127.0.0.1.nip.io
_VIRTUAL_HOST = re.compile(
    r"(?P<bucket>.+?)\.(?:s3[.-].+|localhost(?:\.localdomain)?|\d+\.\d+\.\d+\.\d+(?:\..+)?)", re.IGNORECASE
)
_PATH_STYLE_HOST = re.compile(r"s3[.-].+|s3|localhost(\.localdomain)?|\d+\.\d+\.\d+\.\d+(\..+)?|\[.*", re.IGNORECASE)


def bucket_and_key(environ: dict[str, Any], is_bucket: Callable[[str], bool]) -> tuple[str, str]:
    path = _path(environ)
    bucket = _bucket_of_host(environ.get("HTTP_HOST", ""), is_bucket)
    if bucket:
        return bucket, path
    bucket, _, key = path.partition("/")
    if not bucket and key:
        raise S3Error("InvalidBucketName", BucketName="")
    return bucket, key


def _path(environ: dict[str, Any]) -> str:
    """The path as it was sent: PATH_INFO has been through a normalisation or two that keys must not go through."""
    raw = str(environ.get("RAW_URI") or environ.get("REQUEST_URI") or "")
    if not raw:
        encoded = str(environ.get("PATH_INFO", "")).encode("latin-1")
    else:
        if not raw.startswith("/"):  # the absolute form, http://host/path, that proxies use
            raw = "/" + raw.partition("://")[2].partition("/")[2]
        encoded = unquote_to_bytes(raw.partition("?")[0].partition("#")[0].encode("latin-1"))
    try:
        return encoded.decode().removeprefix("/")
    except UnicodeDecodeError as error:
        raise S3Error("InvalidURI") from error


def _bucket_of_host(host: str, is_bucket: Callable[[str], bool]) -> str | None:
    name = re.sub(r":\d+$", "", host)
    if _PATH_STYLE_HOST.fullmatch(name):
        return None
    match = _VIRTUAL_HOST.fullmatch(name)
    if match:
        return match["bucket"].lower()
    label, dot, _ = name.partition(".")
    return label if dot and is_bucket(label) else None
