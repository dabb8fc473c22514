"""Operations on security configurations and the account's block of public access: kept and told, not acted on."""

import json
from typing import Any

from local_emr.errors import invalid_request
from local_emr.operations.context import Emr, page
from local_emr.records import ACCOUNT
from local_emr.store import now

Answer = dict[str, Any]


def create_security_configuration(emr: Emr, region: str, Name: str, SecurityConfiguration: str) -> Answer:
    if emr.store.account.security_configuration(region, Name):
        raise invalid_request(f"SecurityConfiguration with name '{Name}' already exists.")
    try:
        json.loads(SecurityConfiguration)
    except ValueError:
        raise invalid_request("The security configuration is not valid JSON.") from None
    created = {"Name": Name, "SecurityConfiguration": SecurityConfiguration, "CreationDateTime": now()}
    emr.store.account.add_security_configuration(region, created)
    return created


def describe_security_configuration(emr: Emr, region: str, Name: str) -> Answer:
    return _existing(emr, region, Name)


def list_security_configurations(emr: Emr, region: str, Marker: str | None = None) -> Answer:
    return page(emr.store.account.security_configurations(region), Marker, "SecurityConfigurations")


def delete_security_configuration(emr: Emr, region: str, Name: str) -> Answer:
    _existing(emr, region, Name)
    emr.store.account.remove_security_configuration(region, Name)
    return {}


def _existing(emr: Emr, region: str, name: str) -> Answer:
    found = emr.store.account.security_configuration(region, name)
    if found is None:
        raise invalid_request(f"Security configuration with name '{name}' does not exist.")
    return found


def get_block_public_access_configuration(emr: Emr, region: str) -> Answer:
    """AWS's default since 2019: blocked, but for SSH."""
    if found := emr.store.account.public_access(region):
        return found
    default = {
        "BlockPublicAccessConfiguration": {
            "BlockPublicSecurityGroupRules": True,
            "PermittedPublicSecurityGroupRuleRanges": [{"MinRange": 22, "MaxRange": 22}],
        },
        "BlockPublicAccessConfigurationMetadata": {
            "CreationDateTime": now(),
            "CreatedByArn": f"arn:aws:iam::{ACCOUNT}:root",
        },
    }
    emr.store.account.set_public_access(region, default)
    return default


def put_block_public_access_configuration(
    emr: Emr, region: str, BlockPublicAccessConfiguration: dict[str, Any]
) -> Answer:
    metadata = {"CreationDateTime": now(), "CreatedByArn": f"arn:aws:iam::{ACCOUNT}:root"}
    emr.store.account.set_public_access(
        region,
        {
            "BlockPublicAccessConfiguration": BlockPublicAccessConfiguration,
            "BlockPublicAccessConfigurationMetadata": metadata,
        },
    )
    return {}
