"""GetObject, HeadObject, PutObject, DeleteObject, GetObjectAttributes."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable
from email.utils import formatdate
from functools import lru_cache

from werkzeug.wrappers import Request

from local_emr.s3 import xml
from local_emr.s3.bodies import Body
from local_emr.s3.conditions import check_read, check_write
from local_emr.s3.errors import S3Error
from local_emr.s3.metadata import Metadata
from local_emr.s3.responses import Response, xml_response
from local_emr.s3.store import Check, OpenObject, Store

DEFAULT_TYPE = "binary/octet-stream"
KEPT = ("Cache-Control", "Content-Disposition", "Content-Encoding", "Content-Language", "Content-Type", "Expires")
# what an object would silently lack if these were let pass; ACLs, storage classes and S3's own encryption are: they
# change nothing that can be seen here
REFUSED = (
    "x-amz-object-lock-legal-hold",
    "x-amz-object-lock-mode",
    "x-amz-server-side-encryption-customer-algorithm",
    "x-amz-tagging",
    "x-amz-website-redirect-location",
    "x-amz-write-offset-bytes",
)
MAX_USER_METADATA = 2048
AT_ONCE = 1 << 18  # bytes read while other reads wait; of larger objects each chunk is read when the last is sent
_RANGE = re.compile(r"bytes=(\d*)-(\d*)")
_META = "x-amz-meta-"


# -- what a request says of the object ------------------------------------------------------------------------------


def metadata_of(request: Request) -> Metadata:
    """The headers that an object keeps. Refuses those that this server would have to drop."""
    for name in REFUSED:
        if name in request.headers:
            raise S3Error("NotImplemented", Header=name)
    kept = {name: request.headers[name] for name in KEPT if name in request.headers}
    if "Content-Encoding" in kept:
        codings = [coding.strip() for coding in kept["Content-Encoding"].split(",")]
        kept["Content-Encoding"] = ",".join(coding for coding in codings if coding != "aws-chunked")
    user = user_metadata(request)
    size = sum(len(name) + len(value.encode()) for name, value in user.items())
    if size > MAX_USER_METADATA:
        raise S3Error("MetadataTooLarge", Size=str(size), MaxSizeAllowed=str(MAX_USER_METADATA))
    return Metadata(headers={name: value for name, value in kept.items() if value}, user=user)


def user_metadata(request: Request) -> dict[str, str]:
    """x-amz-meta-…: a WSGI environ cannot tell `_` from `-`, but moto's request handler says which it was."""
    spelled = request.environ.get("moto.preserved_header_names", {})
    user = {}
    for variable, value in request.environ.items():
        if variable.startswith("HTTP_X_AMZ_META_"):
            name = spelled.get(variable, variable[len("HTTP_") :].replace("_", "-")).lower()
            user[name[len(_META) :]] = value.strip()
    return user


def write_check(store: Store, request: Request, bucket: str, key: str) -> Check | None:
    """The request's preconditions on what is there now, to be asked at the moment of the rename."""
    match, none_match = request.headers.get("If-Match"), request.headers.get("If-None-Match")
    if match is None and none_match is None:
        return None

    def check() -> None:
        check_write(match, none_match, key, current_etag(store, bucket, key))

    return check


def current_etag(store: Store, bucket: str, key: str) -> str | None:
    try:
        with store.open(bucket, key) as found:
            return found.metadata.etag
    except S3Error as error:
        if error.code != "NoSuchKey":
            raise
        return None


# -- operations -----------------------------------------------------------------------------------------------------


def put_object(store: Store, request: Request, bucket: str, key: str) -> Response:
    store.places.to_write(bucket, key)
    check = write_check(store, request, bucket, key)
    if check:
        check()  # now, to say no before the bytes come; and again when they have come
    body = Body(request)
    metadata = metadata_of(request)
    if key.endswith("/"):
        return _put_marker(store, bucket, key, body, metadata, check)
    with store.stage() as staged:
        staged.fill(body)
        metadata = _with_digests(metadata, body)
        staged.commit(store.places.to_write(bucket, key), metadata, check)
    return Response(headers={"ETag": f'"{metadata.etag}"', **checksum_headers(metadata)})


def _put_marker(
    store: Store, bucket: str, key: str, body: Iterable[bytes], metadata: Metadata, check: Check | None
) -> Response:
    if any(body):
        raise S3Error("NotImplemented", "A key that ends with / is a folder here, and a folder holds no bytes.")
    store.mark(bucket, key, time.time_ns(), metadata, check)
    return Response(headers={"ETag": f'"{metadata.etag}"'})


def _with_digests(metadata: Metadata, body: Body) -> Metadata:
    checksum = (*body.checksum, "FULL_OBJECT") if body.checksum else None
    return Metadata(body.md5, metadata.headers, metadata.user, checksum)


