"""ListObjects, ListObjectsV2 and ListObjectVersions: pages of a walk, as XML."""

# ruff: noqa: PTH116
# paths are strings in this module: it works per key or per file, where Path objects would cost more than the calls
from __future__ import annotations

import base64
import binascii
import os
import stat as modes
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import chain

from werkzeug.datastructures import MultiDict
from werkzeug.wrappers import Request

from local_emr.s3 import xml
from local_emr.s3.errors import S3Error
from local_emr.s3.keys import inside, open_inside
from local_emr.s3.listing import MOST, Folders, Found, Walk
from local_emr.s3.responses import Response, xml_response
from local_emr.s3.store import Store

OWNER = "<ID>local</ID><DisplayName>local</DisplayName>"
Arguments = MultiDict[str, str]


@dataclass(frozen=True)
class Page:
    contents: list[str]
    groups: list[str]
    last: str  # the key or group that ends the page
    truncated: bool


def encoder(arguments: Arguments) -> Callable[[str], str]:
    """How keys are written: as they are, or URL-encoded when asked, since XML cannot hold every character."""
    kind = arguments.get("encoding-type")
    if kind not in (None, "url"):
        raise S3Error("InvalidArgument", "Invalid Encoding Method specified in Request", ArgumentName="encoding-type")
    return xml.url_encoded if kind else xml.escape


def limit(arguments: Arguments, name: str, most: int = MOST) -> int:
    """max-keys and its like; more than AWS's most is that most."""
    value = arguments.get(name) or str(most)
    if not value.removeprefix("-").isdecimal():
        raise S3Error("InvalidArgument", f"Provided {name} not an integer or within integer range", ArgumentName=name)
    if not 0 <= int(value) <= 2147483647:
        raise S3Error(
            "InvalidArgument", f"Argument {name} must be an integer between 0 and 2147483647", ArgumentName=name
        )
    return min(int(value), most)


