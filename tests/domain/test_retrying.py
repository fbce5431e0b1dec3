"""What follows the end of an attempt: another one, where and when, or nothing, and why not."""

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatcher.domain import events as ev
from dispatcher.domain.attempts import attempts_left, dearest
from dispatcher.domain.bounds import costs
from dispatcher.domain.job import Job
from dispatcher.domain.lifecycle import apply
from dispatcher.domain.outcome import Outcome
from dispatcher.domain.placing import passed_over, too_dear
from dispatcher.domain.planner import plan, upcoming
from dispatcher.domain.retrying import Another, Last, ended, following, is_known_to_be_over
from dispatcher.domain.words import Operation, Phase, Reason, State
from tests.domain.made import (
    T0,
    after,
    confirmed,
    held,
    intended,
    new_job,
    observed,
    ordered_stop,
    over_job,
    posted,
    posting_job,
    queued_job,
    refused,
    running_job,
    searching_job,
    waited,
)

EVERY = ["failed", "exit_code", "host_quit", "timed_out", "queued_too_long", "no_result", "refused"]
FAILED = Outcome(State.FAILED, Reason.EXIT_CODE, 3)
QUIT = Outcome(State.FAILED, Reason.HOST_QUIT)
NONE = Decimal(0)


def retry(*on: str, **more: Any) -> dict[str, Any]:
    return {"retry": {"on": list(on), **more}}


def at(seconds: float) -> str:
    return datetime.fromtimestamp(T0 + seconds, UTC).isoformat()


def decided(job: Job, end: Outcome = FAILED, cost: Decimal = NONE, now: float = T0 + 120) -> Another | Last:
    return following(job, end, cost, now)


@pytest.mark.parametrize(
    ("on", "end", "why"),
    [
        (["failed"], FAILED, "retry.on failed"),
        (["exit_code"], FAILED, "retry.on exit_code"),
        (["host_quit", "failed"], FAILED, "retry.on failed"),
        (["failed", "exit_code"], FAILED, "retry.on failed"),
        (["host_quit"], FAILED, None),
        ([], FAILED, None),
        (["host_quit"], QUIT, "retry.on host_quit"),
        (["failed"], QUIT, "retry.on failed"),
        (["exit_code"], QUIT, None),
        (["failed"], Outcome(State.FAILED, Reason.INVALID_AT_HOST), "retry.on failed"),
        (["no_result"], Outcome(State.FAILED, Reason.NO_RESULT), "retry.on no_result"),
        (EVERY, Outcome(State.FAILED, Reason.VANISHED), None),
        (EVERY, Outcome(State.FAILED, Reason.DROPPED), None),
        (EVERY, Outcome(State.COMPLETED, Reason.FINISHED, 0), None),
        (EVERY, Outcome(State.STOPPED, Reason.STOPPED_ELSEWHERE), None),
        (EVERY, Outcome(State.STOPPED, Reason.OPERATOR), None),
        (EVERY, Outcome(State.STOPPED, Reason.MAX_COST), None),
        (EVERY, Outcome(State.STOPPED, Reason.NO_CREDIT), None),
        (EVERY, Outcome(State.STOPPED, Reason.STOP_AT), None),
        (EVERY, Outcome(State.STOPPED, Reason.NO_OUTPUT), None),
        (EVERY, Outcome(State.STOPPED, Reason.REFUSED), None),  # an extension was refused
        (EVERY, Outcome(State.REJECTED, Reason.NO_CREDIT), None),
        (["timed_out"], Outcome(State.STOPPED, Reason.TIMED_OUT), "retry.on timed_out"),
        (["timed_out"], Outcome(State.STOPPED, Reason.STOP_AFTER), "retry.on timed_out"),
        (["timed_out"], Outcome(State.STOPPED, Reason.MAX_EXTENDS), "retry.on timed_out"),
        (["failed"], Outcome(State.STOPPED, Reason.TIMED_OUT), None),
    ],
)
def test_the_policy_says_which_ends_are_followed(on: list[str], end: Outcome, why: str | None) -> None:
    found = decided(over_job(policies=retry(*on)), end)
    assert (found.why if isinstance(found, Another) else None) == why
    if why is None:
        assert found == Last("")


@pytest.mark.parametrize(
    ("codes", "code", "follows"),
    [([3], 3, True), ([1, 3], 3, True), ([4], 3, False), ([3], None, False), ([], 3, False)],
)
def test_exit_codes_of_their_own(codes: list[int], code: int | None, follows: bool) -> None:
    found = decided(over_job(policies=retry(exit_codes=codes)), Outcome(State.FAILED, Reason.EXIT_CODE, code))
    assert isinstance(found, Another) == follows
    if isinstance(found, Another):
        assert found.why == "retry.exit_codes 3"


