"""What AWS finds out about a cluster only after RunJobFlow has succeeded: it ends in VALIDATION_ERROR."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Protocol

from local_emr.records import ACCOUNT
from local_emr.store import Cluster

GROUP_MEMBERS = ("EmrManagedMasterSecurityGroup", "EmrManagedSlaveSecurityGroup", "ServiceAccessSecurityGroup")
GROUP_LISTS = ("AdditionalMasterSecurityGroups", "AdditionalSlaveSecurityGroups")
INVALID_KEY = "VALIDATION_ERROR_INVALID_SSH_KEY_NAME"
DOCUMENTATION = "https://docs.aws.amazon.com/emr/latest/ManagementGuide/{}.html"


class Account(Protocol):
    """What the account has. See `services`."""

    def has_role(self, name: str) -> bool: ...

    def has_key_pair(self, region: str, name: str) -> bool: ...

    def has_subnet(self, region: str, subnet_id: str) -> bool: ...

    def has_security_group(self, region: str, group_id: str) -> bool: ...


@dataclass(frozen=True)
class Problem:
    """The message of the state change, and the Status's ErrorDetails where EMR has a code for it."""

    message: str
    details: list[dict[str, Any]] = field(default_factory=list)


def find_problem(account: Account, cluster: Cluster) -> Problem | None:
    """The first thing that a cluster names and the account has not, in EMR's words where they are known."""
    return next(_problems(account, cluster), None)


def _problems(account: Account, cluster: Cluster) -> Iterator[Problem]:
    region, attributes = cluster["_Region"], cluster["Ec2InstanceAttributes"]
    role = cluster["ServiceRole"]
    if not account.has_role(role):
        arn = role if role.startswith("arn:") else f"arn:aws:iam::{ACCOUNT}:role/{role}"
        yield Problem(f"EMR service role {arn} is invalid")
    if (key := attributes.get("Ec2KeyName")) and not account.has_key_pair(region, key):
        yield _invalid_key(key)
    for subnet in attributes["RequestedEc2SubnetIds"]:
        if not account.has_subnet(region, subnet):
            yield Problem(f"The VPC/subnet configuration was invalid: The subnet ID '{subnet}' does not exist")
    for group in _security_groups(attributes):
        if not account.has_security_group(region, group):
            yield Problem(f"The security group '{group}' does not exist")


def _invalid_key(key: str) -> Problem:
    message = "The given SSH key name was invalid"
    data = [{"ssh-key": key}, {"public-doc": DOCUMENTATION.format(INVALID_KEY)}]
    return Problem(message, [{"ErrorCode": INVALID_KEY, "ErrorData": data, "ErrorMessage": message}])


def _security_groups(attributes: dict[str, Any]) -> Iterator[str]:
    yield from (attributes[member] for member in GROUP_MEMBERS if attributes.get(member))
    for member in GROUP_LISTS:
        yield from (group for group in attributes.get(member) or [] if group)
