"""Python functions of Arrow record batches, run by Spark's executors."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Callable

from pyspark.rdd import PythonEvalType
from pyspark.sql import DataFrame
from pyspark.sql.udf import UserDefinedFunction


def map_in_arrow(table: DataFrame, function: Callable[[Iterable[Any]], Iterator[Any]], schema: str) -> DataFrame:
    """Do what DataFrame.mapInArrow does, which demands pandas, though neither it nor the workers then use it.

    pandas would be 35 MB more on each node, and a second of imports on the driver and again in each worker.
    """
    mapped = UserDefinedFunction(function, schema, evalType=PythonEvalType.SQL_MAP_ARROW_ITER_UDF)
    expression = mapped(*[table[name] for name in table.columns])._jc.expr()
    return DataFrame(table._jdf.pythonMapInArrow(expression, False), table.sparkSession)


def arrow_batch(rows: Sequence[tuple[Any, ...]], columns: Sequence[str]) -> Any:
    """Make an Arrow record batch; whole numbers are 32 bits, all else is text."""
    import pyarrow as pa

    types = [pa.int32() if name in ("width", "height") else pa.string() for name in columns]
    arrays = [pa.array([row[at] for row in rows], kind) for at, kind in enumerate(types)]
    return pa.RecordBatch.from_arrays(arrays, list(columns))
