"""The settings: precedence, every problem at once and by name, and no value that would reach AWS half right."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from scripts.config import NAMES, Settings, load
from scripts.errors import SettingsError

ON_AWS = {
    "TARGET": "aws",
    "S3_BUCKET": "fruits-test",
    "EC2_KEY_NAME": "mine",
    "EC2_SUBNET": "subnet-0123456789abcdef0",
}


def problems(root: Path, environment: dict[str, str]) -> tuple[str, ...]:
    with pytest.raises(SettingsError) as caught:
        load(root, environment)
    assert caught.value.exit_code == 2
    return caught.value.problems


def refused(root: Path, name: str, value: str) -> str:
    """The one problem that a wrong value makes."""
    (found,) = problems(root, {**ON_AWS, name: value})
    assert found.startswith(f"{name}: ")
    return found


def test_on_local_everything_has_a_working_default(tmp_path: Path) -> None:
    assert dataclasses.asdict(load(tmp_path, {})) == {
        "target": "local",
        "aws_region": "eu-west-1",
        "aws_profile": "",
        "s3_bucket": "fruits-local",
        "data_prefix": "data/fruits-360/",
        "output_prefix": "output/etape_1/",
        "scripts_prefix": "scripts/",
        "logs_prefix": "logs/emr/",
        "cluster_name": "p11-fruits-etape1",
        "emr_release": "emr-7.11.0",
        "master_instance_type": "m5.xlarge",
        "core_instance_type": "m5.xlarge",
        "core_instance_count": 2,
        "ebs_volume_size": 32,
        "ec2_key_name": "local-emr",
        "ec2_subnet": "",
        "master_security_group": "",
        "slave_security_group": "",
        "iam_service_role": "EMR_DefaultRole",
        "iam_instance_profile": "EMR_EC2_DefaultRole",
        "iam_autoscaling_role": "EMR_AutoScaling_DefaultRole",
        "spark_executor_memory": "4g",
        "spark_driver_memory": "4g",
        "spark_executor_memory_overhead": "1g",
        "spark_java_options": "-XX:TieredStopAtLevel=1",
        "idle_timeout": 14400,
        "pipeline_idle_timeout": 900,
        "cluster_ready_timeout": 1200,
        "step_timeout": 3600,
        "logs_timeout": 30,
        "poll_interval": 0.5,
        "job_args": "",
        "endpoint_url": None,
    }


def test_aws_differs_in_what_it_needs_and_how_often_it_is_asked(tmp_path: Path) -> None:
    local, aws = (dataclasses.asdict(load(tmp_path, environment)) for environment in ({}, ON_AWS))

    assert {name: value for name, value in aws.items() if value != local[name]} == {
        "target": "aws",
        "s3_bucket": "fruits-test",
        "ec2_key_name": "mine",
        "ec2_subnet": "subnet-0123456789abcdef0",
        "logs_timeout": 600,
        "poll_interval": 30.0,
    }


def test_environment_comes_before_dotenv_before_default(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("CLUSTER_NAME=from-file\nCORE_INSTANCE_COUNT=3\n")

    found = load(tmp_path, {"CLUSTER_NAME": "from-shell"})

    assert (found.cluster_name, found.core_instance_count, found.ebs_volume_size) == ("from-shell", 3, 32)


def test_target_in_dotenv_chooses_the_defaults(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("".join(f"{name}={value}\n" for name, value in ON_AWS.items()))

    assert load(tmp_path, {}).poll_interval == 30


def test_dotenv_may_quote_export_comment_and_begin_with_a_bom(tmp_path: Path) -> None:
    lines = [
        "\ufeff# mine",
        "export S3_BUCKET='fruits-test'  # a comment",
        "JOB_ARGS=\"--name 'a b'\"",
        "EDITOR=vi",
        "",
    ]
    (tmp_path / ".env").write_text("\n".join(lines), encoding="utf-8")

    found = load(tmp_path, {})

    assert (found.s3_bucket, found.job_args) == ("fruits-test", "--name 'a b'")


def test_an_empty_value_is_none_so_the_default_holds(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("AWS_REGION=eu-west-3\nSTEP_TIMEOUT=\n")

    found = load(tmp_path, {"AWS_REGION": " ", "EMR_RELEASE": ""})

    assert (found.aws_region, found.step_timeout, found.emr_release) == ("eu-west-3", 3600, "emr-7.11.0")


def test_endpoint_is_no_setting(tmp_path: Path) -> None:
    assert load(tmp_path, {"ENDPOINT_URL": "http://127.0.0.1:1"}).endpoint_url is None
    assert "ENDPOINT_URL" not in NAMES


def test_settings_are_frozen(tmp_path: Path) -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        load(tmp_path, {}).s3_bucket = "another"  # type: ignore[misc]


def test_all_that_is_wrong_is_reported_at_once(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("S3_BUKET=typo\nnot a setting\nIDLE_TIMEOUT=59\n")

    found = problems(tmp_path, {"TARGET": "aws", "CORE_INSTANCE_COUNT": "two", "MASTER_SECURITY_GROUP": "sg-01234567"})

    assert sorted(line.partition(":")[0] for line in found) == [
        ".env",
        "CORE_INSTANCE_COUNT",
        "EC2_KEY_NAME",
        "EC2_SUBNET",
        "IDLE_TIMEOUT",
        "MASTER_SECURITY_GROUP, SLAVE_SECURITY_GROUP",
        "S3_BUCKET",
        "S3_BUKET",
    ]


def test_what_aws_needs_is_not_needed_on_local(tmp_path: Path) -> None:
    needed = problems(tmp_path, {"TARGET": "aws"})

    assert needed == tuple(
        f"{name}: is not set, and AWS needs it" for name in ("S3_BUCKET", "EC2_KEY_NAME", "EC2_SUBNET")
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("TARGET", "AWS"),
        ("AWS_REGION", "ireland"),
        ("AWS_REGION", "eu-west-1a"),
        ("S3_BUCKET", "s3://fruits"),
        ("S3_BUCKET", "Fruits"),
        ("S3_BUCKET", "fr"),
        ("S3_BUCKET", "a" * 64),
        ("S3_BUCKET", "fruits_test"),
        ("S3_BUCKET", "fruits..test"),
        ("S3_BUCKET", "192.168.5.4"),
        ("S3_BUCKET", "xn--fruits"),
        ("CLUSTER_NAME", "a|b"),
        ("EMR_RELEASE", "7.11.0"),
        ("EMR_RELEASE", "emr-7.11"),
        ("EMR_RELEASE", "emr-٧.11.0"),
        ("MASTER_INSTANCE_TYPE", "xlarge"),
        ("CORE_INSTANCE_COUNT", "0"),
        ("CORE_INSTANCE_COUNT", "2.5"),
        ("CORE_INSTANCE_COUNT", "-2"),
        ("CORE_INSTANCE_COUNT", "²"),
        ("EBS_VOLUME_SIZE", "32 GB"),
        ("EC2_SUBNET", "subnet-123"),
        ("EC2_SUBNET", "0123456789abcdef0"),
        ("IAM_SERVICE_ROLE", "arn:aws:iam::123:role/x"),
        ("IAM_INSTANCE_PROFILE", "arn:aws:iam::123456789012:role/EMR_EC2_DefaultRole"),
        ("IAM_AUTOSCALING_ROLE", "two words"),
        ("SPARK_DRIVER_MEMORY", "4 GB"),
        ("SPARK_EXECUTOR_MEMORY", "4"),
        ("SPARK_EXECUTOR_MEMORY_OVERHEAD", "0g"),
        ("SPARK_JAVA_OPTIONS", "-Xmx4g"),
        ("SPARK_JAVA_OPTIONS", "UseG1GC"),
        ("SPARK_JAVA_OPTIONS", "-Dname='open"),
        ("IDLE_TIMEOUT", "59"),
        ("IDLE_TIMEOUT", "604801"),
        ("CLUSTER_READY_TIMEOUT", "0"),
        ("STEP_TIMEOUT", "an hour"),
        ("POLL_INTERVAL", "0"),
        ("POLL_INTERVAL", "nan"),
        ("POLL_INTERVAL", "1e3"),
        ("POLL_INTERVAL", "٣"),
        ("JOB_ARGS", "--name 'open"),
    ],
)
def test_a_malformed_value_is_one_problem_that_names_its_variable_and_shows_it(
    tmp_path: Path, name: str, value: str
) -> None:
    assert repr(value[:80]) in refused(tmp_path, name, value)


@pytest.mark.parametrize("name", ["DATA_PREFIX", "OUTPUT_PREFIX", "SCRIPTS_PREFIX", "LOGS_PREFIX"])
@pytest.mark.parametrize("value", ["", "/", "a//b/", "../", "a/../b/", "./", "a\\b"])
def test_no_prefix_can_mean_the_whole_bucket_or_leave_it(tmp_path: Path, name: str, value: str) -> None:
    found = problems(tmp_path, {**ON_AWS, name: value})

    assert any(line.startswith(f"{name}: should be a folder in the bucket") for line in found)


@pytest.mark.parametrize("value", ["a/b", "/a/b", "a/b/", "/a/b/"])
def test_a_prefix_gets_the_form_that_a_key_begins_with(tmp_path: Path, value: str) -> None:
    found = load(tmp_path, {"OUTPUT_PREFIX": value})

    assert found.output_prefix == "a/b/"
    assert found.uri(found.output_prefix) == "s3://fruits-local/a/b/"


@pytest.mark.parametrize(("output", "logs"), [("a/", "a/"), ("a/", "a/b/"), ("a/b/c", "/a")])
def test_prefixes_that_hold_each_other_are_refused(tmp_path: Path, output: str, logs: str) -> None:
    (found,) = problems(tmp_path, {"OUTPUT_PREFIX": output, "LOGS_PREFIX": logs})

    assert found.startswith("OUTPUT_PREFIX, LOGS_PREFIX: overlap")


def test_prefixes_that_only_begin_alike_are_good(tmp_path: Path) -> None:
    assert load(tmp_path, {"OUTPUT_PREFIX": "data/fruits", "DATA_PREFIX": "data/fruits-360"}).output_prefix


@pytest.mark.parametrize("name", ["MASTER_SECURITY_GROUP", "SLAVE_SECURITY_GROUP"])
def test_one_security_group_without_the_other_is_refused(tmp_path: Path, name: str) -> None:
    assert problems(tmp_path, {name: "sg-01234567"}) == (
        "MASTER_SECURITY_GROUP, SLAVE_SECURITY_GROUP: set both, or neither",
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("AWS_REGION", "us-gov-west-1"),
        ("AWS_REGION", "eusc-de-east-1"),
        ("S3_BUCKET", "my.fruits-2025"),
        ("EC2_SUBNET", "subnet-01234567"),
        ("MASTER_INSTANCE_TYPE", "u-6tb1.112xlarge"),
        ("IAM_SERVICE_ROLE", "arn:aws:iam::123456789012:role/service-role/EMR"),
        ("IAM_INSTANCE_PROFILE", "arn:aws-cn:iam::123456789012:instance-profile/EMR"),
        ("SPARK_DRIVER_MEMORY", "4096m"),
        ("IDLE_TIMEOUT", "60"),
        ("IDLE_TIMEOUT", "604800"),
        ("POLL_INTERVAL", "0.25"),
        ("EC2_KEY_NAME", "my key (laptop)"),
        ("CLUSTER_NAME", "Pêches & co"),
    ],
)
def test_unusual_but_right_values_are_taken(tmp_path: Path, name: str, value: str) -> None:
    assert str(getattr(load(tmp_path, {**ON_AWS, name: value}), name.lower())) == value


def test_a_misspelt_name_in_dotenv_is_no_silence(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("CORE_INSTANCE_COUNTS=5\n")

    assert problems(tmp_path, {}) == ("CORE_INSTANCE_COUNTS: there is no such setting; CORE_INSTANCE_COUNT is meant?",)


@pytest.mark.parametrize("line", ["S3_BUCKET", "S3_BUCKET fruits", "=fruits", "S3_BUCKET='open"])
def test_a_line_of_dotenv_that_sets_nothing_is_named_by_its_number(tmp_path: Path, line: str) -> None:
    (tmp_path / ".env").write_text(f"# first\n{line}\n")

    assert problems(tmp_path, {}) == (".env: line 2 is not NAME=value",)


def test_a_dotenv_that_cannot_be_read_is_a_problem(tmp_path: Path) -> None:
    (tmp_path / ".env").mkdir()
    assert problems(tmp_path, {})[0].startswith(".env: cannot be read")

    (tmp_path / ".env").rmdir()
    (tmp_path / ".env").write_bytes(b"S3_BUCKET=\xff\n")
    assert problems(tmp_path, {})[0].startswith(".env: cannot be read")


def test_credentials_in_dotenv_are_not_shown_whatever_is_wrong(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("AWS_SECRET_ACCESS_KEY=wJalrXUtnFEMI\nAWS_SECRET wJalrXUtnFEMI\nTARGET=nowhere\n")

    with pytest.raises(SettingsError) as caught:
        load(tmp_path, {"AWS_SESSION_TOKEN": "wJalrXUtnFEMI"})

    assert "wJalrXUtnFEMI" not in str(caught.value) + " ".join(caught.value.problems)


def test_every_setting_is_loaded_from_a_variable_of_its_name() -> None:
    assert tuple(name.lower() for name in NAMES) == tuple(one.name for one in dataclasses.fields(Settings))[:-1]
