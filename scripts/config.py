"""The settings: read once, checked whole, frozen. Environment > .env > default.

Each setting's name, default and check stand in one line of `Settings`; `.env.example` has them in the same order.
Must not know boto3, nor print.
"""

from __future__ import annotations

import difflib
import re
import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from scripts.errors import SettingsError

LOCAL, AWS = "local", "aws"

Check = Callable[[str], Any]
"""Takes the text of a setting, returns its value; raises ValueError saying what it should be."""


def _matching(pattern: str, should_be: str) -> Check:
    def check(text: str) -> str:
        if not re.fullmatch(pattern, text, re.ASCII):
            raise ValueError(f"should be {should_be}")
        return text

    return check


def _whole_number(low: int, high: int) -> Check:
    def check(text: str) -> int:
        # isascii: int() takes other scripts' digits too, and nobody means them.
        if not (text.isascii() and text.isdigit() and low <= int(text) <= high):
            raise ValueError(f"should be a whole number from {low} to {high}")
        return int(text)

    return check


def _seconds(text: str) -> float:
    if not re.fullmatch(r"[0-9]+(\.[0-9]+)?", text) or not 0 < float(text) <= 3600:
        raise ValueError("should be a number of seconds above 0, at most 3600")
    return float(text)


def _bucket(text: str) -> str:
    """https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html"""
    good = re.fullmatch(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]", text)
    if not good or ".." in text or re.fullmatch(r"\d+(\.\d+){3}", text) or text.startswith("xn--"):
        raise ValueError("should be a bucket's name: 3 to 63 of a-z, 0-9, '-' and '.', without s3://")
    return text


def _prefix(text: str) -> str:
    """`a/b/`: no leading slash, one trailing slash, so that it can be put before a name as it is."""
    parts = text.strip("/").split("/")
    if any(part in ("", ".", "..") for part in parts) or "\\" in text or not text.isprintable():
        raise ValueError("should be a folder in the bucket such as 'data/fruits-360/', not empty and not '/'")
    return "/".join(parts) + "/"


def _words(text: str) -> str:
    try:
        shlex.split(text)
    except ValueError as error:
        raise ValueError(f"should be arguments as a shell reads them ({str(error).lower()})") from error
    return text


def _java_options(text: str) -> str:
    """https://spark.apache.org/docs/3.5.6/configuration.html#runtime-environment refuses -Xmx among them."""
    if "-Xmx" in text or not all(word.startswith("-") for word in shlex.split(_words(text))):
        raise ValueError("should be Java options such as -XX:+UseG1GC, without -Xmx (SPARK_DRIVER_MEMORY says it)")
    return text


_NAME = _matching(r"[^\x00-\x1f\x7f<>$|`]{1,256}", "1 to 256 characters, none of < > $ | `")
_INSTANCE_TYPE = _matching(r"[a-z][a-z0-9-]*\.[a-z0-9-]+", "an EC2 instance type such as m5.xlarge")
_GROUP = _matching(r"sg-([0-9a-f]{8}|[0-9a-f]{17})", "a security group's id: sg- and 8 or 17 of 0-9a-f")
_ROLE = _matching(r"[\w+=,.@-]{1,64}|arn:aws[\w-]*:iam::\d{12}:role/[\w+=,.@/-]+", "a role's name or its ARN")
_PROFILE = _matching(
    r"[\w+=,.@-]{1,128}|arn:aws[\w-]*:iam::\d{12}:instance-profile/[\w+=,.@/-]+", "an instance profile's name or ARN"
)
_MEMORY = _matching(r"[1-9]\d*[kmgtKMGT]", "an amount of memory as Spark reads it, such as 4g or 4096m")
_ANY = _matching(r".*", "text")


def _setting(check: Check, default: str = "", *, local: str | None = None, required: bool = False) -> Any:
    """One setting: `local` is its default where the target is local EMR; `required` is meant for AWS."""
    return field(
        metadata={
            "check": check,
            AWS: default,
            LOCAL: default if local is None else local,
            "required": required,
        }
    )


