"""Local EMR's S3 against moto's: puts, gets and listed keys per second, and the server's peak memory.

`python benchmarks/s3_server.py` runs both in turn, three rounds, each time in a fresh process on loopback and with the
same client, and prints medians. A machine's own speed cancels in the ratios.
"""

from __future__ import annotations

import argparse
import http.client
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BODY = os.urandom(5000)
BUCKET = "bench"
SERVERS = {
    "ours": "from pathlib import Path; from local_emr.s3 import S3; app = S3(Path(sys.argv[1]))",
    "moto": "from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app; "
    "app = DomainDispatcherApplication(create_backend_app)",
}
# both are served by the same server, so that what is compared is S3
SERVE = """
import logging, sys
{app}
from moto.moto_server.werkzeug_app import MotoRequestHandler
from werkzeug.serving import make_server
logging.getLogger("werkzeug").setLevel("ERROR")
server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=MotoRequestHandler)
print(server.port, flush=True)
server.serve_forever()
"""
HEADERS = {
    "Authorization": "AWS4-HMAC-SHA256 Credential=a/20250101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=0"
}


def request(port: int, method: str, path: str, body: bytes | None = None) -> bytes:
    """Plain HTTP: an SDK would take most of the time of both."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    try:
        connection.request(method, path, body, HEADERS)
        answer = connection.getresponse()
        content = answer.read()
    finally:
        connection.close()
    if answer.status != 200:
        raise RuntimeError(f"{method} {path}: {answer.status} {content[:300]!r}")
    return content


def key_of(number: int) -> str:
    """Spread over 50 folders, as the images are over their classes."""
    return f"{number % 50:02d}/image-{number:06d}.jpg"


def peak_memory(process: subprocess.Popen[str]) -> float:
    """In MB; Linux tells the peak, elsewhere the present size has to do."""
    try:
        status = Path(f"/proc/{process.pid}/status").read_text()
        return int(status.split("VmHWM:")[1].split()[0]) / 1024
    except FileNotFoundError:
        said = subprocess.run(["ps", "-o", "rss=", "-p", str(process.pid)], capture_output=True, text=True, check=True)
        return int(said.stdout) / 1024


def pages(port: int) -> Iterator[bytes]:
    token = ""
    while True:
        page = request(port, "GET", f"/{BUCKET}?list-type=2{token}")
        yield page
        if b"<NextContinuationToken>" not in page:
            return
        following = page.split(b"<NextContinuationToken>")[1].split(b"<")[0].decode()
        token = "&continuation-token=" + following.replace("=", "%3D").replace("+", "%2B")


def rate(count: int, work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return count / (time.perf_counter() - start)


def measure(name: str, objects: int, clients: int) -> dict[str, float]:
    """One round with a server of its own."""
    with tempfile.TemporaryDirectory() as folder:
        code = SERVE.format(app=SERVERS[name])
        process = subprocess.Popen([sys.executable, "-c", code, folder], cwd=ROOT, stdout=subprocess.PIPE, text=True)
        try:
            assert process.stdout  # noqa: S101
            port = int(process.stdout.readline())
            request(port, "PUT", f"/{BUCKET}", b"")
            keys = [f"/{BUCKET}/{key_of(number)}" for number in range(objects)]
            with ThreadPoolExecutor(clients) as pool:
                puts = rate(objects, lambda: list(pool.map(lambda key: request(port, "PUT", key, BODY), keys)))
                gets = rate(objects, lambda: list(pool.map(lambda key: request(port, "GET", key), keys)))
            listed = 0

            def list_all() -> None:
                nonlocal listed
                listed = sum(page.count(b"<Key>") for page in pages(port))

            lists = rate(objects, list_all)
            if listed != objects:
                raise RuntimeError(f"{name} listed {listed} of {objects} keys")
            return {"puts/s": puts, "gets/s": gets, "listed keys/s": lists, "peak MB": peak_memory(process)}
        finally:
            process.kill()
            process.wait()
            if process.stdout:
                process.stdout.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--objects", type=int, default=5000)
    parser.add_argument("--clients", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    rounds: dict[str, list[dict[str, float]]] = {name: [] for name in SERVERS}
    for _ in range(options.rounds):
        for name in SERVERS:
            rounds[name].append(measure(name, options.objects, options.clients))
    print(
        f"{options.objects} objects of {len(BODY)} bytes, {options.clients} clients, median of {options.rounds} rounds"
    )
    print(f"{'':15}{'ours':>12}{'moto':>12}{'ratio':>9}")
    for what in rounds["ours"][0]:
        ours, moto = (statistics.median(each[what] for each in rounds[name]) for name in ("ours", "moto"))
        print(f"{what:15}{ours:12,.0f}{moto:12,.0f}{ours / moto:9.2f}")


if __name__ == "__main__":
    main()
