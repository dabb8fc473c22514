"""What a file cannot say of an object: ETag, content type, user metadata, checksum. Knows nothing of HTTP.

It is an extended attribute of the file and valid only while the file's size and modification time are the ones it was
written with, so a file that another program writes is simply the truth. Where there are no extended attributes (macOS
has none in Python, some file systems have none at all) it is a small file under the hidden folder, named by inode, size
and time, which follows the file about as an attribute does.
"""

# ruff: noqa: PTH116
# paths are strings in this module: it works per key or per file, where Path objects would cost more than the calls
from __future__ import annotations

import contextlib
import json
import os
import stat as modes
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path

from local_emr.s3.errors import S3Error

ATTRIBUTE = "user.s3"
EMPTY_MD5 = "d41d8cd98f00b204e9800998ecf8427e"


@dataclass(frozen=True)
class Metadata:
    """`checksum`: algorithm, value in base64, COMPOSITE or FULL_OBJECT; `parts`: how many, size of all but the last."""

    etag: str = EMPTY_MD5
    headers: dict[str, str] = field(default_factory=dict)
    user: dict[str, str] = field(default_factory=dict)
    checksum: tuple[str, str, str] | None = None
    parts: tuple[int, int] | None = None


def foreign_etag(stat: os.stat_result) -> str:
    """The ETag of a file that this server did not write.

    It changes when the file does and costs no read: an MD5 would read every file that Spark wrote at its first
    listing, and HEAD and a listing must say the same. The hyphen tells clients what a multipart ETag tells them: this
    is no MD5, do not check the content by it.
    """
    return f"{stat.st_mtime_ns:x}-{stat.st_size:x}"


def _pack(size: int, mtime_ns: int, metadata: Metadata) -> bytes:
    rest = {name: value for name, value in asdict(metadata).items() if value and name != "etag"}
    return f"{size} {mtime_ns} {metadata.etag} {json.dumps(rest, ensure_ascii=False) if rest else ''}".encode()


def _unpack(packed: bytes) -> Metadata:
    _, _, etag, rest = packed.decode().split(" ", 3)
    values = json.loads(rest) if rest else {}
    for name in ("checksum", "parts"):
        if name in values:
            values[name] = tuple(values[name])
    return Metadata(etag=etag, **values)


def has_settled(changed_ns: int, at_ns: int) -> bool:
    """Whether what a file or folder is found to be at `at_ns` will be told from what it is after another change.

    Its time of change tells, but only to the tick of the file system's clock: 2 s where times are whole seconds, else
    0.1 s. What is read within a tick of the last change may not be the last that has this time.
    """
    return at_ns - changed_ns > (100_000_000 if changed_ns % 1_000_000_000 else 2_000_000_000)


class MetadataStore:
    """Reads and writes what is known of files; `folder` is where it goes without extended attributes.

    With attributes, ETags are remembered for listings by the file's inode and the time of its last change, which is
    that of an attribute, too. Other file systems mounted below have inodes of their own: nothing of them is remembered.
    """

    MOST_ETAGS = 200_000  # some 40 MB

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.has_attributes = _attributes_work(folder)
        self._device = os.stat(folder).st_dev if self.has_attributes else None
        self._etags: dict[int, str] = {}

    # -- files ----------------------------------------------------------------------------------------------------

    def read(self, file: str | int, stat: os.stat_result) -> Metadata:
        """Of a file, by path or descriptor, that `stat` was taken of."""
        packed = self._valid(file, stat)
        return _unpack(packed) if packed else Metadata(etag=foreign_etag(stat))

    def etag(self, path: str, stat: os.stat_result) -> str:
        """Only the ETag: what a listing asks 1,000 times a page."""
        version = stat.st_ino << 64 | stat.st_ctime_ns
        etag = self._etags.get(version) if stat.st_dev == self._device else None
        if etag is None:
            at = time.time_ns()
            packed = self._valid(path, stat)
            etag = packed.split(b" ", 3)[2].decode() if packed else foreign_etag(stat)
            if stat.st_dev == self._device and has_settled(stat.st_ctime_ns, at):
                self._remember(version, etag)
        return etag

    def _remember(self, version: int, etag: str) -> None:
        if len(self._etags) >= self.MOST_ETAGS:
            self._etags.clear()
        self._etags[version] = etag

    def write(self, file: int, metadata: Metadata) -> None:
        """Of an open file whose content is complete."""
        stat = os.fstat(file)
        self._set(file, self._sidecar(stat), _pack(stat.st_size, stat.st_mtime_ns, metadata))

    @contextlib.contextmanager
    def forgetting(self, path: str) -> Iterator[None]:
        """Around the removal or replacement of a file. An attribute goes with its file; a small file has to be told."""
        former = None
        if not self.has_attributes:
            with contextlib.suppress(OSError):
                former = self._sidecar(os.lstat(path))
        yield
        if former:
            former.unlink(missing_ok=True)

    def _valid(self, file: str | int, stat: os.stat_result) -> bytes | None:
        packed = self._get(file, stat)
        if packed and packed.startswith(b"%d %d " % (stat.st_size, stat.st_mtime_ns)):
            return packed
        return None

    # -- folders that are objects too: keys that end with a / -----------------------------------------------------

    def mark(self, folder: str, mtime_ns: int, metadata: Metadata) -> None:
        self._set(folder, self._sidecar(os.stat(folder)), _pack(0, mtime_ns, metadata))

    def marker(self, folder: str) -> tuple[int, Metadata] | None:
        """(LastModified in ns, metadata) when the folder is an object."""
        try:
            packed = self._get(folder, None)
        except OSError:
            return None
        return (int(packed.split(b" ", 2)[1]), _unpack(packed)) if packed else None

    def unmark(self, folder: str) -> bool:
        """Whether it was marked."""
        try:
            if self.has_attributes:
                os.removexattr(folder, ATTRIBUTE)
            else:
                self._sidecar(os.stat(folder)).unlink()
        except OSError:
            return False
        return True

    # -- where it is kept -----------------------------------------------------------------------------------------

    def _get(self, file: str | int, stat: os.stat_result | None) -> bytes | None:
        try:
            if self.has_attributes:
                return os.getxattr(file, ATTRIBUTE)
            return self._sidecar(stat or os.stat(file)).read_bytes()
        except OSError:
            return None

    def _set(self, file: str | int, sidecar: Path, packed: bytes) -> None:
        try:
            if self.has_attributes:
                os.setxattr(file, ATTRIBUTE, packed)
            else:
                sidecar.write_bytes(packed)
        except OSError as error:  # ext4 has room for 4 KB
            raise S3Error("MetadataTooLarge") from error

    def _sidecar(self, stat: os.stat_result) -> Path:
        if modes.S_ISDIR(stat.st_mode):
            return self.folder / f"{stat.st_ino:x}"
        return self.folder / f"{stat.st_ino:x}-{stat.st_size:x}-{stat.st_mtime_ns:x}"


def _attributes_work(folder: Path) -> bool:
    """Tried rather than known: it depends on the file system that the root is on."""
    if not hasattr(os, "setxattr"):
        return False
    try:
        os.setxattr(folder, ATTRIBUTE, b"tried")
    except OSError:
        return False
    return True
