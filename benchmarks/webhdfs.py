"""Serves a folder read-only over WebHDFS: an object store that Hadoop's own client, without hadoop-aws, reads by HTTP.

    python -m benchmarks.webhdfs FOLDER [--port 0] [--latency 0.01]

Prints its port. Spark then reads webhdfs://127.0.0.1:<port>/; what was asked so far is told as JSON at /requests. The
server is the one that local EMR's S3 has, so that a request costs the same on both sides.

For each image Spark asks what it asks of S3 through S3A, one after another: its status (there a HEAD), to open it
(again a HEAD), and its content (GET); here GETFILESTATUS, OPEN and READ. It closes a connection after each content,
which S3A would keep.
"""

from __future__ import annotations

import argparse
import json
import os
import stat
import time
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote, unquote_to_bytes

from local_emr.http_server import HttpServer, StartResponse

PREFIX = "/webhdfs/v1"
Answer = tuple[str, bytes, list[tuple[str, str]]]  # status, body, headers


class WebHdfs:
    """The WSGI application."""

    def __init__(self, folder: Path, latency: float = 0.0) -> None:
        self.folder, self.latency = folder, latency
        self.asked: Counter[str] = Counter()

    def __call__(self, environ: dict[str, Any], start: StartResponse) -> Iterable[bytes]:
        if environ["PATH_INFO"] == "/requests":
            status, body, headers = as_json("200 OK", self.asked)
        else:
            time.sleep(self.latency)
            status, body, headers = self._answer(environ)
        start(status, [*headers, ("Content-Length", str(len(body)))])
        return [body]

    def _answer(self, environ: dict[str, Any]) -> Answer:
        asked = {name: values[0] for name, values in parse_qs(environ["QUERY_STRING"]).items()}
        # not PATH_INFO: the client sends letters beyond ASCII as they are, which the server does not expect
        raw = environ["RAW_URI"].partition("?")[0].encode("latin-1")
        path = os.fsdecode(unquote_to_bytes(raw)).removeprefix(PREFIX)
        operation = asked.get("op", "").upper()
        if operation == "OPEN" and "offset" in asked:
            operation = "READ"
        self.asked[operation] += 1
        try:
            if "\0" in path or ".." in path.split("/"):
                raise FileNotFoundError(path)
            if operation == "OPEN":
                # As a name node sends one to a data node. Were the content sent now, the client would drop it and ask
                # again: at first it does not know where to read from.
                here = f"http://{environ['HTTP_HOST']}{PREFIX}{quote(path)}?op=OPEN&offset=0"
                return "307 Temporary Redirect", b"", [("Location", here)]
            return self._read(operation, Path(f"{self.folder}/{path}"), asked)
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            return refusal("404 Not Found", "java.io.FileNotFoundException", f"File does not exist: {path}")

    def _read(self, operation: str, path: Path, asked: dict[str, str]) -> Answer:
        if operation == "GETFILESTATUS":
            return as_json("200 OK", {"FileStatus": file_status("", path.stat())})
        if operation == "LISTSTATUS":
            found = [file_status("", path.stat())]
            if found[0]["type"] == "DIRECTORY":
                with os.scandir(path) as entries:
                    found = [file_status(entry.name, entry.stat()) for entry in entries]
            return as_json("200 OK", {"FileStatuses": {"FileStatus": found}})
        if operation == "READ":
            with path.open("rb") as file:
                file.seek(int(asked["offset"]))
                return "200 OK", file.read(int(asked.get("length", -1))), [("Content-Type", "application/octet-stream")]
        if operation == "GETHOMEDIRECTORY":  # asked once, by every client
            return as_json("200 OK", {"Path": "/"})
        return refusal("400 Bad Request", "java.lang.UnsupportedOperationException", f"{operation} is not supported")


def file_status(name: str, found: os.stat_result) -> dict[str, Any]:
    """Describe a file of a folder, or, without a name, the one that was asked for."""
    folder = stat.S_ISDIR(found.st_mode)
    return {
        "pathSuffix": name,
        "type": "DIRECTORY" if folder else "FILE",
        "length": 0 if folder else found.st_size,
        "modificationTime": found.st_mtime_ns // 1_000_000,
        "accessTime": 0,
        "blockSize": 0 if folder else 128 << 20,
        "replication": 0 if folder else 1,
        "permission": "755" if folder else "644",
        "owner": "hadoop",
        "group": "hadoop",
    }


def refusal(status: str, java_class: str, message: str) -> Answer:
    """Answer by what the client raises."""
    told = {"exception": java_class.rpartition(".")[2], "javaClassName": java_class, "message": message}
    return as_json(status, {"RemoteException": told})


def as_json(status: str, content: Any) -> Answer:
    """Answer in JSON; the client insists on the Content-Type."""
    return status, json.dumps(content).encode(), [("Content-Type", "application/json")]


def main() -> None:
    """Serve until killed."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--latency", type=float, default=0.0, help="seconds before each answer, as S3 takes them")
    options = parser.parse_args()
    server = HttpServer(options.port, WebHdfs(options.folder.resolve(strict=True), options.latency))
    print(server.port, flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
