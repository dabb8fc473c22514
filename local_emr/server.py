"""The server: one home, its clusters, and the HTTP port that all of it is reached by."""

import json
import os
import shutil
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Any

from local_emr import validation
from local_emr.agent import Agent, Pace, Surroundings
from local_emr.app import App
from local_emr.class_archive import ClassArchive
from local_emr.cluster_faults import ClusterFaults
from local_emr.fault_rules import Rules
from local_emr.faults import Faults
from local_emr.home import Home, fingerprint, write_atomic
from local_emr.housekeeping import Housekeeper
from local_emr.http_server import HttpServer
from local_emr.node import Node
from local_emr.operations import bound
from local_emr.operations.context import Emr
from local_emr.protocol import EmrProtocol
from local_emr.recovery import recover
from local_emr.s3 import S3
from local_emr.services import Services
from local_emr.settings import Settings
from local_emr.spark_submit import spark_home
from local_emr.store import ENDED, Cluster, Store

LOOK_SECONDS = 5.0  # between two looks whether there is still anything to do


class Server:
    """Everything behind one port. The caller holds the home's lock."""

    def __init__(
        self,
        home: Home,
        port: int,
        python: str | None = None,
        log_requests: bool = False,
        pace: Pace | None = None,
        settings: Settings | None = None,
    ) -> None:
        self.home, self.python = home, python
        self.fingerprint = fingerprint()
        self.store = Store(home.clusters)
        self.s3 = S3(home.s3)
        self.services = Services()
        emr = Emr(self.store, self.services, self.launch)
        protocol = EmrProtocol(bound(emr), self.store.transaction)
        rules = Rules(home.faults)
        self.app = App(protocol, self.s3, self.services, self.status, Faults(rules))
        self.http = HttpServer(port, self.app, log_requests)
        self.url = f"http://127.0.0.1:{self.http.port}"
        settings = settings or Settings()
        self.around = Surroundings(
            self.store,
            self.s3,
            lambda c: validation.find_problem(self.services, c),
            self.url,
            ClusterFaults(rules),
            (pace or Pace()).times(settings.pace),
            settings,
        )

    def start(self) -> None:
        """Answer requests, then say where, then go on with the clusters that an earlier server left."""
        self.services.start()
        Housekeeper(self.store, ClassArchive(self.home.cache, Path(spark_home()) / "jars")).start()
        self.store.load()
        self._tidy()
        self._resume()
        threading.Thread(
            target=self.http.serve_forever, kwargs={"poll_interval": 0.1}, name="http", daemon=True
        ).start()
        record = {"pid": os.getpid(), "url": self.url, "port": self.http.port, "fingerprint": self.fingerprint}
        write_atomic(self.home.record, json.dumps(record))

    def stop(self) -> None:
        """Stop answering. Processes of clusters end with this process: see `supervise.py`."""
        self.http.shutdown()
        self.http.server_close()

    def run(self, idle_exit: float | None) -> None:
        """Until SIGTERM or SIGINT, or until there was no request and no live cluster for `idle_exit` seconds."""
        ended = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: ended.set())
        while not ended.wait(min(idle_exit or LOOK_SECONDS, LOOK_SECONDS)):
            if self.home.owner() != os.getpid():
                print("The home folder was removed: good-bye.", file=sys.stderr)
                break
            if idle_exit is not None and self.idle_seconds() >= idle_exit:
                print(f"Nothing to do for {idle_exit:.0f} seconds: good-bye.", file=sys.stderr)
                break
        self.stop()

    def idle_seconds(self) -> float:
        return 0.0 if self.store.live() else time.monotonic() - self.app.last_request

    def launch(self, cluster: Cluster) -> None:
        """Give a new cluster its life."""
        self._agent(cluster).start()

    def _tidy(self) -> None:
        """Remove what a server that was killed in mid-write left: halves of records, folders that never had one."""
        for folder in self.home.clusters.iterdir():
            if folder.is_dir():
                for half in folder.glob(".cluster.json.*"):
                    half.unlink(missing_ok=True)
                if not (folder / "cluster.json").exists():
                    shutil.rmtree(folder, ignore_errors=True)

    def _resume(self) -> None:
        for cluster in self.store.clusters.values():
            if cluster["Status"]["State"] not in ENDED:
                agent = self._agent(cluster)
                recover(agent)
                agent.start()

    def _agent(self, cluster: Cluster) -> Agent:
        node = Node(self.home.clusters / cluster["Id"], self.home.cache, self.python)
        return Agent(cluster, node, self.around)

    def status(self) -> dict[str, Any]:
        """See `control.status`."""
        live = self.store.live()
        return {
            "url": self.url,
            "port": self.http.port,
            "pid": os.getpid(),
            "home": str(self.home.root),
            "fingerprint": self.fingerprint,
            "clusters": [{"id": c["Id"], "name": c["Name"], "state": c["Status"]["State"]} for c in live],
            "buckets": self.s3.buckets(),
            "s3_requests": dict(self.s3.requests),
        }
