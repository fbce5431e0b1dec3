"""What holds on every way through a job's life, whatever the network, the operators and chance do."""

import statistics
from collections import Counter
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from dispatcher.domain import events as ev
from dispatcher.domain.actions import Action, Begin, EndExtends, Nothing, OrderStop, Send, Wait, Warn
from dispatcher.domain.bounds import costs
from dispatcher.domain.job import Job
from dispatcher.domain.lifecycle import replay
from dispatcher.domain.planner import agenda, plan
from dispatcher.domain.view import view
from dispatcher.domain.words import Operation, Reason, State
from tests.domain import made
from tests.domain.made import T0, enqueued
from tests.domain.walk import Walk

STEPS = 2000
AT_ONE_MOMENT = 30
"""Steps without time passing; the engine takes 50 in one turn for a circle."""


def now_and_then(what: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Seldom enough that most walks get far before a policy ends them."""
    return st.sampled_from([False, False, True]).flatmap(lambda there: what if there else st.none())


def seconds(shortest: int, longest: int) -> st.SearchStrategy[timedelta]:
    return st.integers(shortest, longest).map(lambda n: timedelta(seconds=n))


def moments(earliest: int, latest: int) -> st.SearchStrategy[datetime]:
    return st.integers(earliest, latest).map(lambda n: datetime.fromtimestamp(T0 + n, UTC))


ENDS = ["failed", "exit_code", "host_quit", "timed_out", "queued_too_long", "no_result", "refused"]
SHARES = st.floats(0.01, 0.99)
BUDGETS = st.decimals("0.05", 20, places=4)
ELSEWHERE: list[dict[str, Any]] = [
    {"market": "nvidia-a100", "max_rate_per_hour": "4"},
    {"market": "nvidia-3060", "account": "spare"},
]
POLICIES = st.fixed_dictionaries(
    {
        "extend": st.none()
        | st.fixed_dictionaries(
            {
                "by": seconds(60, 4000),
                "margin": now_and_then(seconds(1, 1000)),
                "max_runtime": now_and_then(seconds(30, 30_000)),
                "max_cost": now_and_then(BUDGETS),
                "max_times": now_and_then(st.integers(1, 5)),
                "until": now_and_then(moments(-100, 20_000)),
            }
        ),
        "retry": now_and_then(
            st.fixed_dictionaries(
                {
                    "on": st.lists(st.sampled_from(ENDS), max_size=4, unique=True),
                    "attempts": st.integers(2, 5),
                    "backoff": seconds(1, 100),
                    "elsewhere": st.sampled_from([[], ELSEWHERE, ELSEWHERE[:1]]),
                    "rapid": st.fixed_dictionaries({"halt_after": st.integers(1, 4)}),
                }
            )
        ),
        "stop": st.fixed_dictionaries(
            {
                "after": now_and_then(seconds(1, 20_000)),
                "at": now_and_then(moments(-100, 20_000)),
                "soft": now_and_then(
                    st.fixed_dictionaries({"warn": st.none() | SHARES, "no_extends": st.none() | SHARES})
                ),
                "max_cost": now_and_then(BUDGETS),
                "queued_longer_than": now_and_then(seconds(1, 5000)),
                "budget": now_and_then(st.just("account:default")),
            }
        ),
        "credit": st.fixed_dictionaries(
            {
                "when_short": st.sampled_from(["wait", "wait", "wait", "fail"]),
                "wait_at_most": now_and_then(seconds(1, 10_000)),
                "wait_until": now_and_then(moments(-100, 10_000)),
            }
        ),
    }
)
WALKS = st.tuples(
    POLICIES,
    st.integers(60, 5000),  # the time-out
    st.integers(0, 2**32),  # the seed
    st.integers(0, 60),  # faults
    st.integers(0, 6),  # commands
)


WALKING = settings(
    deadline=None,
    max_examples=300,
    suppress_health_check=[HealthCheck.too_slow],
    phases=[Phase.explicit, Phase.reuse, Phase.generate],  # a walk that does not end is too long to be shrunk
)


def stops_at(job: Job) -> float | None:
    """When a policy stops the job, reckoned apart from the planner."""
    stop, remote = job.spec.policies.stop, job.remote
    if job.stop is not None or (remote is not None and remote.is_over):
        return None
    found = [stop.at.timestamp()] if stop.at is not None else []
    if remote is not None and remote.started_at is None and stop.queued_longer_than is not None:
        found.append(remote.posted_at + stop.queued_longer_than.total_seconds())
    if remote is not None and remote.started_at is not None:
        if stop.after is not None:
            found.append(remote.started_at + stop.after.total_seconds())
        if stop.max_cost is not None:
            found.append(remote.started_at + float(stop.max_cost * 1000))  # a second costs 0.001
    return min(found, default=None)


def check_decision(walk: Walk, job: Job, at: float, action: Action) -> None:
    """What the planner said about `job` at `at` is in order."""
    assert job.state.is_final == isinstance(action, Nothing)
    if job.state.is_final:
        return
    assert agenda(job)
    due = stops_at(job)
    if isinstance(action, Wait):
        assert action.until > at
        assert due is None or action.until <= due
    elif due is not None and due <= at:
        assert isinstance(action, OrderStop | Warn | EndExtends)
    if isinstance(action, Warn | EndExtends):
        assert job.stop is None
        assert action.limit not in (job.warned if isinstance(action, Warn) else (job.no_extends,))
    if isinstance(action, Begin) and action.operation is Operation.EXTEND:
        assert job.no_extends is None or job.extend_ordered
    if job.stop is not None:
        assert not (isinstance(action, Begin) and action.operation is Operation.EXTEND)
        assert not (isinstance(action, Send) and ":extend:" in action.key)


def at_most(limits: list[Any]) -> Any:
    """The widest of the limits that ever held: a change forbids nothing that was paid before. None: there was none."""
    return None if None in limits else max(limits)


def check_record(walk: Walk) -> None:
    """What was reserved and allowed stays within the policies, and the figures fit together."""
    job, now = walk.job, walk.now
    under_way = job.call if job.call is not None and job.call.operation is not Operation.STOP else None
    # What a stop took the place of may have landed all the same.
    committed = (
        job.spend.earlier
        + job.spend.posted
        + job.spend.doubtful
        + (under_way.amount if under_way else Decimal(0))
    )
    if (most := at_most([policies.max_cost() for policies in walk.policies])) is not None:
        assert committed <= most
    found = costs(job, now)
    assert 0 <= found.so_far <= found.committed
    assert found.allowed is None or found.committed <= found.allowed


def check_network(walk: Walk) -> None:
    """The network was asked for no more than the policies allow, and the record promises no more than it gives."""
    network = walk.network
    if (most := at_most([policies.max_cost() for policies in walk.policies])) is not None:
        assert network.reserved + walk.job.spend.earlier <= most
    if (longest := at_most([policies.max_runtime() for policies in walk.policies])) is not None:
        assert network.timeout <= longest
    extend = walk.job.spec.policies.extend if len(walk.policies) == 1 else None
    if extend is not None and extend.until is not None and walk.job.extends and walk.job.remote is not None:
        # Reckoned from the posting for what was added before a host took the job.
        assert walk.job.remote.posted_at + network.timeout <= extend.until.timestamp() + 1
    if walk.job.remote is not None:
        assert walk.job.remote.timeout <= network.timeout


def walked(policies: dict[str, Any], timeout: int, seed: int, faults: int, commands: int) -> Walk:
    """A walk to its end, checked at every step."""
    spec: dict[str, Any] = {name: value for name, value in policies.items() if value is not None}
    ties: dict[str, Any] = {"after": [made.JOB_ID[:-1] + "9"]} if seed % 4 == 0 else {}
    walk = Walk(enqueued(policies=spec, timeout=timedelta(seconds=timeout), **ties), seed, faults)
    moments: Counter[float] = Counter()
    for number in range(STEPS):
        if commands > 0 and number % 17 == seed % 17:
            walk.command()
            commands -= 1
        job, at = walk.job, walk.now
        action = walk.step()
        check_decision(walk, job, at, action)
        check_record(walk)
        check_network(walk)
        moments[at] += 1
        assert moments[at] <= AT_ONE_MOMENT, f"goes round in a circle: {walk.actions[-AT_ONE_MOMENT:]}"
        if isinstance(action, Nothing):
            return walk
    raise AssertionError(f"no end after {STEPS} steps: {walk.actions[-10:]}")


@WALKING
@given(WALKS)
def test_every_walk_comes_to_an_end_and_keeps_within_its_policies(walk_of: tuple[Any, ...]) -> None:
    walk = walked(*walk_of)
    job = walk.job
    assert job.state.is_final
    assert job.spend.settled is not None
    assert job.spend.settled <= job.spend.earlier + job.spend.posted + job.spend.doubtful
    assert job.spend.earlier == sum(attempt.cost for attempt in job.earlier)
    assert job.attempt == len(walk.over) + 1
    assert (job.call, job.wait) == (None, None)
    for later in (0, walk.now, walk.now + 1e9):
        assert plan(job, later).action == Nothing()


@WALKING
@given(WALKS)
def test_the_log_of_every_walk_leads_to_its_record(walk_of: tuple[Any, ...]) -> None:
    walk = walked(*walk_of)
    assert replay(walk.log) == walk.job
    read = [ev.EVENTS.validate_json(ev.EVENTS.dump_json(event)) for event in walk.log if event.logged]
    again = replay(read)
    counted = {"version", "updated_at", "remote"}
    assert again.model_dump(exclude=counted) == walk.job.model_dump(exclude=counted)
    assert Job.model_validate_json(walk.job.model_dump_json()) == walk.job
    assert view(walk.job, walk.now)["next"] is None


@WALKING
@given(WALKS)
def test_no_attempt_is_ever_posted_twice(walk_of: tuple[Any, ...]) -> None:
    walk = walked(*walk_of)
    for network in [*walk.over, walk.network]:
        posts = [key for key in network.landed if ":post:" in key]
        assert len(posts) <= 1  # never twice, however many answers were lost
    if walk.job.state is State.REJECTED:
        assert not posts


def drawn(chance: Random) -> dict[str, Any]:
    """Policies by the luck of a seed: Hypothesis looks for odd ones, these are of the common kind."""

    def maybe(**choices: Any) -> dict[str, Any]:
        return {name: value for name, value in choices.items() if chance.random() < 0.25}

    extend = {
        "by": chance.choice(["2m", "10m", "1h"]),
        **maybe(margin="90s", max_runtime="1h", max_cost="3", max_times=chance.randint(1, 4)),
        **maybe(until=datetime.fromtimestamp(T0 + chance.choice([60, 3000, 9000]), UTC)),
    }
    at = datetime.fromtimestamp(T0 + chance.choice([60, 900, 7500]), UTC)
    places = maybe(elsewhere=ELSEWHERE)
    return {
        **({"extend": extend} if chance.random() < 0.6 else {}),
        "stop": maybe(
            after=chance.choice(["5m", "50m"]),
            at=at,
            max_cost="1.5",
            queued_longer_than="5m",
            budget="account:default",
            soft={"warn": chance.choice([0.2, 0.9]), "no_extends": chance.choice([0.1, 0.7])},
        ),
        "credit": maybe(when_short="fail", wait_at_most=chance.choice(["1m", "2h"])),
        **maybe(quantum="20m"),
        **maybe(
            retry={"on": chance.sample(ENDS, 3), "attempts": chance.randint(2, 5), "backoff": "20s", **places}
        ),
    }


def test_a_thousand_walks_come_by_every_end_and_every_kind_of_event() -> None:
    kinds: set[str] = set()
    ends: set[tuple[State, Reason]] = set()
    lengths: list[int] = []
    for seed in range(1000):
        chance = Random(seed)
        walk = walked(
            drawn(chance), chance.randint(60, 4000), seed, chance.randint(0, 40), chance.randint(0, 5)
        )
        kinds |= {event.kind for event in walk.log}
        ends.add((walk.job.state, walk.job.reason))
        lengths.append(len(walk.actions))
    every = {kind.model_fields["kind"].default for kind in ev.Event.__args__}
    beyond = {"adopted"}  # a walk's network never has a job twice
    assert kinds == every - beyond
    assert {state for state, _ in ends} == {state for state in State if state.is_final}
    assert len(ends) >= 14
    assert statistics.mean(lengths) > 30


@pytest.mark.parametrize("fault", ["refused", "short", "expired", "lost", "cut"])
@pytest.mark.parametrize("operation", list(Operation))
def test_a_network_that_always_answers_the_same_never_makes_a_turn_go_round(
    fault: str, operation: Operation
) -> None:
    policies = {"extend": {"by": "10m"}} if operation is Operation.EXTEND else {"stop": {"after": "5m"}}
    walk = Walk(enqueued(policies=policies), seed=1, faults=0)
    walk.always = (operation, fault)
    moments: Counter[float] = Counter()
    for _ in range(300):
        at = walk.now
        if isinstance(walk.step(), Nothing):
            break
        moments[at] += 1
        assert moments[at] <= AT_ONE_MOMENT
