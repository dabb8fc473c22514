"""Buckets and objects through boto3: what is put comes back, and what goes wrong goes wrong as on AWS."""

from __future__ import annotations

import base64
import hashlib
import os
import zlib
from datetime import datetime, timedelta, timezone

import boto3
import pytest
from botocore.exceptions import ClientError
from werkzeug.test import Client

from local_emr.s3 import S3
from local_emr.s3.checksums import ALGORITHMS

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


# -- buckets --------------------------------------------------------------------------------------------------------


def test_bucket_life(s3, s3_server):
    s3.create_bucket(Bucket="fruits")
    s3.create_bucket(Bucket="fruits")  # in us-east-1 that is no error
    assert [b["Name"] for b in s3.list_buckets()["Buckets"]] == ["fruits"] == s3_server.app.buckets()
    assert s3.get_bucket_location(Bucket="fruits")["LocationConstraint"] is None
    s3.put_object(Bucket="fruits", Key="a/b")
    with pytest.raises(ClientError) as error:
        s3.delete_bucket(Bucket="fruits")
    assert (code(error), status(error)) == ("BucketNotEmpty", 409)
    s3.delete_object(Bucket="fruits", Key="a/b")
    s3.delete_bucket(Bucket="fruits")
    with pytest.raises(ClientError) as error:
        s3.head_bucket(Bucket="fruits")
    assert status(error) == 404


def test_a_bucket_remembers_its_region(s3, s3_server):
    s3.create_bucket(Bucket="paris", CreateBucketConfiguration={"LocationConstraint": "eu-west-3"})
    S3(s3_server.root)  # a second look at the same folders, as after a restart
    assert s3.get_bucket_location(Bucket="paris")["LocationConstraint"] == "eu-west-3"
    assert s3.head_bucket(Bucket="paris")["BucketRegion"] == "eu-west-3"
    with pytest.raises(ClientError) as error:
        s3.create_bucket(Bucket="paris", CreateBucketConfiguration={"LocationConstraint": "eu-west-3"})
    assert (code(error), status(error)) == ("BucketAlreadyOwnedByYou", 409)
    s3.delete_bucket(Bucket="paris")
    s3.create_bucket(Bucket="paris")
    assert s3.head_bucket(Bucket="paris")["BucketRegion"] == "us-east-1"


def test_a_bucket_is_created_where_the_request_is_signed_for(s3_server):
    west = boto3.client(
        "s3", "us-west-2", endpoint_url=s3_server.url, aws_access_key_id="local", aws_secret_access_key="local"
    )
    with pytest.raises(ClientError, match=r"IllegalLocationConstraintException.*unspecified location constraint"):
        west.create_bucket(Bucket="fruits")
    with pytest.raises(ClientError, match=r"IllegalLocationConstraintException.*eu-west-1 location constraint"):
        west.create_bucket(Bucket="fruits", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    west.create_bucket(Bucket="fruits", CreateBucketConfiguration={"LocationConstraint": "us-west-2"})


@pytest.mark.parametrize("name", ["ab", "Upper", "under_score", "-dash", "dot..dot", "10.0.0.1", "xn--x", "a" * 64])
def test_invalid_bucket_names(s3, name):
    with pytest.raises(ClientError, match="InvalidBucketName"):
        s3.create_bucket(Bucket=name)


def test_a_folder_that_someone_makes_is_a_bucket(s3, s3_server):
    (s3_server.root / "byhand" / "a").mkdir(parents=True)
    (s3_server.root / "byhand" / "a" / "b.txt").write_text("here")
    assert s3.get_object(Bucket="byhand", Key="a/b.txt")["Body"].read() == b"here"
    assert [b["Name"] for b in s3.list_buckets()["Buckets"]] == ["byhand"]


def test_the_hidden_folder_is_no_bucket(s3, s3_server):
    assert s3.list_buckets()["Buckets"] == []
    for bucket in (".s3", ".."):
        with pytest.raises(ClientError, match="NoSuchBucket"):
            s3.list_objects_v2(Bucket=bucket)


# -- put and get ----------------------------------------------------------------------------------------------------


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


# -- checksums ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("algorithm", "of_nine_digits"),
    [("crc32", "cbf43926"), ("crc32c", "e3069283"), ("crc64nvme", "ae8b14860a799888")],
)
def test_the_published_check_values(algorithm, of_nine_digits):
    checksum = ALGORITHMS[algorithm]()
    checksum.update(b"123456789")
    assert checksum.digest().hex() == of_nine_digits


@pytest.mark.parametrize("algorithm", ["crc32c", "crc64nvme"])
def test_folding_and_the_table_agree(algorithm):
    for size in (1, 63, 64, 65, 127, 128, 129, 5000, 65_536, 65_537, 150_001):
        data = os.urandom(size)
        folded, bytewise = ALGORITHMS[algorithm](), ALGORITHMS[algorithm]()
        folded.update(data)
        for at in range(0, size, 50):
            bytewise.update(data[at : at + 50])
        assert folded.digest() == bytewise.digest(), size


def value_of(algorithm, data):
    checksum = ALGORITHMS[algorithm]()
    checksum.update(data)
    return base64.b64encode(checksum.digest()).decode()


