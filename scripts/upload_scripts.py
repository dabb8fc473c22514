"""upload: the job and the bootstrap action to s3://<bucket>/<SCRIPTS_PREFIX>, where the nodes read them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from scripts.aws import Clients
from scripts.config import Settings
from scripts.errors import AwsError, WorkflowError, doing

ROOT = Path(__file__).resolve().parent.parent
JOB = ROOT / "spark" / "read_fruits_data.py"
JOB_MODULES = tuple(sorted(path for path in JOB.parent.glob("*.py") if path != JOB))  # what it imports
BOOTSTRAP = ROOT / "bootstrap" / "install_dependencies.sh"

# Our own hash, not the ETag: an ETag is no MD5 where the bucket encrypts with a KMS key.
_HASH = "sha256"


@dataclass(frozen=True)
class Uploaded:
    """A script that now lies in the bucket; `sent` is False where it already did."""

    uri: str
    sent: bool

    def __str__(self) -> str:
        return f"📤 {self.uri} " + ("uploaded" if self.sent else "is up to date")


def scripts() -> tuple[Path, ...]:
    """The files that a cluster needs."""
    return (BOOTSTRAP, JOB, *JOB_MODULES)


def upload(clients: Clients, settings: Settings) -> Iterator[Uploaded]:
    """Send each script that is new or changed; yield each as it is known to be there.

    Raises:
        WorkflowError: a script cannot be read.
        AwsError: the bucket does not exist or refuses.
    """
    for script in scripts():
        content = _read(script)
        key = settings.scripts_prefix + script.name
        uri = settings.uri(key)
        if state_of(clients, settings, script) == "up to date":
            yield Uploaded(uri, sent=False)
            continue
        with doing(f"uploading {script.name} to {uri}"):
            clients.s3.put_object(Bucket=settings.s3_bucket, Key=key, Body=content, Metadata={_HASH: _sha256(content)})
        yield Uploaded(uri, sent=True)


def state_of(clients: Clients, settings: Settings, script: Path) -> str:
    """`not uploaded`, `changed since the upload`, or `up to date`.

    Raises:
        AwsError: the bucket cannot be asked; that an object is missing is an answer.
    """
    key = settings.scripts_prefix + script.name
    try:
        with doing(f"looking at {settings.uri(key)}"):
            there = clients.s3.head_object(Bucket=settings.s3_bucket, Key=key)
    except AwsError as error:
        if error.code in ("404", "NoSuchKey", "NoSuchBucket"):
            return "not uploaded"
        raise
    same = there["Metadata"].get(_HASH) == _sha256(_read(script))
    return "up to date" if same else "changed since the upload"


def create_bucket(clients: Clients, settings: Settings) -> str:
    """Create the bucket in the settings' region (private and encrypted: S3's own defaults); its URI.

    Raises:
        AwsError: the name is taken, or the permission is missing.
    """
    with doing(f"creating s3://{settings.s3_bucket}"):
        if settings.aws_region == "us-east-1":  # the one region that must not be named
            clients.s3.create_bucket(Bucket=settings.s3_bucket)
        else:
            clients.s3.create_bucket(
                Bucket=settings.s3_bucket,
                CreateBucketConfiguration={"LocationConstraint": settings.aws_region},  # type: ignore[typeddict-item]
            )
    return settings.uri("")


def _read(script: Path) -> bytes:
    try:
        return script.read_bytes()
    except OSError as error:
        problem = f"{script.relative_to(ROOT)} cannot be read ({error.strerror})"
        raise WorkflowError("uploading the scripts", problem, "Restore it (`git checkout`).") from error


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
