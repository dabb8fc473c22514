"""Runs one command and answers for its whole process tree; a script of its own, which imports nothing of local EMR.

    python -I -S supervise.py STDOUT STDERR COMMAND [ARGUMENT…]

On its stdout it tells its parent `pid N`, then `exit N` (128 + the signal's number for a command that was killed), or
`error TEXT` when the command cannot be started. On its stdin its parent tells it `TERM` or `KILL`: that signal for the
whole tree. When stdin ends, the parent is gone or wants the tree gone: all of it is killed. So nothing outlives a
server that was itself killed. What the command leaves in the background lives on until then, as on a cluster's node.
"""

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

PR_SET_CHILD_SUBREAPER = 36  # from linux/prctl.h


def adopt_orphans() -> None:
    """On Linux, processes whose parent ends become our children instead of init's, so that none is lost."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def parents() -> dict[int, int]:
    """{process: its parent} of every process that is not a zombie."""
    table = {}
    if sys.platform == "linux":  # `ps` is missing from many small images
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                with contextlib.suppress(OSError, ValueError, IndexError):
                    state, parent = (entry / "stat").read_text().rpartition(")")[2].split()[:2]
                    if state != "Z":
                        table[int(entry.name)] = int(parent)
        return table
    listing = subprocess.run(["/bin/ps", "-A", "-o", "pid=,ppid=,stat="], capture_output=True, text=True, check=False)
    for line in listing.stdout.splitlines():
        process, parent, state = line.split(None, 2)
        if not state.startswith("Z"):
            table[int(process)] = int(parent)
    return table


def descendants() -> list[int]:
    """Our children, theirs, and so on."""
    table, found = parents(), {os.getpid()}
    while more := {process for process, parent in table.items() if parent in found} - found:
        found |= more
    return sorted(found - {os.getpid()})


def signal_tree(group: int, number: int) -> bool:
    """Send a signal to the command's process group and to every descendant; False when there is nobody left."""
    processes = descendants()
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)
    for process in processes:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(process, number)
    return bool(processes)


def kill_tree(group: int) -> None:
    """Kill until nothing is left: a process may fork between our look and our signal."""
    deadline = time.monotonic() + 10
    while signal_tree(group, signal.SIGKILL) and time.monotonic() < deadline:
        time.sleep(0.02)


def obey(group: int) -> None:
    """Do what the parent says, until it says no more."""
    for line in sys.stdin:
        signal_tree(group, signal.SIGKILL if line.strip() == "KILL" else signal.SIGTERM)
    kill_tree(group)
    os._exit(0)


def tell(text: str) -> None:
    with contextlib.suppress(BrokenPipeError):
        os.write(1, f"{text}\n".encode())  # not print: what is left in its buffer is complained of at the end


def main(stdout: str, stderr: str, *command: str) -> None:
    adopt_orphans()
    try:
        with open(stdout, "ab") as out, open(stderr, "ab") as err:  # noqa: PTH123
            child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=err, start_new_session=True)
    except OSError as error:
        tell(f"error {error.strerror}: {error.filename or command[0]}")
        return
    tell(f"pid {child.pid}")
    threading.Thread(target=obey, args=(child.pid,), daemon=True).start()
    code = child.wait()
    tell(f"exit {code if code >= 0 else 128 - code}")
    while descendants():  # what it left in the background
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        time.sleep(1)


if __name__ == "__main__":
    main(*sys.argv[1:])
