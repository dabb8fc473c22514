"""verify: every check is made, and missing, refused, elsewhere and signed-out are four different answers."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from botocore.stub import Stubber

from scripts.aws import Clients, connect
from scripts.config import Settings
from scripts.errors import AwsError
from scripts.upload_scripts import upload
from scripts.verify_setup import FAILED, INFORMATION, OK, WARNING, Check, bucket_region, has_images, verify

Make = Callable[..., Settings]
NAMES = ["Region", "Credentials", "Bucket", "Input images", "Key pair", "IAM roles", "Scripts"]


@pytest.fixture
def in_place(clients: Clients, settings: Settings, bucket: Any) -> Any:
    """All that a run needs."""
    bucket.put({"data/fruits-360/Training/Kiwi/1.JPG": "x"})
    clients.ec2.create_key_pair(KeyName="mine", KeyType="ed25519")
    trust = json.dumps({"Version": "2012-10-17", "Statement": []})
    for role in ("EMR_DefaultRole", "EMR_AutoScaling_DefaultRole"):
        clients.iam.create_role(RoleName=role, AssumeRolePolicyDocument=trust)
    clients.iam.create_instance_profile(InstanceProfileName="EMR_EC2_DefaultRole")
    list(upload(clients, settings))
    return bucket


def verdicts(clients: Clients, settings: Settings) -> dict[str, str]:
    return {check.name: check.verdict for check in verify(clients, settings)}


def finding(clients: Clients, settings: Settings, name: str) -> Check:
    return next(check for check in verify(clients, settings) if check.name == name)


def test_all_in_place_is_all_well_in_the_order_of_the_workflow(
    clients: Clients, settings: Settings, in_place: Any
) -> None:
    assert list(verdicts(clients, settings).items()) == [(name, OK) for name in NAMES]


def test_every_check_is_made_although_all_fail_and_each_says_what_to_do(clients: Clients, make_settings: Make) -> None:
    checks = list(verify(clients, make_settings(aws_region="eu-west-2")))

    assert [check.name for check in checks] == NAMES
    assert [check.name for check in checks if check.verdict == FAILED] == [
        "Region",
        "Bucket",
        "Input images",
        "Key pair",
        "IAM roles",
    ]
    assert all(check.remedy for check in checks if check.verdict == FAILED)


@pytest.mark.parametrize("region", ["eu-west-1", "eu-west-3", "eu-central-1", "eu-north-1", "eu-south-1", "eu-south-2"])
def test_the_eus_own_regions_are_good(clients: Clients, make_settings: Make, region: str) -> None:
    assert finding(clients, make_settings(aws_region=region), "Region").verdict == OK


@pytest.mark.parametrize("region", ["eu-west-2", "eu-central-2", "us-east-1", "eu-nowhere-1"])
def test_london_zurich_and_the_rest_of_the_world_are_not_the_eu(
    clients: Clients, make_settings: Make, region: str
) -> None:
    check = finding(clients, make_settings(aws_region=region), "Region")

    assert check.verdict == FAILED
    assert "eu-west-1" in check.remedy
    assert region not in check.remedy


def test_credentials_are_shown_as_account_and_user(clients: Clients, settings: Settings) -> None:
    assert "account 123456789012, arn:aws:sts::" in finding(clients, settings, "Credentials").found


def test_no_credentials_is_a_finding_of_every_check_that_needs_them_and_no_crash(
    monkeypatch: pytest.MonkeyPatch, settings: Settings
) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")

    checks = list(verify(connect(settings), settings))

    assert [check.name for check in checks] == NAMES
    assert all("Unable to locate credentials" in check.found for check in checks[1:6])
    assert all(check.verdict == FAILED and "AWS_PROFILE" in check.remedy for check in checks[1:6])


def test_a_missing_bucket_is_offered(clients: Clients, settings: Settings) -> None:
    check = finding(clients, settings, "Bucket")

    assert (check.verdict, check.found) == (FAILED, "s3://fruits-test does not exist")
    assert "inv upload" in check.remedy


def test_a_bucket_of_somebody_else_is_refused_and_not_missing(
    clients: Clients, settings: Settings, s3_answers: Stubber
) -> None:
    s3_answers.add_client_error("head_bucket", "403", "Forbidden", 403)
    s3_answers.add_client_error("list_objects_v2", "AccessDenied", "Access Denied", 403)

    checks = verify(clients, settings)
    bucket = next(check for check in checks if check.name == "Bucket")
    images = next(checks)

    assert (bucket.verdict, images.verdict) == (FAILED, FAILED)
    assert "s3://fruits-test exists, and these credentials may not use it" in bucket.found
    assert "another S3_BUCKET" in bucket.remedy
    assert "AccessDenied" in images.found


def test_a_bucket_in_another_region_says_which(
    clients: Clients, settings: Settings, make_bucket: Callable[..., Any]
) -> None:
    make_bucket("fruits-test", "eu-west-3")

    check = finding(clients, settings, "Bucket")

    assert (check.verdict, check.found) == (FAILED, "s3://fruits-test is in eu-west-3, not in eu-west-1")
    assert "AWS_REGION=eu-west-3" in check.remedy


@pytest.mark.parametrize(
    ("answer", "region"),
    [
        ({"BucketRegion": "eu-north-1"}, "eu-north-1"),
        ({"ResponseMetadata": {"HTTPHeaders": {"x-amz-bucket-region": "eu-south-2"}}}, "eu-south-2"),
        ({}, "us-east-1"),
    ],
)
def test_the_region_is_read_from_old_answers_too(
    clients: Clients, s3_answers: Stubber, answer: dict[str, Any], region: str
) -> None:
    s3_answers.add_response("head_bucket", {"ResponseMetadata": {"HTTPHeaders": {}}} | answer)

    assert bucket_region(clients, "fruits-test") == region


def test_an_outage_is_neither_missing_nor_refused(clients: Clients, s3_answers: Stubber) -> None:
    s3_answers.add_client_error("head_bucket", "503", "Slow Down", 503)

    with pytest.raises(AwsError, match="503"):
        bucket_region(clients, "fruits-test")


@pytest.mark.parametrize("name", ["Training/Kiwi/1.jpg", "Training/Kiwi/1.JPEG", "1.Jpg"])
def test_an_image_is_found_whatever_its_case(clients: Clients, settings: Settings, bucket: Any, name: str) -> None:
    bucket.put({"data/fruits-360/readme.txt": "x", f"data/fruits-360/{name}": "x"})

    assert has_images(clients, settings)


def test_files_that_are_no_images_or_lie_elsewhere_are_no_input(
    clients: Clients, settings: Settings, bucket: Any
) -> None:
    bucket.put({"data/fruits-360/a.png": "x", "data/fruits-360/jpg": "x", "data/fruits/1.jpg": "x"})

    check = finding(clients, settings, "Input images")

    assert check.verdict == FAILED
    assert "inv data --from DIR" in check.remedy


def test_images_on_the_second_page_count(clients: Clients, settings: Settings, s3_answers: Stubber) -> None:
    pages = [("data/fruits-360/a.txt", True), ("data/fruits-360/b.jpg", False)]
    for key, more in pages:
        answer = {"IsTruncated": more, "Contents": [{"Key": key}]} | ({"NextContinuationToken": "t"} if more else {})
        s3_answers.add_response("list_objects_v2", answer)

    assert has_images(clients, settings)


def test_missing_roles_are_all_named(clients: Clients, make_settings: Make) -> None:
    clients.iam.create_role(RoleName="EMR_DefaultRole", AssumeRolePolicyDocument="{}")

    check = finding(clients, make_settings(), "IAM roles")

    assert check.verdict == FAILED
    assert check.found == "role EMR_AutoScaling_DefaultRole, instance profile EMR_EC2_DefaultRole missing"
    assert "aws emr create-default-roles" in check.remedy


def test_arns_with_a_path_are_looked_up_by_their_last_part(
    clients: Clients, make_settings: Make, in_place: Any
) -> None:
    settings = make_settings(
        iam_service_role="arn:aws:iam::123456789012:role/service-role/EMR_DefaultRole",
        iam_instance_profile="arn:aws:iam::123456789012:instance-profile/EMR_EC2_DefaultRole",
    )

    assert finding(clients, settings, "IAM roles").verdict == OK


def test_not_being_allowed_to_look_at_key_and_roles_is_a_warning(
    clients: Clients, settings: Settings, in_place: Any
) -> None:
    with Stubber(clients.ec2) as ec2, Stubber(clients.iam) as iam:
        ec2.add_client_error("describe_key_pairs", "UnauthorizedOperation", "You are not authorized", 403)
        iam.add_client_error("get_role", "AccessDenied", "User is not authorized", 403)

        found = verdicts(clients, settings)

    assert found == dict.fromkeys(NAMES, OK) | {"Key pair": WARNING, "IAM roles": WARNING}


def test_an_expired_token_is_a_failure_and_no_warning(clients: Clients, settings: Settings, in_place: Any) -> None:
    with Stubber(clients.iam) as iam:
        iam.add_client_error("get_role", "ExpiredToken", "expired", 403)

        check = finding(clients, settings, "IAM roles")

    assert check.verdict == FAILED
    assert "aws sso login" in check.remedy


def test_scripts_that_changed_are_information_and_no_failure(
    clients: Clients, settings: Settings, in_place: Any
) -> None:
    in_place.put({"scripts/read_fruits_data.py": "older"})

    check = finding(clients, settings, "Scripts")

    assert check.verdict == INFORMATION
    assert check.found.startswith("read_fruits_data.py changed since the upload, the others up to date")


def test_a_finding_is_a_line_with_its_mark_and_what_to_do() -> None:
    assert str(Check("Bucket", FAILED, "is gone", "make one")) == "❌ Bucket: is gone → make one"
    assert str(Check("Bucket", OK, "s3://x")) == "✅ Bucket: s3://x"
