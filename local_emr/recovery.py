"""What becomes of a cluster whose server died: nothing runs unseen, and no step is lost without a word."""

import contextlib
import os
import signal
import sys
from pathlib import Path

from local_emr import lifecycle
from local_emr.agent import Agent
from local_emr.store import Step

LOST = "local EMR was stopped while this ran: the process is gone, and its exit code is not known."


def recover(agent: Agent) -> None:
    """Make a cluster's record true again, before its agent goes on with it."""
    kill_processes_of(agent.node.folder)
    lost = [s for s in agent.cluster["_Steps"] if s["Status"]["State"] in ("RUNNING", "CANCEL_PENDING")]
    for step in lost:
        _end(agent, step)


def _end(agent: Agent, step: Step) -> None:
    folder = agent.node.logs / "steps" / step["Id"]
    if folder.is_dir():
        with (folder / "stderr").open("a") as stderr:
            stderr.write(LOST + "\n")
    agent.upload_step_logs(step)
    with agent.store.transaction():
        if step["Status"]["State"] == "CANCEL_PENDING":
            lifecycle.step_ends(agent.store, agent.cluster, step, "CANCELLED")
        else:
            agent.step_failed(step)


def kill_processes_of(folder: Path) -> None:
    """Kill what still runs on a cluster's node: only where the supervisor, too, was killed is there any.

    Linux lets us know a process of ours by its environment; elsewhere the supervisor is all there is.
    """
    if sys.platform != "linux":
        return
    mark = f"LOCAL_EMR_CLUSTER={folder}".encode()
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if entry.name.isdigit() and mark in (entry / "environ").read_bytes().split(b"\0"):
                os.kill(int(entry.name), signal.SIGKILL)
