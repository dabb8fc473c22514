"""What the states of clusters and steps mean, and the one loop that waits for them.

States stay strings: AWS adds new ones, and one that is unknown here means "not yet", never a crash.
The only module that sleeps. It is handed `look()`, so it knows nothing of boto3.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import TypeVar

from scripts.errors import RENEW, AwsError, TimedOut, Trouble

Result = TypeVar("Result")

LIVE_CLUSTER = frozenset({"STARTING", "BOOTSTRAPPING", "RUNNING", "WAITING"})
ENDED_CLUSTER = frozenset({"TERMINATED", "TERMINATED_WITH_ERRORS"})
ACTIVE_STEP = frozenset({"PENDING", "RUNNING", "CANCEL_PENDING"})


@dataclass(frozen=True)
class Status:
    """What one look saw: EMR's state, and its own words and code for why (both may be empty)."""

    state: str
    reason: str = ""
    code: str = ""

    def __str__(self) -> str:
        return " - ".join(part for part in (self.state, self.reason) if part)


@dataclass(frozen=True)
class Goal:
    """What is waited for: the states that are it, and those from which it can no longer come."""

    what: str
    reached: frozenset[str]
    missed: frozenset[str] = frozenset()


_CLUSTER_LOST = frozenset({"TERMINATING"}) | ENDED_CLUSTER

CLUSTER_READY = Goal("the cluster to be ready", frozenset({"WAITING"}), _CLUSTER_LOST)
# A cluster that already has work goes from BOOTSTRAPPING to RUNNING and may not be WAITING for hours.
CLUSTER_AT_WORK = Goal("the cluster to be ready", frozenset({"WAITING", "RUNNING"}), _CLUSTER_LOST)
CLUSTER_GONE = Goal("the cluster to be terminated", ENDED_CLUSTER)
STEP_DONE = Goal("the step to end", frozenset({"COMPLETED"}), frozenset({"FAILED", "CANCELLED", "INTERRUPTED"}))


def _spread() -> float:
    """Two runs that began together must not ask together for ever: AWS's rates are per account."""
    return random.uniform(0.9, 1.1)  # noqa: S311 - no secret


def follow(
    look: Callable[[], Status],
    goal: Goal,
    *,
    every: float,
    timeout: float,
    renew: Callable[[], None] = lambda: None,
    sleep: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
    spread: Callable[[], float] = _spread,
) -> Iterator[Status]:
    """Yield each new status, the last one being the first that reaches or misses `goal`.

    Looks about every `every` seconds (times `spread()`), and once more as `timeout` seconds have passed. While AWS
    throttles, does not answer, or has seen the credentials expire (`renew` is called then), that is yielded as the
    reason of the last state, and the watching goes on: what is watched goes on, too.

    Raises:
        TimedOut: `timeout` seconds have passed and the goal is neither reached nor missed.
        AwsError: AWS refuses to be asked.
        Whatever else `look` raises.
    """
    deadline = clock() + timeout
    seen: Status | None = None
    state = "UNKNOWN"
    while True:
        try:
            status = look()
            state = status.state
        except AwsError as error:
            if error.trouble is Trouble.REFUSED:
                raise
            if error.trouble is Trouble.EXPIRED:
                renew()
            hint = f". {RENEW}" if error.trouble is Trouble.EXPIRED else ""
            status = Status(state, f"{error.problem} (still trying){hint}")
        if status != seen:
            yield status
            seen = status
        if status.state in goal.reached | goal.missed:
            return
        left = deadline - clock()
        if left <= 0:
            raise TimedOut(f"waiting for {goal.what}", f"still {status.state} after {duration(timeout)}")
        sleep(min(every * spread(), left))


def once(
    act: Callable[[], Result],
    find: Callable[[], Result | None],
    *,
    every: float,
    renew: Callable[[], None] = lambda: None,
    tries: int = 4,
    sleep: Callable[[float], None] = time.sleep,
) -> Result:
    """Carry out `act`, a call that must not be carried out twice, though AWS may throttle it or its answer be lost.

    After a lost answer `find` looks whether it was carried out; only where it was not is `act` called again, `tries`
    times in all, `every` seconds apart, then twice that, and so on. `renew` is called when credentials have expired.

    Raises:
        AwsError: AWS refuses, or the last try failed too.
    """
    lost: AwsError | None = None  # the answer to the last `act`: it may have been carried out
    for left in range(tries - 1, -1, -1):
        try:
            if lost and (found := find()) is not None:
                return found
            lost = None
            return act()
        except AwsError as error:
            if error.trouble is Trouble.REFUSED:
                if lost:  # it may not be looked for, so the lost answer is still all that is known
                    raise lost from error
                raise
            if error.trouble is Trouble.UNANSWERED:
                lost = lost or error
            if error.trouble is Trouble.EXPIRED:
                renew()
            if not left and not lost:
                raise
            sleep(every)  # before a look, too: what was just made may not be listed at once
            every *= 2
    with suppress(AwsError):
        if (found := find()) is not None:
            return found
    raise lost or AssertionError("tries must be positive")


def duration(seconds: float) -> str:
    """Seconds as people say them: `4.2 s`, `48 s`, `3 min 05 s`, `2 h 10 min`."""
    if seconds < 10:
        return f"{seconds} s" if isinstance(seconds, int) else f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if not minutes:
        return f"{rest} s"
    if minutes < 60:
        return f"{minutes} min {rest:02d} s" if rest else f"{minutes} min"
    return f"{minutes // 60} h {minutes % 60:02d} min"
