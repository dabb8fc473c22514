"""S3 over plain folders, as a WSGI application: root/<bucket>/<key> is the object. Knows nothing of EMR or of a server.

Which operation a request is, routes.py knows; what the operations do is in the modules beside it.
"""

from __future__ import annotations

import collections
import contextlib
import hashlib
import logging
import random
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from werkzeug.wrappers import Request

from local_emr.s3 import addresses
from local_emr.s3.bodies import drain
from local_emr.s3.errors import S3Error
from local_emr.s3.keys import check_key
from local_emr.s3.metadata import Metadata
from local_emr.s3.responses import Response, error_response
from local_emr.s3.routes import Routes
from local_emr.s3.store import CHUNK, Store

_log = logging.getLogger(__name__)


class S3:
    """The application, and what the process that holds it may do without a request."""

    def __init__(self, root: Path) -> None:
        self._store = Store(root)
        self._routes = Routes(self._store)
        self._counting = threading.Lock()
        # one read at a time: each makes many system calls and Python lets its lock go at each, so that threads at the
        # same work would pass it round, at more than the work's own cost. Nothing that waits for a client holds this
        self._reading = threading.Lock()
        self.requests: collections.Counter[str] = collections.Counter()

    # -- in-process -----------------------------------------------------------------------------------------------

    def path_of(self, bucket: str, key: str) -> Path:
        """Where the object is, or would be; raises S3Error rather than lead out of the bucket."""
        return Path(self._store.places.to_read(bucket, key))

    def put_file(self, bucket: str, key: str, content: Path | bytes) -> None:
        """As PutObject: all at once or not at all."""
        check_key(key)
        if isinstance(content, bytes):
            self._put(bucket, key, [content])
        else:
            with content.open("rb") as file:
                self._put(bucket, key, iter(lambda: file.read(CHUNK), b""))

    def buckets(self) -> list[str]:
        return self._store.places.buckets()

    def _put(self, bucket: str, key: str, chunks: Iterable[bytes]) -> None:
        digest = hashlib.md5(usedforsecurity=False)

        def hashed() -> Iterator[bytes]:
            for data in chunks:
                digest.update(data)
                yield data

        with self._store.stage() as staged:
            staged.fill(hashed())
            staged.commit(self._store.places.to_write(bucket, key), Metadata(digest.hexdigest()))

    # -- requests -------------------------------------------------------------------------------------------------

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        request = Request(environ)
        request_id = f"{random.getrandbits(64):016X}"
        try:
            response = self._answer(request)
        except S3Error as error:
            drain(request)
            response = error_response(error, request.path, request_id, request.method)
        except OSError as error:
            drain(request)
            said = S3Error("InternalError", f"The folders of local S3 failed: {error.strerror or error}.")
            response = error_response(said, request.path, request_id, request.method)
        except Exception:  # a bug; whoever asked still gets an answer that S3's clients can read
            _log.exception("%s %s", request.method, request.path)
            drain(request)
            response = error_response(S3Error("InternalError"), request.path, request_id, request.method)
        response.headers["x-amz-request-id"] = request_id
        response.headers["x-amz-id-2"] = request_id
        return response(start_response)

    def _answer(self, request: Request) -> Response:
        bucket, key = addresses.bucket_and_key(request.environ, self._is_bucket)
        with self._reading if request.method in ("GET", "HEAD") else contextlib.nullcontext():
            name, operation = self._routes.find(request, bucket, key)
            with self._counting:
                self.requests[name] += 1
            return operation()

    def _is_bucket(self, name: str) -> bool:
        return name in self._store.places.buckets()
