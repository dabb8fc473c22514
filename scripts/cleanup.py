"""cleanup: count and delete what runs leave in the bucket. Only ever the output and the logs, never input data."""

from __future__ import annotations

from dataclasses import dataclass

from scripts.aws import Clients
from scripts.config import Settings
from scripts.errors import WorkflowError, doing


@dataclass(frozen=True)
class Deleted:
    """How many objects went, and which did not: key -> why."""

    count: int
    kept: dict[str, str]


def count(clients: Clients, settings: Settings, prefix: str) -> int:
    """How many objects lie under one of our own prefixes."""
    where = _ours(settings, prefix)
    with doing(f"counting {where}"):
        pages = clients.s3.get_paginator("list_objects_v2").paginate(Bucket=settings.s3_bucket, Prefix=prefix)
        return sum(page["KeyCount"] for page in pages)


def delete(clients: Clients, settings: Settings, prefix: str) -> Deleted:
    """Delete every object under one of our own prefixes, a thousand a request; go on past those that resist.

    Raises:
        AwsError: a whole request is refused.
    """
    where = _ours(settings, prefix)
    gone = 0
    kept: dict[str, str] = {}
    with doing(f"deleting {where}"):
        pages = clients.s3.get_paginator("list_objects_v2").paginate(Bucket=settings.s3_bucket, Prefix=prefix)
        for page in pages:
            keys = [item["Key"] for item in page.get("Contents", [])]
            if not keys:
                continue
            answer = clients.s3.delete_objects(
                Bucket=settings.s3_bucket, Delete={"Objects": [{"Key": key} for key in keys], "Quiet": True}
            )
            refused = {
                error["Key"]: f"{error['Code']}: {error.get('Message', '')}" for error in answer.get("Errors", [])
            }
            gone += len(keys) - len(refused)
            kept |= refused
    return Deleted(gone, kept)


def _ours(settings: Settings, prefix: str) -> str:
    """The URI of a prefix that may be emptied.

    Raises:
        WorkflowError: it is neither the output nor the logs: a fault of the caller, stopped before any call.
    """
    if prefix not in (settings.output_prefix, settings.logs_prefix):
        raise WorkflowError("cleaning up", f"{settings.uri(prefix)} is neither output nor logs", "Nothing was deleted.")
    return settings.uri(prefix)
