"""kill -9 of the server, whatever its clusters were doing: the next server tells the truth and goes on."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from local_emr import control
from tests.local_emr.emr_fixtures import Emr, processes_mentioning, until


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    home = tmp_path / "home"
    yield home
    control.down(home)


def test_every_state_goes_on_from_where_it_was(home: Path) -> None:
    first = control.up(home)
    emr = Emr(first.url, home)
    gate = home / "gate"
    slow = f"#!/bin/sh\necho begun >> '{home}/begun'\nwhile [ ! -e '{gate}' ]; do sleep 0.05; done\n"
    bootstrapping = emr.cluster(Name="bootstrapping", BootstrapActions=emr.bootstrap(slow))
    queued = emr.step(bootstrapping, "bash", "-c", "echo ran")
    stubborn, resized, ended = (emr.cluster(Name=name) for name in ("stubborn", "resized", "ended"))
    step = emr.step(stubborn, "bash", "-c", "trap '' TERM; sleep 43210")
    emr.wait_step(stubborn, step, "RUNNING")
    for cluster in (resized, ended):
        emr.wait_cluster(cluster, "WAITING")
    emr.terminate(ended)
    before = emr.wait_cluster(ended)
    emr.emr.create_security_configuration(Name="kms", SecurityConfiguration="{}")
    emr.emr.add_tags(ResourceId=resized, Tags=[{"Key": "k", "Value": "v"}])
    until(lambda: (home / "begun").exists())
    assert emr.status(bootstrapping)["State"] == "BOOTSTRAPPING"
    emr.emr.cancel_steps(ClusterId=stubborn, StepIds=[step])
    starting = emr.cluster(Name="starting")
    os.kill(first.pid, signal.SIGKILL)
    until(lambda: not processes_mentioning("sleep 43210"))

    emr = Emr(control.up(home).url, home)
    assert emr.status(ended) == before
    assert emr.status(bootstrapping)["State"] == "BOOTSTRAPPING"  # never back to STARTING
    assert emr.step_status(bootstrapping, queued)["State"] == "PENDING"
    assert emr.wait_step(stubborn, step)["State"] == "CANCELLED"  # as it was asked for
    assert emr.wait_cluster(starting, "WAITING")
    assert emr.emr.describe_security_configuration(Name="kms")["SecurityConfiguration"] == "{}"
    assert emr.emr.describe_cluster(ClusterId=resized)["Cluster"]["Tags"] == [{"Key": "k", "Value": "v"}]
    gate.touch()
    assert emr.wait_step(bootstrapping, queued)["State"] == "COMPLETED"
    assert (home / "begun").read_text() == "begun\n" * 2  # the action ran again: its first run was lost
    names = [c["Name"] for c in emr.emr.list_clusters()["Clusters"]]
    assert names == ["starting", "ended", "resized", "stubborn", "bootstrapping"]
    live = [bootstrapping, stubborn, resized, starting]
    emr.terminate(*live)
    for cluster in live:
        emr.wait_cluster(cluster)
    assert not processes_mentioning(str(home / "clusters"))