def test_without_a_policy_nothing_follows() -> None:
    assert decided(over_job()) == Last("")


def gone(job: Job) -> Job:
    return apply(job, observed(job, Phase.GONE, at=T0 + 110))


def stopped(job: Job, reason: Reason, outcome: Any = None) -> Job:
    job = apply(job, ordered_stop(reason=reason))
    if outcome is None:
        return job
    return after(
        job, intended(job, Operation.STOP), confirmed(apply(job, intended(job, Operation.STOP)), outcome)
    )


POLICY = retry(*EVERY)


@pytest.mark.parametrize(
    ("job", "known"),
    [
        (over_job(policies=POLICY), True),
        (over_job(Phase.HOST_QUIT, policies=POLICY), True),
        (gone(running_job(policies=POLICY)), False),
        (gone(queued_job(policies=POLICY)), False),
        (gone(stopped(queued_job(policies=POLICY), Reason.QUEUED_TOO_LONG)), False),
        (gone(stopped(queued_job(policies=POLICY), Reason.QUEUED_TOO_LONG, "delisted")), True),
        (gone(stopped(running_job(policies=POLICY), Reason.STOP_AFTER, "ended")), True),
        (stopped(running_job(policies=POLICY), Reason.STOP_AFTER, "ended"), False),
        (running_job(policies=POLICY), False),
        (posting_job(policies=POLICY), False),
        (searching_job(policies=POLICY), False),
        (new_job(policies=POLICY), False),
        (apply(posting_job(policies=POLICY), refused(posting_job())), True),
    ],
)
def test_only_what_is_known_to_be_over_is_followed(job: Job, known: bool) -> None:
    assert is_known_to_be_over(job) == known
    found = decided(job)
    assert isinstance(found, Another) == known
    if not known:
        assert found == Last("it is not known to be over on the network")


@pytest.mark.parametrize(
    ("reason", "follows"),
    [
        (Reason.QUEUED_TOO_LONG, True),
        (Reason.STOP_AFTER, True),
        (Reason.OPERATOR, False),
        (Reason.STOP_AT, False),
        (Reason.MAX_COST, False),
        (Reason.BUDGET_USED_UP, False),
        (Reason.RESULT_MATCHED, False),
    ],
)
@pytest.mark.parametrize(
    "end", [FAILED, Outcome(State.STOPPED, Reason.STOP_AFTER)], ids=["failed", "stopped"]
)
def test_a_stop_of_the_job_is_never_followed(reason: Reason, follows: bool, end: Outcome) -> None:
    job = stopped(running_job(policies=POLICY), reason, "ended")
    job = apply(job, observed(job, Phase.DONE, at=T0 + 110, ended_at=T0 + 100))
    found = decided(job, end)
    assert isinstance(found, Another) == follows
    assert (attempts_left(job) > 0) == follows
    if not follows:
        assert found == Last(f"its stop ({reason}) is of the whole job")


def test_an_operators_stop_takes_the_place_of_a_policys_with_what_the_network_said() -> None:
    job = stopped(queued_job(policies=POLICY), Reason.QUEUED_TOO_LONG, "delisted")
    job = apply(job, ordered_stop(at=T0 + 5))
    assert job.stop is not None
    assert (job.stop.reason, job.stop.by, job.stop.outcome) == (Reason.OPERATOR, "tester", "delisted")


def next_one(job: Job, end: Outcome = FAILED, now: float = T0 + 120, cost: str = "0.1") -> Job:
    event = ended(job, end, now, cost=Decimal(cost))
    return apply(job, event)


def run_again(job: Job, ran: float = 100, now: float = T0 + 200) -> Job:
    """The job's next attempt, over after `ran` seconds."""
    job = after(job, held(job, at=now), ev.Pinned(at=now, known=True))
    job = apply(job, intended(job, Operation.POST, at=now))
    job = apply(job, posted(job, at=now))
    job = apply(job, observed(job, Phase.RUNNING, at=now, started_at=now))
    return apply(job, observed(job, Phase.DONE, at=now + ran, ended_at=now + ran))


def test_attempts_are_counted() -> None:
    job = over_job(policies=retry("failed", attempts=2))
    job = run_again(next_one(job))
    assert decided(job) == Last("all 2 attempts are used up")


