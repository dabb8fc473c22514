"""One process of a node, under a supervisor that ends with this server: see `supervise.py`."""

import contextlib
import subprocess
import sys
import threading
from pathlib import Path

SUPERVISOR = Path(__file__).with_name("supervise.py")
PATIENCE = 5.0  # seconds between SIGTERM and SIGKILL


class CannotStart(Exception):
    """The command does not exist or is no program."""


class Process:
    """A command, its stdout and stderr in files, its stdin empty. `environment` is all that it gets."""

    def __init__(
        self, command: list[str], stdout: Path, stderr: Path, folder: Path, environment: dict[str, str]
    ) -> None:
        self._supervisor = subprocess.Popen(
            [sys.executable, "-I", "-S", str(SUPERVISOR), str(stdout), str(stderr), *command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=folder,
            env=environment,
            text=True,
            start_new_session=True,  # Ctrl-C for the server is not for it: it has an end of its own
        )
        self._timers: list[threading.Timer] = []
        said = self._read()
        if said.startswith("error "):
            self.close()
            raise CannotStart(said.removeprefix("error "))
        self.pid = int(said.removeprefix("pid ") or 0)

    def wait(self) -> int:
        """The exit code; 137 when even the supervisor was killed."""
        said = self._read()
        for timer in self._timers:
            timer.cancel()
        return int(said.removeprefix("exit ")) if said.startswith("exit ") else 137

    def stop(self, kill: bool = False, patience: float = PATIENCE) -> None:
        """SIGTERM for the whole tree, SIGKILL after `patience` seconds; or SIGKILL at once. Does not wait."""
        self._tell("KILL" if kill else "TERM")
        if not kill:
            timer = threading.Timer(patience, self._tell, ["KILL"])
            timer.daemon = True
            self._timers.append(timer)
            timer.start()

    def close(self) -> None:
        """Kill what is left of the tree, in the background too, and wait until it is gone."""
        for stream in (self._supervisor.stdin, self._supervisor.stdout):
            if stream:
                with contextlib.suppress(OSError):
                    stream.close()
        try:
            self._supervisor.wait(15)
        except subprocess.TimeoutExpired:
            self._supervisor.kill()
            self._supervisor.wait()

    def is_over(self, patience: float = 0.3) -> bool:
        """Whether the whole tree has ended by itself; it is given that many seconds."""
        try:
            self._supervisor.wait(patience)
        except subprocess.TimeoutExpired:
            return False
        self.close()
        return True

    def _read(self) -> str:
        return self._supervisor.stdout.readline().strip() if self._supervisor.stdout else ""

    def _tell(self, word: str) -> None:
        if self._supervisor.stdin:
            with contextlib.suppress(OSError, ValueError):
                self._supervisor.stdin.write(word + "\n")
                self._supervisor.stdin.flush()
