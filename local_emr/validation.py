"""What AWS finds out about a cluster only after RunJobFlow has succeeded: it ends in VALIDATION_ERROR."""

from typing import Protocol

from local_emr.records import ACCOUNT
from local_emr.store import Cluster

GROUP_MEMBERS = ("EmrManagedMasterSecurityGroup", "EmrManagedSlaveSecurityGroup", "ServiceAccessSecurityGroup")


class Account(Protocol):
    """What the account has. See `services`."""

    def has_role(self, name: str) -> bool: ...

    def has_key_pair(self, region: str, name: str) -> bool: ...

    def has_subnet(self, region: str, subnet_id: str) -> bool: ...

    def has_security_group(self, region: str, group_id: str) -> bool: ...


def find_problem(account: Account, cluster: Cluster) -> str | None:
    """The first thing that a cluster names and the account has not, in EMR's words where they are known."""
    region, attributes = cluster["_Region"], cluster["Ec2InstanceAttributes"]
    role = cluster["ServiceRole"]
    if not account.has_role(role):
        arn = role if role.startswith("arn:") else f"arn:aws:iam::{ACCOUNT}:role/{role}"
        return f"EMR service role {arn} is invalid"
    if (key := attributes.get("Ec2KeyName")) and not account.has_key_pair(region, key):
        return "The given SSH key name was invalid"
    for subnet in attributes["RequestedEc2SubnetIds"]:
        if not account.has_subnet(region, subnet):
            return f"The VPC/subnet configuration was invalid: The subnet ID '{subnet}' does not exist"
    for member in GROUP_MEMBERS:
        if (group := attributes.get(member)) and not account.has_security_group(region, group):
            return f"The security group '{group}' does not exist"
    return None
