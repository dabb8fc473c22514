"""A small soak: many clients, short steps, and nothing left of them. The whole one is `python -m benchmarks.soak`."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from benchmarks import soak
from benchmarks.soak import Footprint, Soak

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="it measures through /proc")


def test_nothing_is_lost_repeated_or_left_behind(tmp_path: Path) -> None:
    findings, before, after, _ = soak.soak(tmp_path / "home", clusters=10, steps=6, clients=8)
    assert findings.errors == []
    assert (after.processes, after.folders) == (0, 0)
    assert after.threads <= before.threads
    assert len(findings.took["cluster ends"]) == 10


def test_it_sees_what_it_looks_for(tmp_path: Path) -> None:
    ledger = tmp_path / "ledger"
    run = Soak("http://127.0.0.1:1", ledger, 2)
    ledger.write_text("0.0\n0.0\n")
    run._check_ledger(1)
    run._advance({"s-1": 2}, {"Id": "s-1", "Name": "s", "Status": {"State": "RUNNING"}}, soak.STEP_RANK, 2)
    run._life(7)  # nobody answers there
    told = "\n".join(run.findings.errors)
    for text in ("1 steps never ran: ['0.1']", "ran more than once: ['0.0']", "s went back to RUNNING", "cluster 7: "):
        assert text in told
    before, after = Footprint(3, 6, 0, 0, 1.0), Footprint(4, 6, 1, 2, 9.0)
    assert soak.leaks(before, after) == [f"{n} {kind} were left behind" for n, kind in
                                         ((1, "threads"), (1, "processes"), (2, "folders"))]  # fmt: skip
