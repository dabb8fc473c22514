"""Operations on tags."""

from typing import Any

from local_emr.errors import invalid_request
from local_emr.operations import checks
from local_emr.operations.context import Emr
from local_emr.store import Cluster

Answer = dict[str, Any]


def add_tags(
    emr: Emr, region: str, ResourceId: str, Tags: list[dict[str, str]], ClusterId: str | None = None
) -> Answer:
    cluster = _taggable(emr, region, ClusterId or ResourceId)
    checks.check_tags(Tags, [tag["Key"] for tag in cluster["Tags"]])
    new = {tag["Key"]: {"Value": "", **tag} for tag in Tags}
    cluster["Tags"] = [tag for tag in cluster["Tags"] if tag["Key"] not in new] + list(new.values())
    emr.store.touch(cluster)
    return {}


def remove_tags(emr: Emr, region: str, ResourceId: str, TagKeys: list[str], ClusterId: str | None = None) -> Answer:
    cluster = _taggable(emr, region, ClusterId or ResourceId)
    cluster["Tags"] = [tag for tag in cluster["Tags"] if tag["Key"] not in TagKeys]
    emr.store.touch(cluster)
    return {}


def _taggable(emr: Emr, region: str, cluster_id: str) -> Cluster:
    cluster = emr.cluster(region, cluster_id)
    if cluster["Status"]["State"].startswith("TERMINAT"):
        raise invalid_request("Tags cannot be modified on terminated clusters.")
    return cluster
