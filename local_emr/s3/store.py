"""Objects as files: read, replaced at once or not at all, removed. Knows nothing of HTTP.

A file is written whole under the hidden folder and then renamed into its bucket, so a reader sees the old object or the
new one, and a process killed in mid-write leaves a file that the next start removes.
"""

# ruff: noqa: PTH103, PTH105, PTH106, PTH108, PTH112, PTH120, PTH123
# paths are strings in this module: it works per key or per file, where Path objects would cost more than the calls
from __future__ import annotations

import contextlib
import errno
import fcntl
import io
import itertools
import os
import shutil
import stat as modes
import tempfile
import threading
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from local_emr.s3.errors import S3Error
from local_emr.s3.keys import HIDDEN, Places
from local_emr.s3.metadata import Metadata, MetadataStore

CHUNK = 1 << 20
Check = Callable[[], None]


class OpenObject:
    """An object's file, open: its stat and metadata are of these very bytes, whatever happens to the path."""

    def __init__(self, file: io.FileIO | None, size: int, mtime_ns: int, metadata: Metadata) -> None:
        self.file = file  # None for a folder's marker, which has no bytes
        self.size = size
        self.mtime = mtime_ns // 1_000_000_000
        self.metadata = metadata

    def close(self) -> None:
        if self.file:
            self.file.close()

    def __enter__(self) -> OpenObject:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def chunks(self, start: int, stop: int) -> Iterator[bytes]:
        """The bytes from start to stop, and then the file is closed. OSError when another program has cut it short."""
        if not self.file:
            return
        with self.file as file:
            while start < stop:
                data = os.pread(file.fileno(), min(stop - start, CHUNK), start)
                if not data:
                    raise OSError("The file has become shorter while it was read")
                start += len(data)
                yield data


class Staged:
    """A file under way: written, then committed to its key or gone."""

    def __init__(self, store: Store, path: str) -> None:
        self._store = store
        self.path = path
        self.file = open(path, "xb", buffering=0)  # noqa: SIM115 - closed on leaving the `with`

    def __enter__(self) -> Staged:
        return self

    def __exit__(self, *_: object) -> None:
        self.file.close()
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.path)

    def fill(self, chunks: Iterable[bytes]) -> None:
        for data in chunks:
            view = memoryview(data)
            while view:
                view = view[self.file.write(view) :]

    def commit(self, target: str, metadata: Metadata, check: Check | None = None) -> os.stat_result:
        """Into place, if `check` (which raises) has nothing against it at that moment."""
        self._store.metadata.write(self.file.fileno(), metadata)
        stat = os.fstat(self.file.fileno())
        self.file.close()
        self._store.replace(self.path, target, check)
        return stat


