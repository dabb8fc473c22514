"""local S3 on a real loopback port, as unmodified clients meet it."""

from __future__ import annotations

import http.client
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import boto3
import pytest
from botocore.config import Config
from moto.moto_server import werkzeug_app
from werkzeug.serving import WSGIRequestHandler, make_server

from local_emr.s3 import S3

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

# moto's handler lets header names with an underscore through (x-amz-meta-a_b), which werkzeug's own drops
_Handler = getattr(werkzeug_app, "MotoRequestHandler", WSGIRequestHandler)


class QuietHandler(_Handler):
    def log(self, *_: object) -> None:
        """No line for each request."""


@dataclass(frozen=True)
class S3Server:
    app: S3
    root: Path
    port: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def client(self, **config: object) -> S3Client:
        return boto3.client(
            "s3",
            endpoint_url=self.url,
            region_name="us-east-1",
            aws_access_key_id="local",
            aws_secret_access_key="local",
            config=Config(retries={"total_max_attempts": 1}, **config),
        )


@pytest.fixture
def s3_server(tmp_path: Path) -> Iterator[S3Server]:
    root = tmp_path / "s3"
    app = S3(root)
    server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=QuietHandler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    yield S3Server(app, root, server.port)
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def s3(s3_server: S3Server) -> S3Client:
    return s3_server.client()


@pytest.fixture
def bucket(s3: S3Client) -> str:
    s3.create_bucket(Bucket="fruits")
    return "fruits"


class Raw:
    """http.client, with the path exactly as it is given: SDKs tidy theirs."""

    def __init__(self, port: int) -> None:
        self.port = port

    def __call__(
        self, method: str, path: str, body: bytes | None = None, headers: dict[str, str] | None = None
    ) -> tuple[int, bytes, http.client.HTTPMessage]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.putrequest(method, path, skip_host="Host" in (headers or {}))
            length = {} if body is None else {"Content-Length": str(len(body))}
            for name, value in {**length, **(headers or {})}.items():
                connection.putheader(name, value)
            connection.endheaders(body)
            answer = connection.getresponse()
            return answer.status, answer.read(), answer.headers
        finally:
            connection.close()


@pytest.fixture
def raw(s3_server: S3Server) -> Raw:
    return Raw(s3_server.port)
