"""Many small requests at once, the first failure ending them all. The one place that starts threads."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from typing import TypeVar

from scripts.aws import PARALLEL

Item = TypeVar("Item")
Result = TypeVar("Result")


def each(work: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
    """Yield `work(item)` for every item, as they are done, in no order.

    Raises:
        Whatever the first failing `work` raises. What has not begun is dropped, what is under way is waited for;
        the same where the consumer stops early (Ctrl-C), so that no thread goes on unseen.
    """
    pool = ThreadPoolExecutor(PARALLEL)
    try:
        for done in as_completed([pool.submit(work, item) for item in items]):
            yield done.result()
    finally:
        pool.shutdown(cancel_futures=True)
