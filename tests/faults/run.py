"""Carry out one cell of the matrix on a checkout with its own local EMR, and check how it ended."""

from __future__ import annotations

import json
import resource
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.faults.cells import Cell
from tests.integration.checkout import ROOT, Checkout, attended

LIVE = ("STARTING", "BOOTSTRAPPING", "RUNNING", "WAITING")
JOB = "spark/read_fruits_data.py"
BOOTSTRAP = "bootstrap/install_dependencies.sh"
SECRETS = ("aws_secret_access_key", "AKIA", "wJalrXUtnFEMI")  # none of these may ever be shown or written


class Bench:
    """A checkout that is used for one cell after another."""

    def __init__(self, checkout: Checkout) -> None:
        self.checkout, self.root = checkout, checkout.root
        self.home = self.root / ".local_emr"
        self.said = ""
        shutil.copy(Path(__file__).with_name("quick_job.py"), self.root / JOB)
        self.emr = checkout.client("emr")

    def run(self, cell: Cell) -> list[str]:
        """What is wrong with how it ended; nothing when all is as the cell says."""
        self._reset()
        known = set(self._clusters())
        self._prepare(cell)
        code = self._pipeline(cell)
        (self.home / "faults.json").unlink(missing_ok=True)
        return self._check(cell, code, known)

    # -- before -------------------------------------------------------------------------------------------------------

    def _reset(self) -> None:
        for path in (*self.root.glob("*_id.txt"), self.root / "master_dns.txt", self.home / "faults.json"):
            path.unlink(missing_ok=True)
        bucket = self.home / "s3" / "fruits-local"
        for folder in (self.root / ".runs", self.root / "logs", bucket / "scripts", bucket / "output"):
            shutil.rmtree(folder, ignore_errors=True)
        if (self.root / "results").is_file():
            (self.root / "results").unlink()
        shutil.rmtree(self.root / "results", ignore_errors=True)
        (self.root / "results").mkdir()
        self.checkout.restore(BOOTSTRAP)
        for cluster_id, state in self._clusters().items():
            if state in LIVE:
                self._end(cluster_id)

    def _prepare(self, cell: Cell) -> None:
        if cell.rules:
            (self.home / "faults.json").write_text(json.dumps(cell.rules))
        if cell.act == "bad bootstrap":
            (self.root / BOOTSTRAP).write_text("exit 3\n")
        elif cell.act == "bad bootstrap once":
            mark = self.root / "bootstrapped"
            mark.unlink(missing_ok=True)
            (self.root / BOOTSTRAP).write_text(f"[ -e '{mark}' ] || {{ touch '{mark}'; exit 1; }}\n")
        elif cell.act == "results is a file":
            (self.root / "results").rmdir()
            (self.root / "results").write_text("")

    # -- the run ------------------------------------------------------------------------------------------------------

    def _pipeline(self, cell: Cell) -> int:
        settings = {"POLL_INTERVAL": "0.2", "JOB_ARGS": "--sleep 0.7", **cell.settings}

        def surroundings() -> None:
            attended()
            if cell.file_limit:
                signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
                resource.setrlimit(resource.RLIMIT_FSIZE, (cell.file_limit, cell.file_limit))

        process = subprocess.Popen(
            self.checkout.command("pipeline"),
            cwd=self.root,
            env={**self.checkout.environment, **settings, "PYTHONDONTWRITEBYTECODE": "1"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            preexec_fn=surroundings,
        )
        assert process.stderr
        self.said, acted = "", False
        for line in process.stderr:
            self.said += line
            if not acted and line.strip() == f"▶ {cell.stage}":
                acted = True
                self._act(cell, process)
        code = process.wait(timeout=120)
        if cell.act != "resume":
            return code
        resumed = self.checkout.inv("pipeline", "--resume", **settings)
        if resumed.returncode == 2 and "no run was cut off" in resumed.stderr:  # it was done before the signal came
            return 0
        self.said += resumed.stderr
        return resumed.returncode

    def _act(self, cell: Cell, process: subprocess.Popen[str]) -> None:
        """What happens as the stage begins."""
        if cell.signal:
            process.send_signal(getattr(signal, cell.signal))
        elif cell.act == "end cluster":
            self._end(self._tracked())
        elif cell.act == "expire for good":
            (self.home / "faults.json").write_text(json.dumps([{"service": "emr", "kind": "expired", "times": -1}]))
        elif cell.act == "cancel step":
            cluster_id = self._tracked()
            step = self._until(lambda: self.emr.list_steps(ClusterId=cluster_id)["Steps"])[0]["Id"]
            self._until(lambda: self._step_state(cluster_id, step) == "RUNNING")
            self.emr.cancel_steps(ClusterId=cluster_id, StepIds=[step])
        elif cell.act == "interrupt twice":
            rule = {"service": "emr", "operation": "TerminateJobFlows", "kind": "slow", "seconds": 3, "times": -1}
            (self.home / "faults.json").write_text(json.dumps([rule]))
            process.send_signal(signal.SIGINT)
            time.sleep(0.5)
            process.send_signal(signal.SIGINT)

    def _tracked(self) -> str:
        return (self.root / "cluster_id.txt").read_text().strip()

    def _step_state(self, cluster_id: str, step_id: str) -> str:
        return str(self.emr.describe_step(ClusterId=cluster_id, StepId=step_id)["Step"]["Status"]["State"])

    def _until(self, look: Callable[[], Any]) -> Any:
        deadline = time.monotonic() + 20
        while not (seen := look()):
            assert time.monotonic() < deadline
            time.sleep(0.02)
        return seen

    def _end(self, cluster_id: str) -> None:
        self.emr.terminate_job_flows(JobFlowIds=[cluster_id])
        self._until(lambda: self._clusters()[cluster_id].startswith("TERMINATED"))

    # -- after --------------------------------------------------------------------------------------------------------

    def _clusters(self) -> dict[str, str]:
        pages = self.emr.get_paginator("list_clusters").paginate()
        return {one["Id"]: one["Status"]["State"] for page in pages for one in page["Clusters"]}

    def _check(self, cell: Cell, code: int, known: set[str]) -> list[str]:
        made = {cluster_id: state for cluster_id, state in self._clusters().items() if cluster_id not in known}
        live = [cluster_id for cluster_id, state in made.items() if state in LIVE]
        steps = sum(len(self.emr.list_steps(ClusterId=cluster_id)["Steps"]) for cluster_id in made)
        wrong = []
        if code != cell.code:
            wrong.append(f"exit code {code}, not {cell.code}")
        if live and not cell.left:
            wrong.append(f"{live} left live")
        if any(cluster_id not in self.said for cluster_id in live):
            wrong.append("a live cluster was not named")
        if len(made) not in cell.clusters:
            wrong.append(f"{len(made)} clusters, not {cell.clusters}")
        if steps not in cell.steps:
            wrong.append(f"{steps} steps, not {cell.steps}")
        if cell.said not in self.said:
            wrong.append(f"{cell.said!r} was not said")
        if "Traceback (most recent call last)" in self.said:
            wrong.append("a traceback was shown")
        wrong += self._check_files(cell)
        return wrong

    def _check_files(self, cell: Cell) -> list[str]:
        results = self.root / "results"
        found = {path.name.partition("_")[0] for path in results.glob("[!.]*")} if results.is_dir() else set()
        wrong = []
        if cell.results != (found >= {"metadata", "stats"}):
            wrong.append(f"results: {sorted(found) or 'none'}")
        for folder in results.glob("[!.]*") if results.is_dir() else ():
            if folder.is_dir() and {file.name for file in folder.iterdir()} != {"part-00000.csv", "_SUCCESS"}:
                wrong.append(f"{folder.name} is not whole")
        written = "".join(path.read_text() for path in (self.root / ".runs").glob("*.json"))
        wrong += [f"{secret} was written or shown" for secret in SECRETS if secret in written + self.said]
        return wrong


def bench(root: Path) -> Bench:
    """A bench in a new folder `root`, from this very repository."""
    from tests.integration.checkout import made_at

    assert not root.is_relative_to(ROOT)
    return Bench(made_at(root))
