"""The one loop that waits: what it yields, how long it naps, when it stops."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from scripts.errors import TimedOut
from scripts.lifecycle import (
    CLUSTER_AT_WORK,
    CLUSTER_GONE,
    CLUSTER_READY,
    STEP_DONE,
    Goal,
    Status,
    duration,
    follow,
)


class Clock:
    """Time that passes only while somebody sleeps, or while looking takes long."""

    def __init__(self, *states: str | Status, look_takes: float = 0) -> None:
        self.now, self.naps, self.looks, self._takes = 0.0, [], 0, look_takes
        self._left = [Status(state) if isinstance(state, str) else state for state in states]

    def look(self) -> Status:
        self.looks += 1
        self.now += self._takes
        return self._left.pop(0) if len(self._left) > 1 else self._left[0]

    def sleep(self, seconds: float) -> None:
        self.naps.append(seconds)
        self.now += seconds

    def follow(self, goal: Goal, every: float = 30, timeout: float = 1200) -> Iterable[Status]:
        return follow(
            self.look, goal, every=every, timeout=timeout, sleep=self.sleep, clock=lambda: 1_000_000 + self.now
        )


def test_each_new_status_is_yielded_once_and_the_last_is_the_goal() -> None:
    clock = Clock("STARTING", "STARTING", "BOOTSTRAPPING", "BOOTSTRAPPING", "BOOTSTRAPPING", "WAITING")

    assert [seen.state for seen in clock.follow(CLUSTER_READY)] == ["STARTING", "BOOTSTRAPPING", "WAITING"]
    assert clock.naps == [30] * 5


def test_a_new_reason_is_a_new_status() -> None:
    clock = Clock(Status("STARTING"), Status("STARTING", "Provisioning"), Status("STARTING", "Configuring"), "WAITING")

    assert [str(seen) for seen in clock.follow(CLUSTER_READY)] == [
        "STARTING",
        "STARTING - Provisioning",
        "STARTING - Configuring",
        "WAITING",
    ]


def test_nothing_is_waited_for_when_it_is_there_already() -> None:
    clock = Clock("WAITING")

    assert [seen.state for seen in clock.follow(CLUSTER_READY)] == ["WAITING"]
    assert (clock.naps, clock.looks) == ([], 1)


@pytest.mark.parametrize("state", ["TERMINATING", "TERMINATED", "TERMINATED_WITH_ERRORS"])
def test_a_cluster_that_ends_is_no_longer_waited_for(state: str) -> None:
    clock = Clock("STARTING", state)

    assert [seen.state for seen in clock.follow(CLUSTER_READY)] == ["STARTING", state]
    assert clock.naps == [30]


@pytest.mark.parametrize("state", ["COMPLETED", "FAILED", "CANCELLED", "INTERRUPTED"])
def test_a_pending_step_has_not_failed_and_each_end_is_one(state: str) -> None:
    clock = Clock("PENDING", "RUNNING", state)

    assert [seen.state for seen in clock.follow(STEP_DONE)] == ["PENDING", "RUNNING", state]


def test_running_is_ready_only_for_a_cluster_that_has_work() -> None:
    assert "RUNNING" in CLUSTER_AT_WORK.reached
    assert [seen.state for seen in Clock("RUNNING", "WAITING").follow(CLUSTER_READY)] == ["RUNNING", "WAITING"]


def test_a_state_that_aws_invents_tomorrow_means_not_yet() -> None:
    clock = Clock("HIBERNATING", "TERMINATED")

    assert [seen.state for seen in clock.follow(CLUSTER_GONE)] == ["HIBERNATING", "TERMINATED"]


def test_the_last_nap_is_cut_to_the_deadline_and_one_more_look_is_taken() -> None:
    clock = Clock("STARTING")

    with pytest.raises(TimedOut) as caught:
        list(clock.follow(CLUSTER_READY, every=30, timeout=70))

    assert clock.naps == [30, 30, 10]
    assert clock.looks == 4
    assert str(caught.value) == "waiting for the cluster to be ready: still STARTING after 1 min 10 s"
    assert caught.value.exit_code == 3


def test_the_goal_at_the_very_deadline_counts() -> None:
    clock = Clock("STARTING", "STARTING", "WAITING")

    assert [seen.state for seen in clock.follow(CLUSTER_READY, every=30, timeout=60)] == ["STARTING", "WAITING"]


def test_slow_answers_count_against_the_deadline() -> None:
    clock = Clock("STARTING", look_takes=25)

    with pytest.raises(TimedOut):
        list(clock.follow(CLUSTER_READY, every=30, timeout=60))

    assert clock.naps == [30]


def test_what_was_seen_is_yielded_before_any_nap() -> None:
    clock = Clock("STARTING", "WAITING")

    seen = iter(clock.follow(CLUSTER_READY))

    assert next(seen).state == "STARTING"
    assert clock.naps == []


def test_an_error_of_look_is_not_swallowed() -> None:
    def look() -> Status:
        raise ConnectionError("gone")

    with pytest.raises(ConnectionError):
        list(follow(look, STEP_DONE, every=1, timeout=1))


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (4.24, "4.2 s"),
        (4.0, "4.0 s"),
        (9, "9 s"),
        (48, "48 s"),
        (59.6, "1 min"),
        (60, "1 min"),
        (185, "3 min 05 s"),
        (3599.7, "1 h 00 min"),
        (7800, "2 h 10 min"),
        (604800, "168 h 00 min"),
    ],
)
def test_durations_read_as_people_say_them(seconds: float, text: str) -> None:
    assert duration(seconds) == text
