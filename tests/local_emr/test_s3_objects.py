"""Objects through boto3: what is put comes back, and what goes wrong goes wrong as on AWS."""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta, timezone

import pytest
from botocore.exceptions import ClientError

ODD_KEYS = [
    "a space.txt",
    "trailing space ",
    "caf\u00e9-NFC",
    "cafe\u0301-NFD",
    "emoji-🍎/🍐",
    "(parens)[brackets]{braces}",
    "plus+and&ampersand",
    "percent%20twenty",
    "per%cent",
    "hash#question?",
    "equals=colon:semi;at@",
    "tilde~",
    "quotes'\"`",
    "comma,dollar$bang!star*",
    "back\\slash|pipe^",
    "new\nline\ttab",
    ".leading-dot/.x",
    "less<greater>",
    "ünïcödé/Привет/日本語",
    "long-" + "x" * 240 + "/" + "y" * 250 + "/" + "z" * 250 + "/" + "w" * 250,
    "...",
    "-dash",
]


def status(error):
    return error.value.response["ResponseMetadata"]["HTTPStatusCode"]


def code(error):
    return error.value.response["Error"]["Code"]


@pytest.mark.parametrize("key", ODD_KEYS, ids=ascii)
def test_odd_keys(s3, s3_server, bucket, key):
    s3.put_object(Bucket=bucket, Key=key, Body=key.encode())
    assert s3.get_object(Bucket=bucket, Key=key)["Body"].read() == key.encode()
    assert s3.head_object(Bucket=bucket, Key=key)["ContentLength"] == len(key.encode())
    assert [o["Key"] for o in s3.list_objects_v2(Bucket=bucket)["Contents"]] == [key]
    assert (s3_server.root / bucket / key).read_bytes() == key.encode()
    s3.copy_object(Bucket=bucket, Key=f"copies/{key}", CopySource={"Bucket": bucket, "Key": key})
    deleted = s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": key}, {"Key": f"copies/{key}"}]})
    assert [d["Key"] for d in deleted["Deleted"]] == [key, f"copies/{key}"]
    assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 0


def test_what_is_said_of_an_object_comes_back(s3, bucket):
    said = {
        "ContentType": "text/csv",
        "ContentEncoding": "gzip",
        "ContentDisposition": 'attachment; filename="a.csv"',
        "ContentLanguage": "fr",
        "CacheControl": "no-cache",
        "Metadata": {"a-dash": "1", "an_underscore": "2", "UPPER": "Value"},
    }
    put = s3.put_object(Bucket=bucket, Key="k", Body=b"bytes", **said)
    for found in (s3.get_object(Bucket=bucket, Key="k"), s3.head_object(Bucket=bucket, Key="k")):
        assert found["Metadata"] == {"a-dash": "1", "an_underscore": "2", "upper": "Value"}
        assert {name: found[name] for name in said if name != "Metadata"} == {
            name: value for name, value in said.items() if name != "Metadata"
        }
        assert found["ETag"] == put["ETag"] == f'"{hashlib.md5(b"bytes", usedforsecurity=False).hexdigest()}"'
        assert found["ContentLength"] == 5
        assert found["AcceptRanges"] == "bytes"
    default = s3.put_object(Bucket=bucket, Key="k", Body=b"bytes") and s3.head_object(Bucket=bucket, Key="k")
    assert (default["ContentType"], default["Metadata"]) == ("binary/octet-stream", {})


def test_metadata_that_is_too_large(s3, bucket):
    with pytest.raises(ClientError, match="MetadataTooLarge"):
        s3.put_object(Bucket=bucket, Key="k", Metadata={"a": "x" * 2048})


def test_responses_own_headers(s3, bucket):
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    found = s3.get_object(Bucket=bucket, Key="k", ResponseContentType="text/html", ResponseCacheControl="no-store")
    assert (found["ContentType"], found["CacheControl"]) == ("text/html", "no-store")


@pytest.mark.parametrize(
    ("header", "expected", "said"),
    [
        ("bytes=0-0", b"0", "bytes 0-0/10"),
        ("bytes=2-4", b"234", "bytes 2-4/10"),
        ("bytes=7-", b"789", "bytes 7-9/10"),
        ("bytes=5-99", b"56789", "bytes 5-9/10"),
        ("bytes=-3", b"789", "bytes 7-9/10"),
        ("bytes=-99", b"0123456789", "bytes 0-9/10"),
    ],
)
def test_ranges(s3, bucket, header, expected, said):
    s3.put_object(Bucket=bucket, Key="k", Body=b"0123456789", ChecksumAlgorithm="SHA256")
    found = s3.get_object(Bucket=bucket, Key="k", Range=header)
    assert found["Body"].read() == expected
    assert (found["ContentRange"], found["ContentLength"]) == (said, len(expected))
    assert found["ResponseMetadata"]["HTTPStatusCode"] == 206
    assert "ChecksumSHA256" not in found
    assert s3.head_object(Bucket=bucket, Key="k", Range=header)["ContentLength"] == len(expected)


