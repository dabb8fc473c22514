"""The causes that are known, as data: to add one is to add a Rule and a sample under tests/logs/<category>/.

An exception is tried against the rules in this order and the first that matches speaks, so the particular comes before
the general.
"""

from scripts.diagnosis.catalogue import cluster, code, resources, spark, storage
from scripts.diagnosis.model import Rule

RULES: tuple[Rule, ...] = (
    *storage.RULES,
    *resources.RULES,
    *spark.RULES,
    *code.RULES,
    *cluster.BOOTSTRAP,
)
CLUSTER_RULES: tuple[Rule, ...] = cluster.CLUSTER

CATEGORIES: tuple[str, ...] = tuple(
    dict.fromkeys(rule.category for rule in (*RULES, *CLUSTER_RULES, *code.FALLBACKS.values()))
)
