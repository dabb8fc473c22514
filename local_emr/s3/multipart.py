"""CreateMultipartUpload, UploadPart, UploadPartCopy, AbortMultipartUpload; completion.py completes."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import uuid

from werkzeug.wrappers import Request

from local_emr.s3 import xml
from local_emr.s3.bodies import Body, algorithm_named
from local_emr.s3.checksums import COMPOSITE_ONLY, FULL_OBJECT_ONLY
from local_emr.s3.copies import SOURCE, open_source
from local_emr.s3.errors import S3Error
from local_emr.s3.metadata import Metadata
from local_emr.s3.objects import checksum_headers, metadata_of
from local_emr.s3.parts import checksum_element, of_request, part_number, remove
from local_emr.s3.responses import Response, xml_response
from local_emr.s3.store import OpenObject, Store

_PART_RANGE = re.compile(r"bytes=(\d+)-(\d+)")


def create(store: Store, request: Request, bucket: str, key: str) -> Response:
    store.places.to_write(bucket, key)
    if key.endswith("/"):
        raise S3Error("NotImplemented", "A key that ends with / is a folder here, and a folder holds no bytes.")
    metadata = metadata_of(request)
    algorithm = request.headers.get("x-amz-checksum-algorithm", "").lower()
    kind = request.headers.get("x-amz-checksum-type", "").upper()
    if algorithm:
        algorithm_named(algorithm)
        kind = kind or ("FULL_OBJECT" if algorithm in FULL_OBJECT_ONLY else "COMPOSITE")
        if algorithm in (COMPOSITE_ONLY if kind == "FULL_OBJECT" else FULL_OBJECT_ONLY):
            raise S3Error(
                "InvalidRequest",
                f"The {kind} checksum type cannot be used with the {algorithm} checksum algorithm.",
            )
    upload_id = uuid.uuid4().hex
    folder = store.uploads / upload_id
    folder.mkdir()
    kept = {
        "bucket": bucket,
        "key": key,
        "headers": metadata.headers,
        "user": metadata.user,
        "algorithm": algorithm,
        "kind": kind,
        "started": int(folder.stat().st_mtime),
    }
    written = folder / "writing"
    written.write_text(json.dumps(kept))
    written.rename(folder / "upload.json")
    body = xml.element("Bucket", bucket) + xml.element("Key", key) + xml.element("UploadId", upload_id)
    said = {"x-amz-checksum-algorithm": algorithm.upper(), "x-amz-checksum-type": kind} if algorithm else {}
    return xml_response("InitiateMultipartUploadResult", body, said)


def upload_part(store: Store, request: Request, bucket: str, key: str) -> Response:
    upload, number = of_request(store, request, bucket, key), part_number(request)
    body = Body(request)
    with store.stage() as staged:
        staged.fill(body)
        checksum = (*body.checksum, upload.kind) if body.checksum else None
        metadata = Metadata(body.md5, checksum=checksum)
        staged.commit(upload.part(number), metadata)
    headers = {name: value for name, value in checksum_headers(metadata).items() if name != "x-amz-checksum-type"}
    return Response(headers={"ETag": f'"{metadata.etag}"', **headers})


def upload_part_copy(store: Store, request: Request, bucket: str, key: str) -> Response:
    upload, number = of_request(store, request, bucket, key), part_number(request)
    digest = hashlib.md5(usedforsecurity=False)
    checksum = algorithm_named(upload.algorithm) if upload.algorithm else None
    with open_source(store, request) as source, store.stage() as staged:
        start, stop = _part_range(request, source)
        for data in source.chunks(start, stop):
            digest.update(data)
            if checksum:
                checksum.update(data)
            staged.fill([data])
        value = base64.b64encode(checksum.digest()).decode() if checksum else ""
        metadata = Metadata(digest.hexdigest(), checksum=(upload.algorithm, value, upload.kind) if value else None)
        stat = staged.commit(upload.part(number), metadata)
    fields = xml.element("LastModified", xml.timestamp(int(stat.st_mtime))) + xml.element("ETag", f'"{metadata.etag}"')
    return xml_response("CopyPartResult", fields + checksum_element(metadata))


def abort(store: Store, request: Request, bucket: str, key: str) -> Response:
    remove(store, of_request(store, request, bucket, key))
    return Response(status=204)


def _part_range(request: Request, source: OpenObject) -> tuple[int, int]:
    header = request.headers.get(f"{SOURCE}-range")
    if header is None:
        return 0, source.size
    match = _PART_RANGE.fullmatch(header)
    if not match or int(match[1]) > int(match[2]):
        raise S3Error(
            "InvalidArgument",
            "The x-amz-copy-source-range value must be of the form bytes=first-last where first and last are the "
            "zero-based offsets of the first and last bytes to copy",
            ArgumentName=f"{SOURCE}-range",
            ArgumentValue=header,
        )
    if int(match[2]) >= source.size:
        raise S3Error("InvalidArgument", f"Range specified is not valid for source object of size: {source.size}")
    return int(match[1]), int(match[2]) + 1
