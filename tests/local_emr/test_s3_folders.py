"""Copies, deletions, and what comes of an object being a file in a folder."""

from __future__ import annotations

import base64
import zlib

import pytest
from botocore.exceptions import ClientError


def status(error):
    return error.value.response["ResponseMetadata"]["HTTPStatusCode"]


def code(error):
    return error.value.response["Error"]["Code"]


def test_copy(s3, bucket):
    s3.create_bucket(Bucket="second")
    s3.put_object(Bucket=bucket, Key="a/k", Body=b"x" * 1000, ContentType="text/csv", Metadata={"m": "1"})
    source = {"Bucket": bucket, "Key": "a/k"}
    copied = s3.copy_object(Bucket="second", Key="b/k", CopySource=source)["CopyObjectResult"]
    head = s3.head_object(Bucket="second", Key="b/k", ChecksumMode="ENABLED")
    assert (head["ETag"], head["LastModified"]) == (copied["ETag"], copied["LastModified"])
    assert (head["ContentType"], head["Metadata"]) == ("text/csv", {"m": "1"})
    assert head["ChecksumCRC32"] == base64.b64encode(zlib.crc32(b"x" * 1000).to_bytes(4, "big")).decode()
    s3.copy_object(Bucket=bucket, Key="a/k", CopySource=source, MetadataDirective="REPLACE", Metadata={"n": "2"})
    assert s3.head_object(Bucket=bucket, Key="a/k")["Metadata"] == {"n": "2"}
    with pytest.raises(ClientError, match=r"InvalidRequest.*without changing"):
        s3.copy_object(Bucket=bucket, Key="a/k", CopySource=source)
    with pytest.raises(ClientError, match="NoSuchKey"):
        s3.copy_object(Bucket=bucket, Key="b", CopySource={"Bucket": bucket, "Key": "none"})
    with pytest.raises(ClientError, match="PreconditionFailed"):
        s3.copy_object(Bucket=bucket, Key="b", CopySource=source, CopySourceIfNoneMatch=head["ETag"])


def test_batch_delete(s3, bucket):
    for key in ("a", "b/c", "b/d"):
        s3.put_object(Bucket=bucket, Key=key)
    objects = [{"Key": key} for key in ("a", "b/c", "none", "../escape")]
    answer = s3.delete_objects(Bucket=bucket, Delete={"Objects": objects})
    assert [d["Key"] for d in answer["Deleted"]] == ["a", "b/c", "none"]
    assert [(e["Key"], e["Code"]) for e in answer["Errors"]] == [("../escape", "InvalidArgument")]
    quiet = s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": "b/d"}, {"Key": "/"}], "Quiet": True})
    assert "Deleted" not in quiet
    assert [e["Key"] for e in quiet["Errors"]] == ["/"]
    with pytest.raises(ClientError, match="MalformedXML"):
        s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": str(number)} for number in range(1001)]})


def test_a_folder_with_nothing_left_goes(s3, s3_server, bucket):
    s3.put_object(Bucket=bucket, Key="a/b/c")
    s3.put_object(Bucket=bucket, Key="a/d")
    s3.delete_object(Bucket=bucket, Key="a/b/c")
    assert [path.name for path in (s3_server.root / bucket).rglob("*")] == ["a", "d"]
    s3.delete_object(Bucket=bucket, Key="a/d")
    s3.put_object(Bucket=bucket, Key="a", Body=b"now an object")


def test_keys_that_end_with_a_slash(s3, s3_server, bucket):
    s3.put_object(Bucket=bucket, Key="dir/", ContentType="application/x-directory", Metadata={"m": "1"})
    s3.put_object(Bucket=bucket, Key="dir/file", Body=b"x")
    assert (s3_server.root / bucket / "dir").is_dir()
    assert [o["Key"] for o in s3.list_objects_v2(Bucket=bucket)["Contents"]] == ["dir/", "dir/file"]
    assert [o["Key"] for o in s3.list_objects_v2(Bucket=bucket, Prefix="dir/", Delimiter="/")["Contents"]] == [
        "dir/",
        "dir/file",
    ]
    head = s3.head_object(Bucket=bucket, Key="dir/")
    assert (head["ContentType"], head["Metadata"], head["ContentLength"]) == ("application/x-directory", {"m": "1"}, 0)
    s3.delete_object(Bucket=bucket, Key="dir/")
    assert [o["Key"] for o in s3.list_objects_v2(Bucket=bucket)["Contents"]] == ["dir/file"]
    with pytest.raises(ClientError, match="NotImplemented"):
        s3.put_object(Bucket=bucket, Key="other/", Body=b"bytes")
    (s3_server.root / bucket / "made").mkdir()
    with pytest.raises(ClientError):
        s3.head_object(Bucket=bucket, Key="made/")


def test_a_key_is_not_both_an_object_and_a_prefix(s3, bucket):
    s3.put_object(Bucket=bucket, Key="foo", Body=b"1")
    with pytest.raises(ClientError) as error:
        s3.put_object(Bucket=bucket, Key="foo/bar", Body=b"2")
    assert status(error) == 409
    assert "plain folders" in error.value.response["Error"]["Message"]
    s3.put_object(Bucket=bucket, Key="dir/bar", Body=b"1")
    with pytest.raises(ClientError) as error:
        s3.put_object(Bucket=bucket, Key="dir", Body=b"2")
    assert status(error) == 409
    assert s3.get_object(Bucket=bucket, Key="foo")["Body"].read() == b"1"
    with pytest.raises(ClientError, match="NoSuchKey"):
        s3.get_object(Bucket=bucket, Key="foo/bar")
    with pytest.raises(ClientError, match="NoSuchKey"):
        s3.get_object(Bucket=bucket, Key="dir")
    s3.delete_object(Bucket=bucket, Key="foo/bar")
    s3.delete_object(Bucket=bucket, Key="dir")
    assert [o["Key"] for o in s3.list_objects_v2(Bucket=bucket)["Contents"]] == ["dir/bar", "foo"]