class Lister:
    def __init__(self, store: Store) -> None:
        self._store = store
        self._folders = Folders()

    def list_v2(self, request: Request, bucket: str) -> Response:
        arguments = request.args
        encode = encoder(arguments)
        token = arguments.get("continuation-token")
        start_after = arguments.get("start-after", "")
        after = start_after if token is None else _from_token(token)
        owner = f"<Owner>{OWNER}</Owner>" if arguments.get("fetch-owner") == "true" else ""
        page = self._page(bucket, arguments, after, encode, "Contents", owner)
        body = _head(bucket, arguments, page, encode) + _count(page)
        if token is not None:
            body += xml.element("ContinuationToken", token)
        if start_after:
            body += f"<StartAfter>{encode(start_after)}</StartAfter>"
        if page.truncated:
            body += xml.element("NextContinuationToken", _to_token(page.last))
        return xml_response("ListBucketResult", "".join(chain([body], page.contents, page.groups)))

    def list_v1(self, request: Request, bucket: str) -> Response:
        arguments = request.args
        encode = encoder(arguments)
        marker = arguments.get("marker", "")
        page = self._page(bucket, arguments, marker, encode, "Contents", f"<Owner>{OWNER}</Owner>")
        body = _head(bucket, arguments, page, encode) + f"<Marker>{encode(marker)}</Marker>"
        if page.truncated and arguments.get("delimiter"):
            body += f"<NextMarker>{encode(page.last)}</NextMarker>"
        return xml_response("ListBucketResult", "".join(chain([body], page.contents, page.groups)))

    def list_versions(self, request: Request, bucket: str) -> Response:
        """Without versioning every object has one version, `null`, and it is the latest."""
        arguments = request.args
        encode = encoder(arguments)
        marker = arguments.get("key-marker", "")
        extra = f"<VersionId>null</VersionId><IsLatest>true</IsLatest><Owner>{OWNER}</Owner>"
        page = self._page(bucket, arguments, marker, encode, "Version", extra)
        body = _head(bucket, arguments, page, encode) + f"<KeyMarker>{encode(marker)}</KeyMarker><VersionIdMarker/>"
        if page.truncated:
            body += f"<NextKeyMarker>{encode(page.last)}</NextKeyMarker>"
            body += "<NextVersionIdMarker>null</NextVersionIdMarker>"
        return xml_response("ListVersionsResult", "".join(chain([body], page.contents, page.groups)))

    def is_empty(self, bucket: str) -> bool:
        walk = Walk(self._folders, self._store.metadata, self._store.places.bucket(bucket), "", "", "")
        return next(iter(walk), None) is None

    def _page(
        self, bucket: str, arguments: Arguments, after: str, encode: Callable[[str], str], tag: str, extra: str
    ) -> Page:
        home = self._store.places.bucket(bucket)
        most = limit(arguments, "max-keys")
        prefix, delimiter = arguments.get("prefix", ""), arguments.get("delimiter", "")
        contents: list[str] = []
        groups: list[str] = []
        last = after
        if not most:
            return Page(contents, groups, after, truncated=False)
        for found in Walk(self._folders, self._store.metadata, home, prefix, after, delimiter):
            if found.folder is None:
                if len(contents) + len(groups) == most:
                    return Page(contents, groups, last, truncated=True)
                last = found.base
                groups.append(f"<CommonPrefixes><Prefix>{encode(last)}</Prefix></CommonPrefixes>")
                continue
            for key, fields in self._objects(home, found.folder, found, encode):
                if len(contents) + len(groups) == most:
                    return Page(contents, groups, last, truncated=True)
                last = key
                contents.append(f"<{tag}>{fields}<StorageClass>STANDARD</StorageClass>{extra}</{tag}>")
        return Page(contents, groups, after, truncated=False)

    def _objects(self, home: str, folder: str, found: Found, encode: Callable[[str], str]) -> Iterator[tuple[str, str]]:
        """Each key and what a page says of it; names whose file is gone or is none are left out."""
        metadata = self._store.metadata
        base = encode(found.base)
        if not found.names:
            if marker := metadata.marker(folder):
                yield found.base, _fields(base, marker[0], marker[1].etag, 0)
            return
        try:
            descriptor = open_inside(folder, home, os.O_DIRECTORY)
        except OSError:
            return  # gone since it was read
        try:
            # no name has a / in it, and neither encoding changes one: all names at once take a tenth of the time
            for name, encoded in zip(found.names, encode("/".join(found.names)).split("/"), strict=True):
                path = f"{folder}/{name}"
                try:
                    stat = os.stat(name, dir_fd=descriptor, follow_symlinks=False)
                    if modes.S_ISLNK(stat.st_mode) and inside(path, home):
                        stat = os.stat(path)
                except OSError:
                    continue
                if modes.S_ISREG(stat.st_mode):
                    etag = metadata.etag(path, stat)
                    yield found.base + name, _fields(base + encoded, stat.st_mtime_ns, etag, stat.st_size)
        finally:
            os.close(descriptor)


def _fields(key: str, mtime_ns: int, etag: str, size: int) -> str:
    modified = xml.timestamp(mtime_ns // 1_000_000_000)
    return f"<Key>{key}</Key><LastModified>{modified}</LastModified><ETag>&quot;{etag}&quot;</ETag><Size>{size}</Size>"


def _head(bucket: str, arguments: Arguments, page: Page, encode: Callable[[str], str]) -> str:
    body = xml.element("Name", bucket) + f"<Prefix>{encode(arguments.get('prefix', ''))}</Prefix>"
    body += xml.element("MaxKeys", limit(arguments, "max-keys"))
    if arguments.get("delimiter"):
        body += f"<Delimiter>{encode(arguments['delimiter'])}</Delimiter>"
    if arguments.get("encoding-type"):
        body += xml.element("EncodingType", "url")
    return body + xml.element("IsTruncated", "true" if page.truncated else "false")


def _count(page: Page) -> str:
    return xml.element("KeyCount", len(page.contents) + len(page.groups))


def _to_token(last: str) -> str:
    return base64.urlsafe_b64encode(last.encode()).decode()


def _from_token(token: str) -> str:
    try:
        return base64.b64decode(token, altchars=b"-_", validate=True).decode()
    except (binascii.Error, ValueError) as error:
        raise S3Error("InvalidArgument", "The continuation token provided is incorrect") from error
