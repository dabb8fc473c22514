"""The bootstrap action and the job under Python 3.9, the nodes' version on emr-7.11.0, where there is one."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.spark_fixture import SCRIPT, Server, put, results, results_file

BOOTSTRAP = SCRIPT.parent.parent / "bootstrap" / "install_dependencies.sh"
ODD_KEYS = ["Training/100%20 [x]/a#1.jpg", "Test/Apple Braeburn/b.JPG", 'Test/é,"q"/c.jpeg']

pytestmark = [pytest.mark.spark, pytest.mark.timeout(600)]


def python39() -> str | None:
    """Find a Python 3.9, on PATH or kept by pyenv."""
    kept = sorted(Path.home().glob(".pyenv/versions/3.9.*/bin/python3.9"))
    kept += sorted(Path(os.environ.get("PYENV_ROOT", "/nowhere")).glob("versions/3.9.*/bin/python3.9"))
    for found in [*map(str, kept), shutil.which("python3.9")]:
        if found and subprocess.run([found, "-c", "import venv"], check=False, capture_output=True).returncode == 0:
            return found
    return None


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Make a node's environment: Python 3.9 with Spark and nothing else, and a harmless sudo."""
    python = python39()
    if python is None:
        pytest.skip("no Python 3.9 on this machine")
    home = tmp_path_factory.mktemp("node")
    subprocess.run([python, "-m", "venv", home / "python"], check=True)
    spark = home / "spark"
    spark.mkdir()
    for package in ("pyspark", "py4j"):
        (spark / package).symlink_to(Path(importlib.util.find_spec(package).origin).parent)
    sudo = home / "python/bin/sudo"
    sudo.write_text('#!/bin/sh\nexec "$@"\n')
    sudo.chmod(0o755)
    return {
        **{name: value for name, value in os.environ.items() if name != "PYTHONHOME"},
        "PATH": f"{home / 'python/bin'}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": f"{spark}{os.pathsep}{SCRIPT.parent}",
        "PYSPARK_PYTHON": str(home / "python/bin/python3"),
    }


def test_the_job_runs_on_what_the_bootstrap_action_installs(node: dict[str, str], s3: Server, tmp_path: Path) -> None:
    def bootstrap() -> subprocess.CompletedProcess[str]:
        return subprocess.run(["bash", str(BOOTSTRAP)], env=node, capture_output=True, text=True, check=False)

    first = bootstrap()
    if "could not install" in first.stderr and "No matching distribution" in first.stderr:
        pytest.skip("no package index can be reached")
    assert first.returncode == 0, first.stderr
    assert first.stdout.splitlines()[-1] == "install_dependencies: done"
    assert bootstrap().stdout.splitlines()[-1] == "install_dependencies: nothing to install"

    data = put(s3.empty() / "data", *ODD_KEYS)
    mount = f"spark.hadoop.fs.viewfs.mounttable.bucket.linkFallback={s3.folder.as_uri()}"
    view = "spark.hadoop.fs.s3.impl=org.apache.hadoop.fs.viewfs.ViewFileSystemOverloadScheme"
    raw = "spark.hadoop.fs.viewfs.overload.scheme.target.s3.impl=org.apache.hadoop.fs.RawLocalFileSystem"
    settings = [word for setting in (mount, view, raw, "spark.ui.enabled=false") for word in ("--conf", setting)]
    for reader in ("listing", "binaryfile"):
        command = ["--reader", reader, "--inspect", "s3://bucket/data", str(tmp_path / reader)]
        environment = {
            **node,
            "AWS_ENDPOINT_URL": s3.url,
            "PYSPARK_SUBMIT_ARGS": " ".join([*settings, "pyspark-shell"]),
        }
        ran = subprocess.run(
            ["python3", str(SCRIPT), *command], env=environment, capture_output=True, text=True, check=False
        )
        assert ran.returncode == 0, ran.stderr[-3000:]
    assert {row[0] for row in results(tmp_path / "listing", "metadata")[1:]} == {
        f"s3://bucket/{path.relative_to(data.parent)}" for path in data.rglob("*.[jJ]*")
    }
    for table in ("metadata", "stats", "inspection"):
        one, other = (results_file(tmp_path / reader, table).read_bytes() for reader in ("listing", "binaryfile"))
        assert one == other
