"""Which of S3's operations a request is: by its method and the names in its query.

What is not surely an operation of this server is NotImplemented. To pass over a query that it does not know would be to
take PutObjectTagging for PutObject, and to overwrite the object with its tags.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from werkzeug.wrappers import Request

from local_emr.s3 import answers, batch, completion, copies, multipart, objects, uploads
from local_emr.s3.buckets import Buckets
from local_emr.s3.errors import S3Error
from local_emr.s3.pages import Lister
from local_emr.s3.responses import Response
from local_emr.s3.store import Store

Operation = Callable[[], Response]
OfObject = Callable[[Store, Request, str, str], Response]

# presigning, SDKs' hints, and the one version that there is
_OF_NO_ACCOUNT = {"AWSAccessKeyId", "Expires", "Signature", "versionId", "x-id"}
_LIST_BUCKETS = {"bucket-region", "continuation-token", "max-buckets", "prefix"}
_LIST_OBJECTS = {
    "continuation-token",
    "delimiter",
    "encoding-type",
    "fetch-owner",
    "list-type",
    "marker",
    "max-keys",
    "prefix",
    "start-after",
}
_LIST_UPLOADS = {"delimiter", "encoding-type", "key-marker", "max-uploads", "prefix", "upload-id-marker", "uploads"}
_LIST_VERSIONS = {"delimiter", "encoding-type", "key-marker", "max-keys", "prefix", "version-id-marker", "versions"}
_LIST_PARTS = {"encoding-type", "max-parts", "part-number-marker", "uploadId"}
_GET_OBJECT = {"partNumber", *(f"response-{name.lower()}" for name in objects.KEPT)}
_READS = _LIST_BUCKETS | _LIST_OBJECTS | _LIST_UPLOADS | _LIST_VERSIONS | _LIST_PARTS | _GET_OBJECT

_OBJECT_OPERATIONS: dict[tuple[str, frozenset[str]], tuple[str, OfObject]] = {
    ("PUT", frozenset()): ("PutObject", objects.put_object),
    ("DELETE", frozenset()): ("DeleteObject", objects.delete_object),
    ("GET", frozenset({"attributes"})): ("GetObjectAttributes", objects.get_object_attributes),
    ("POST", frozenset({"uploads"})): ("CreateMultipartUpload", multipart.create),
    ("PUT", frozenset({"partNumber", "uploadId"})): ("UploadPart", multipart.upload_part),
    ("POST", frozenset({"uploadId"})): ("CompleteMultipartUpload", completion.complete),
    ("DELETE", frozenset({"uploadId"})): ("AbortMultipartUpload", multipart.abort),
}
# the same, with x-amz-copy-source
_COPIES: dict[str, tuple[str, OfObject]] = {
    "PutObject": ("CopyObject", copies.copy_object),
    "UploadPart": ("UploadPartCopy", multipart.upload_part_copy),
}


def query_of(request: Request) -> frozenset[str]:
    """The names in the query that say what is wanted."""
    reads = request.method in ("GET", "HEAD")
    wanted = set()
    for name, value in request.args.items():
        if name in _OF_NO_ACCOUNT or name.lower().startswith("x-amz-"):
            continue
        if reads and value and name not in _READS:
            continue  # a read can do no harm, and AWS passes over what it does not know
        wanted.add(name)
    return frozenset(wanted)


class Routes:
    def __init__(self, store: Store) -> None:
        self._store = store
        self._buckets = Buckets(store)
        self._lister = Lister(store)

    def find(self, request: Request, bucket: str, key: str) -> tuple[str, Operation]:
        """The operation's name and what does it."""
        query = query_of(request)
        if key:
            found = self._of_object(request, query, bucket, key)
        elif bucket:
            found = self._of_bucket(request, query, bucket)
        elif request.method == "GET" and query <= _LIST_BUCKETS:
            found = "ListBuckets", partial(self._buckets.list, request)
        else:
            found = None
        return found or ("NotImplemented", partial(_not_implemented, request, query))

    def _of_bucket(self, request: Request, query: frozenset[str], bucket: str) -> tuple[str, Operation] | None:
        method = request.method
        if method == "PUT" and not query:
            return "CreateBucket", partial(self._buckets.create, request, bucket)
        self._store.places.bucket(bucket)
        if method == "HEAD" and not query:
            return "HeadBucket", partial(self._buckets.head, bucket)
        if method == "DELETE" and not query:
            return "DeleteBucket", partial(self._buckets.delete, bucket, self._lister.is_empty)
        if method == "POST" and query == {"delete"}:
            return "DeleteObjects", partial(batch.delete_objects, self._store, request, bucket)
        return self._read_of_bucket(request, query, bucket) if method == "GET" else None

    def _read_of_bucket(self, request: Request, query: frozenset[str], bucket: str) -> tuple[str, Operation] | None:
        if query == {"location"}:
            return "GetBucketLocation", partial(self._buckets.get_location, bucket)
        if "uploads" in query and query <= _LIST_UPLOADS:
            return "ListMultipartUploads", partial(uploads.list_uploads, self._store, request, bucket)
        if "versions" in query and query <= _LIST_VERSIONS:
            return "ListObjectVersions", partial(self._lister.list_versions, request, bucket)
        if query <= _LIST_OBJECTS and request.args.get("list-type") == "2":
            return "ListObjectsV2", partial(self._lister.list_v2, request, bucket)
        if query <= _LIST_OBJECTS:
            return "ListObjects", partial(self._lister.list_v1, request, bucket)
        for name in query if len(query) == 1 else ():
            known = answers.OF_BUCKET.get(name) or answers.MISSING.get(name)
            if known:
                return known[0], partial(answers.of_bucket, name, bucket)
        return None

    def _of_object(
        self, request: Request, query: frozenset[str], bucket: str, key: str
    ) -> tuple[str, Operation] | None:
        method = request.method
        if request.args.get("versionId", "null") != "null":
            raise S3Error("NoSuchVersion", Key=key, VersionId=request.args["versionId"])
        if method in ("GET", "HEAD") and query <= _GET_OBJECT:
            name: str = "GetObject" if method == "GET" else "HeadObject"
            return name, partial(objects.get_object, self._store, request, bucket, key)
        if method == "GET" and "uploadId" in query and query <= _LIST_PARTS:
            return "ListParts", partial(uploads.list_parts, self._store, request, bucket, key)
        if method == "GET" and len(query) == 1 and query <= answers.OF_OBJECT.keys():
            (name,) = query
            return answers.OF_OBJECT[name][0], partial(self._answer_of_object, name, bucket, key)
        known = _OBJECT_OPERATIONS.get((method, query))
        if known and copies.SOURCE in request.headers:
            known = _COPIES.get(known[0])
        return (known[0], partial(known[1], self._store, request, bucket, key)) if known else None

    def _answer_of_object(self, name: str, bucket: str, key: str) -> Response:
        self._store.open(bucket, key).close()  # which raises when there is none
        return answers.of_object(name)


def _not_implemented(request: Request, query: frozenset[str]) -> Response:
    asked = f"{request.method} with {', '.join(sorted(query))}" if query else request.method
    raise S3Error("NotImplemented", f"{asked}: local S3 has no such operation, and nothing was changed.")
