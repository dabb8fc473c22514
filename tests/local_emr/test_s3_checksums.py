"""Checksums: computed rightly, checked, kept and told."""

from __future__ import annotations

import base64
import hashlib
import os

import pytest
from botocore.exceptions import ClientError

from local_emr.s3.checksums import ALGORITHMS


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
