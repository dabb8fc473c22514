"""CompleteMultipartUpload: the parts that the client names, checked as AWS checks them, become the object."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator
from pathlib import Path
from xml.etree.ElementTree import Element

from werkzeug.wrappers import Request

from local_emr.s3 import xml
from local_emr.s3.bodies import algorithm_named, check_value, declared_checksum, document
from local_emr.s3.errors import S3Error
from local_emr.s3.metadata import Metadata
from local_emr.s3.objects import write_check
from local_emr.s3.parts import MOST_PARTS, Part, Upload, checksum_element, of_request, remove, stored_part
from local_emr.s3.responses import Response, xml_response
from local_emr.s3.store import CHUNK, Store

SMALLEST_PART = 5 << 20


def complete(store: Store, request: Request, bucket: str, key: str) -> Response:
    upload = of_request(store, request, bucket, key)
    wanted = xml.parse(document(request)).findall("{*}Part")
    check = write_check(store, request, bucket, key)
    try:
        parts = [_chosen(store, upload, entry) for entry in wanted]
        _check_parts(parts)
        expected = request.headers.get("x-amz-mp-object-size")
        if expected is not None and expected != str(sum(size for _, size, _ in parts)):
            raise S3Error(
                "InvalidRequest", "The provided 'x-amz-mp-object-size' header does not match what was computed."
            )
        with store.stage() as staged:
            checksum = algorithm_named(upload.algorithm) if upload.kind == "FULL_OBJECT" else None
            for data in _content(upload, parts):
                if checksum:
                    checksum.update(data)
                staged.fill([data])
            digest = checksum.digest() if checksum else None
            metadata = Metadata(
                _etag(parts),
                upload.metadata.headers,
                upload.metadata.user,
                _whole_checksum(request, upload, parts, digest),
                _sizes(parts),
            )
            staged.commit(store.places.to_write(bucket, key), metadata, check)
    except FileNotFoundError as error:  # aborted, or completed by another request, meanwhile
        raise S3Error("NoSuchUpload", UploadId=upload.id) from error
    remove(store, upload)
    fields = xml.element("Location", f"{request.host_url}{bucket}/{key}") + xml.element("Bucket", bucket)
    fields += xml.element("Key", key) + xml.element("ETag", f'"{metadata.etag}"')
    return xml_response("CompleteMultipartUploadResult", fields + checksum_element(metadata, kind=True))


def _chosen(store: Store, upload: Upload, entry: Element) -> Part:
    """The part that a CompleteMultipartUpload names, if it is the one that was uploaded."""
    number, etag = xml.text_of(entry, "PartNumber") or "", (xml.text_of(entry, "ETag") or "").strip().strip('"')
    if not number.strip().isdecimal() or not etag:
        raise S3Error("MalformedXML")
    wrong = S3Error("InvalidPart", UploadId=upload.id, PartNumber=number.strip(), ETag=etag)
    if not 1 <= int(number) <= MOST_PARTS:
        raise wrong
    try:
        part, _ = stored_part(store, upload, int(number))
    except FileNotFoundError:
        raise wrong from None
    if part[2].etag != etag:
        raise wrong
    if part[2].checksum:
        algorithm, value, _ = part[2].checksum
        if xml.text_of(entry, f"Checksum{algorithm.upper()}") not in (None, value):
            raise wrong
    return part


def _check_parts(parts: list[Part]) -> None:
    if not parts:
        raise S3Error("MalformedXML")
    numbers = [number for number, _, _ in parts]
    if numbers != sorted(set(numbers)):
        raise S3Error("InvalidPartOrder")
    for number, size, metadata in parts[:-1]:
        if size < SMALLEST_PART:
            raise S3Error(
                "EntityTooSmall",
                ProposedSize=str(size),
                MinSizeAllowed=str(SMALLEST_PART),
                PartNumber=str(number),
                ETag=metadata.etag,
            )


def _content(upload: Upload, parts: list[Part]) -> Iterator[bytes]:
    for number, _, _ in parts:
        with Path(upload.part(number)).open("rb") as file:
            while data := file.read(CHUNK):
                yield data


def _etag(parts: list[Part]) -> str:
    digests = b"".join(bytes.fromhex(metadata.etag) for _, _, metadata in parts)
    return f"{hashlib.md5(digests, usedforsecurity=False).hexdigest()}-{len(parts)}"


def _sizes(parts: list[Part]) -> tuple[int, int]:
    """How many, and the size of all but the last: 0 when they differ."""
    sizes = {size for _, size, _ in parts[:-1]} or {parts[0][1]}
    return len(parts), sizes.pop() if len(sizes) == 1 else 0


def _whole_checksum(
    request: Request, upload: Upload, parts: list[Part], digest: bytes | None
) -> tuple[str, str, str] | None:
    """Of the whole content, or of the parts' checksums; compared with the one that was sent, if one was."""
    if not upload.algorithm:
        return None
    sent = declared_checksum(request)
    if digest is None:
        values = [metadata.checksum[1] for _, _, metadata in parts if metadata.checksum]
        if len(values) != len(parts):
            raise S3Error(
                "InvalidRequest",
                f"The upload was created using a {upload.algorithm} checksum. The complete request must include the "
                "checksum for each part.",
            )
        composite = algorithm_named(upload.algorithm)
        composite.update(b"".join(base64.b64decode(value) for value in values))
        value = f"{base64.b64encode(composite.digest()).decode()}-{len(parts)}"
        if sent and sent[1].partition("-")[0] != value.partition("-")[0]:
            raise S3Error("BadDigest", f"The {upload.algorithm} you specified did not match the calculated checksum.")
        return upload.algorithm, value, upload.kind
    if sent:
        check_value(upload.algorithm, sent[1], digest)
    return upload.algorithm, base64.b64encode(digest).decode(), upload.kind
