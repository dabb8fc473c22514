"""Buckets: folders under the root, and, hidden, the region that each was created in."""

from __future__ import annotations

import contextlib
import json
import os
import re
import threading
from collections.abc import Callable
from pathlib import Path

from werkzeug.wrappers import Request

from local_emr.s3 import xml
from local_emr.s3.bodies import document
from local_emr.s3.errors import S3Error
from local_emr.s3.keys import possible_bucket, valid_new_bucket
from local_emr.s3.pages import OWNER, limit
from local_emr.s3.parts import remove
from local_emr.s3.responses import Response, xml_response
from local_emr.s3.store import Store
from local_emr.s3.uploads import under_way

DEFAULT_REGION = "us-east-1"
_REGION = re.compile(r"EU|[a-z]{2}(-[a-z]+)+-\d")
_SCOPE = re.compile(r"\d{8}/([a-z0-9-]+)/s3/aws4_request")


class Buckets:
    def __init__(self, store: Store) -> None:
        self._store = store
        self._folder = store.hidden / "buckets"
        self._folder.mkdir(exist_ok=True)
        self._creating = threading.Lock()

    def location(self, bucket: str) -> str:
        """The LocationConstraint it was created with; none for one that someone made as a folder."""
        home = self._store.places.bucket(bucket)
        with contextlib.suppress(OSError, ValueError, KeyError):
            kept = json.loads((self._folder / f"{bucket}.json").read_text())
            # by inode too: a folder of the same name made later by someone else is another bucket
            if kept["inode"] == Path(home).stat().st_ino:
                return str(kept["location"])
        return ""

    def region(self, bucket: str) -> str:
        location = self.location(bucket)
        return {"": DEFAULT_REGION, "EU": "eu-west-1"}.get(location, location)

    # -- operations -----------------------------------------------------------------------------------------------

    def create(self, request: Request, bucket: str) -> Response:
        if not possible_bucket(bucket) or not valid_new_bucket(bucket):
            raise S3Error("InvalidBucketName", BucketName=bucket)
        location = _wanted_location(request)
        path = Path(self._store.places.root) / bucket
        with self._creating:
            try:
                path.mkdir()
            except FileExistsError as error:
                self._store.places.bucket(bucket)  # a file or a link of that name is no bucket
                if location or self.location(bucket):
                    raise S3Error("BucketAlreadyOwnedByYou", BucketName=bucket) from error
            else:
                kept = {"location": location, "inode": path.stat().st_ino}
                (self._folder / f"{bucket}.json").write_text(json.dumps(kept))
        return Response(headers={"Location": f"/{bucket}"})

    def list(self, request: Request) -> Response:
        arguments = request.args
        prefix, after = arguments.get("prefix", ""), arguments.get("continuation-token", "")
        most = limit(arguments, "max-buckets", 10_000)
        names = [name for name in self._store.places.buckets() if name.startswith(prefix) and name > after]
        if "bucket-region" in arguments:
            names = [name for name in names if self.region(name) == arguments["bucket-region"]]
        rows = "".join(self._row(name) for name in names[:most])
        body = f"<Owner>{OWNER}</Owner><Buckets>{rows}</Buckets>"
        if len(names) > most:
            body += xml.element("ContinuationToken", names[most - 1] if most else after)
        if prefix:
            body += xml.element("Prefix", prefix)
        return xml_response("ListAllMyBucketsResult", body)

    def _row(self, bucket: str) -> str:
        kept = self._folder / f"{bucket}.json"
        # the hidden file is written once, at the creation; of a folder that someone made, its last change must serve
        made = kept if kept.exists() else Path(self._store.places.root) / bucket
        created = int(made.stat().st_mtime)
        fields = xml.element("Name", bucket) + xml.element("CreationDate", xml.timestamp(created))
        return f"<Bucket>{fields}{xml.element('BucketRegion', self.region(bucket))}</Bucket>"

    def head(self, bucket: str) -> Response:
        return Response(headers={"x-amz-bucket-region": self.region(bucket), "Content-Type": "application/xml"})

    def get_location(self, bucket: str) -> Response:
        return xml_response("LocationConstraint", xml.escape(self.location(bucket)))

    def delete(self, bucket: str, is_empty: Callable[[str], bool]) -> Response:
        home = self._store.places.bucket(bucket)
        with self._store.changing:
            if not is_empty(bucket):
                raise S3Error("BucketNotEmpty", BucketName=bucket)
            _remove_folders(home)
        if Path(home).is_dir():
            raise S3Error("BucketNotEmpty", "The bucket's folder holds something that is no object.", BucketName=bucket)
        (self._folder / f"{bucket}.json").unlink(missing_ok=True)
        for upload in under_way(self._store, bucket):
            remove(self._store, upload)
        return Response(status=204)


def _remove_folders(home: str) -> None:
    """Folders only: a file that came a moment ago, or a link that is not followed, is not to be lost."""
    for folder, _, _ in os.walk(home, topdown=False):
        with contextlib.suppress(OSError):
            Path(folder).rmdir()


def _wanted_location(request: Request) -> str:
    """The LocationConstraint, as AWS accepts it at the endpoint that the request was signed for."""
    body = document(request)
    location = (xml.text_of(xml.parse(body), "LocationConstraint") or "").strip() if body.strip() else ""
    signed = _SCOPE.search(request.headers.get("Authorization", "") + request.args.get("X-Amz-Credential", ""))
    endpoint = signed[1] if signed else DEFAULT_REGION
    if (location and not _REGION.fullmatch(location)) or location == DEFAULT_REGION:
        raise S3Error("InvalidLocationConstraint", LocationConstraint=location)
    if endpoint not in (DEFAULT_REGION, "aws-global", {"EU": "eu-west-1"}.get(location, location)):
        named = location or "unspecified"
        raise S3Error(
            "IllegalLocationConstraintException",
            f"The {named} location constraint is incompatible for the region specific endpoint this request was "
            "sent to.",
        )
    return location
