"""The conformance table of docs/local-emr.md, held against the code: what is there has a row, and every row a test."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import botocore.session
import pytest

from local_emr.operations import OPERATIONS
from local_emr.s3 import answers, routes
from tests.local_emr.test_conformance_fuzz import generated
from tests.local_emr.test_operations import Api

HERE = Path(__file__).parent
DOCUMENT = (HERE.parents[1] / "docs" / "local-emr.md").read_text(encoding="utf-8")
ROW = re.compile(r"^\| (?P<operation>\w+) \| (?P<status>\w+) \| (?P<difference>.*?) ?\| (?P<tests>[\w ]+) \|$", re.M)
MODELS = {name: botocore.session.get_session().get_service_model(name) for name in ("emr", "s3")}


def rows(heading: str) -> list[dict[str, str]]:
    """The table's rows under a heading."""
    section = DOCUMENT.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    table = [line for line in section.splitlines() if line.startswith("|")][2:]
    found = [match.groupdict() for match in ROW.finditer(section) if match["operation"] != "operation"]
    assert len(found) == len(table), "a row cannot be read"
    return found


EMR, S3 = rows("Conformance: EMR"), rows("Conformance: S3")


def test_every_operation_of_emr_has_a_row_that_says_what_the_code_does() -> None:
    assert [row["operation"] for row in EMR] == sorted(MODELS["emr"].operation_names)
    assert {row["operation"] for row in EMR if row["status"] != "refused"} == set(OPERATIONS)
    assert {row["status"] for row in EMR} == {"yes", "kept", "none", "refused"}


def test_every_operation_of_s3_has_a_row() -> None:
    constants = {
        node.value for node in ast.walk(ast.parse(Path(routes.__file__).read_text())) if isinstance(node, ast.Constant)
    }
    tables = (answers.OF_BUCKET, answers.OF_OBJECT, answers.MISSING)
    there = {c for c in constants if c in MODELS["s3"].operation_names} | {row[0] for t in tables for row in t.values()}
    assert {row["operation"] for row in S3} == there
    assert {row["status"] for row in S3} == {"yes", "none"}


@pytest.mark.parametrize("row", [*EMR, *S3], ids=lambda row: row["operation"])
def test_a_row_s_tests_are_about_it(row: dict[str, str]) -> None:
    name = row["operation"]
    names = {name, botocore.xform_name(name), botocore.xform_name(name, "-")}
    if row["status"] == "refused":
        assert row["tests"] == "test_conformance_table"
        return
    for module in row["tests"].split():
        text = (HERE / f"{module}.py").read_text(encoding="utf-8")
        if module == "test_conformance":
            text += (HERE / "conformance_samples.py").read_text(encoding="utf-8")
        assert any(re.search(rf"\b{re.escape(n)}\b", text) for n in names), f"{module} says nothing of {name}"


@pytest.mark.parametrize("operation", [row["operation"] for row in EMR if row["status"] == "refused"])
def test_what_is_refused_says_so_and_checks_first(tmp_path: Path, operation: str) -> None:
    api = Api(tmp_path)
    shape = MODELS["emr"].operation_model(operation).input_shape
    code, message = api.refusal(operation, **least(shape))
    assert (code, message) == ("ValidationException", f"The operation {operation} is not available on local EMR.")
    if shape.required_members:
        assert "Member must not be null" in api.refusal(operation)[1]


def least(shape: botocore.model.StructureShape) -> dict[str, object]:
    """The required members of a request, with any value."""

    class Same:
        """A chance that takes the first of everything, and leaves out what may be."""

        def choice(self, items: list[object]) -> object:
            return items[0]

        def random(self) -> float:
            return 1.0

        def randrange(self, end: int) -> int:
            return 0

    return generated(shape, Same(), ["arn:aws:iam::123456789012:role/any"])  # type: ignore[arg-type]
