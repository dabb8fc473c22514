"""ListParts and ListMultipartUploads: what is under way."""

from __future__ import annotations

from werkzeug.wrappers import Request

from local_emr.s3 import xml
from local_emr.s3.errors import S3Error
from local_emr.s3.pages import OWNER, encoder, limit
from local_emr.s3.parts import Upload, of_request, read, stored_part
from local_emr.s3.responses import Response, xml_response
from local_emr.s3.store import Store

_OWNERS = f"<Initiator>{OWNER}</Initiator><Owner>{OWNER}</Owner><StorageClass>STANDARD</StorageClass>"


def list_parts(store: Store, request: Request, bucket: str, key: str) -> Response:
    upload = of_request(store, request, bucket, key)
    arguments = request.args
    most = limit(arguments, "max-parts")
    marker = limit(arguments, "part-number-marker", 10_000) if "part-number-marker" in arguments else 0
    numbers = [number for number in upload.numbers() if number > marker]
    page = numbers[:most]
    body = xml.element("Bucket", bucket) + f"<Key>{encoder(arguments)(key)}</Key>" + xml.element("UploadId", upload.id)
    body += xml.element("PartNumberMarker", marker) + xml.element("NextPartNumberMarker", page[-1] if page else 0)
    body += xml.element("MaxParts", most) + xml.element("IsTruncated", "true" if len(numbers) > most else "false")
    if upload.algorithm:
        body += xml.element("ChecksumAlgorithm", upload.algorithm.upper()) + xml.element("ChecksumType", upload.kind)
    try:
        rows = "".join(_part(store, upload, number) for number in page)
    except FileNotFoundError as error:
        raise S3Error("NoSuchUpload", UploadId=upload.id) from error
    return xml_response("ListPartsResult", body + _OWNERS + rows)


def _part(store: Store, upload: Upload, number: int) -> str:
    (_, size, metadata), came = stored_part(store, upload, number)
    fields = xml.element("PartNumber", number) + xml.element("LastModified", xml.timestamp(came))
    fields += xml.element("ETag", f'"{metadata.etag}"') + xml.element("Size", size)
    if metadata.checksum:
        fields += xml.element(f"Checksum{metadata.checksum[0].upper()}", metadata.checksum[1])
    return f"<Part>{fields}</Part>"


def under_way(store: Store, bucket: str) -> list[Upload]:
    """The uploads of a bucket by key, and of one key by when they were begun."""
    found = []
    for folder in store.uploads.iterdir():
        try:
            upload = read(store, folder.name)
        except S3Error:
            continue  # being begun or ended
        if upload.bucket == bucket:
            found.append(upload)
    return sorted(found, key=lambda upload: (upload.key, upload.started, upload.id))


def list_uploads(store: Store, request: Request, bucket: str) -> Response:
    store.places.bucket(bucket)
    arguments = request.args
    encode, most = encoder(arguments), limit(arguments, "max-uploads")
    prefix, delimiter = arguments.get("prefix", ""), arguments.get("delimiter", "")
    key_marker, id_marker = arguments.get("key-marker", ""), arguments.get("upload-id-marker", "")
    rows: list[str] = []
    groups: list[str] = []
    last: tuple[str, str] = ("", "")
    truncated = False
    for upload in _after(under_way(store, bucket), key_marker, id_marker):
        if not upload.key.startswith(prefix):
            continue
        at = upload.key.find(delimiter, len(prefix)) if delimiter else -1
        group = upload.key[: at + len(delimiter)] if at >= 0 else ""
        if group and (group in groups or group <= key_marker):
            continue
        if len(rows) + len(groups) == most:
            truncated = True
            break
        last = (group or upload.key, "" if group else upload.id)
        if group:
            groups.append(group)
        else:
            fields = f"<Key>{encode(upload.key)}</Key>" + xml.element("UploadId", upload.id)
            fields += _OWNERS + xml.element("Initiated", xml.timestamp(upload.started))
            rows.append(f"<Upload>{fields}</Upload>")
    body = xml.element("Bucket", bucket) + f"<KeyMarker>{encode(key_marker)}</KeyMarker>"
    body += xml.element("UploadIdMarker", id_marker) + f"<Prefix>{encode(prefix)}</Prefix>"
    body += xml.element("MaxUploads", most) + xml.element("IsTruncated", "true" if truncated else "false")
    if delimiter:
        body += f"<Delimiter>{encode(delimiter)}</Delimiter>"
    if "encoding-type" in arguments:
        body += xml.element("EncodingType", "url")
    if truncated:
        body += f"<NextKeyMarker>{encode(last[0])}</NextKeyMarker>" + xml.element("NextUploadIdMarker", last[1])
    shared = "".join(f"<CommonPrefixes><Prefix>{encode(group)}</Prefix></CommonPrefixes>" for group in groups)
    return xml_response("ListMultipartUploadsResult", body + "".join(rows) + shared)


def _after(uploads: list[Upload], key_marker: str, id_marker: str) -> list[Upload]:
    """Past the key marker, or, of the very key, past the upload that the id marker names."""
    if not id_marker:
        return [upload for upload in uploads if upload.key > key_marker]
    of_key = [upload for upload in uploads if upload.key == key_marker]
    ids = [upload.id for upload in of_key]
    rest = of_key[ids.index(id_marker) + 1 :] if id_marker in ids else []
    return rest + [upload for upload in uploads if upload.key > key_marker]