@pytest.mark.parametrize("header", ["bytes=10-", "bytes=-0", "bytes=99-100"])
def test_ranges_that_cannot_be(s3, bucket, header):
    s3.put_object(Bucket=bucket, Key="k", Body=b"0123456789")
    with pytest.raises(ClientError) as error:
        s3.get_object(Bucket=bucket, Key="k", Range=header)
    assert (code(error), status(error)) == ("InvalidRange", 416)


@pytest.mark.parametrize("header", ["bytes=4-2", "bytes=0-1,3-4", "lines=1-2", "bytes=x-", "bytes=-"])
def test_ranges_that_are_none_are_passed_over(s3, bucket, header):
    s3.put_object(Bucket=bucket, Key="k", Body=b"0123456789")
    assert s3.get_object(Bucket=bucket, Key="k", Range=header)["Body"].read() == b"0123456789"


def test_conditions_on_reads(s3, bucket):
    etag = s3.put_object(Bucket=bucket, Key="k", Body=b"x")["ETag"]
    now = datetime.now(timezone.utc)
    before, after = now - timedelta(hours=1), now + timedelta(hours=1)
    for good in (
        {"IfMatch": etag},
        {"IfMatch": etag.strip('"')},
        {"IfMatch": "*"},
        {"IfNoneMatch": '"other"'},
        {"IfModifiedSince": before},
        {"IfUnmodifiedSince": after},
        {"IfMatch": etag, "IfUnmodifiedSince": before},
        {"IfNoneMatch": '"other"', "IfModifiedSince": after},
    ):
        assert s3.get_object(Bucket=bucket, Key="k", **good)["Body"].read() == b"x", good
    for condition, expected in (
        ({"IfMatch": '"other"'}, 412),
        ({"IfUnmodifiedSince": before}, 412),
        ({"IfNoneMatch": etag}, 304),
        ({"IfNoneMatch": "*"}, 304),
        ({"IfModifiedSince": after}, 304),
    ):
        for ask in (s3.get_object, s3.head_object):
            with pytest.raises(ClientError) as error:
                ask(Bucket=bucket, Key="k", **condition)
            assert status(error) == expected, condition


def test_conditions_on_writes(s3, bucket):
    etag = s3.put_object(Bucket=bucket, Key="k", Body=b"1", IfNoneMatch="*")["ETag"]
    with pytest.raises(ClientError, match="PreconditionFailed"):
        s3.put_object(Bucket=bucket, Key="k", Body=b"2", IfNoneMatch="*")
    with pytest.raises(ClientError, match="PreconditionFailed"):
        s3.put_object(Bucket=bucket, Key="k", Body=b"2", IfMatch='"other"')
    with pytest.raises(ClientError, match="NoSuchKey"):
        s3.put_object(Bucket=bucket, Key="none", Body=b"2", IfMatch=etag)
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"1"
    s3.put_object(Bucket=bucket, Key="k", Body=b"2", IfMatch=etag)
    with pytest.raises(ClientError, match="PreconditionFailed"):
        s3.delete_object(Bucket=bucket, Key="k", IfMatch=etag)
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"2"


def test_missing(s3, bucket):
    for ask in (s3.get_object, s3.head_object, s3.get_object_tagging, s3.get_object_acl):
        with pytest.raises(ClientError) as error:
            ask(Bucket=bucket, Key="none")
        assert status(error) == 404
        with pytest.raises(ClientError) as error:
            ask(Bucket="nowhere", Key="none")
        assert status(error) == 404
    with pytest.raises(s3.exceptions.NoSuchKey, match="The specified key does not exist") as error:
        s3.get_object(Bucket=bucket, Key="none")
    assert error.value.response["Error"]["Key"] == "none"
    assert error.value.response["ResponseMetadata"]["RequestId"]
    with pytest.raises(s3.exceptions.NoSuchBucket) as error:
        s3.put_object(Bucket="nowhere", Key="k")
    assert error.value.response["Error"]["BucketName"] == "nowhere"
    s3.delete_object(Bucket=bucket, Key="none")  # no error on S3 either
