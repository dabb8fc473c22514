"""verify: is all in place for a run? Six checks, and the scripts as information; none changes anything.

All are made, whatever the ones before them found, so that one call shows everything that is to be mended.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from scripts.aws import Clients
from scripts.config import Settings
from scripts.errors import AwsError, doing
from scripts.upload_scripts import JOB, JOB_MODULES, scripts, state_of

OK, WARNING, FAILED, INFORMATION = "✅", "⚠️", "❌", "ℹ️"

# EU member states' regions, by name: eu-west-2 is London and eu-central-2 is Zurich, both outside the EU.
EU_REGIONS = {
    "eu-central-1": "Frankfurt",
    "eu-north-1": "Stockholm",
    "eu-south-1": "Milan",
    "eu-south-2": "Spain",
    "eu-west-1": "Ireland",
    "eu-west-3": "Paris",
    "eusc-de-east-1": "Brandenburg",
}
# "You may not look", as IAM, S3's GET and HEAD, and EC2 put it.
REFUSED = ("AccessDenied", "AccessDeniedException", "403", "UnauthorizedOperation")
IMAGE_ENDINGS = (".jpg", ".jpeg")


@dataclass(frozen=True)
class Check:
    """One finding: `verdict` is OK, WARNING, FAILED or INFORMATION; `remedy` says what to do about it."""

    name: str
    verdict: str
    found: str
    remedy: str = ""

    def __str__(self) -> str:
        return f"{self.verdict} {self.name}: {self.found}" + (f" → {self.remedy}" if self.remedy else "")


def verify(clients: Clients, settings: Settings) -> Iterator[Check]:
    """Yield the result of each check as it is known. AWS's refusals are findings, not errors."""
    checks: list[tuple[str, Callable[[Clients, Settings], Check]]] = [
        ("Region", _region),
        ("Credentials", _credentials),
        ("Bucket", _bucket),
        ("Input images", _images),
        ("Key pair", _key_pair),
        ("IAM roles", _roles),
        ("Scripts", _scripts),
    ]
    for name, check in checks:
        try:
            with doing(name):
                yield check(clients, settings)
        except AwsError as error:
            # Not being allowed to look is not the same as not being there: EMR may still be allowed to use it.
            unseen = name in ("Key pair", "IAM roles") and error.code in REFUSED
            verdict = INFORMATION if name == "Scripts" else WARNING if unseen else FAILED
            yield Check(name, verdict, error.problem, error.remedy)


def _region(_: Clients, settings: Settings) -> Check:
    place = EU_REGIONS.get(settings.aws_region)
    if place:
        return Check("Region", OK, f"{settings.aws_region} ({place}) is in the EU (GDPR)")
    allowed = ", ".join(sorted(EU_REGIONS))
    return Check(
        "Region", FAILED, f"{settings.aws_region} is not in the EU (GDPR)", f"set AWS_REGION to one of {allowed}"
    )


def _credentials(clients: Clients, _: Settings) -> Check:
    who = clients.sts.get_caller_identity()
    return Check("Credentials", OK, f"account {who['Account']}, {who['Arn']}")


def _bucket(clients: Clients, settings: Settings) -> Check:
    name = settings.s3_bucket
    region = bucket_region(clients, name)
    if region is None:
        return Check("Bucket", FAILED, f"s3://{name} does not exist", "`inv upload` offers to create it")
    if region != settings.aws_region:
        remedy = f"set AWS_REGION={region}, or choose another bucket: EMR reads and logs within its region"
        return Check("Bucket", FAILED, f"s3://{name} is in {region}, not in {settings.aws_region}", remedy)
    return Check("Bucket", OK, f"s3://{name} in {region}")


def bucket_region(clients: Clients, name: str) -> str | None:
    """The region that a bucket is in; None where there is no such bucket.

    Raises:
        AwsError: any other answer; a bucket that is another account's is 403, not missing.
    """
    try:
        with doing(f"looking at s3://{name}"):
            answer = clients.s3.head_bucket(Bucket=name)
    except AwsError as error:
        if error.code in ("404", "NoSuchBucket"):
            return None
        if error.code == "403":
            raise AwsError(
                error.doing,
                f"s3://{name} exists, and these credentials may not use it (it may be another account's)",
                "Choose another S3_BUCKET, or ask for s3:ListBucket on it.",
                error.code,
            ) from error
        raise
    # Older answers have the region in a header only.
    headers = answer["ResponseMetadata"]["HTTPHeaders"]
    return answer.get("BucketRegion") or headers.get("x-amz-bucket-region") or "us-east-1"


