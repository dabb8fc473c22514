"""What a bucket here has not, told as S3 tells it of a new bucket."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


def test_what_is_off_is_told_as_off(s3: S3Client, bucket: str) -> None:
    def told(answer: Any) -> dict[str, Any]:
        return {name: value for name, value in answer.items() if name != "ResponseMetadata"}

    assert told(s3.get_bucket_accelerate_configuration(Bucket=bucket)) == {}
    assert told(s3.get_bucket_logging(Bucket=bucket)) == {}
    assert told(s3.get_bucket_notification_configuration(Bucket=bucket)) == {}


@pytest.mark.parametrize(
    ("operation", "code"),
    [
        ("get_object_lock_configuration", "ObjectLockConfigurationNotFoundError"),
        ("get_bucket_replication", "ReplicationConfigurationNotFoundError"),
        ("get_bucket_website", "NoSuchWebsiteConfiguration"),
    ],
)
def test_what_there_is_none_of_is_an_error(s3: S3Client, bucket: str, operation: str, code: str) -> None:
    with pytest.raises(ClientError) as caught:
        getattr(s3, operation)(Bucket=bucket)
    assert caught.value.response["Error"]["Code"] == code
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 404