@dataclass(frozen=True)
class Settings:
    """What a person can choose. Prefixes end in '/', times are seconds, EBS_VOLUME_SIZE is GiB."""

    target: str = _setting(_matching("local|aws", "local or aws"), LOCAL)
    aws_region: str = _setting(_matching(r"[a-z]{2,4}(-[a-z]+)+-\d", "a region such as eu-west-1"), "eu-west-1")
    aws_profile: str = _setting(_ANY)
    s3_bucket: str = _setting(_bucket, local="fruits-local", required=True)
    data_prefix: str = _setting(_prefix, "data/fruits-360/")
    output_prefix: str = _setting(_prefix, "output/etape_1/")
    scripts_prefix: str = _setting(_prefix, "scripts/")
    logs_prefix: str = _setting(_prefix, "logs/emr/")
    cluster_name: str = _setting(_NAME, "p11-fruits-etape1")
    emr_release: str = _setting(_matching(r"emr-\d+\.\d+\.\d+", "a release such as emr-7.11.0"), "emr-7.11.0")
    master_instance_type: str = _setting(_INSTANCE_TYPE, "m5.xlarge")
    core_instance_type: str = _setting(_INSTANCE_TYPE, "m5.xlarge")
    core_instance_count: int = _setting(_whole_number(1, 1000), "2")
    ebs_volume_size: int = _setting(_whole_number(10, 16384), "32")
    ec2_key_name: str = _setting(
        _matching(r"[\x20-\x7e]{1,255}", "a key pair's name"), local="local-emr", required=True
    )
    ec2_subnet: str = _setting(
        _matching(r"subnet-([0-9a-f]{8}|[0-9a-f]{17})", "a subnet's id: subnet- and 8 or 17 of 0-9a-f"), required=True
    )
    master_security_group: str = _setting(_GROUP)
    slave_security_group: str = _setting(_GROUP)
    iam_service_role: str = _setting(_ROLE, "EMR_DefaultRole")
    iam_instance_profile: str = _setting(_PROFILE, "EMR_EC2_DefaultRole")
    iam_autoscaling_role: str = _setting(_ROLE, "EMR_AutoScaling_DefaultRole")
    spark_executor_memory: str = _setting(_MEMORY, "4g")
    spark_driver_memory: str = _setting(_MEMORY, "4g")
    spark_executor_memory_overhead: str = _setting(_MEMORY, "1g")
    # A job of seconds is over before Java's second, slower compiler has paid for itself (docs/on_emr.md has figures).
    spark_java_options: str = _setting(_java_options, "-XX:TieredStopAtLevel=1")
    idle_timeout: int = _setting(_whole_number(60, 604800), "14400")
    pipeline_idle_timeout: int = _setting(_whole_number(60, 604800), "900")
    cluster_ready_timeout: int = _setting(_whole_number(1, 604800), "1200")
    step_timeout: int = _setting(_whole_number(1, 604800), "3600")
    logs_timeout: int = _setting(_whole_number(1, 604800), "600", local="30")
    poll_interval: float = _setting(_seconds, "30", local="0.5")
    job_args: str = _setting(_words)
    # Not a setting: where local EMR answers. tasks.py fills it in once local EMR is up; None means AWS.
    endpoint_url: str | None = None

    def uri(self, prefix: str) -> str:
        """`s3://<bucket>/<prefix>`."""
        return f"s3://{self.s3_bucket}/{prefix}"

    @property
    def on_local(self) -> bool:
        return self.target == LOCAL


SETTINGS = tuple(one for one in fields(Settings) if one.metadata)
NAMES = tuple(one.name.upper() for one in SETTINGS)
PREFIXES = ("DATA_PREFIX", "OUTPUT_PREFIX", "SCRIPTS_PREFIX", "LOGS_PREFIX")


def load(root: Path, environment: Mapping[str, str]) -> Settings:
    """The settings of `environment`, then of `root`/.env, then the defaults.

    An empty value is none, but for a prefix: an empty prefix would mean the whole bucket, so it is said to be wrong.

    Raises:
        SettingsError: with every problem found, each led by its variable's name.
    """
    problems: list[str] = []
    written = _dotenv(root / ".env", problems)
    shell = {name: environment[name].strip() for name in NAMES if name in environment}
    given = {name: text for source in (written, shell) for name, text in source.items() if text or name in PREFIXES}
    target = given.get("TARGET", LOCAL)
    values: dict[str, Any] = {}
    for one in SETTINGS:
        name, rules = one.name.upper(), one.metadata
        text = given.get(name, rules[AWS if target == AWS else LOCAL])
        values[one.name] = text
        if not text and name not in PREFIXES:
            if rules["required"] and target == AWS:
                problems.append(f"{name}: is not set, and AWS needs it")
            continue
        try:
            values[one.name] = rules["check"](text)
        except ValueError as error:
            problems.append(f"{name}: {error}; it is {text[:80]!r}")
    problems += _together(values)
    if problems:
        raise SettingsError(problems)
    return Settings(**values)


def _together(values: Mapping[str, Any]) -> list[str]:
    """What no setting can know alone."""
    problems = []
    one, other = "MASTER_SECURITY_GROUP", "SLAVE_SECURITY_GROUP"
    if bool(values[one.lower()]) != bool(values[other.lower()]):
        problems.append(f"{one}, {other}: set both, or neither")
    for n, first in enumerate(PREFIXES):
        for second in PREFIXES[n + 1 :]:
            a, b = str(values[first.lower()]), str(values[second.lower()])
            # `data/` holds `data/x/`: cleaning up one would take the other with it.
            if a.startswith(b) or b.startswith(a):
                problems.append(f"{first}, {second}: overlap ({a!r} and {b!r}); give each a folder of its own")
    return problems


def _dotenv(path: Path, problems: list[str]) -> dict[str, str]:
    """The settings that the file sets. A line that is none, or a name misspelt, is a problem, not a silence."""
    from dotenv.parser import parse_stream  # its dotenv_values() only logs the lines that it cannot read

    try:
        with path.open(encoding="utf-8-sig") as file:
            lines = list(parse_stream(file))
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError) as error:
        problems.append(f".env: cannot be read ({getattr(error, 'strerror', None) or error})")
        return {}
    found = {}
    for line in lines:
        if line.error or (line.key and line.value is None):
            problems.append(f".env: line {line.original.line} is not NAME=value")
        elif line.key in NAMES:
            found[line.key] = (line.value or "").strip()
        elif line.key and (near := difflib.get_close_matches(line.key, NAMES, 1, 0.85)):
            problems.append(f"{line.key}: there is no such setting; {near[0]} is meant?")
    return found