def has_images(clients: Clients, settings: Settings) -> bool:
    """Whether a .jpg or .jpeg lies under the data prefix; reads one page of 1,000 keys where the first has one."""
    with doing(f"listing {settings.uri(settings.data_prefix)}"):
        pages = clients.s3.get_paginator("list_objects_v2").paginate(
            Bucket=settings.s3_bucket, Prefix=settings.data_prefix
        )
        return any(item["Key"].lower().endswith(IMAGE_ENDINGS) for page in pages for item in page.get("Contents", []))


def _images(clients: Clients, settings: Settings) -> Check:
    where = settings.uri(settings.data_prefix)
    if has_images(clients, settings):
        return Check("Input images", OK, f"there are .jpg files under {where}")
    return Check("Input images", FAILED, f"no .jpg under {where}", "`inv data --from DIR`, or `inv data --sample`")


def _key_pair(clients: Clients, settings: Settings) -> Check:
    name = settings.ec2_key_name
    found = clients.ec2.describe_key_pairs(Filters=[{"Name": "key-name", "Values": [name]}])["KeyPairs"]
    if found:
        return Check("Key pair", OK, name)
    remedy = f"create it (`aws ec2 create-key-pair --key-name {name}`), or set EC2_KEY_NAME"
    return Check("Key pair", FAILED, f"{name} does not exist in {settings.aws_region}", remedy)


def _roles(clients: Clients, settings: Settings) -> Check:
    profile = settings.iam_instance_profile
    missing = [f"role {role}" for role in _named(settings) if not _exists(clients, role)]
    try:
        clients.iam.get_instance_profile(InstanceProfileName=_last(profile))
    except clients.iam.exceptions.NoSuchEntityException:
        missing.append(f"instance profile {profile}")
    if missing:
        remedy = "`aws emr create-default-roles` makes the default ones; else set IAM_SERVICE_ROLE and its neighbours"
        return Check("IAM roles", FAILED, f"{', '.join(missing)} missing", remedy)
    return Check("IAM roles", OK, ", ".join((*_named(settings), profile)))


def _named(settings: Settings) -> tuple[str, str]:
    return settings.iam_service_role, settings.iam_autoscaling_role


def _exists(clients: Clients, role: str) -> bool:
    try:
        clients.iam.get_role(RoleName=_last(role))
    except clients.iam.exceptions.NoSuchEntityException:
        return False
    return True


def _last(name_or_arn: str) -> str:
    """IAM's Get calls take the bare name: no ARN, no path."""
    return name_or_arn.rpartition("/")[2]


def _not_for_the_nodes() -> str:
    """Why Python 3.9, the nodes' on emr-7.11.0, could not read the job; empty where it can. Local EMR's is newer."""
    for script in (JOB, *JOB_MODULES):
        try:
            ast.parse(script.read_text(encoding="utf-8"), feature_version=(3, 9))
        except (OSError, UnicodeDecodeError, ValueError) as error:
            return f"{script.name} cannot be read: {error}"
        except SyntaxError as error:
            return f"{script.name}, line {error.lineno}: {error.msg}; the nodes run Python 3.9"
    return ""


def _scripts(clients: Clients, settings: Settings) -> Check:
    states = {script.name: state_of(clients, settings, script) for script in scripts()}
    stale = [f"{name} {state}" for name, state in states.items() if state != "up to date"]
    found = ", ".join([*stale, "the others up to date"] if 0 < len(stale) < len(states) else stale) or "up to date"
    if problem := _not_for_the_nodes():
        return Check("Scripts", WARNING, found, problem)
    if not stale:
        return Check("Scripts", OK, found)
    return Check("Scripts", INFORMATION, f"{found} (submit and pipeline upload them by themselves)")
