"""How `inv logs`, `inv watch-step --logs` and a failed pipeline show logs and their diagnosis to a person.

Stands between tasks.py and the verbs, as session.py does. Must not know invoke.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

from scripts import console, fetch_logs
from scripts import explain as explanation
from scripts.aws import Clients
from scripts.config import Settings
from scripts.diagnosis import Diagnosis, LogFile, diagnose
from scripts.errors import UsageError
from scripts.follow_logs import Output, last_lines
from scripts.job_source import source_of
from scripts.lifecycle import ACTIVE_STEP, Status, duration
from scripts.log_mirror import unpacked

ROOT = Path(__file__).resolve().parent.parent
LOGS = ROOT / "logs"


def explain(
    settings: Settings,
    clients: Clients,
    cluster_id: str,
    step_id: str | None,
    *,
    everything: bool = False,
    as_json: bool = False,
) -> None:
    """Fetch the logs, and say on one screen why the step, or the cluster, failed.

    Raises:
        WorkflowError: there are no logs (yet), and EMR itself names no cause.
    """
    logs = fetch_logs.open_logs(clients, cluster_id, step_id, LOGS)
    with console.waiting("Logs"):
        for status in fetch_logs.fetch(logs, settings, everything=everything):
            if status.reason:
                console.note(
                    f"⏳ Waiting for {status.reason}. {fetch_logs.USUALLY}; at most {duration(settings.logs_timeout)}."
                )
    found = diagnose(logs.files, logs.facts)
    if not found.found:
        fetch_logs.require_some(logs)
    found = explanation.with_source(found, source_of(clients, cluster_id, step_id))
    what = f"Step {step_id}" if step_id else f"Cluster {cluster_id}"
    if as_json:
        more = {
            "cluster": cluster_id,
            "step": step_id,
            "missing": list(logs.missing),
            "files": [file.name for file in logs.files],
        }
        _show_json(found, **more)
        return
    if logs.missing:
        console.note(f"⚠️ Not here: {', '.join(logs.missing)}. {fetch_logs.USUALLY}: `inv logs` again then.")
    if logs.left_out:
        size = sum(one.size for one in logs.left_out) >> 20
        console.note(f"⚠️ {len(logs.left_out)} logs of executors ({size:,} MiB packed) were left out: `inv logs --all`")
    if logs.files:
        console.note(f"📄 {len(logs.files)} logs in {logs.mirror.folder.relative_to(ROOT)}/")
    _show(found, logs.files, logs.facts.step_state, what)


def explain_folder(folder: Path, *, as_json: bool = False) -> None:
    """The same for a folder of logs, wherever they came from.

    Raises:
        UsageError: there is no such folder, or nothing in it.
    """
    with unpacked(folder) as files:
        if not files:
            problem = f"{folder} holds none"
            raise UsageError("reading logs", problem, "Give the folder that holds steps/ and containers/.")
        found = diagnose(files)
        if as_json:
            _show_json(found, files=[file.name for file in files])
        else:
            _show(found, files, "", f"The logs in {folder}")


def show_output(outputs: Iterator[Status], what: str) -> None:
    """A step's states to stderr and its driver's output, as it comes, to stdout."""
    state: tuple[str, str] | None = None
    with console.waiting(what):
        for status in outputs:
            if (status.state, status.reason) != state:
                console.status(Status(status.state, status.reason, status.code))
                state = status.state, status.reason
            if isinstance(status, Output):
                for line in status.lines:
                    console.say(line)


def _show(found: Diagnosis, files: Sequence[LogFile], state: str, what: str) -> None:
    if not found.found and (state in ACTIVE_STEP or not found.failed):
        console.say(f"{console.MARKS.get(state, '✅')} {what}: {state or 'no failure in its logs'}")
        for line in last_lines(files):
            console.say(line)
        return
    for line in explanation.screen(found, ROOT, what):
        console.say(line)


def _show_json(found: Diagnosis, **more: object) -> None:
    console.say(json.dumps(explanation.as_json(found, ROOT, **more), ensure_ascii=False, indent=2))
