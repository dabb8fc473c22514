"""upload: what lies in the bucket is what is in the editor, and nothing is sent twice."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from scripts.aws import Clients
from scripts.config import Settings
from scripts.errors import AwsError
from scripts.upload_scripts import BOOTSTRAP, JOB, JOB_MODULES, create_bucket, state_of, upload

Make = Callable[..., Settings]
SCRIPTS = [BOOTSTRAP, JOB, *JOB_MODULES]
KEYS = [f"scripts/{script.name}" for script in SCRIPTS]
URIS = [f"s3://fruits-test/{key}" for key in KEYS]


def test_every_script_is_sent_byte_for_byte(clients: Clients, settings: Settings, bucket: Any) -> None:
    sent = list(upload(clients, settings))

    assert [one.uri for one in sent if one.sent] == URIS
    assert [path.name for path in SCRIPTS[:2]] == ["install_dependencies.sh", "read_fruits_data.py"]
    assert "s3_listing.py" in [path.name for path in JOB_MODULES]
    assert [bucket.get(key) for key in KEYS] == [path.read_bytes() for path in SCRIPTS]


def test_unchanged_scripts_are_not_sent_again(clients: Clients, settings: Settings, bucket: Any) -> None:
    list(upload(clients, settings))
    before = [clients.s3.head_object(Bucket="fruits-test", Key=key)["LastModified"] for key in bucket.keys("scripts/")]
    bucket.put({"scripts/other": "x"})

    again = list(upload(clients, settings))

    assert [(one.uri, one.sent) for one in again] == [(uri, False) for uri in URIS]
    assert [str(one) for one in again] == [f"📤 {uri} is up to date" for uri in URIS]
    assert [clients.s3.head_object(Bucket="fruits-test", Key=key)["LastModified"] for key in KEYS] == before


@pytest.mark.parametrize("content", [b"something older", JOB.read_bytes()], ids=["changed", "without our hash"])
def test_a_script_that_somebody_else_put_there_is_replaced(
    clients: Clients, settings: Settings, bucket: Any, content: bytes
) -> None:
    bucket.put({"scripts/read_fruits_data.py": content})
    assert state_of(clients, settings, JOB) == "changed since the upload"

    list(upload(clients, settings))

    assert bucket.get("scripts/read_fruits_data.py") == JOB.read_bytes()
    assert state_of(clients, settings, JOB) == "up to date"


def test_a_script_that_is_not_there_is_an_answer(clients: Clients, settings: Settings, bucket: Any) -> None:
    assert state_of(clients, settings, BOOTSTRAP) == "not uploaded"


def test_not_being_allowed_to_look_is_no_answer(clients: Clients, settings: Settings, s3_answers: Any) -> None:
    s3_answers.add_client_error("head_object", "403", "Forbidden", 403)

    with pytest.raises(AwsError, match=r"looking at s3://fruits-test/scripts/read_fruits_data\.py: 403"):
        state_of(clients, settings, JOB)


def test_a_missing_bucket_says_so(clients: Clients, settings: Settings) -> None:
    with pytest.raises(AwsError) as caught:
        list(upload(clients, settings))

    assert caught.value.code == "NoSuchBucket"
    assert "inv upload" in caught.value.remedy


def test_the_bucket_is_made_in_the_settings_region(clients: Clients, settings: Settings) -> None:
    assert create_bucket(clients, settings) == "s3://fruits-test/"
    assert clients.s3.get_bucket_location(Bucket="fruits-test")["LocationConstraint"] == "eu-west-1"


def test_the_one_region_that_must_not_be_named_is_not(clients: Clients, make_settings: Make, s3_answers: Any) -> None:
    s3_answers.add_response("create_bucket", {}, {"Bucket": "fruits-test"})

    create_bucket(clients, make_settings(aws_region="us-east-1"))


def test_a_name_that_is_taken_says_so(clients: Clients, settings: Settings, s3_answers: Any) -> None:
    s3_answers.add_client_error("create_bucket", "BucketAlreadyExists", "not available", 409)

    with pytest.raises(AwsError, match="creating s3://fruits-test: BucketAlreadyExists"):
        create_bucket(clients, settings)
