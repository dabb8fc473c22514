"""What EMR offers: release labels, their applications, the instance types that they run on.

The labels and types are AWS's own answers, which moto's package carries as data files; moto itself is not imported.
"""

import functools
import gzip
import importlib.util
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from local_emr.errors import validation_error

Application = dict[str, Any]

# (Hadoop, Spark, Iceberg) as AWS's release guide gives them, without its own suffix, as the API tells them. A release
# that is not here is described without its applications.
VERSIONS = {
    "emr-7.13.0": ("3.4.2", "3.5.6", "1.10.0"),
    "emr-7.12.0": ("3.4.1", "3.5.6", "1.10.0"),
    "emr-7.11.0": ("3.4.1", "3.5.6", "1.9.1"),
    "emr-7.10.0": ("3.4.1", "3.5.5", "1.8.1"),
    "emr-7.9.0": ("3.4.1", "3.5.5", "1.7.1"),
    "emr-7.8.0": ("3.4.1", "3.5.4", "1.7.1"),
    "emr-7.7.0": ("3.4.0", "3.5.3", "1.7.1"),
    "emr-7.6.0": ("3.4.0", "3.5.3", "1.6.1"),
    "emr-7.5.0": ("3.4.0", "3.5.2", "1.6.1"),
    "emr-7.4.0": ("3.4.0", "3.5.2", "1.6.1"),
    "emr-7.3.0": ("3.3.6", "3.5.1", "1.5.2"),
    "emr-7.2.0": ("3.3.6", "3.5.1", "1.5.0"),
    "emr-7.1.0": ("3.3.6", "3.5.0", "1.4.3"),
    "emr-7.0.0": ("3.3.6", "3.5.0", "1.4.2"),
}
APPLICATIONS = {
    label: dict(zip(("Hadoop", "Spark", "Iceberg"), versions, strict=True)) for label, versions in VERSIONS.items()
}
# Everything that a release has offered. Names are taken in any letters, and told back as they were given.
NAMES = frozenset(
    """
    AmazonCloudWatchAgent Delta Flink Ganglia HBase HCatalog Hadoop Hive Hudi Hue Iceberg JupyterEnterpriseGateway
    JupyterHub Livy MXNet Mahout Oozie Oozie-Sandbox Phoenix Pig Presto Presto-Sandbox PrestoSQL S3DistCp Spark Sqoop
    Sqoop-Sandbox TensorFlow Tez Trino Zeppelin Zeppelin-Sandbox ZooKeeper
    """.lower().split()
)


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


def check_applications(names: Iterable[str | None]) -> None:
    for name in names:
        if name and name.lower() not in NAMES:
            raise validation_error(f"Specified application: {name} is invalid.")


def with_versions(label: str | None, applications: list[Application]) -> list[Application]:
    """A cluster's applications as EMR tells them: with their versions, and Hadoop where none was asked for."""
    versions = {name.lower(): version for name, version in APPLICATIONS.get(label or "", {}).items()}
    asked = applications or ([{"Name": "Hadoop"}] if label else [])
    return [{"Version": versions.get(str(a.get("Name")).lower()), **a} for a in asked]


def instance_types(label: str) -> list[dict[str, Any]]:
    """The instance types that a release supports, as SupportedInstanceType."""
    details = _data("instance_types") or {}
    return [details[name] for name in _data(f"instance-types-{label}") or [] if name in details]


@functools.cache
def _types(label: str) -> frozenset[str]:
    return frozenset(_data(f"instance-types-{label}") or _data("instance_types") or ())


def supports(label: str, instance_type: str) -> bool:
    """Whether a release runs on an instance type; of a release that nothing is known of, any EMR type is taken."""
    known = _types(label)
    return not known or instance_type in known


def has_only_ebs(instance_type: str) -> bool:
    """Whether an instance type comes without disks of its own."""
    details = (_data("instance_types") or {}).get(instance_type, {})
    return bool(details.get("EbsStorageOnly"))