def get_object(store: Store, request: Request, bucket: str, key: str) -> Response:
    found = store.open(bucket, key)
    try:
        check_read(request, found.metadata.etag, found.mtime)
        span = _span(request, found)
        overrides = _overrides(request) if request.args else {}
    except S3Error as error:
        found.close()
        if error.code == "NotModified":
            return Response(status=304, headers=validators(found))
        raise
    headers = object_headers(found)
    if span:
        headers["Content-Range"] = f"bytes {span[0]}-{span[1] - 1}/{found.size}"
    elif request.headers.get("x-amz-checksum-mode", "").upper() == "ENABLED":
        headers.update(checksum_headers(found.metadata))
    if found.metadata.parts and "partNumber" in request.args:
        headers["x-amz-mp-parts-count"] = str(found.metadata.parts[0])
    headers.update(overrides)
    start, stop = span or (0, found.size)
    headers["Content-Length"] = str(stop - start)
    status = 206 if span else 200
    if request.method == "HEAD":
        found.close()
        return Response(status=status, headers=headers)
    if stop - start <= AT_ONCE:
        return Response(b"".join(found.chunks(start, stop)), status, headers)
    return Response(found.chunks(start, stop), status, headers)


def _overrides(request: Request) -> dict[str, str]:
    """Headers that the query asks for: response-content-type and its like."""
    wanted = {name: request.args.get(f"response-{name.lower()}") for name in KEPT}
    if any("\r" in (value or "") or "\n" in (value or "") for value in wanted.values()):
        raise S3Error("InvalidArgument", "A header has no line ends")
    return {name: value for name, value in wanted.items() if value is not None}


def delete_object(store: Store, request: Request, bucket: str, key: str) -> Response:
    store.delete(bucket, key, write_check(store, request, bucket, key))
    return Response(status=204)


def get_object_attributes(store: Store, request: Request, bucket: str, key: str) -> Response:
    wanted = {name.strip() for name in request.headers.get("x-amz-object-attributes", "").split(",")}
    with store.open(bucket, key) as found:
        body = ""
        if "ETag" in wanted:
            body += xml.element("ETag", found.metadata.etag)
        if "Checksum" in wanted and found.metadata.checksum:
            algorithm, value, kind = found.metadata.checksum
            tag = f"Checksum{algorithm.upper()}"
            body += f"<Checksum>{xml.element(tag, value)}{xml.element('ChecksumType', kind)}</Checksum>"
        if "ObjectParts" in wanted and found.metadata.parts:
            body += f"<ObjectParts>{xml.element('PartsCount', found.metadata.parts[0])}</ObjectParts>"
        if "StorageClass" in wanted:
            body += xml.element("StorageClass", "STANDARD")
        if "ObjectSize" in wanted:
            body += xml.element("ObjectSize", found.size)
    return xml_response("GetObjectAttributesResponse", body, validators(found))


# -- what an object says of itself ----------------------------------------------------------------------------------


def validators(found: OpenObject) -> dict[str, str]:
    return {"ETag": f'"{found.metadata.etag}"', "Last-Modified": _http_date(found.mtime)}


@lru_cache(maxsize=4096)
def _http_date(seconds: int) -> str:
    return formatdate(seconds, usegmt=True)


def object_headers(found: OpenObject) -> dict[str, str]:
    headers = {"Content-Type": DEFAULT_TYPE, "Accept-Ranges": "bytes", **found.metadata.headers, **validators(found)}
    headers.update({_META + name: value for name, value in found.metadata.user.items()})
    return headers


def checksum_headers(metadata: Metadata) -> dict[str, str]:
    if not metadata.checksum:
        return {}
    algorithm, value, kind = metadata.checksum
    return {f"x-amz-checksum-{algorithm}": value, "x-amz-checksum-type": kind}


def _span(request: Request, found: OpenObject) -> tuple[int, int] | None:
    """The bytes asked for, from and to. A range that is not one, or several, is ignored, as AWS does."""
    if "partNumber" in request.args:
        return _part_span(request.args["partNumber"], found)
    header = request.headers.get("Range", "")
    match = _RANGE.fullmatch(header)
    if not match or not any(match.groups()):
        return None
    first, last = match.groups()
    if first and last and int(last) < int(first):
        return None
    start = int(first) if first else max(0, found.size - int(last))
    stop = min(found.size, int(last) + 1) if first and last else found.size
    if start >= found.size:
        raise S3Error("InvalidRange", RangeRequested=header, ActualObjectSize=str(found.size))
    return start, stop


def _part_span(number: str, found: OpenObject) -> tuple[int, int] | None:
    count, size = found.metadata.parts or (1, found.size)
    if not number.isdecimal() or not 1 <= int(number) <= 10_000:
        raise S3Error("InvalidArgument", "Part number must be an integer between 1 and 10000, inclusive")
    if int(number) > count:
        raise S3Error("InvalidPartNumber", ActualPartCount=str(count), PartNumberRequested=number)
    if not found.size:
        return None
    if not size:
        raise S3Error("NotImplemented", "The parts of this object differ in size, and their sizes are not kept.")
    start = (int(number) - 1) * size
    return start, found.size if int(number) == count else start + size
