"""CopyObject, and the source of a copy, which UploadPartCopy has too."""

from __future__ import annotations

import base64
from urllib.parse import unquote

from werkzeug.wrappers import Request

from local_emr.s3 import xml
from local_emr.s3.bodies import algorithm_named, drain
from local_emr.s3.checksums import Checksum
from local_emr.s3.conditions import check_read
from local_emr.s3.errors import S3Error
from local_emr.s3.metadata import Metadata
from local_emr.s3.objects import metadata_of, write_check
from local_emr.s3.responses import Response, xml_response
from local_emr.s3.store import OpenObject, Store

SOURCE = "x-amz-copy-source"


def source_of(request: Request) -> tuple[str, str]:
    """Bucket and key that x-amz-copy-source names."""
    path, _, query = request.headers[SOURCE].partition("?")
    if query and query != "versionId=null":
        raise S3Error("NoSuchVersion")
    bucket, _, key = unquote(path).removeprefix("/").partition("/")
    if not bucket or not key:
        raise S3Error("InvalidArgument", "Copy Source must mention the source bucket and key: sourcebucket/sourcekey")
    return bucket, key


def open_source(store: Store, request: Request) -> OpenObject:
    bucket, key = source_of(request)
    found = store.open(bucket, key)
    try:
        check_read(request, found.metadata.etag, found.mtime, prefix="x-amz-copy-source-")
    except S3Error:
        found.close()
        raise
    return found


def copy_object(store: Store, request: Request, bucket: str, key: str) -> Response:
    drain(request)
    replace = request.headers.get("x-amz-metadata-directive", "COPY").upper() == "REPLACE"
    if source_of(request) == (bucket, key) and not replace:
        raise S3Error(
            "InvalidRequest",
            "This copy request is illegal because it is trying to copy an object to itself without changing the "
            "object's metadata, storage class, website redirect location or encryption attributes.",
        )
    if request.headers.get("x-amz-tagging-directive", "COPY").upper() == "REPLACE":
        raise S3Error("NotImplemented", Header="x-amz-tagging-directive")
    store.places.to_write(bucket, key)
    with open_source(store, request) as source:
        said = metadata_of(request) if replace else source.metadata
        check = write_check(store, request, bucket, key)
        if key.endswith("/"):
            if source.size:
                raise S3Error("NotImplemented", "A key that ends with / is a folder here, and a folder holds no bytes.")
            metadata = Metadata(headers=said.headers, user=said.user)
            store.mark(bucket, key, source.mtime * 1_000_000_000, metadata, check)
            return _result(source.mtime, metadata)
        etag, checksum = algorithm_named("md5"), _wanted_checksum(request, source)
        with store.stage() as staged:
            for data in source.chunks(0, source.size):
                etag.update(data)
                if checksum:
                    checksum[1].update(data)
                staged.fill([data])
            computed = (checksum[0], _base64(checksum[1]), "FULL_OBJECT") if checksum else None
            metadata = Metadata(etag.digest().hex(), said.headers, said.user, computed)
            stat = staged.commit(store.places.to_write(bucket, key), metadata, check)
    return _result(int(stat.st_mtime), metadata)


def _wanted_checksum(request: Request, source: OpenObject) -> tuple[str, Checksum] | None:
    """The algorithm asked for, or else the source's own. Computed anew: of parts, the copy has none."""
    name = request.headers.get("x-amz-checksum-algorithm", "").lower()
    if not name and source.metadata.checksum:
        name = source.metadata.checksum[0]
    return (name, algorithm_named(name)) if name else None


def _base64(checksum: Checksum) -> str:
    return base64.b64encode(checksum.digest()).decode()


def _result(mtime: int, metadata: Metadata) -> Response:
    body = xml.element("LastModified", xml.timestamp(mtime)) + xml.element("ETag", f'"{metadata.etag}"')
    if metadata.checksum:
        algorithm, value, kind = metadata.checksum
        body += xml.element(f"Checksum{algorithm.upper()}", value) + xml.element("ChecksumType", kind)
    return xml_response("CopyObjectResult", body)