class Store:
    """Everything on disk: buckets below the root, and what is hidden in root/.s3."""

    def __init__(self, root: Path) -> None:
        self.places = Places(root)
        self.hidden = Path(self.places.root) / HIDDEN
        self.metadata = MetadataStore(self.hidden / "meta")
        self.uploads = self.hidden / "uploads"
        self.uploads.mkdir(exist_ok=True)
        self._temporary = self._own_folder()
        self._names = itertools.count()
        # one rename or removal at a time: a precondition must still hold at the rename that it allows
        self.changing = threading.Lock()

    def _own_folder(self) -> str:
        """A folder for temporary files; those of processes that are no more are removed.

        A lock on a file in it, which the kernel drops with the process, says that a process is alive.
        """
        folders = self.hidden / "tmp"
        folders.mkdir(exist_ok=True)
        with (self.hidden / "lock").open("w") as starting:
            fcntl.flock(starting, fcntl.LOCK_EX)
            for folder in folders.iterdir():
                with contextlib.suppress(OSError), (folder / "lock").open("w") as lock:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    shutil.rmtree(folder)
            own = tempfile.mkdtemp(dir=folders)
            self._alive = open(f"{own}/lock", "w")  # noqa: SIM115 - held as long as this store
            fcntl.flock(self._alive, fcntl.LOCK_EX)
        return own

    # -- reading --------------------------------------------------------------------------------------------------

    def open(self, bucket: str, key: str) -> OpenObject:
        if key.endswith("/"):
            path = self.places.to_read(bucket, key)
            marker = self.metadata.marker(path) if os.path.isdir(path) else None
            if not marker:
                raise S3Error("NoSuchKey", Key=key)
            return OpenObject(None, 0, *marker)
        descriptor = self.places.open(bucket, key)
        stat = os.fstat(descriptor)
        if not modes.S_ISREG(stat.st_mode):
            os.close(descriptor)
            raise S3Error("NoSuchKey", Key=key)
        file = io.FileIO(descriptor)
        return OpenObject(file, stat.st_size, stat.st_mtime_ns, self.metadata.read(descriptor, stat))

    # -- writing --------------------------------------------------------------------------------------------------

    def stage(self) -> Staged:
        return Staged(self, f"{self._temporary}/{next(self._names)}")

    def replace(self, source: str, target: str, check: Check | None) -> None:
        """Rename, making the folders above; as often as another request removes one of them as empty."""
        with self.changing:
            if check:
                check()
            with self.metadata.forgetting(target):
                self._rename(source, target)

    def _rename(self, source: str, target: str) -> None:
        for _ in range(1000):
            try:
                os.replace(source, target)
                return
            except FileNotFoundError:
                self._make_folder(os.path.dirname(target))
            except IsADirectoryError:
                self._clear(target)
            except (NotADirectoryError, FileExistsError) as error:
                raise S3Error("ParentIsObject") from error
        raise S3Error("InternalError", "The folder of this key is removed as often as it is made.")

    def _make_folder(self, folder: str) -> None:
        """All folders down to this one, but never the bucket's own: a bucket removed meanwhile is gone."""
        bucket = folder[len(self.places.root) + 1 :].split("/", 1)[0]
        if bucket == HIDDEN:
            raise S3Error("NoSuchUpload")
        self.places.bucket(bucket)
        try:
            os.makedirs(folder, exist_ok=True)
        except (NotADirectoryError, FileExistsError) as error:
            raise S3Error("ParentIsObject") from error

    def _clear(self, folder: str) -> None:
        """Remove a folder that holds no object, only folders: S3 does not know it, so it is in nobody's way."""
        if self.metadata.marker(folder):
            raise S3Error("ObjectExistsAsFolder")
        for parent, _, _ in os.walk(folder, topdown=False):
            try:
                if not self.metadata.marker(parent):
                    os.rmdir(parent)
            except OSError:
                break
        if os.path.isdir(folder):
            raise S3Error("ObjectExistsAsFolder")

    def mark(self, bucket: str, key: str, mtime_ns: int, metadata: Metadata, check: Check | None) -> None:
        """A key that ends with a /: its folder, which then is an object."""
        path = self.places.to_write(bucket, key)
        with self.changing:
            if check:
                check()
            if os.path.lexists(path) and not os.path.isdir(path):
                raise S3Error("ParentIsObject")
            self._make_folder(path)
            self.metadata.mark(path, mtime_ns, metadata)

    # -- removing -------------------------------------------------------------------------------------------------

    def delete(self, bucket: str, key: str, check: Check | None = None) -> None:
        """Remove what is there, if anything, and the folders above that hold nothing any more."""
        home = self.places.bucket(bucket)
        path = self.places.to_write(bucket, key)
        with self.changing:
            if check:
                check()
            if key.endswith("/"):
                if self.metadata.unmark(path):
                    self._prune(path, home)
                return
            try:
                with self.metadata.forgetting(path):
                    os.unlink(path)
            except (FileNotFoundError, NotADirectoryError):
                return
            except OSError as error:
                # a folder, which is no object: unlink says EISDIR on Linux, EPERM on macOS
                if error.errno in (errno.EISDIR, errno.EPERM) and os.path.isdir(path):
                    return
                raise S3Error("AccessDenied", f"The file of this key cannot be removed: {error.strerror}.") from error
            self._prune(os.path.dirname(path), home)

    def _prune(self, folder: str, home: str) -> None:
        with contextlib.suppress(OSError):
            while folder != home and not self.metadata.marker(folder):
                os.rmdir(folder)
                folder = os.path.dirname(folder)