@pytest.mark.parametrize("name", ["CRC32", "CRC32C", "CRC64NVME", "SHA1", "SHA256"])
def test_checksums_are_checked_kept_and_told(s3_server, bucket, name):
    s3 = s3_server.client(response_checksum_validation="when_required")
    value = value_of(name.lower(), b"bytes")
    put = s3.put_object(Bucket=bucket, Key="k", Body=b"bytes", **{f"Checksum{name}": value})
    assert put[f"Checksum{name}"] == value
    head = s3.head_object(Bucket=bucket, Key="k", ChecksumMode="ENABLED")
    assert (head[f"Checksum{name}"], head["ChecksumType"]) == (value, "FULL_OBJECT")
    assert f"Checksum{name}" not in s3.head_object(Bucket=bucket, Key="k")
    attributes = s3.get_object_attributes(Bucket=bucket, Key="k", ObjectAttributes=["Checksum", "ETag", "ObjectSize"])
    assert attributes["Checksum"][f"Checksum{name}"] == value
    assert (attributes["ObjectSize"], attributes["ETag"]) == (5, head["ETag"].strip('"'))
    wrong = value_of(name.lower(), b"other")
    with pytest.raises(ClientError, match=f"BadDigest.*The {name} you specified did not match"):
        s3.put_object(Bucket=bucket, Key="k", Body=b"bytes 2", **{f"Checksum{name}": wrong})
    with pytest.raises(ClientError, match=r"InvalidRequest.*is invalid"):
        s3.put_object(Bucket=bucket, Key="k", Body=b"bytes 2", **{f"Checksum{name}": "AA=="})
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"bytes"


def test_content_md5(s3, bucket):
    right = base64.b64encode(hashlib.md5(b"x", usedforsecurity=False).digest()).decode()
    s3.put_object(Bucket=bucket, Key="k", Body=b"x", ContentMD5=right)
    with pytest.raises(ClientError, match="BadDigest"):
        s3.put_object(Bucket=bucket, Key="k", Body=b"y", ContentMD5=right)
    with pytest.raises(ClientError, match="InvalidDigest"):
        s3.put_object(Bucket=bucket, Key="k", Body=b"y", ContentMD5="nonsense")
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"x"


# -- copy, delete, folders ------------------------------------------------------------------------------------------


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


# -- what it does not do --------------------------------------------------------------------------------------------


def test_what_is_not_implemented_changes_nothing(s3, bucket):
    s3.put_object(Bucket=bucket, Key="k", Body=b"kept")
    tags = {"TagSet": [{"Key": "a", "Value": "b"}]}
    for attempt in (
        lambda: s3.put_object_tagging(Bucket=bucket, Key="k", Tagging=tags),
        lambda: s3.delete_object_tagging(Bucket=bucket, Key="k"),
        lambda: s3.put_object_acl(Bucket=bucket, Key="k", ACL="private"),
        lambda: s3.put_object_retention(Bucket=bucket, Key="k", Retention={"Mode": "GOVERNANCE"}),
        lambda: s3.restore_object(Bucket=bucket, Key="k", RestoreRequest={"Days": 1}),
        lambda: s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"}),
        lambda: s3.put_bucket_tagging(Bucket=bucket, Tagging=tags),
        lambda: s3.delete_bucket_policy(Bucket=bucket),
        lambda: s3.get_bucket_encryption(Bucket=bucket),
        lambda: s3.put_object(Bucket=bucket, Key="k", Body=b"", Tagging="a=b"),
        lambda: s3.put_object(Bucket=bucket, Key="k", Body=b"", WriteOffsetBytes=4),
    ):
        with pytest.raises(ClientError) as error:
            attempt()
        assert (code(error), status(error)) == ("NotImplemented", 501)
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"kept"
    assert s3.list_buckets()["Buckets"][0]["Name"] == bucket


def test_what_is_truly_empty_says_so(s3, bucket):
    s3.put_object(Bucket=bucket, Key="k")
    assert "Status" not in s3.get_bucket_versioning(Bucket=bucket)
    assert s3.get_object_tagging(Bucket=bucket, Key="k")["TagSet"] == []
    assert s3.get_object_acl(Bucket=bucket, Key="k")["Grants"][0]["Permission"] == "FULL_CONTROL"
    assert s3.get_bucket_acl(Bucket=bucket)["Grants"][0]["Permission"] == "FULL_CONTROL"
    assert s3.get_bucket_request_payment(Bucket=bucket)["Payer"] == "BucketOwner"
    for ask, expected in (
        (s3.get_bucket_tagging, "NoSuchTagSet"),
        (s3.get_bucket_policy, "NoSuchBucketPolicy"),
        (s3.get_bucket_lifecycle_configuration, "NoSuchLifecycleConfiguration"),
        (s3.get_bucket_cors, "NoSuchCORSConfiguration"),
    ):
        with pytest.raises(ClientError, match=expected) as error:
            ask(Bucket=bucket)
        assert status(error) == 404


def test_the_one_version_there_is(s3, bucket):
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    assert s3.get_object(Bucket=bucket, Key="k", VersionId="null")["Body"].read() == b"x"
    with pytest.raises(ClientError, match="NoSuchVersion"):
        s3.get_object(Bucket=bucket, Key="k", VersionId="other")
    with pytest.raises(ClientError, match="NoSuchVersion"):
        s3.delete_object(Bucket=bucket, Key="k", VersionId="other")
    s3.delete_object(Bucket=bucket, Key="k", VersionId="null")
    assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 0


def test_requests_are_counted_by_operation(s3, s3_server, bucket):
    s3.put_object(Bucket=bucket, Key="k")
    s3.list_objects_v2(Bucket=bucket)
    s3.list_objects_v2(Bucket=bucket)
    assert s3_server.app.requests == {"CreateBucket": 1, "PutObject": 1, "ListObjectsV2": 2}


# -- other programs' files ------------------------------------------------------------------------------------------


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


# -- without extended attributes ------------------------------------------------------------------------------------


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
