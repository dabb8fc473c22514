"""The benchmarks' WebHDFS: Spark reads images through it, and it gives nothing but what is in its folder."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator
from pathlib import Path
from threading import Thread

import pytest
from pyspark.sql import SparkSession

from benchmarks.webhdfs import WebHdfs
from local_emr.http_server import HttpServer

NAMES = ["Apple Braeburn 1/r_0_100.jpg", "Pêche é/日本.jpg", "a%20b/100%.jpg", "#1?.jpg", "a+b&c=d.jpg"]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[HttpServer]:
    for name in NAMES:
        path = tmp_path / "bucket" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    (tmp_path / "secret").write_text("not in the folder")
    server = HttpServer(0, WebHdfs(tmp_path / "bucket"))
    Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def ask(server: HttpServer, method: str, path: str) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
    try:
        connection.request(method, path)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


@pytest.mark.spark
def test_spark_reads_every_file_with_three_requests(spark: SparkSession, server: HttpServer) -> None:
    source = spark.read.format("binaryFile").option("recursiveFileLookup", "true")
    files = source.load(f"webhdfs://127.0.0.1:{server.port}/").select("content")
    listed = json.loads(ask(server, "GET", "/requests")[1])
    assert sorted(bytes(row.content).decode() for row in files.collect()) == sorted(NAMES)
    asked = json.loads(ask(server, "GET", "/requests")[1])
    for operation in ("GETFILESTATUS", "OPEN", "READ"):
        assert asked[operation] - listed.get(operation, 0) == len(NAMES)
    assert asked["LISTSTATUS"] == listed["LISTSTATUS"]


def test_content_is_given_in_parts(server: HttpServer) -> None:
    path = "/webhdfs/v1/Apple%20Braeburn%201/r_0_100.jpg?op=OPEN"
    assert ask(server, "GET", f"{path}&offset=6&length=8") == (200, b"Braeburn")
    assert ask(server, "GET", path) == (307, b"")


@pytest.mark.parametrize(
    ("method", "path", "status", "error"),
    [
        ("GET", "nothing?op=GETFILESTATUS", 404, "FileNotFoundException"),
        ("GET", "nothing?op=OPEN&offset=0", 404, "FileNotFoundException"),
        ("GET", "?op=OPEN&offset=0", 404, "FileNotFoundException"),  # a folder
        ("GET", "../secret?op=OPEN&offset=0", 404, "FileNotFoundException"),
        ("GET", "%2e%2e%2fsecret?op=OPEN&offset=0", 404, "FileNotFoundException"),
        ("GET", "a%00?op=GETFILESTATUS", 404, "FileNotFoundException"),
        ("PUT", "new?op=MKDIRS", 400, "UnsupportedOperationException"),
        ("GET", "", 400, "UnsupportedOperationException"),
    ],
)
def test_refusals(server: HttpServer, method: str, path: str, status: int, error: str) -> None:
    answered, body = ask(server, method, f"/webhdfs/v1/{path}")
    assert (answered, json.loads(body)["RemoteException"]["exception"]) == (status, error)
