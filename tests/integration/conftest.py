from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.integration.checkout import Checkout, made_at


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Checkout]:
    made = made_at(tmp_path_factory.mktemp("checkout") / "fruits on emr")  # a space: paths are data, too
    try:
        yield made
    finally:
        made.inv("local.down")
