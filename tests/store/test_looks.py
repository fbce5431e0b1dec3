"""What every traffic must do with an account's looks: so many a minute, those that press first, the others in turn."""

from collections import deque

import pytest

from dispatcher.domain.ids import AccountName
from dispatcher.domain.traffic import HeldBy, Limits, Looking, Urgency
from dispatcher.ports.traffic import Admitted, Held, Lane, Traffic

T0 = 1_800_000_000.0
LANE = Lane(AccountName("default"), "api.test")
OTHER = Lane(AccountName("other"), "api.test")
LIMITS = Limits.of(1000, polls_per_minute=600)  # 60 at once, 9 a second; 29.5 are kept for what presses
EACH = 1 / 9


class Desk:
    def __init__(self, traffic: Traffic, lane: Lane = LANE, limits: Limits = LIMITS) -> None:
        self.traffic, self.lane, self.limits, self.at = traffic, lane, limits, T0

    def ask(self, looking: Looking | None = Looking.NEW) -> Admitted | Held:
        return self.traffic.admit(
            self.lane, urgency=Urgency.LOOK, now=self.at, limits=self.limits, looking=looking
        )

    def held(self, looking: Looking = Looking.NEW) -> float:
        """Seconds until its turn."""
        answer = self.ask(looking)
        assert isinstance(answer, Held), answer
        assert answer.by is HeldBy.LOOKS
        return answer.until - self.at

    def takes(self, looking: Looking | None) -> int:
        """How many go out at once."""
        return next(n for n in range(400) if isinstance(self.ask(looking), Held))


@pytest.fixture
def desk(traffic: Traffic) -> Desk:
    return Desk(traffic)


def test_half_of_the_looks_is_kept_for_what_presses(desk: Desk) -> None:
    assert desk.takes(Looking.NEW) == 30
    assert desk.takes(Looking.AGAIN) == 0
    assert desk.takes(Looking.PRESSING) == 30


def test_calls_that_are_no_looks_at_jobs_do_not_count(desk: Desk) -> None:
    assert all(isinstance(desk.ask(None), Admitted) for _ in range(300))
    assert desk.takes(Looking.NEW) == 30


def test_every_account_has_looks_of_its_own(desk: Desk) -> None:
    desk.takes(Looking.PRESSING)
    assert Desk(desk.traffic, OTHER).takes(Looking.NEW) == 30


def test_without_a_budget_nothing_is_counted(traffic: Traffic) -> None:
    desk = Desk(traffic, limits=Limits.of(1000))
    assert all(isinstance(desk.ask(), Admitted) for _ in range(300))
    view = traffic.view(LANE, now=T0, limits=desk.limits)
    assert (view.looks, view.looks_until) == (None, None)


def test_each_who_waits_has_a_turn_of_his_own(desk: Desk) -> None:
    desk.takes(Looking.NEW)
    first = desk.held()
    assert [desk.held() for _ in range(50)] == pytest.approx([first + EACH * n for n in range(1, 51)])
    view = desk.traffic.view(LANE, now=T0, limits=LIMITS)
    assert view.looks == pytest.approx(30)
    assert view.looks_until == pytest.approx(T0 + first + 50 * EACH)


def test_who_comes_new_stands_behind_those_that_wait(desk: Desk) -> None:
    desk.takes(Looking.NEW)
    turns = [desk.held() for _ in range(20)]
    desk.at += turns[0]
    assert desk.held(Looking.NEW) == pytest.approx(turns[-1] - turns[0] + EACH)
    assert isinstance(desk.ask(Looking.AGAIN), Admitted)


def test_whose_turn_was_taken_by_what_presses_waits_a_moment_and_not_a_round(desk: Desk) -> None:
    desk.takes(Looking.NEW)
    turns = [desk.held() for _ in range(100)]
    desk.at += turns[0]
    desk.takes(Looking.PRESSING)
    waits = [desk.held(Looking.AGAIN) for _ in range(3)]
    assert waits[0] == pytest.approx(30 * EACH, abs=2 * EACH)  # until the reserve is full again
    assert waits[1:] == pytest.approx([waits[0] + EACH, waits[0] + 2 * EACH])


def test_those_that_do_not_come_back_keep_nobody_waiting(desk: Desk) -> None:
    desk.takes(Looking.NEW)
    for _ in range(2000):
        desk.held()
    desk.at += 60
    assert isinstance(desk.ask(Looking.NEW), Admitted)


def test_a_low_budget_still_lets_everything_through(traffic: Traffic) -> None:
    desk, waiting, turns = Desk(traffic, limits=Limits.of(20, polls_per_minute=6)), deque(range(12)), {}
    due = dict.fromkeys(waiting, T0)
    while due:
        one = min(due, key=lambda each: due[each])
        desk.at = max(desk.at, due[one])
        answer = desk.ask(Looking.NEW if due[one] == T0 else Looking.AGAIN)
        if isinstance(answer, Held):
            due[one] = answer.until
        else:
            turns[one] = due.pop(one)
    assert list(turns) == sorted(turns)  # in the order in which they came
    assert max(turns.values()) - T0 < 12 * 15 + 30


def test_a_bucket_of_another_clock_is_forgotten(desk: Desk) -> None:
    desk.at = T0 + 1e6
    desk.takes(Looking.PRESSING)
    desk.at = T0
    assert desk.takes(Looking.NEW) == 30


def test_what_else_holds_it_back_costs_no_look(desk: Desk) -> None:
    slow = Desk(desk.traffic, limits=Limits.of(4, polls_per_minute=600))
    assert slow.takes(Looking.NEW) == 4  # the rate limit: half of 8
    view = desk.traffic.view(LANE, now=T0, limits=slow.limits)
    assert view.looks == pytest.approx(56)
