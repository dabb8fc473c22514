"""Spark's classes, parsed once: Java's class-data sharing (JEP 310) saves a small step about a third of its time.

The first step of a home lists the classes it loads; when nothing runs, the server makes an archive of them in the
background. Java checks by itself that an archive fits its own version and the class path, and else does without it, so
the worst that a stale one can do is nothing. The cache folder can be deleted at any time.

    cache/spark-KEY.classes    the list that a step wrote
    cache/spark-KEY.jsa        the archive, about 130 MB
"""

import contextlib
import hashlib
import os
from pathlib import Path

from local_emr.java import java_home
from local_emr.jvm import OPENED_OPTIONS, java

QUIET = "-Xlog:cds=off,class+path=off,cds+dynamic=off"  # an archive that does not fit is no news for a job's stdout
MAX_ARCHIVES = 2


class ClassArchive:
    """The archive for this machine's Java and the given jars, under a home's cache folder."""

    def __init__(self, cache: Path, jars: Path) -> None:
        self.cache, self.jars = cache, jars
        digest = hashlib.sha256(str(java_home()).encode())
        for jar in sorted(jars.glob("*.jar")):
            found = jar.stat()
            digest.update(f"{jar.name} {found.st_size} {found.st_mtime_ns}\n".encode())
        name = f"spark-{digest.hexdigest()[:12]}"
        self.classes, self.archive = cache / f"{name}.classes", cache / f"{name}.jsa"

    def options(self, may_list: bool = True) -> list[str]:
        """What a JVM is to be started with: the archive if there is one, else the wish to list the classes for it."""
        if self.archive.exists():
            return [f"-XX:SharedArchiveFile={self.archive}", QUIET]
        if self.classes.exists() or not may_list:
            return []
        return [f"-XX:DumpLoadedClassList={self.classes}.{os.getpid()}"]

    def keep_list(self) -> None:
        """After the JVM has ended: its list, if it wrote one and no other step was quicker."""
        with contextlib.suppress(OSError):
            Path(f"{self.classes}.{os.getpid()}").replace(self.classes)

    def is_wanted(self) -> bool:
        return self.classes.exists() and not self.archive.exists()

    def command(self, target: Path) -> list[str]:
        """Makes the archive, about ten seconds of one processor."""
        return [
            "nice",
            java(),
            "-Xshare:dump",
            f"-XX:SharedClassListFile={self.classes}",
            f"-XX:SharedArchiveFile={target}",
            "-cp",
            f"{self.jars}/*",
            *OPENED_OPTIONS,
        ]