def test_places_are_gone_through_in_order_and_round_again() -> None:
    places = [{"market": "nvidia-a100"}, {"market": "nvidia-l40", "account": "spare"}]
    job = over_job(policies=retry("failed", attempts=9, elsewhere=places))
    seen = []
    for number in range(5):
        job = next_one(job, now=T0 + 1000 * number + 120)
        seen.append((job.place, job.market, job.account))
        job = run_again(job, 300, now=T0 + 1000 * number + 400)
    assert seen == [
        (1, "nvidia-a100", "default"),
        (2, "nvidia-l40", "spare"),
        (0, "nvidia-3060", "default"),
        (1, "nvidia-a100", "default"),
        (2, "nvidia-l40", "spare"),
    ]


@pytest.mark.parametrize(
    ("ran", "rapid", "waits"),
    [
        ([100], [1], [30]),
        ([100, 100], [1, 2], [30, 60]),
        ([100, 100, 100], [1, 2, 3], [30, 60, 120 * 4]),
        ([100, 100, 100, 100], [1, 2, 3, 4], [30, 60, 120 * 4, 240 * 16]),
        ([100, 100, 300, 100], [1, 2, 0, 1], [30, 60, 120, 240]),
        ([300, 300, 300, 300, 300, 300, 300, 300], [0] * 8, [30, 60, 120, 240, 480, 960, 1800, 1800]),
    ],
)
def test_waits_double_and_rapid_ends_make_them_longer(
    ran: list[float], rapid: list[int], waits: list[float]
) -> None:
    job, now = new_job(policies=retry("failed", attempts=20)), T0
    for seconds, row, wait in zip(ran, rapid, waits, strict=True):
        job = run_again(job, seconds, now)
        event = ended(job, FAILED, now + seconds)
        assert isinstance(event, ev.AttemptEnded)
        assert event.rapid == row
        assert 0.85 * wait <= event.retry_at - event.at <= 1.15 * wait
        job, now = apply(job, event), now + seconds + 1
    again = ended(run_again(job, 300, now), FAILED, now + 300)
    assert again == ended(run_again(job, 300, now), FAILED, now + 300)  # no chance in it


def test_a_row_of_rapid_ends_is_halted() -> None:
    job = new_job(policies=retry("failed", attempts=20, rapid={"within": "3m", "halt_after": 2}))
    job = next_one(run_again(job, 100, T0), now=T0 + 100)
    assert decided(run_again(job, 100, T0 + 200), now=T0 + 300) == Last(
        "halted: 2 attempts in a row ended within 3m"
    )
    assert isinstance(decided(run_again(job, 180, T0 + 200), now=T0 + 380), Another)


def test_an_attempt_that_no_host_had_is_not_rapid() -> None:
    job = gone(stopped(queued_job(policies=POLICY), Reason.QUEUED_TOO_LONG, "delisted"))
    found = decided(job.model_copy(update={"rapid": 4}), Outcome(State.STOPPED, Reason.QUEUED_TOO_LONG))
    assert isinstance(found, Another)
    assert found.rapid == 0


def test_no_wait_is_longer_than_a_day() -> None:
    policy = retry("failed", attempts=20, rapid={"slow_after": 1, "factor": 100, "halt_after": 100})
    job = over_job(policies=policy).model_copy(update={"rapid": 60, "attempt": 18})
    found = decided(job)
    assert isinstance(found, Another)
    assert found.retry_at == T0 + 120 + 86400


@pytest.mark.parametrize(
    ("policies", "cost", "why"),
    [
        ({"stop": {"max_cost": "2"}}, "1.94", None),
        ({"stop": {"max_cost": "2"}}, "1.941", "max_cost allows $2.000, of which $1.941 are used"),
        ({"stop": {"max_cost": "2"}}, "2.1", "max_cost allows $2.000, of which $2.100 are used"),
        ({"extend": {"by": "10m", "max_cost": "1"}}, "0.95", "max_cost allows $1.000"),
        ({"stop": {"at": at(1000)}}, "0", None),
        ({"stop": {"at": at(130)}}, "0", "stop.at comes before it could run"),
    ],
)
def test_the_caps_must_leave_a_minute(policies: dict[str, Any], cost: str, why: str | None) -> None:
    found = decided(over_job(policies=policies | retry("failed")), cost=Decimal(cost))
    assert isinstance(found, Another) == (why is None)
    if isinstance(found, Last):
        assert why is not None
        assert found.why.startswith(why)


