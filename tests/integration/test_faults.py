"""A part of the matrix of faults; `make test-faults` runs the whole of it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.faults.cells import CELLS, STAGES, Cell
from tests.faults.run import Bench, bench

pytestmark = pytest.mark.spark

CHOSEN = (
    "create × SIGTERM",
    "create × the answer is lost, and the tag finds it",
    "create × disk full",
    "create × kill -9, then --resume",
    "monitor × SIGINT",
    "monitor × bootstrap failure, once",
    "submit × answer lost",
    "submit × kill -9, then --resume",
    "watch-step × kill -9, then --resume",
    "watch-step × expired credentials",
    "watch-step × cluster ended by others",
    "watch-step × step cancelled",
    "watch-step × credentials expired for good",
    "fetch × SIGHUP",
    "fetch × 5xx",
    "fetch × disk full",
    "terminate × throttling",
)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    made = bench(tmp_path_factory.mktemp("faults") / "bench")
    try:
        yield made
    finally:
        made.checkout.inv("local.down")


@pytest.mark.parametrize("cell", [cell for cell in CELLS if cell.name in CHOSEN], ids=lambda cell: cell.name)
def test_a_pipeline_ends_as_the_matrix_says(place: Bench, cell: Cell) -> None:
    wrong = place.run(cell)
    assert not wrong, place.said


def test_every_stage_meets_every_kind_of_fault() -> None:
    assert len(CELLS) >= 80
    assert len({cell.name for cell in CELLS}) == len(CELLS)
    assert {cell.name for cell in CELLS} >= set(CHOSEN)
    for stage in STAGES:
        faults = {cell.fault for cell in CELLS if cell.stage == stage}
        assert faults >= {"SIGINT", "SIGTERM", "kill -9, then --resume", "throttling", "5xx", "connection reset"}
