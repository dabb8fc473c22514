"""The one loop that waits, and the one call that is never carried out twice: what they do, how long they nap."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from scripts.errors import AwsError, TimedOut, Trouble
from scripts.lifecycle import (
    CLUSTER_AT_WORK,
    CLUSTER_GONE,
    CLUSTER_READY,
    STEP_DONE,
    Goal,
    Status,
    duration,
    follow,
    once,
)

THROTTLED = AwsError("looking", "Rate exceeded", code="ThrottlingException", trouble=Trouble.THROTTLED)
LOST = AwsError("looking", "Connection was closed", code="ConnectionClosedError", trouble=Trouble.UNANSWERED)
EXPIRED = AwsError("looking", "token expired", code="ExpiredTokenException", trouble=Trouble.EXPIRED)
REFUSED = AwsError("looking", "not yours", code="AccessDeniedException")


class Clock:
    """Time that passes only while somebody sleeps, or while looking takes long."""

    def __init__(self, *states: str | Status | AwsError, look_takes: float = 0) -> None:
        self.now, self.looks, self._takes = 0.0, 0, look_takes
        self.naps: list[float] = []
        self.renewals: list[int] = []
        self._left = [Status(state) if isinstance(state, str) else state for state in states]

    def look(self) -> Status:
        self.looks += 1
        self.now += self._takes
        seen = self._left.pop(0) if len(self._left) > 1 else self._left[0]
        if isinstance(seen, AwsError):
            raise seen
        return seen

    def sleep(self, seconds: float) -> None:
        self.naps.append(seconds)
        self.now += seconds

    def renew(self) -> None:
        self.renewals.append(self.looks)

    def follow(
        self, goal: Goal, every: float = 30, timeout: float = 1200, spread: Iterable[float] = ()
    ) -> Iterable[Status]:
        spreads = iter(spread)
        return follow(
            self.look,
            goal,
            every=every,
            timeout=timeout,
            renew=self.renew,
            sleep=self.sleep,
            clock=lambda: 1_000_000 + self.now,
            spread=lambda: next(spreads, 1.0),
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


def test_naps_are_spread_so_that_two_runs_do_not_ask_together_for_ever() -> None:
    clock = Clock("STARTING", "STARTING", "STARTING", "WAITING")

    list(clock.follow(CLUSTER_READY, every=10, spread=[0.9, 1.1, 1.0]))

    assert clock.naps == [9, 11, 10]


def test_without_being_told_the_spread_is_a_tenth_at_most_and_not_always_the_same() -> None:
    naps: list[float] = []
    looks = iter(["STARTING"] * 50 + ["WAITING"])

    list(follow(lambda: Status(next(looks)), CLUSTER_READY, every=10, timeout=1e9, sleep=naps.append))

    assert all(9 <= nap <= 11 for nap in naps)
    assert len(set(naps)) > 1


@pytest.mark.parametrize(
    ("trouble", "said"),
    [
        (THROTTLED, "RUNNING - Rate exceeded (still trying)"),
        (LOST, "RUNNING - Connection was closed (still trying)"),
        (EXPIRED, "RUNNING - token expired (still trying). Renew the credentials (`aws sso login`, "),
    ],
    ids=["throttled", "no answer", "expired"],
)
def test_trouble_in_the_middle_is_said_once_and_the_watching_goes_on(trouble: AwsError, said: str) -> None:
    clock = Clock("RUNNING", trouble, trouble, "RUNNING", "COMPLETED")

    seen = [str(status) for status in clock.follow(STEP_DONE, every=5)]

    assert [seen[0], *seen[2:]] == ["RUNNING", "RUNNING", "COMPLETED"]
    assert seen[1].startswith(said)
    assert "run the command again" not in seen[1]
    assert clock.naps == [5] * 4


def test_expired_credentials_are_renewed_before_every_further_look_and_for_no_other_trouble() -> None:
    clock = Clock(THROTTLED, EXPIRED, EXPIRED, LOST, "COMPLETED")

    list(clock.follow(STEP_DONE))

    assert clock.renewals == [2, 3]


def test_trouble_at_the_first_look_has_no_state_yet() -> None:
    clock = Clock(LOST, "COMPLETED")

    assert [status.state for status in clock.follow(STEP_DONE)] == ["UNKNOWN", "COMPLETED"]


def test_trouble_for_good_ends_at_the_deadline() -> None:
    clock = Clock("RUNNING", THROTTLED)

    with pytest.raises(TimedOut, match="still RUNNING after 1 min 10 s"):
        list(clock.follow(STEP_DONE, every=30, timeout=70))

    assert clock.naps == [30, 30, 10]


def test_a_refusal_in_the_middle_ends_it_at_once() -> None:
    clock = Clock("RUNNING", REFUSED)

    with pytest.raises(AwsError, match="not yours"):
        list(clock.follow(STEP_DONE))

    assert (clock.naps, clock.renewals) == ([30], [])


class Call:
    """A call that must not be carried out twice: what each asking brings, and each looking for it."""

    def __init__(self, *answers: str | AwsError, found: Iterable[str | AwsError | None] = ()) -> None:
        self.answers, self.found = list(answers), list(found)
        self.did: list[str | float] = []

    def _next(self, what: str, answers: list[str | AwsError | None] | list[str | AwsError]) -> str | None:
        self.did.append(what)
        answer = answers.pop(0)
        if isinstance(answer, AwsError):
            raise answer
        return answer

    def once(self) -> str:
        return once(
            lambda: self._next("ask", self.answers) or "",
            lambda: self._next("look", self.found),
            every=2,
            renew=lambda: self.did.append("renew"),
            sleep=self.did.append,
        )


def test_an_answer_is_all_that_is_needed() -> None:
    call = Call("j-1")

    assert call.once() == "j-1"
    assert call.did == ["ask"]


def test_throttled_was_not_carried_out_so_it_is_asked_again_ever_later() -> None:
    call = Call(THROTTLED, THROTTLED, THROTTLED, "j-1")

    assert call.once() == "j-1"
    assert call.did == ["ask", 2, "ask", 4, "ask", 8, "ask"]


def test_throttled_for_good_is_the_error_without_a_last_nap() -> None:
    call = Call(THROTTLED, THROTTLED, THROTTLED, THROTTLED)

    with pytest.raises(AwsError, match="Rate exceeded"):
        call.once()
    assert call.did == ["ask", 2, "ask", 4, "ask", 8, "ask"]


def test_a_lost_answer_is_looked_for_and_what_is_found_is_the_answer() -> None:
    call = Call(LOST, found=["j-1"])

    assert call.once() == "j-1"
    assert call.did == ["ask", 2, "look"]


def test_only_what_is_not_found_is_asked_for_again() -> None:
    call = Call(LOST, "j-2", found=[None])

    assert call.once() == "j-2"
    assert call.did == ["ask", 2, "look", "ask"]


@pytest.mark.parametrize("trouble", [THROTTLED, LOST, EXPIRED], ids=["throttled", "no answer", "expired"])
def test_while_it_cannot_be_looked_for_it_is_not_asked_for_again(trouble: AwsError) -> None:
    call = Call(LOST, found=[trouble, "j-1"])

    assert call.once() == "j-1"
    assert [did for did in call.did if did != "renew"] == ["ask", 2, "look", 4, "look"]


def test_where_it_may_not_be_looked_for_the_lost_answer_is_the_error() -> None:
    call = Call(LOST, found=[REFUSED])

    with pytest.raises(AwsError) as caught:
        call.once()

    assert caught.value.trouble is Trouble.UNANSWERED
    assert call.did == ["ask", 2, "look"]


def test_the_last_lost_answer_is_looked_for_too() -> None:
    call = Call(LOST, LOST, LOST, LOST, found=[None, None, None, "j-1"])

    assert call.once() == "j-1"
    assert call.did == ["ask", 2, "look", "ask", 4, "look", "ask", 8, "look", "ask", 16, "look"]


@pytest.mark.parametrize("last", [None, LOST], ids=["not there", "cannot be looked for"])
def test_lost_for_good_is_the_error(last: AwsError | None) -> None:
    call = Call(LOST, LOST, LOST, LOST, found=[None, None, None, last])

    with pytest.raises(AwsError, match="Connection was closed"):
        call.once()
    assert call.did.count("ask") == 4


def test_expired_credentials_are_renewed_and_it_is_asked_again() -> None:
    call = Call(EXPIRED, "j-1")

    assert call.once() == "j-1"
    assert call.did == ["ask", "renew", 2, "ask"]


def test_a_refusal_is_final() -> None:
    call = Call(REFUSED)

    with pytest.raises(AwsError, match="not yours"):
        call.once()
    assert call.did == ["ask"]


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