def test_at_another_place_the_price_is_not_known_before_it_is_asked() -> None:
    policies = {"stop": {"max_cost": "2"}} | retry("failed", elsewhere=[{"market": "nvidia-a100"}])
    assert isinstance(decided(over_job(policies=policies), cost=Decimal("1.99")), Another)
    assert isinstance(decided(over_job(policies=policies), cost=Decimal(2)), Last)


@pytest.mark.parametrize(
    ("policies", "cost", "keep"),
    [
        ({}, "0.1", "1.8"),  # what the first posting was held for: the ledger keeps what was not used
        ({"stop": {"max_cost": "1.5"}}, "0.1", "1.4"),
    ],
)
def test_as_much_is_kept_as_the_next_posting_may_need(policies: dict[str, Any], cost: str, keep: str) -> None:
    found = decided(over_job(policies=policies | retry("failed")), cost=Decimal(cost))
    assert isinstance(found, Another)
    assert found.keep == Decimal(keep)


def test_nothing_is_kept_for_an_attempt_that_another_account_pays() -> None:
    place = {"market": "nvidia-3060", "account": "spare"}
    found = decided(over_job(policies=retry("failed", elsewhere=[place])))
    assert isinstance(found, Another)
    assert found.keep == 0


def test_the_last_end_says_why_there_is_no_other() -> None:
    job = over_job(policies=retry("failed", attempts=2)).model_copy(update={"attempt": 2})
    event = ended(
        job, Outcome(State.FAILED, Reason.EXIT_CODE, 3, "no such file"), T0 + 120, cost=Decimal("0.1")
    )
    assert isinstance(event, ev.Ended)
    assert event.ending.detail == "no such file; no further attempt: all 2 attempts are used up"


def test_the_end_counts_all_attempts() -> None:
    job = run_again(next_one(over_job(policies=retry("failed", attempts=2)), cost="0.1"))
    event = ended(job, FAILED, T0 + 400, cost=Decimal("0.25"))
    assert isinstance(event, ev.Ended)
    assert event.settled == Decimal("0.35")
    assert costs(apply(job, event), T0 + 400).so_far == Decimal("0.35")


def test_the_next_attempt_begins_as_a_new_job_does_and_keeps_its_counts() -> None:
    job = over_job(policies=retry("failed"))
    fresh, again = new_job(policies=retry("failed")), next_one(job)
    assert again.earlier[0].cost == Decimal("0.1")
    kept = {"version", "updated_at", "reason", "wait", "attempt", "rapid", "earlier", "spend", "posts"}
    assert again.model_dump(exclude=kept) == fresh.model_dump(exclude=kept)
    assert again.posts == job.posts == 1
    assert upcoming(again, T0 + 120).rule == "credit"


def test_the_next_attempt_waits_for_its_time_and_an_operator_may_end_it_meanwhile() -> None:
    job = next_one(over_job(policies=retry("failed")))
    assert job.wait is not None
    assert job.wait.retry_at is not None
    due = upcoming(job, T0 + 120)
    assert (due.rule, due.at) == ("credit", job.wait.retry_at)
    stopping = plan(apply(job, ordered_stop(at=T0 + 121)), T0 + 121)
    assert stopping.rule == "stop_before_posting"


