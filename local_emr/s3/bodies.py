"""A request's body: out of its aws-chunked framing, and checked against every digest that was sent with it."""

from __future__ import annotations

import base64
import binascii
import hashlib
import io
import re
from collections.abc import Iterator
from typing import BinaryIO, cast

from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Request

from local_emr.s3.checksums import ALGORITHMS, Checksum
from local_emr.s3.errors import S3Error

CHUNK = 1 << 20
MAX_PUT = 5 << 30
MAX_DOCUMENT = 8 << 20  # an XML request: 1,000 keys of 1,024 bytes, or 10,000 parts, and to spare
_SHA256 = re.compile(r"[0-9a-f]{64}")
_PREFIX = "x-amz-checksum-"
_NOT_VALUES = {"x-amz-checksum-algorithm", "x-amz-checksum-mode", "x-amz-checksum-type"}


def declared_checksum(request: Request) -> tuple[str, str] | None:
    """The algorithm and value of the request's x-amz-checksum-… header."""
    found = [
        (name.lower()[len(_PREFIX) :], value)
        for name, value in request.headers.items()
        if name.lower().startswith(_PREFIX) and name.lower() not in _NOT_VALUES
    ]
    if len(found) > 1:
        raise S3Error(
            "InvalidRequest",
            "Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.",
        )
    return found[0] if found else None


def algorithm_named(name: str) -> Checksum:
    """A fresh checksum; AWS knows a few that this server does not."""
    if name.lower() not in ALGORITHMS:
        raise S3Error("NotImplemented", f"The checksum algorithm {name} is not implemented.")
    return ALGORITHMS[name.lower()]()


class Body:
    """Iterate over it for the bytes; when that has come to its end, whatever digest was declared has been checked."""

    def __init__(self, request: Request, *, of_object: bool = True) -> None:
        self._request = request
        self._framed = "aws-chunked" in request.headers.get("Content-Encoding", "") or request.headers.get(
            "x-amz-content-sha256", ""
        ).startswith("STREAMING-")
        length = request.content_length
        if of_object and length is None and not request.environ.get("wsgi.input_terminated"):
            raise S3Error("MissingContentLength")
        if (length or 0) > MAX_PUT:
            raise S3Error("EntityTooLarge", ProposedSize=str(length), MaxSizeAllowed=str(MAX_PUT))
        self._read_size = min(CHUNK, length or CHUNK)
        self._trailers: dict[str, str] = {}
        self._md5 = hashlib.md5(usedforsecurity=False)
        self._declared = declared_checksum(request)
        self._trailing = self._trailing_algorithm()
        name = self._declared[0] if self._declared else self._trailing
        self._checksum = algorithm_named(name) if name else None
        self._algorithm = name
        self.checksum: tuple[str, str] | None = None

    @property
    def md5(self) -> str:
        return self._md5.hexdigest()

    def _trailing_algorithm(self) -> str | None:
        trailer = self._request.headers.get("x-amz-trailer", "").strip().lower()
        return trailer[len(_PREFIX) :] if trailer.startswith(_PREFIX) else None

    def __iter__(self) -> Iterator[bytes]:
        signed = self._request.headers.get("x-amz-content-sha256", "")
        sha256 = hashlib.sha256() if _SHA256.fullmatch(signed) else None
        try:
            for data in self._frames() if self._framed else self._plain():
                self._md5.update(data)
                if self._checksum:
                    self._checksum.update(data)
                if sha256:
                    sha256.update(data)
                yield data
        except (HTTPException, OSError) as error:  # how werkzeug says that the client went away
            raise S3Error("IncompleteBody") from error
        if sha256 and sha256.hexdigest() != signed:
            raise S3Error(
                "XAmzContentSHA256Mismatch",
                ClientComputedContentSHA256=signed,
                S3ComputedContentSHA256=sha256.hexdigest(),
            )
        self._check_md5()
        self._check_checksum()

    # -- framing --------------------------------------------------------------------------------------------------

    def _plain(self) -> Iterator[bytes]:
        stream = self._request.stream
        while data := stream.read(self._read_size):
            yield data

    def _frames(self) -> Iterator[bytes]:
        """`size[;chunk-signature=…]`, the bytes, an empty line; the last has size 0 and trailers follow."""
        stream = cast(BinaryIO, io.BufferedReader(cast(io.RawIOBase, self._request.stream), 1 << 16))
        total = 0
        while size := _chunk_size(stream.readline(4096)):
            total += size
            while size:
                data = stream.read(min(size, CHUNK))
                if not data:
                    raise S3Error("IncompleteBody")
                size -= len(data)
                yield data
            if stream.readline(3) != b"\r\n":
                raise S3Error("IncompleteBody")
        for line in iter(lambda: stream.readline(4096).strip(), b""):
            name, _, value = line.decode("latin-1").partition(":")
            self._trailers[name.strip().lower()] = value.strip()
        expected = self._request.headers.get("x-amz-decoded-content-length")
        if expected is not None and expected != str(total):
            raise S3Error("IncompleteBody", NumberBytesExpected=expected, NumberBytesProvided=str(total))

    # -- digests --------------------------------------------------------------------------------------------------

    def _check_md5(self) -> None:
        sent = self._request.headers.get("Content-MD5")
        if sent is None:
            return
        if _decoded(sent, 16) is None:
            raise S3Error("InvalidDigest")
        if base64.b64decode(sent) != self._md5.digest():
            computed = base64.b64encode(self._md5.digest()).decode()
            raise S3Error("BadDigest", ExpectedDigest=sent, CalculatedDigest=computed)

    def _check_checksum(self) -> None:
        if self._checksum is None or self._algorithm is None:
            return
        value = self._declared[1] if self._declared else self._trailers.get(_PREFIX + self._algorithm)
        if value is None:
            raise S3Error("MalformedTrailerError")
        check_value(self._algorithm, value, self._checksum.digest())
        self.checksum = (self._algorithm, value)


def check_value(algorithm: str, value: str, digest: bytes) -> None:
    """Raise unless `value`, as a client sent it, is the digest that was computed."""
    if _decoded(value, len(digest)) is None:
        raise S3Error("InvalidRequest", f"Value for {_PREFIX}{algorithm} header is invalid.")
    if base64.b64decode(value) != digest:
        raise S3Error("BadDigest", f"The {algorithm.upper()} you specified did not match the calculated checksum.")


def document(request: Request) -> bytes:
    """A body that is an XML document, whole."""
    parts: list[bytes] = []
    size = 0
    for data in Body(request, of_object=False):
        size += len(data)
        if size > MAX_DOCUMENT:
            raise S3Error("MalformedXML")
        parts.append(data)
    return b"".join(parts)


def drain(request: Request) -> None:
    """Read what is left, so that a client in mid-upload hears the answer instead of a reset connection."""
    try:
        while request.stream.read(CHUNK):
            pass
    except (HTTPException, OSError, ValueError):
        return


def _chunk_size(line: bytes) -> int:
    digits = line.partition(b";")[0].strip()
    if not digits:
        raise S3Error("IncompleteBody")
    if not re.fullmatch(rb"[0-9a-fA-F]{1,16}", digits):
        raise S3Error("InvalidChunkSizeError")
    return int(digits, 16)


def _decoded(value: str, length: int) -> bytes | None:
    try:
        digest = base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        return None
    return digest if len(digest) == length else None
