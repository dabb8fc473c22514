"""DeleteObjects: up to 1,000 keys in a request, each with its own outcome."""

from __future__ import annotations

from xml.etree.ElementTree import Element

from werkzeug.wrappers import Request

from local_emr.s3 import xml
from local_emr.s3.bodies import document
from local_emr.s3.conditions import check_write
from local_emr.s3.errors import S3Error
from local_emr.s3.objects import current_etag
from local_emr.s3.responses import Response, xml_response
from local_emr.s3.store import Check, Store

MOST = 1000


def delete_objects(store: Store, request: Request, bucket: str) -> Response:
    root = xml.parse(document(request))
    entries = root.findall("{*}Object")
    if not root.tag.endswith("Delete") or not 0 < len(entries) <= MOST:
        raise S3Error("MalformedXML")
    quiet = (xml.text_of(root, "Quiet") or "").strip().lower() == "true"
    rows = []
    for entry in entries:
        key, version = xml.text_of(entry, "Key"), xml.text_of(entry, "VersionId")
        if not key:
            raise S3Error("MalformedXML")
        named = xml.element("Key", key) + (xml.element("VersionId", version) if version else "")
        try:
            if version not in (None, "", "null"):
                raise S3Error("NoSuchVersion")
            store.delete(bucket, key, _check(store, bucket, key, entry))
        except S3Error as error:
            problem = xml.element("Code", error.code) + xml.element("Message", error.message)
            rows.append(f"<Error>{named}{problem}</Error>")
        else:
            if not quiet:
                rows.append(f"<Deleted>{named}</Deleted>")
    return xml_response("DeleteResult", "".join(rows))


def _check(store: Store, bucket: str, key: str, entry: Element) -> Check | None:
    etag = xml.text_of(entry, "ETag")
    if xml.text_of(entry, "LastModifiedTime") is not None or xml.text_of(entry, "Size") is not None:
        raise S3Error("NotImplemented", "Of a deletion's conditions only ETag is implemented.")
    if etag is None:
        return None
    return lambda: check_write(etag, None, key, current_etag(store, bucket, key))
