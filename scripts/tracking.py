"""cluster_id.txt, step_id.txt and master_dns.txt: what one command leaves for the next.

One line each, so that people and shell scripts can read them (`$(cat cluster_id.txt)`). Must not know AWS.
"""

from __future__ import annotations

import re
from pathlib import Path

from scripts.errors import UsageError
from scripts.files import write_whole

CLUSTER = "cluster_id.txt"
STEP = "step_id.txt"
MASTER_DNS = "master_dns.txt"
ALL = (CLUSTER, STEP, MASTER_DNS)

_FORM = {
    CLUSTER: re.compile(r"j-[A-Z0-9]+"),
    STEP: re.compile(r"s-[A-Z0-9]+"),
    MASTER_DNS: re.compile(r"[A-Za-z0-9.-]+"),
}


def check(name: str, value: str, given_as: str = "") -> str:
    """`value` without the white space around it; `given_as` is the option it came from, if not from the file.

    Raises:
        UsageError: it has not the form of what `name` holds (an id that reaches AWS, a path or a screen must).
    """
    value = value.strip()
    if not _FORM[name].fullmatch(value):
        raise UsageError(
            f"reading {given_as or name}",
            f"{value[:40]!r} is not of its form ({_FORM[name].pattern})",
            "" if given_as else "Give the id on the command line, or delete the file.",
        )
    return value


def read(root: Path, name: str) -> str | None:
    """What the tracking file holds, or None where there is none.

    Raises:
        UsageError: the file cannot be read, or holds something else.
    """
    try:
        text = (root / name).read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"reading {name}", str(error), "Mend or delete the file.") from error
    return check(name, text) if text.strip() else None


def write(root: Path, name: str, value: str) -> None:
    """Write the tracking file whole: a reader, or a crash, finds the old id or the new one, never a part.

    Raises:
        UsageError: the folder cannot be written to; the message has the value, so that it is not lost.
    """
    check(name, value)
    try:
        write_whole(root / name, value + "\n")
    except OSError as error:
        raise UsageError(f"writing {name}", f"{error.strerror}; it was to hold {value}", "Note it down.") from error


def clear(root: Path, *names: str) -> list[str]:
    """Remove the tracking files; the names of those that were there.

    Raises:
        UsageError: one of them cannot be removed.
    """
    there = [name for name in names if (root / name).is_file()]
    for name in there:
        try:
            (root / name).unlink()
        except OSError as error:
            raise UsageError(f"removing {name}", str(error.strerror), "Remove it by hand.") from error
    return there
