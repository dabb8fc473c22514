"""Start, find and stop the local EMR server of a home folder. Standard library only; imports in milliseconds.

server = up(Path(".local_emr"))     # Server(url="http://127.0.0.1:50123", pid=4242, started=True)
status(Path(".local_emr"))          # {"url": …, "pid": …, "clusters": [{"id", "name", "state"}], "buckets": […]}
down(Path(".local_emr"))            # True: there was one, and it is gone
"""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from local_emr.home import Home, fingerprint, locked

START_TIMEOUT = 30.0  # seconds until a new server answers; it takes about one
STOP_TIMEOUT = 10.0  # seconds after SIGTERM before SIGKILL
MAX_LOG = 1_000_000  # bytes of server.log; a longer one begins anew with the next server
IDLE_EXIT = 4 * 3600  # seconds without a request or a live cluster, then the server ends by itself


class LocalEmrError(Exception):
    """The server could not be started or stopped; the message says why in one sentence."""


@dataclass(frozen=True)
class Server:
    """A server that answers. `started`: it was this call that started it."""

    url: str
    pid: int
    started: bool


def up(home: Path, port: int = 0) -> Server:
    """The server of `home`, started as a process of its own if nothing healthy answers.

    `port` 0 means the last port of this home while it is free, else any free one. A server that runs older code than
    what is on disk is replaced, unless it has live clusters. Two callers at once get the same server.
    """
    place = Home(home)
    place.make()
    with locked(place.starting):
        running = status(home)
        if running and (running["fingerprint"] == fingerprint() or running["clusters"]):
            if port and running["port"] != port:
                raise LocalEmrError(f"Local EMR already runs at {running['url']}, not on port {port}.")
            return Server(running["url"], running["pid"], started=False)
        if running or place.owner():  # older code, or one that holds the lock and does not answer
            down(home)
        return _start(place, port or _last_free_port(place))


def down(home: Path) -> bool:
    """Stop the server of `home` and wait until it is gone; False when there was none."""
    place = Home(home)
    pid = place.owner()
    if pid is None:
        return False
    for number, patience in ((signal.SIGTERM, STOP_TIMEOUT), (signal.SIGKILL, 5.0)):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)
        if _wait_until(lambda: place.owner() != pid, patience):
            return True
    raise LocalEmrError(f"Local EMR's process {pid} does not end.")


def status(home: Path) -> dict[str, Any] | None:
    """What the running server says of itself; None when none answers.

    {"url", "port", "pid", "home", "fingerprint", "clusters": [{"id", "name", "state"}], "buckets": [name]}
    The clusters are the live ones.
    """
    place = Home(home)
    port = place.read_record().get("port")
    if not port:
        return None
    answer = _get_json(port, "/_local_emr/status")
    # Another program, or another home's server, may have the port by now.
    return answer if answer and answer.get("home") == str(place.root) else None


def _start(place: Home, port: int) -> Server:
    command = [sys.executable, "-m", "local_emr", "--port", str(port), "--home", str(place.root)]
    package_parent = str(Path(__file__).resolve().parent.parent)
    if place.log.exists() and place.log.stat().st_size > MAX_LOG:
        place.log.unlink()
    with place.log.open("a") as log:
        said_before = log.tell()
        process = subprocess.Popen(
            [*command, "--idle-exit", str(IDLE_EXIT)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            env={
                name: value for name, value in os.environ.items() if not name.startswith("AWS_")
            },  # keys are not for it
            cwd=package_parent,  # where `-m local_emr` finds this very package
            start_new_session=True,  # Ctrl-C in the terminal is not for it
        )
    healthy = _wait_until(lambda: process.poll() is not None or _answers(place, process.pid), START_TIMEOUT)
    if process.poll() is None and healthy:
        process.returncode = 0  # detached on purpose: no warning that it still runs
        return Server(place.read_record()["url"], process.pid, started=True)
    process.kill()
    process.wait()
    said = place.log.read_bytes()[said_before:].decode(errors="replace").strip()
    last = " / ".join(said.splitlines()[-3:])
    raise LocalEmrError(f"Local EMR did not start: {last or 'it printed nothing'} (log: {place.log})")


def _answers(place: Home, pid: int) -> bool:
    answer = status(place.root)
    return answer is not None and answer["pid"] == pid


def _last_free_port(place: Home) -> int:
    """The last port of this home if it can be bound now, so that an exported AWS_ENDPOINT_URL stays right; else 0."""
    port = place.read_record().get("port", 0)
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except (OSError, OverflowError, TypeError):
            return 0
    return int(port)


def _get_json(port: int, path: str) -> dict[str, Any] | None:
    """GET from 127.0.0.1, past any proxy settings; None for anything but JSON in an answer 200."""
    import http.client  # slow to import, and only needed here

    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        answer = json.loads(response.read()) if response.status == 200 else None
    except (OSError, ValueError, http.client.HTTPException):
        return None
    finally:
        connection.close()
    return answer if isinstance(answer, dict) else None


def _wait_until(condition: Callable[[], bool], seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True
