"""One command on a cluster's node, with the logs that EMR writes about it: a bootstrap action, or a step."""

import sys
import threading
import time
import traceback
from collections.abc import Callable
from pathlib import Path

from local_emr.commands import CannotFetch
from local_emr.logs import Controller
from local_emr.process import PATIENCE, CannotStart, Process

# As command-runner.jar says it.
NO_PROGRAM = """\
Exception in thread "main" java.lang.RuntimeException: java.io.IOException: Cannot run program "{}": {}
\tat com.amazonaws.emr.command.runner.ProcessRunner.exec(ProcessRunner.java:140)
\tat com.amazonaws.emr.command.runner.CommandRunner.main(CommandRunner.java:23)"""
CANNOT_RUN = 127  # the shell's exit code for a command that is not there


class Execution:
    """Runs a command in `work`, its logs in `logs`. `resolve` makes the command, and may copy files from S3 for it."""

    def __init__(
        self,
        logs: Path,
        work: Path,
        environment: dict[str, str],
        resolve: Callable[[Path], list[str]],
        wrapper: str | None = None,
    ) -> None:
        self.logs, self.work, self.environment, self.resolve = logs, work, environment, resolve
        self.wrapper = wrapper  # what EMR runs the command through, as the controller's log tells it
        self.controller = Controller(logs)
        self.process: Process | None = None
        self._lock = threading.Lock()
        self._stop: tuple[bool, float] | None = None

    def run(self) -> int:
        """The exit code. Faults of ours are the command's: they are in its stderr, and its exit code is not 0."""
        controller = self.controller
        self.work.mkdir(parents=True, exist_ok=True)
        started = time.monotonic()
        try:
            command = self.resolve(self.work)
            shown = " ".join([self.wrapper, *command] if self.wrapper else command)  # as EMR shows it: not quoted
            self._announce(controller, shown)
            code = self._execute(controller, command, shown)
        except CannotStart as error:
            code, shown = 1 if self.wrapper else CANNOT_RUN, str(error)
            self.complain(NO_PROGRAM.format(command[0], error) if self.wrapper else str(error))
        except CannotFetch as error:
            code, shown = 1, str(error)
            self.complain(str(error))
        except Exception as error:
            code, shown = CANNOT_RUN, repr(error)
            self.complain(f"local EMR failed: {error!r}; its server.log has the traceback")
            traceback.print_exc(file=sys.stderr)
        controller.lines(f"INFO waitProcessCompletion ended with exit code {code} : {shown}")
        controller.lines(f"INFO total process run time: {round(time.monotonic() - started)} seconds")
        return code

    def stop(self, kill: bool = False, patience: float = PATIENCE) -> None:
        """End the command's process tree; before it has begun, it will not begin for long."""
        with self._lock:
            self._stop = (kill, patience)
            if self.process:
                self.process.stop(kill, patience)

    def is_over(self, patience: float = 0.3) -> bool:
        """Whether the command left nothing in the background."""
        return self.process is None or self.process.is_over(patience)

    def close(self) -> None:
        """End what the command left in the background."""
        if self.process:
            self.process.close()

    def _announce(self, controller: Controller, shown: str) -> None:
        controller.lines(f"INFO startExec '{shown}'")
        controller.lines("INFO Environment:")
        for name, value in sorted(self.environment.items()):
            controller.lines(f"  {name}={value}")
        controller.lines(f"INFO redirectOutput to {self.logs / 'stdout'}")
        controller.lines(f"INFO redirectError to {self.logs / 'stderr'}")
        controller.lines(f"INFO Working dir {self.work}")

    def _execute(self, controller: Controller, command: list[str], shown: str) -> int:
        with self._lock:
            self.process = Process(command, self.logs / "stdout", self.logs / "stderr", self.work, self.environment)
            if self._stop:
                self.process.stop(*self._stop)
        controller.lines(f"INFO ProcessRunner started child process {self.process.pid}")
        controller.lines(f"INFO Synchronously wait child process to complete : {shown}")
        return self.process.wait()

    def complain(self, text: str) -> None:
        """Add a line of EMR's, or ours, to the command's stderr."""
        (self.logs / "stdout").touch()
        with (self.logs / "stderr").open("a") as file:
            file.write(text + "\n")
