"""A checkout of its own, with its own local EMR and real Spark, for the commands to be run in as a person would."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
SHARED = ROOT.parent / "shared"
STATE = (
    ".git",
    ".venv",
    ".env",
    ".local_emr",
    ".runs",
    "logs",
    "*_id.txt",
    "master_dns.txt",
    "__pycache__",
    ".*_cache",
)
NOT_OURS = ("PATH", "HOME", "LANG", "LC_ALL", "JAVA_HOME", "TMPDIR")


def attended() -> None:
    """In a child: Ctrl-C and a closed terminal do what they do for a person, though the tests may run in background."""
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


class Checkout:
    """A copy of the repository, in which `inv` is run with nothing of the developer's own environment."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.environment = {name: os.environ[name] for name in NOT_OURS if name in os.environ}

    def command(self, *words: str) -> list[str]:
        return [sys.executable, "-m", "invoke", *words]

    def inv(self, *words: str, **settings: str) -> subprocess.CompletedProcess[str]:
        """`inv *words`, its stdin closed, stdout and stderr apart."""
        return subprocess.run(
            self.command(*words),
            cwd=self.root,
            env={**self.environment, **settings},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=240,
        )

    def start(self, *words: str) -> subprocess.Popen[str]:
        """`inv *words` in the background, stderr to be read line by line."""
        return subprocess.Popen(
            self.command(*words),
            cwd=self.root,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            preexec_fn=attended,
        )

    def edit(self, path: str, change: Callable[[str], str]) -> None:
        file = self.root / path
        file.write_text(change(file.read_text()))

    def restore(self, path: str) -> None:
        shutil.copy(ROOT / path, self.root / path)

    def client(self, service: str) -> Any:
        """A boto3 client of this checkout's local EMR."""
        import boto3

        said = self.inv("local.up").stdout
        endpoint = re.search(r"AWS_ENDPOINT_URL=(\S+)", said)
        assert endpoint, said
        return boto3.client(
            service,
            region_name="eu-west-1",
            endpoint_url=endpoint[1],
            aws_access_key_id="local",
            aws_secret_access_key="local",
        )

    def clusters(self) -> dict[str, str]:
        """Every cluster that this local EMR knows: id -> state."""
        emr = self.client("emr")
        pages = emr.get_paginator("list_clusters").paginate()
        return {one["Id"]: one["Status"]["State"] for page in pages for one in page["Clusters"]}


def made_at(root: Path) -> Checkout:
    """A copy of the repository at `root`, without anything that was left in the original."""
    shutil.copytree(ROOT, root, ignore=shutil.ignore_patterns(*STATE))
    for old in (root / "results").iterdir():
        if old.is_dir():
            shutil.rmtree(old)
    return Checkout(root)


def interrupt(process: subprocess.Popen[str], number: int = signal.SIGINT) -> str:
    """Send the signal, wait for the end; what was still said on stderr."""
    process.send_signal(number)
    return process.communicate(timeout=120)[1]
