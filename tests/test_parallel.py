"""Many at once, and the first failure ends them all."""

from __future__ import annotations

import threading

import pytest

from scripts.aws import PARALLEL
from scripts.parallel import each


def test_every_item_is_worked_on_once() -> None:
    assert sorted(each(lambda n: n * n, range(100))) == [n * n for n in range(100)]


def test_nothing_to_do_is_done() -> None:
    assert list(each(lambda n: n, [])) == []


def test_work_goes_on_at_the_same_time() -> None:
    together = threading.Barrier(PARALLEL, timeout=10)

    assert len(list(each(lambda _: together.wait(), range(PARALLEL)))) == PARALLEL


def test_the_first_failure_is_raised_and_what_has_not_begun_never_does() -> None:
    begun = []
    go_on = threading.Event()

    def work(n: int) -> int:
        begun.append(n)
        if n == 0:
            raise ValueError("the first")
        go_on.wait(10)
        return n

    results = each(work, range(1000))
    threading.Timer(0.05, go_on.set).start()  # those under way end; long after the failure was seen
    with pytest.raises(ValueError, match="the first"):
        list(results)

    assert len(begun) <= PARALLEL + 1
    assert threading.active_count() < PARALLEL


def test_a_consumer_that_stops_early_leaves_no_thread_at_work() -> None:
    begun = []
    go_on = threading.Event()

    def work(n: int) -> int:
        begun.append(n)
        if n >= PARALLEL:
            go_on.wait(10)
        return n

    results = each(work, range(1000))
    next(results)
    go_on.set()
    results.close()
    count = len(begun)

    assert not [thread for thread in threading.enumerate() if thread.name.startswith("ThreadPoolExecutor")]
    assert len(begun) == count
