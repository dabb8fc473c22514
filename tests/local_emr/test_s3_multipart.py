"""Multipart uploads, by hand and as s3transfer does them."""

from __future__ import annotations

import base64
import hashlib
import io
import os

import pytest
from boto3.s3.transfer import TransferConfig
from botocore.exceptions import ClientError

from local_emr.s3 import S3

MB = 1 << 20
PART = 5 * MB


def begin(s3, bucket, key="k", **how):
    return {
        "Bucket": bucket,
        "Key": key,
        "UploadId": s3.create_multipart_upload(Bucket=bucket, Key=key, **how)["UploadId"],
    }


def put_part(s3, upload, number, body):
    etag = s3.upload_part(**upload, PartNumber=number, Body=body)["ETag"]
    return {"PartNumber": number, "ETag": etag}


def complete(s3, upload, parts):
    return s3.complete_multipart_upload(**upload, MultipartUpload={"Parts": parts})


def refusal(s3, upload, parts):
    with pytest.raises(ClientError) as error:
        complete(s3, upload, parts)
    return error.value.response["Error"]["Code"]


def test_an_upload_from_beginning_to_end(s3, s3_server, bucket):
    upload = begin(s3, bucket, "a/k", ContentType="text/csv", Metadata={"m": "1"})
    first, second = os.urandom(PART), b"the rest"
    parts = [put_part(s3, upload, 3, first), put_part(s3, upload, 7, second)]
    listed = s3.list_parts(**upload)["Parts"]
    assert [(p["PartNumber"], p["Size"], p["ETag"]) for p in listed] == [
        (3, PART, parts[0]["ETag"]),
        (7, 8, parts[1]["ETag"]),
    ]
    assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 0
    done = complete(s3, upload, parts)
    digests = hashlib.md5(first, usedforsecurity=False).digest() + hashlib.md5(second, usedforsecurity=False).digest()
    assert done["ETag"] == f'"{hashlib.md5(digests, usedforsecurity=False).hexdigest()}-2"'
    found = s3.get_object(Bucket=bucket, Key="a/k")
    assert found["Body"].read() == first + second
    assert (found["ETag"], found["ContentType"], found["Metadata"]) == (done["ETag"], "text/csv", {"m": "1"})
    assert (s3_server.root / bucket / "a/k").read_bytes() == first + second
    with pytest.raises(ClientError, match="NoSuchUpload"):
        s3.list_parts(**upload)
    assert list((s3_server.root / ".s3" / "uploads").iterdir()) == []


def test_parts_that_are_replaced_or_left_out(s3, bucket):
    upload = begin(s3, bucket)
    put_part(s3, upload, 1, b"first try")
    kept = put_part(s3, upload, 1, b"second try")
    put_part(s3, upload, 2, b"left out")
    complete(s3, upload, [kept])
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"second try"


def test_refusals(s3, bucket):
    upload = begin(s3, bucket)
    small, last = put_part(s3, upload, 1, b"small"), put_part(s3, upload, 2, b"last")
    assert refusal(s3, upload, [last, small]) == "InvalidPartOrder"
    assert refusal(s3, upload, [small, small]) == "InvalidPartOrder"
    assert refusal(s3, upload, [small, last]) == "EntityTooSmall"
    assert refusal(s3, upload, [{"PartNumber": 3, "ETag": last["ETag"]}]) == "InvalidPart"
    assert refusal(s3, upload, [{"PartNumber": 2, "ETag": small["ETag"]}]) == "InvalidPart"
    assert refusal(s3, upload, []) == "MalformedXML"
    for number in (0, 10_001):
        with pytest.raises(ClientError, match=r"InvalidArgument.*between 1 and 10000"):
            s3.upload_part(**upload, PartNumber=number, Body=b"")
    assert refusal(s3, {**upload, "UploadId": "../../etc"}, [last]) == "NoSuchUpload"
    assert refusal(s3, {**upload, "Key": "other"}, [last]) == "NoSuchUpload"
    assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 0
    complete(s3, upload, [last])  # and none of that has spoilt it


def test_abort(s3, s3_server, bucket):
    upload = begin(s3, bucket)
    put_part(s3, upload, 1, b"x")
    s3.abort_multipart_upload(**upload)
    for attempt in (s3.abort_multipart_upload, s3.list_parts):
        with pytest.raises(ClientError, match="NoSuchUpload"):
            attempt(**upload)
    with pytest.raises(ClientError, match="NoSuchUpload"):
        put_part(s3, upload, 1, b"x")
    assert list((s3_server.root / ".s3" / "uploads").iterdir()) == []


def test_conditions_hold_at_the_end(s3, bucket):
    upload = begin(s3, bucket)
    part = put_part(s3, upload, 1, b"late")
    s3.put_object(Bucket=bucket, Key="k", Body=b"early")
    with pytest.raises(ClientError, match="PreconditionFailed"):
        s3.complete_multipart_upload(**upload, MultipartUpload={"Parts": [part]}, IfNoneMatch="*")
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"early"


def test_copied_parts(s3, bucket):
    content = os.urandom(6 * MB)
    s3.put_object(Bucket=bucket, Key="source", Body=content)
    upload = begin(s3, bucket)
    source = {"Bucket": bucket, "Key": "source"}
    parts = []
    for number, span in enumerate([f"bytes=0-{PART - 1}", f"bytes={PART}-{6 * MB - 1}"], 1):
        result = s3.upload_part_copy(**upload, PartNumber=number, CopySource=source, CopySourceRange=span)
        parts.append({"PartNumber": number, "ETag": result["CopyPartResult"]["ETag"]})
    with pytest.raises(ClientError, match=r"InvalidArgument.*not valid for source object of size"):
        s3.upload_part_copy(**upload, PartNumber=3, CopySource=source, CopySourceRange=f"bytes=0-{6 * MB}")
    complete(s3, upload, parts)
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == content


