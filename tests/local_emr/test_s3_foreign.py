"""Files that others write, what is known of files, and the process that holds the application."""

from __future__ import annotations

import hashlib
import os

import pytest
from botocore.exceptions import ClientError
from werkzeug.test import Client

from local_emr.s3 import S3


def test_what_others_write_is_the_truth(s3, s3_server, bucket):
    first = s3.put_object(Bucket=bucket, Key="k", Body=b"ours", ContentType="text/csv", Metadata={"m": "1"})["ETag"]
    file = s3_server.root / bucket / "k"
    file.write_bytes(b"theirs")
    found = s3.get_object(Bucket=bucket, Key="k")
    assert found["Body"].read() == b"theirs"
    assert (found["Metadata"], found["ContentType"]) == ({}, "binary/octet-stream")
    assert found["ETag"] != first
    assert "-" in found["ETag"], "or clients would take it for an MD5"
    assert s3.head_object(Bucket=bucket, Key="k")["ETag"] == found["ETag"]
    os.utime(file, (1_600_000_000, 1_600_000_000))
    assert s3.head_object(Bucket=bucket, Key="k")["LastModified"].timestamp() == 1_600_000_000
    file.unlink()
    with pytest.raises(ClientError, match="NoSuchKey"):
        s3.get_object(Bucket=bucket, Key="k")


def test_what_is_known_of_a_file_follows_it(s3, s3_server, bucket):
    etag = s3.put_object(Bucket=bucket, Key="k", Body=b"ours", Metadata={"m": "1"})["ETag"]
    (s3_server.root / bucket / "k").rename(s3_server.root / bucket / "moved")
    head = s3.head_object(Bucket=bucket, Key="moved")
    assert (head["ETag"], head["Metadata"]) == (etag, {"m": "1"})


@pytest.mark.parametrize("size", [1000, 5_000_000])
def test_a_file_cut_short_in_mid_read_is_no_whole_object(s3_server, bucket, size):
    s3_server.app.put_file(bucket, "k", bytes(size))
    with s3_server.app._store.open(bucket, "k") as found:
        os.truncate(s3_server.root / bucket / "k", size - 1)
        with pytest.raises(OSError, match="shorter"):
            list(found.chunks(0, size))


def test_in_process(s3, s3_server, bucket, tmp_path):
    app = s3_server.app
    app.put_file(bucket, "logs/a.gz", b"bytes")
    (tmp_path / "source").write_bytes(b"from a file")
    app.put_file(bucket, "logs/b.gz", tmp_path / "source")
    assert s3.get_object(Bucket=bucket, Key="logs/b.gz")["Body"].read() == b"from a file"
    assert (
        s3.head_object(Bucket=bucket, Key="logs/a.gz")["ETag"]
        == f'"{hashlib.md5(b"bytes", usedforsecurity=False).hexdigest()}"'
    )
    assert app.path_of(bucket, "logs/a.gz").read_bytes() == b"bytes"
    assert app.path_of(bucket, "logs/none") == s3_server.root / bucket / "logs/none"
    assert app.path_of(bucket, "logs/") == s3_server.root / bucket / "logs"


def test_without_extended_attributes(s3_server, bucket, monkeypatch):
    """As on macOS: what is known of a file is then a file of its own."""
    monkeypatch.delattr(os, "setxattr")
    app = S3(s3_server.root)
    client = Client(app)
    kept = s3_server.root / ".s3" / "meta"

    def head(key):
        return client.head(f"/{bucket}/{key}").headers

    put = client.put(f"/{bucket}/k", data=b"one", headers={"Content-Type": "text/csv", "x-amz-meta-m": "1"})
    assert (head("k")["ETag"], head("k")["Content-Type"]) == (put.headers["ETag"], "text/csv")
    assert head("k")["x-amz-meta-m"] == "1"
    client.put(f"/{bucket}/k", data=b"two", headers={"Content-Type": "text/html"})
    assert head("k")["Content-Type"] == "text/html"
    assert len(list(kept.iterdir())) == 1
    assert (
        client.get(f"/{bucket}?list-type=2").text.count(
            f"&quot;{hashlib.md5(b'two', usedforsecurity=False).hexdigest()}&quot;"
        )
        == 1
    )
    (s3_server.root / bucket / "k").write_bytes(b"foreign")
    assert head("k")["Content-Type"] == "binary/octet-stream"
    assert client.put(f"/{bucket}/d/", environ_overrides={"CONTENT_LENGTH": "0"}).status_code == 200
    assert "<Key>d/</Key>" in client.get(f"/{bucket}?list-type=2").text
    assert client.delete(f"/{bucket}/d/").status_code == client.delete(f"/{bucket}/k").status_code == 204
    assert "<Key>" not in client.get(f"/{bucket}?list-type=2").text
