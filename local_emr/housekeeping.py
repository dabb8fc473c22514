"""What the server does when nothing else is to be done: make the class archive that quickens the next steps."""

import sys
import threading
import time
from pathlib import Path

from local_emr.class_archive import ClassArchive
from local_emr.process import Process
from local_emr.store import ENDED, Store

QUIET_SECONDS = 3.0  # without a starting cluster or an active step, before the work begins
LOOK_SECONDS = 1.0


class Housekeeper:
    """One thread that sleeps nearly always."""

    def __init__(self, store: Store, archive: ClassArchive) -> None:
        self.store, self.archive = store, archive

    def start(self) -> None:
        threading.Thread(target=self._keep_house, name="housekeeping", daemon=True).start()

    def _keep_house(self) -> None:
        busy_until = 0.0
        while not self.archive.archive.exists():
            time.sleep(LOOK_SECONDS)
            if not self.archive.is_wanted():
                continue
            if self._is_busy():
                busy_until = time.monotonic()
            elif time.monotonic() - busy_until > QUIET_SECONDS:
                self._make_archive()
                return

    def _is_busy(self) -> bool:
        with self.store.changed:
            states = [c["Status"]["State"] for c in self.store.clusters.values()]
        return any(state not in (*ENDED, "WAITING") for state in states)

    def _make_archive(self) -> None:
        """Once a server's life: a failure would only be repeated."""
        target = self.archive.archive.with_suffix(".part")
        target.unlink(missing_ok=True)
        nowhere = Path("/dev/null")
        process = Process(self.archive.command(target), nowhere, nowhere, self.archive.cache, {"PATH": "/usr/bin:/bin"})
        code = process.wait()
        process.close()
        if code == 0 and target.exists():
            target.rename(self.archive.archive)
            self.archive.classes.unlink(missing_ok=True)
        else:
            print(f"No archive of Spark's classes (exit code {code}): steps do without.", file=sys.stderr)
