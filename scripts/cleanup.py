"""cleanup: count and delete what runs leave in the bucket. Only ever the output and the logs, never input data."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from scripts.aws import Clients
from scripts.config import Settings
from scripts.errors import AwsError, WorkflowError, doing

_RESULT = re.compile(r"(metadata|stats|inspection)_\d{8}_\d{6}(/|_\$folder\$$)", re.ASCII)
_LOG = re.compile(r"j-[A-Z0-9]+/")


@dataclass(frozen=True)
class Deleted:
    """How many objects went, and which did not: key -> why."""

    count: int
    kept: dict[str, str]


def count(clients: Clients, settings: Settings, prefix: str) -> int:
    """How many objects that runs wrote lie under one of our own prefixes."""
    try:
        with doing(f"counting {settings.uri(prefix)}"):
            return sum(map(len, _written(clients, settings, prefix)))
    except AwsError as error:
        if error.code == "NoSuchBucket":
            return 0
        raise


def delete(clients: Clients, settings: Settings, prefix: str) -> Deleted:
    """Delete what runs wrote under one of our own prefixes, a page a request; go on past those that resist.

    Raises:
        AwsError: a whole request is refused.
    """
    gone = 0
    kept: dict[str, str] = {}
    with doing(f"deleting {settings.uri(prefix)}"):
        for keys in _written(clients, settings, prefix):
            answer = clients.s3.delete_objects(
                Bucket=settings.s3_bucket, Delete={"Objects": [{"Key": key} for key in keys], "Quiet": True}
            )
            refused = {
                error["Key"]: f"{error['Code']}: {error.get('Message', '')}" for error in answer.get("Errors", [])
            }
            gone += len(keys) - len(refused)
            kept |= refused
    return Deleted(gone, kept)


def _written(clients: Clients, settings: Settings, prefix: str) -> Iterator[list[str]]:
    """The keys that the job and EMR make, a list a page. Anything else that lies there is somebody's, and stays.

    Raises:
        WorkflowError: the prefix is neither the output nor the logs: a fault of the caller, stopped before any call.
    """
    forms = {settings.output_prefix: _RESULT, settings.logs_prefix: _LOG}
    if prefix not in forms:
        raise WorkflowError("cleaning up", f"{settings.uri(prefix)} is neither output nor logs", "Nothing was deleted.")
    # By its form, not by its prefix alone: a prefix is a setting, and one that is wrong may name the input.
    for page in clients.s3.get_paginator("list_objects_v2").paginate(Bucket=settings.s3_bucket, Prefix=prefix):
        keys = [item["Key"] for item in page.get("Contents", [])]
        if ours := [key for key in keys if forms[prefix].match(key.removeprefix(prefix))]:
            yield ours
