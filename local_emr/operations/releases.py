"""Operations on release labels and the instance types they support.

The labels and types are AWS's own answers, which moto's package carries as data files; moto itself is not imported.
"""

import functools
import gzip
import importlib.util
import json
from pathlib import Path
from typing import Any

from local_emr.errors import invalid_request, validation_error
from local_emr.operations.context import Emr, page

Answer = dict[str, Any]

# Versions that AWS's release guide gives; a release that is not here is described without its applications.
APPLICATIONS = {
    "emr-7.10.0": {"Hadoop": "3.4.1", "Spark": "3.5.5"},
    "emr-7.11.0": {"Hadoop": "3.4.1", "Spark": "3.5.6"},
    "emr-7.12.0": {"Hadoop": "3.4.1", "Spark": "3.5.6"},
    "emr-7.13.0": {"Hadoop": "3.4.2", "Spark": "3.5.6"},
}


@functools.cache
def _data(name: str) -> Any:
    """A data file of moto's EMR; None when this release of moto has none of that name."""
    spec = importlib.util.find_spec("moto")
    folders = spec.submodule_search_locations if spec else None
    for folder in folders or []:
        path = Path(folder, "emr", "resources", f"{name}.json.gz")
        if path.is_file():
            return json.loads(gzip.decompress(path.read_bytes()))
    return None


def release_labels(region: str) -> list[str]:
    """The labels of a region, newest first; eu-west-1's for an unknown region; empty when nothing is known."""
    labels = _data(f"release-labels-{region}") or _data("release-labels-eu-west-1") or []
    return [str(label) for label in labels]


def check_release_label(region: str, label: str | None) -> None:
    known = release_labels(region)
    if label is not None and known and label not in known:
        raise validation_error(f"The supplied release label is invalid: {label}.")


def describe_release_label(
    emr: Emr, region: str, ReleaseLabel: str | None = None, NextToken: str | None = None, MaxResults: int = 100
) -> Answer:
    known = release_labels(region)
    label = ReleaseLabel or (known[0] if known else "emr-7.11.0")
    if known and label not in known:
        raise invalid_request(f"The supplied release label is invalid: {label}.")
    applications = [{"Name": name, "Version": version} for name, version in APPLICATIONS.get(label, {}).items()]
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
    labels = [label for label in release_labels(region) if label.startswith((Filters or {}).get("Prefix", ""))]
    if application := (Filters or {}).get("Application"):
        name, _, version = application.partition("@")
        labels = [
            x
            for x in labels
            if APPLICATIONS.get(x, {}).get(name, "").startswith(version) and name in APPLICATIONS.get(x, {})
        ]
    return page(labels, NextToken, "ReleaseLabels", MaxResults, "NextToken")


def list_supported_instance_types(emr: Emr, region: str, ReleaseLabel: str, Marker: str | None = None) -> Answer:
    if ReleaseLabel not in release_labels(region):
        raise invalid_request(f"The supplied release label is invalid: {ReleaseLabel}.")
    details = _data("instance_types") or {}
    types = [details[name] for name in _data(f"instance-types-{ReleaseLabel}") or [] if name in details]
    return page(types, Marker, "SupportedInstanceTypes")
