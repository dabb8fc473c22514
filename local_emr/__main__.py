"""`python -m local_emr`: run the server in the foreground, until Ctrl-C or SIGTERM."""

import argparse
import os
import sys
import time
from pathlib import Path
from typing import IO

from local_emr import settings
from local_emr.home import Home, try_lock

LOOPBACK = ("127.0.0.1", "localhost")


def arguments(argv: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m local_emr", description="Amazon EMR on 127.0.0.1, with real Spark."
    )
    parser.add_argument("--port", type=int, default=0, help="0: any free one (the default)")
    parser.add_argument("--host", default="127.0.0.1", help="only 127.0.0.1: anyone who reaches it can run commands")
    parser.add_argument("--home", type=Path, default=Path(".local_emr"), help="where all its state lives (.local_emr)")
    parser.add_argument(
        "--idle-exit", type=float, metavar="SECONDS", help="end when nothing was asked, or lived, so long"
    )
    parser.add_argument("--python", default=os.environ.get("LOCAL_EMR_PYTHON"), help="another Python for the nodes")
    for name, text in settings.HELP.items():
        parser.add_argument("--" + name.replace("_", "-"), metavar="N", help=text)
    parser.add_argument("--log-requests", action="store_true", help="print every request")
    parsed = parser.parse_args(argv)
    if parsed.host not in LOOPBACK:
        parser.error(f"local EMR runs whatever it is sent, so it listens on 127.0.0.1 only, not on {parsed.host}")
    return parsed


def main() -> int:
    options = arguments()
    home = Home(options.home)
    home.make()
    with home.lock.open("a+") as lock:
        if not take(lock):
            print(f"Another local EMR already uses {home.root} (process {home.owner()}).", file=sys.stderr)
            return 1
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        return serve(home, options)


def take(lock: IO[str]) -> bool:
    """The lock, tried twice: who asks whether it is held (`Home.owner`) holds it for a moment."""
    if try_lock(lock):
        return True
    time.sleep(0.2)
    return try_lock(lock)


def serve(home: Home, options: argparse.Namespace) -> int:
    from local_emr.server import Server  # only now: a refusal need not wait for it

    try:
        chosen = settings.load(home.settings, os.environ, vars(options))
    except settings.SettingsError as error:
        print(error, file=sys.stderr)
        return 1
    try:
        server = Server(home, options.port, options.python, options.log_requests, settings=chosen)
    except OSError as error:
        print(f"Port {options.port} cannot be used: {error.strerror}.", file=sys.stderr)
        return 1
    server.start()
    print(f"local EMR: {server.url} (home {home.root})", file=sys.stderr)
    server.run(options.idle_exit)
    return 0


if __name__ == "__main__":
    sys.exit(main())
