"""Operations on release labels and the instance types they support."""

from typing import Any

from local_emr import catalog
from local_emr.errors import invalid_request
from local_emr.operations.context import Emr, page

Answer = dict[str, Any]


def describe_release_label(
    emr: Emr, region: str, ReleaseLabel: str | None = None, NextToken: str | None = None, MaxResults: int = 100
) -> Answer:
    known = catalog.release_labels(region)
    label = ReleaseLabel or (known[0] if known else "emr-7.11.0")
    if known and label not in known:
        raise invalid_request(f"The supplied release label is invalid: {label}.")
    applications = [{"Name": name, "Version": version} for name, version in catalog.APPLICATIONS.get(label, {}).items()]
    return {
        "ReleaseLabel": label,
        "AvailableOSReleases": [],
        **page(applications, NextToken, "Applications", MaxResults, "NextToken"),
    }


def list_release_labels(
    emr: Emr,
    region: str,
    Filters: dict[str, str] | None = None,
    NextToken: str | None = None,
    MaxResults: int = 100,
) -> Answer:
    """`Filters.Application`, as `Spark@3.5.6`, finds only labels whose applications are known here."""
    labels = [label for label in catalog.release_labels(region) if label.startswith((Filters or {}).get("Prefix", ""))]
    if application := (Filters or {}).get("Application"):
        name, _, version = application.partition("@")
        labels = [
            x
            for x in labels
            if catalog.APPLICATIONS.get(x, {}).get(name, "").startswith(version)
            and name in catalog.APPLICATIONS.get(x, {})
        ]
    return page(labels, NextToken, "ReleaseLabels", MaxResults, "NextToken")


def list_supported_instance_types(emr: Emr, region: str, ReleaseLabel: str, Marker: str | None = None) -> Answer:
    if ReleaseLabel not in catalog.release_labels(region):
        raise invalid_request(f"The supplied release label is invalid: {ReleaseLabel}.")
    return page(catalog.instance_types(ReleaseLabel), Marker, "SupportedInstanceTypes")
