"""From bucket and key to a path, and never to one outside the bucket. Knows nothing of HTTP."""

# ruff: noqa: PTH112, PTH114, PTH115, PTH120
# paths are strings in this module: it works per key or per file, where Path objects would cost more than the calls
from __future__ import annotations

import os
import re
from pathlib import Path

from local_emr.s3.errors import S3Error

HIDDEN = ".s3"
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_LIKE_AN_ADDRESS = re.compile(r"\d+\.\d+\.\d+\.\d+")


def valid_new_bucket(name: str) -> bool:
    """The rules for a bucket's name, as AWS checks them when a bucket is created."""
    return (
        bool(_BUCKET.fullmatch(name))
        and ".." not in name
        and not _LIKE_AN_ADDRESS.fullmatch(name)
        and not name.startswith(("xn--", "sthree-", "amzn-s3-demo-"))
        and not name.endswith(("-s3alias", "--ol-s3", ".mrap", "--x-s3", "--table-s3"))
    )


def possible_bucket(name: str) -> bool:
    """Whether a folder of this name can be a bucket: any plain name, since people may make folders themselves."""
    return bool(name) and not name.startswith(".") and "/" not in name and "\0" not in name and len(name) <= 255


def check_key(key: str) -> None:
    """Raise unless the key can be a file's path."""
    if len(key.encode()) > 1024:
        raise S3Error("KeyTooLongError", Size=str(len(key.encode())), MaxSizeAllowed="1024")
    if not is_path(key):
        raise S3Error(
            "InvalidArgument",
            "A key is a file's path here: it cannot have an empty part, a '.' or '..' part, a NUL, "
            "or a part of more than 255 bytes.",
            ArgumentName="key",
        )


def is_path(key: str) -> bool:
    """Whether the key (or a prefix that ends with /) names a file or folder below its bucket."""
    if not key or "\0" in key:
        return False
    parts = key.removesuffix("/").split("/")
    return not any(part in ("", ".", "..") or len(part.encode()) > 255 for part in parts)


def inside(path: str, home: str) -> bool:
    """Whether `path`, all links followed, is `home` or below it."""
    return _is_in(os.path.realpath(path), home)


def _is_in(real: str, home: str) -> bool:
    return real == home or real.startswith(home + os.sep)


def open_inside(path: str, home: str, flags: int = 0) -> int:
    """A descriptor, for reading, of what is at `path`; FileNotFoundError when a link has led out of `home`.

    Asked of the open descriptor where the system can tell, so that no link can change between the look and the open.
    """
    # non-blocking, for a pipe that someone left in a bucket would wait for its writer; and a terminal stays one
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC | flags)
    try:
        real = os.readlink(f"/proc/self/fd/{descriptor}")
    except OSError:  # macOS has no /proc
        real = os.path.realpath(path)
    if _is_in(real, home):
        return descriptor
    os.close(descriptor)
    raise FileNotFoundError(path)


class Places:
    """Where buckets and keys are, under one root."""

    def __init__(self, root: Path) -> None:
        root.mkdir(parents=True, exist_ok=True)
        # realpath once, so that every later comparison is of real paths
        self.root = os.path.realpath(root)

    def bucket(self, bucket: str) -> str:
        """The folder of a bucket that exists. A link is none: it could lead anywhere."""
        path = f"{self.root}/{bucket}"
        if not possible_bucket(bucket) or os.path.islink(path) or not os.path.isdir(path):
            raise S3Error("NoSuchBucket", BucketName=bucket)
        return path

    def open(self, bucket: str, key: str) -> int:
        """A descriptor of what is at a key, which is not a folder's. What there is not, is looked at only then."""
        check_key(key)
        home = f"{self.root}/{bucket}"
        try:
            if not possible_bucket(bucket):
                raise FileNotFoundError(home)
            return open_inside(f"{home}/{key}", home)
        except OSError as error:
            self.to_read(bucket, key)
            if isinstance(error, PermissionError):
                raise S3Error("AccessDenied", f"The file of this key cannot be read: {error.strerror}.") from error
            raise S3Error("NoSuchKey", Key=key) from error

    def to_read(self, bucket: str, key: str) -> str:
        """The path of a key. Through a link that leaves the bucket there is nothing to see."""
        check_key(key)
        home = self.bucket(bucket)
        path = f"{home}/{key.removesuffix('/')}"
        if not inside(path, home):
            raise S3Error("NoSuchKey", Key=key)
        return path

    def to_write(self, bucket: str, key: str) -> str:
        """The path of a key to replace or remove. The last part may be a link: it is itself what is replaced."""
        check_key(key)
        home = self.bucket(bucket)
        path = f"{home}/{key.removesuffix('/')}"
        if not inside(os.path.dirname(path), home):
            raise S3Error("AccessDenied", "A symbolic link in this key's path leads out of its bucket.")
        return path

    def buckets(self) -> list[str]:
        with os.scandir(self.root) as entries:
            return sorted(e.name for e in entries if possible_bucket(e.name) and e.is_dir(follow_symlinks=False))
