"""Nothing that a client sends ends in an internal error."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest
from botocore.model import ListShape, MapShape, Shape, StructureShape

from local_emr import lifecycle
from local_emr.errors import ApiError
from local_emr.protocol import service_model
from tests.local_emr.test_operations import Api, step
from tests.local_emr.test_validation import FLEETS, ended, fleets

MODEL = service_model()


@pytest.fixture
def api(tmp_path: Path) -> Api:
    return Api(tmp_path)


def generated(shape: Shape, chance: random.Random, ids: list[str], depth: int = 0) -> Any:
    """A value of a shape: the required members, some of the others, odd texts and numbers, real ids."""
    if allowed := shape.metadata.get("enum"):
        return chance.choice(allowed)
    if isinstance(shape, StructureShape):
        return {
            name: generated(member, chance, ids, depth + 1)
            for name, member in shape.members.items()
            if name in shape.required_members or (depth < 6 and chance.random() < 0.4)
        }
    if isinstance(shape, ListShape):
        return [generated(shape.member, chance, ids, depth + 1) for _ in range(chance.randrange(3) if depth < 6 else 0)]
    if isinstance(shape, MapShape):
        return {"k": generated(shape.value, chance, ids, depth + 1)}
    if shape.type_name == "boolean":
        return chance.random() < 0.5
    if shape.type_name in ("integer", "long", "timestamp"):
        return chance.choice([0, 1, 3, 60, 256, 10**6, -1])
    if shape.type_name in ("float", "double"):
        return chance.choice([0.0, 0.5, 80.0])
    return chance.choice([*ids, "", "x", "m5.xlarge", "emr-7.11.0", "s3://b/k", "0.5", "é" * 20, "{}", "kms", "Spark"])


@pytest.mark.parametrize("seed", range(6))
def test_nothing_that_a_client_sends_ends_in_an_internal_error(api: Api, seed: int) -> None:
    """Every operation of the model, ours or not: an answer of its shape, or a refusal."""
    chance = random.Random(seed)  # noqa: S311
    clusters = [api.cluster(Steps=[step()]), api.cluster(**fleets(*FLEETS)), ended(api)]
    lifecycle.move(api.store, api.store.clusters[clusters[0]], "WAITING", "")
    lifecycle.move(api.store, api.store.clusters[clusters[1]], "RUNNING", "")
    groups = [g["Id"] for c in clusters[:2] for g in api.store.clusters[c]["_Groups"]]
    ids = [*clusters[:2] * 4, clusters[2], *groups, api.store.clusters[clusters[0]]["_Steps"][0]["Id"]]
    answered = set()
    for _ in range(12):
        for operation in MODEL.operation_names:
            members = generated(MODEL.operation_model(operation).input_shape, chance, ids)
            try:
                api(operation, **members)
                answered.add(operation)
            except ApiError as error:
                assert error.status == 400
                assert error.code in ("ValidationException", "InvalidRequestException"), operation
    assert len(answered) > 20
