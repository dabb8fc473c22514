"""The record of each pipeline, `.runs/<id>.json`: what it began, on disk before AWS is asked for anything that costs.

Its id is also the value of the cluster's tag, so that a cluster whose own id was never written down is found again.
No secret is in it: the settings have none.
"""

from __future__ import annotations

import getpass
import hashlib
import json
import os
import socket
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict, dataclass, fields, replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from scripts.config import SETTINGS, Settings
from scripts.errors import UsageError, WorkflowError
from scripts.files import Held, lock, write_whole

FOLDER = ".runs"
ENDED = "ended_clusters.txt"


@dataclass(frozen=True)
class Run:
    """One pipeline. Times are ISO 8601 in UTC; `ended` and `verdict` are empty while it is unfinished."""

    id: str
    started: str
    owner: str
    pid: int
    settings: dict[str, Any]
    code: dict[str, str]
    arguments: tuple[str, ...] = ()
    cluster_id: str = ""
    step_id: str = ""
    ended: str = ""
    verdict: str = ""

    @property
    def where(self) -> tuple[str, str]:
        """Target and region: a cluster is known in one of them only."""
        return str(self.settings["target"]), str(self.settings["aws_region"])

    def __str__(self) -> str:
        what = f", cluster {self.cluster_id}" if self.cluster_id else ""
        return f"run {self.id[:8]} of {self.started} on {' '.join(self.where)}{what}"


def owner() -> str:
    """Who runs it, as others see it in the cluster's tag: user@host."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a container's user without a name
        user = str(os.getuid())
    return f"{user}@{socket.gethostname()}"[:256]


def begin(root: Path, settings: Settings, scripts: tuple[Path, ...], arguments: list[str]) -> Run:
    """Write the record of a new run. Until this is on disk nothing may be created.

    Raises:
        WorkflowError: it cannot be written.
    """
    run = Run(
        id=uuid.uuid4().hex,
        started=_now(),
        owner=owner(),
        pid=os.getpid(),
        settings={one.name: getattr(settings, one.name) for one in SETTINGS},
        code={script.name: hashlib.sha256(script.read_bytes()).hexdigest() for script in scripts if script.is_file()},
        arguments=tuple(arguments),
    )
    _write(root, run)
    return run


def note(root: Path, run: Run, **changes: str) -> Run:
    """The run with what is now known of it (cluster_id, step_id), on disk before this returns."""
    changed = replace(run, **changes)  # type: ignore[arg-type]
    _write(root, changed)
    return changed


def end(root: Path, run: Run, verdict: str) -> Run:
    """The run, finished: nothing of it is left running."""
    return note(root, run, ended=_now(), verdict=verdict)


def settings_of(run: Run) -> Settings:
    """The settings it was begun with: a resumed run goes on where it was, whatever .env says by now.

    Raises:
        UsageError: another version of this project wrote the record, one that lacked a setting.
    """
    missing = [one.name.upper() for one in SETTINGS if one.name not in run.settings]
    if missing:
        problem = f"the record of {run} has no {', '.join(missing)}: another version wrote it"
        raise UsageError("resuming a pipeline", problem, "`inv status` shows its cluster, `inv terminate` ends it.")
    return Settings(**{one.name: run.settings[one.name] for one in SETTINGS})


def all_runs(root: Path) -> list[Run]:
    """Every readable record, oldest first. One that cannot be read is another program's, and left alone."""
    found = []
    for path in (root / FOLDER).glob("*.json"):
        try:
            known = json.loads(path.read_text(encoding="utf-8"))
            values = {one.name: known[one.name] for one in fields(Run) if one.name in known}
            run = Run(**{**values, "arguments": tuple(values.get("arguments", ()))})
            _ = run.where  # a record that does not say where its cluster would be is none
            found.append(run)
        except (OSError, ValueError, TypeError, LookupError):
            continue
    return sorted(found, key=lambda run: run.started)


def unfinished(root: Path) -> list[Run]:
    """The runs that were cut off, oldest first."""
    return [run for run in all_runs(root) if not run.ended]


def mark_ended(root: Path, cluster_id: str) -> None:
    """Note that a cluster was seen to have ended: it stays so, wherever its id is asked for later. Best effort."""
    with suppress(OSError):
        (root / FOLDER).mkdir(exist_ok=True)
        with (root / FOLDER / ENDED).open("a", encoding="utf-8") as file:
            file.write(cluster_id + "\n")


def is_ended(root: Path, cluster_id: str) -> bool:
    """Whether this folder's commands have seen the cluster end."""
    try:
        return cluster_id in (root / FOLDER / ENDED).read_text(encoding="utf-8").split()
    except (OSError, UnicodeDecodeError):
        return False


@contextmanager
def alone(root: Path) -> Iterator[None]:
    """One command at a time that creates a cluster in this folder: they would share its tracking files and results.

    Raises:
        UsageError: another is under way; with its pid.
        WorkflowError: the folder of the records cannot be written to.
    """
    with ExitStack() as held:
        try:
            (root / FOLDER).mkdir(exist_ok=True)
            held.enter_context(lock(root / FOLDER / "lock"))
        except Held as other:
            raise UsageError(
                "creating a cluster", f"a run is under way in this folder (pid {other.pid})", "Wait for it, or end it."
            ) from None
        except OSError as error:
            raise _unwritable(error) from error
        yield


def _write(root: Path, run: Run) -> None:
    try:
        (root / FOLDER).mkdir(exist_ok=True)
        write_whole(root / FOLDER / f"{run.id}.json", json.dumps(asdict(run), indent=1) + "\n")
    except OSError as error:
        raise _unwritable(error) from error


def _unwritable(error: OSError) -> WorkflowError:
    problem = f"{error.strerror} ({error.filename or FOLDER})"
    return WorkflowError("writing the run's record", problem, "Make room, or mend the permissions.")


def _now() -> str:
    return datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
