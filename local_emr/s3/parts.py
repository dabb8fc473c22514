"""An upload under way, as it lies in its hidden folder: what it is to become, and its parts."""

from __future__ import annotations

import contextlib
import json
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from werkzeug.wrappers import Request

from local_emr.s3 import xml
from local_emr.s3.errors import S3Error
from local_emr.s3.metadata import Metadata
from local_emr.s3.store import Store

MOST_PARTS = 10_000
Part = tuple[int, int, Metadata]  # its number, its size, what is known of it
_ID = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True)
class Upload:
    """An upload under way. `algorithm` is its checksum's, or empty; `kind` is COMPOSITE or FULL_OBJECT."""

    id: str
    folder: Path
    bucket: str
    key: str
    metadata: Metadata
    algorithm: str
    kind: str
    started: int

    def part(self, number: int) -> str:
        return f"{self.folder}/{number:05d}"

    def numbers(self) -> list[int]:
        return sorted(int(path.name) for path in self.folder.iterdir() if path.name.isdecimal())


def read(store: Store, upload_id: str) -> Upload:
    folder = store.uploads / upload_id
    if not _ID.fullmatch(upload_id):
        raise S3Error("NoSuchUpload", UploadId=upload_id)
    try:
        kept = json.loads((folder / "upload.json").read_text())
    except OSError as error:
        raise S3Error("NoSuchUpload", UploadId=upload_id) from error
    metadata = Metadata(headers=kept.pop("headers"), user=kept.pop("user"))
    return Upload(id=upload_id, folder=folder, metadata=metadata, **kept)


def of_request(store: Store, request: Request, bucket: str, key: str) -> Upload:
    upload = read(store, request.args["uploadId"])
    if (upload.bucket, upload.key) != (bucket, key):
        raise S3Error("NoSuchUpload", UploadId=upload.id)
    return upload


def remove(store: Store, upload: Upload) -> None:
    for number in upload.numbers():
        with contextlib.suppress(FileNotFoundError), store.metadata.forgetting(upload.part(number)):
            Path(upload.part(number)).unlink()
    shutil.rmtree(upload.folder, ignore_errors=True)


def part_number(request: Request) -> int:
    value = request.args.get("partNumber", "")
    if not value.isdecimal() or not 1 <= int(value) <= MOST_PARTS:
        raise S3Error(
            "InvalidArgument",
            "Part number must be an integer between 1 and 10000, inclusive",
            ArgumentName="partNumber",
            ArgumentValue=value,
        )
    return int(value)


def stored_part(store: Store, upload: Upload, number: int) -> tuple[Part, int]:
    """A part and when it came, in seconds."""
    path = upload.part(number)
    stat = Path(path).stat()
    return (number, stat.st_size, store.metadata.read(path, stat)), int(stat.st_mtime)


def checksum_element(metadata: Metadata, *, kind: bool = False) -> str:
    if not metadata.checksum:
        return ""
    algorithm, value, name = metadata.checksum
    return xml.element(f"Checksum{algorithm.upper()}", value) + (xml.element("ChecksumType", name) if kind else "")
