"""Buckets through boto3, and what a bucket or object does not have here."""

from __future__ import annotations

import boto3
import pytest
from botocore.exceptions import ClientError

from local_emr.s3 import S3


def status(error):
    return error.value.response["ResponseMetadata"]["HTTPStatusCode"]


def code(error):
    return error.value.response["Error"]["Code"]


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