class TestPlaces:
    PLACES = retry("failed", elsewhere=[{"market": "m-two", "max_rate_per_hour": "2"}, {"market": "m-three"}])

    @pytest.mark.parametrize(
        ("policies", "hourly", "dear"),
        [
            ({}, "1000", False),
            ({"credit": {"max_rate_per_hour": "3.6"}}, "3.6", False),
            ({"credit": {"max_rate_per_hour": "3.6"}}, "3.6001", True),
        ],
    )
    def test_a_ceiling_may_be_reached(self, policies: dict[str, Any], hourly: str, dear: bool) -> None:
        assert (too_dear(new_job(policies=policies), Decimal(hourly)) is not None) == dear

    def test_the_lower_of_two_ceilings_counts(self) -> None:
        policies = self.PLACES | {"credit": {"max_rate_per_hour": "3"}}
        job = next_one(over_job(policies=policies))
        assert too_dear(job, Decimal("2.5")) is not None
        assert too_dear(new_job(policies=policies), Decimal("2.5")) is None
        assert dearest(job.spec) == 3

    def test_without_a_ceiling_somewhere_nothing_is_known(self) -> None:
        assert dearest(new_job(policies=self.PLACES).spec) is None

    def passed(self, job: Job, *, awaited: bool = True) -> ev.Event | None:
        return passed_over(job, Reason.TOO_DEAR, "why", T0, awaited=awaited)

    def test_places_are_passed_over_once_each_and_then_it_waits_to_begin_anew(self) -> None:
        job = next_one(over_job(policies=self.PLACES))
        seen = [job.place]
        for _ in range(2):
            event = self.passed(job)
            assert isinstance(event, ev.Moved)
            job = apply(job, event)
            seen.append(job.place)
        assert seen == [1, 2, 0]
        event = self.passed(job)
        assert isinstance(event, ev.Waited)
        assert event.reason is Reason.AWAITING_PRICE
        job = apply(job, event)
        assert (job.place, job.market, job.passed) == (1, "m-two", 0)

    def test_the_ladder_goes_on_over_rounds(self) -> None:
        job = new_job(policies=self.PLACES)
        for tries in range(1, 5):
            for _ in range(3):
                event = self.passed(job)
                assert event is not None
                job = apply(job, event)
            assert job.wait is not None
            assert (job.wait.tries, job.wait.reason) == (tries, Reason.AWAITING_PRICE)
            assert 0.85 * 60 * 2 ** (tries - 1) <= upcoming(job, T0).at - T0 <= 1.15 * 60 * 2 ** (tries - 1)

    @pytest.mark.parametrize("awaited", [[True, False, False], [False, True, False], [False, False, True]])
    def test_one_place_that_may_be_had_later_is_waited_for(self, awaited: list[bool]) -> None:
        job: Job = new_job(policies=self.PLACES)
        for each in awaited[:2]:
            event = self.passed(job, awaited=each)
            assert event is not None
            job = apply(job, event)
        assert isinstance(self.passed(job, awaited=awaited[2]), ev.Waited)

    def test_places_of_which_none_can_be_had_are_the_end(self) -> None:
        job = new_job(policies=self.PLACES)
        for _ in range(2):
            event = self.passed(job, awaited=False)
            assert event is not None
            job = apply(job, event)
        assert self.passed(job, awaited=False) is None
        assert self.passed(new_job(), awaited=False) is None


MAKES: list[Callable[..., Job]] = [over_job, running_job, queued_job, posting_job, searching_job, new_job]


@given(
    make=st.sampled_from(MAKES),
    stop=st.none()
    | st.sampled_from([Reason.OPERATOR, Reason.QUEUED_TOO_LONG, Reason.STOP_AFTER, Reason.MAX_COST]),
    attempt=st.integers(1, 20),
    rapid=st.integers(0, 6),
    attempts=st.integers(2, 20),
    halt_after=st.integers(1, 6),
    max_cost=st.none() | st.decimals("0.01", 3, places=2),
    cost=st.decimals(0, 3, places=2),
    earlier=st.decimals(0, 3, places=2),
    reason=st.sampled_from(list(Reason)),
    state=st.sampled_from([State.FAILED, State.STOPPED, State.REJECTED, State.COMPLETED]),
)
def test_another_attempt_never_breaks_a_promise(
    make: Callable[..., Job],
    stop: Reason | None,
    attempt: int,
    rapid: int,
    attempts: int,
    halt_after: int,
    max_cost: Decimal | None,
    cost: Decimal,
    earlier: Decimal,
    reason: Reason,
    state: State,
) -> None:
    policies = {
        **retry(*EVERY, attempts=attempts, rapid={"halt_after": halt_after}),
        "stop": {"max_cost": max_cost},
    }
    job = make(policies=policies)
    spend = job.spend.model_copy(update={"earlier": earlier})
    job = job.model_copy(update={"attempt": attempt, "rapid": rapid, "spend": spend})
    if stop is not None:
        job = apply(job, ordered_stop(reason=stop))
    found = following(job, Outcome(state, reason), cost, T0 + 120)
    if not isinstance(found, Another):
        return
    assert is_known_to_be_over(job)
    assert job.call is None
    assert stop not in (Reason.OPERATOR, Reason.MAX_COST)
    assert attempt < attempts
    assert found.rapid < halt_after
    assert state is not State.COMPLETED
    assert reason is not Reason.VANISHED
    assert T0 + 120 < found.retry_at <= T0 + 120 + 86400
    assert max_cost is None or earlier + cost + found.keep <= max_cost
    assert max_cost is None or earlier + cost < max_cost


def test_what_waits_for_a_price_is_no_line() -> None:
    job = apply(new_job(policies={"credit": {"max_rate_per_hour": "1"}}), waited(Reason.AWAITING_PRICE))
    assert upcoming(job, T0).rule == "credit"
