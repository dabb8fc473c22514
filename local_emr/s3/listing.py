"""Walks a bucket's folders in the order of S3's keys. Knows nothing of HTTP or XML.

Keys are in the order of their UTF-8 bytes, which is that of Python's strings; a folder sorts as its name with a / at
the end. Only folders that can hold a wanted key are read, so a page costs what it returns. A folder with very many
names is an exception, for it has to be read and sorted whole: those are remembered.
"""

# ruff: noqa: PTH112, PTH116, PTH120
# paths are strings in this module: it works per key or per file, where Path objects would cost more than the calls
from __future__ import annotations

import os
import threading
import time
from bisect import bisect_left, bisect_right
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass

from local_emr.s3.keys import inside, is_path
from local_emr.s3.metadata import MetadataStore, has_settled

MOST = 1000  # keys of a page


class Folders:
    """The sorted names in folders, folders with a / at the end; large folders that have settled are remembered.

    A folder's modification time tells whether its names changed, but only to the tick of the file system's clock:
    names read within a tick of the last change may lack one that came after. So they are trusted only when the folder
    had been at rest for longer than a tick when it was read.
    """

    LARGE = 100
    MOST_NAMES = 300_000  # some 30 MB

    def __init__(self) -> None:
        self._known: OrderedDict[str, tuple[tuple[int, int], list[str]]] = OrderedDict()
        self._size = 0
        self._lock = threading.Lock()

    def names(self, folder: str, home: str) -> list[str]:
        """Empty when there is no such folder."""
        try:
            stat = os.stat(folder)
            at = time.time_ns()
            version = (stat.st_ino, stat.st_mtime_ns)
            with self._lock:
                known = self._known.get(folder)
                if known and known[0] == version:
                    self._known.move_to_end(folder)
                    return known[1]
            names, has_links = _read(folder, home)
        except OSError:
            return []
        if len(names) >= self.LARGE and not has_links and has_settled(stat.st_mtime_ns, at):
            self._remember(folder, version, names)
        return names

    def _remember(self, folder: str, version: tuple[int, int], names: list[str]) -> None:
        with self._lock:
            if folder in self._known:
                self._size -= len(self._known.pop(folder)[1])
            self._known[folder] = (version, names)
            self._size += len(names)
            while self._size > self.MOST_NAMES and len(self._known) > 1:
                self._size -= len(self._known.popitem(last=False)[1][1])


def _read(folder: str, home: str) -> tuple[list[str], bool]:
    names = []
    has_links = False
    with os.scandir(folder) as entries:
        for entry in entries:
            name = entry.name
            if not name.isascii() and not _is_utf8(name):
                continue  # no key can name it
            if entry.is_file(follow_symlinks=False):
                names.append(name)
                continue
            if entry.is_symlink():
                has_links = True  # where it leads can change without this folder's changing
                if not inside(entry.path, home):
                    continue
            if entry.is_dir():
                if not entry.is_symlink() or not _leads_up(entry.path, home):
                    names.append(name + "/")
            elif entry.is_file():
                names.append(name)
    names.sort()
    return names, has_links


def _is_utf8(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def _leads_up(link: str, home: str) -> bool:
    """Whether a link leads to a folder that it is itself in, by any of the links on the way: a listing without end."""
    target = os.path.realpath(link)
    above = os.path.dirname(link)
    while above != home:
        if os.path.realpath(above) == target:
            return True
        above = os.path.dirname(above)
    return target == home


@dataclass(frozen=True)
class Found:
    """Keys that follow each other, `base` + name of files in one folder; without names, the folder's own key, `base`.

    Or a group of keys, `base`, which has no folder.
    """

    base: str
    folder: str | None
    names: list[str]


class Walk:
    """Keys and groups of one bucket that begin with `prefix` and come after `after`."""

    def __init__(
        self, folders: Folders, metadata: MetadataStore, home: str, prefix: str, after: str, delimiter: str
    ) -> None:
        self._folders, self._metadata = folders, metadata
        self._home, self._prefix, self._after, self._delimiter = home, prefix, after, delimiter

    def __iter__(self) -> Iterator[Found]:
        """Starts at the folder that the prefix names; what is beside it cannot match."""
        base, slash, _ = self._prefix.rpartition("/")
        base += slash
        if not base:
            yield from self._below(self._home, "")
        elif is_path(base):
            folder = f"{self._home}/{base[:-1]}"
            if inside(folder, self._home) and os.path.isdir(folder):
                yield from self._marker(folder, base)
                yield from self._below(folder, base)

    def _below(self, folder: str, base: str) -> Iterator[Found]:
        if len(base) > 1024:
            return  # deeper than the longest key
        names = self._folders.names(folder, self._home)
        index = self._first(names, base)
        stop = _end_of(names, self._prefix[len(base) :], index)
        while index < stop:
            end = self._end_of_files(names, base, index, stop)
            if end > index:
                yield Found(base, folder, names[index:end])
                index = end
                continue
            name = names[index]
            key = base + name
            group = self._group(key)
            if group is not None:
                if group > self._after and self._has_keys(key, f"{folder}/{name}"):
                    yield Found(group, None, [])
                elif group > self._after:
                    index += 1  # an empty folder proves nothing; another name of the same group may
                    continue
                index = _end_of(names, group[len(base) :], index)
                continue
            index += 1
            path = f"{folder}/{name[:-1]}"
            yield from self._marker(path, key)
            yield from self._below(path, key)

    def _end_of_files(self, names: list[str], base: str, index: int, stop: int) -> int:
        """The index after files, at most a page of them, that begin at `index` and are in no group."""
        stop = min(stop, index + MOST)
        while index < stop and names[index][-1] != "/":
            if self._delimiter and self._group(base + names[index]) is not None:
                break
            index += 1
        return index

    def _first(self, names: list[str], base: str) -> int:
        """The index of the first name that can be, or hold, a key after the marker and with the prefix."""
        index = bisect_left(names, self._prefix[len(base) :])
        if not self._after.startswith(base):
            return index if base > self._after else len(names)
        rest = self._after[len(base) :]
        name, slash, _ = rest.partition("/")
        past = bisect_left(names, name + slash) if slash else bisect_right(names, rest)
        return max(index, past)

    def _group(self, key: str) -> str | None:
        if not self._delimiter:
            return None
        at = key.find(self._delimiter, len(self._prefix))
        return None if at < 0 else key[: at + len(self._delimiter)]

    def _has_keys(self, key: str, path: str) -> bool:
        """Whether a name that makes a group stands for a key; a folder may be empty."""
        if not key.endswith("/"):
            return True
        if self._metadata.marker(path[:-1]):
            return True
        everything = Walk(self._folders, self._metadata, self._home, "", "", "")
        return next(everything._below(path[:-1], key), None) is not None

    def _marker(self, folder: str, key: str) -> Iterator[Found]:
        if key > self._after and key.startswith(self._prefix) and self._metadata.marker(folder):
            yield Found(key, folder, [])


def _end_of(names: list[str], group: str, start: int) -> int:
    """The index of the first name after all that begin with `group`."""
    return bisect_left(names, True, lo=start, key=lambda name: name > group and not name.startswith(group))