def test_parts_of_an_object_one_by_one(s3, bucket):
    content = os.urandom(2 * PART + 100)
    upload = begin(s3, bucket)
    spans = [content[:PART], content[PART : 2 * PART], content[2 * PART :]]
    complete(s3, upload, [put_part(s3, upload, number, span) for number, span in enumerate(spans, 1)])
    for number, span in enumerate(spans, 1):
        found = s3.get_object(Bucket=bucket, Key="k", PartNumber=number)
        assert (found["Body"].read(), found["PartsCount"]) == (span, 3)
    with pytest.raises(ClientError) as error:
        s3.get_object(Bucket=bucket, Key="k", PartNumber=4)
    assert error.value.response["ResponseMetadata"]["HTTPStatusCode"] == 416


def test_listing_uploads(s3, bucket):
    uploads = [begin(s3, bucket, key) for key in ("a/1", "a/2", "b", "b", "ç d")]
    found = s3.list_multipart_uploads(Bucket=bucket)["Uploads"]
    assert [u["Key"] for u in found] == ["a/1", "a/2", "b", "b", "ç d"]
    assert {u["UploadId"] for u in found} == {u["UploadId"] for u in uploads}
    grouped = s3.list_multipart_uploads(Bucket=bucket, Delimiter="/")
    assert [p["Prefix"] for p in grouped["CommonPrefixes"]] == ["a/"]
    assert [u["Key"] for u in grouped["Uploads"]] == ["b", "b", "ç d"]
    pages = s3.get_paginator("list_multipart_uploads").paginate(Bucket=bucket, PaginationConfig={"PageSize": 1})
    assert [u["UploadId"] for page in pages for u in page["Uploads"]] == [u["UploadId"] for u in found]
    s3.create_bucket(Bucket="second")
    assert "Uploads" not in s3.list_multipart_uploads(Bucket="second")


def test_listing_parts_in_pages(s3, bucket):
    upload = begin(s3, bucket)
    for number in (1, 2, 5, 9):
        put_part(s3, upload, number, b"x")
    pages = s3.get_paginator("list_parts").paginate(**upload, PaginationConfig={"PageSize": 3})
    assert [[p["PartNumber"] for p in page["Parts"]] for page in pages] == [[1, 2, 5], [9]]


def test_uploads_go_with_their_bucket(s3, s3_server, bucket):
    put_part(s3, begin(s3, bucket), 1, b"x")
    s3.delete_bucket(Bucket=bucket)
    assert list((s3_server.root / ".s3" / "uploads").iterdir()) == []


def test_an_upload_outlives_the_server(s3, s3_server, bucket):
    upload = begin(s3, bucket)
    part = put_part(s3, upload, 1, b"x")
    S3(s3_server.root)
    complete(s3, upload, [part])


@pytest.mark.parametrize("name", ["CRC32", "CRC32C", "CRC64NVME"])
def test_a_checksum_of_the_whole(s3_server, bucket, name):
    s3 = s3_server.client(request_checksum_calculation="when_required", response_checksum_validation="when_required")
    upload = begin(s3, bucket, ChecksumAlgorithm=name, ChecksumType="FULL_OBJECT")
    content = os.urandom(PART + 10)
    parts = [put_part(s3, upload, 1, content[:PART]), put_part(s3, upload, 2, content[PART:])]
    done = complete(s3, upload, parts)
    s3.put_object(Bucket=bucket, Key="at-once", Body=content, **{f"Checksum{name}": done[f"Checksum{name}"]})
    head = s3.head_object(Bucket=bucket, Key="k", ChecksumMode="ENABLED")
    assert (head[f"Checksum{name}"], head["ChecksumType"]) == (done[f"Checksum{name}"], "FULL_OBJECT")


def test_a_checksum_of_checksums(s3, bucket):
    upload = begin(s3, bucket, ChecksumAlgorithm="SHA256")
    spans = [os.urandom(PART), b"rest"]
    parts = []
    for number, span in enumerate(spans, 1):
        put = s3.upload_part(**upload, PartNumber=number, Body=span, ChecksumAlgorithm="SHA256")
        parts.append({"PartNumber": number, "ETag": put["ETag"], "ChecksumSHA256": put["ChecksumSHA256"]})
    wrong = [{**parts[0], "ChecksumSHA256": parts[1]["ChecksumSHA256"]}, parts[1]]
    assert refusal(s3, upload, wrong) == "InvalidPart"
    done = complete(s3, upload, parts)
    digests = b"".join(hashlib.sha256(span).digest() for span in spans)
    assert done["ChecksumSHA256"] == base64.b64encode(hashlib.sha256(digests).digest()).decode() + "-2"
    assert done["ChecksumType"] == "COMPOSITE"


def test_s3transfer_up_and_down(s3, bucket, tmp_path):
    content = os.urandom(20 * MB + 17)
    config = TransferConfig(multipart_threshold=PART, multipart_chunksize=PART, max_concurrency=4)
    (tmp_path / "up").write_bytes(content)
    s3.upload_file(str(tmp_path / "up"), bucket, "big", Config=config, ExtraArgs={"ContentType": "image/png"})
    s3.download_file(bucket, "big", str(tmp_path / "down"), Config=config)
    assert (tmp_path / "down").read_bytes() == content
    s3.copy({"Bucket": bucket, "Key": "big"}, bucket, "copied", Config=config)
    streamed = io.BytesIO()
    s3.download_fileobj(bucket, "copied", streamed, Config=config)
    assert streamed.getvalue() == content
    assert s3.head_object(Bucket=bucket, Key="copied")["ContentType"] == "image/png"
