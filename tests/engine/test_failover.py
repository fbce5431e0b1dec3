"""Attempts on days when everything goes wrong: markets that are full, slow, bad and dear, answers that get lost,
workers that die, with idempotency keys and without.

An observer beside the network sees each listing as it lands: no job has two copies alive at one moment. In the evening
the books are compared: each attempt was over before the next was listed, every hold is closed, and what the ledger
settled is what the network took.
"""

import random
from functools import partial
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from dispatcher.domain import retrying
from dispatcher.domain.events import Event
from dispatcher.domain.ids import AccountName, JobId, ProjectAddress
from dispatcher.domain.job import Job
from dispatcher.domain.words import Reason, State
from dispatcher.engine.parts import Parts
from dispatcher.simulator.conditions import Conditions
from dispatcher.simulator.markets import COMMUNITY_4090, PREMIUM_3060
from dispatcher.simulator.network import Options
from tests.engine.audit import audit, over_at, remotes
from tests.engine.test_crashes import Killed, Tripwire, wired
from tests.engine.test_random_days import MISCHIEF, Day
from tests.observer import Observer
from tests.world import MARKET, World, definition

ACCOUNTS = {"default": "100", "spare": "100"}
DEARER = "nvidia-4090-community"
ON = ("failed", "timed_out", "queued_too_long", "no_result", "refused")
ELSEWHERE = [{"market": DEARER}, {"market": MARKET, "account": "spare"}]


def know(world: World, parts: Parts) -> None:
    """The accounts' own addresses are known, as they are after the first call: posts without keys can be looked for."""
    for name in parts.providers.names():
        account = world.network.accounts.of_key(f"nos_{name}")
        assert account is not None
        parts.store.note_project(name, ProjectAddress(account.project))


# --- days ---------------------------------------------------------------------------------------------------

WEATHER = st.sampled_from(
    [
        {},
        {"hosts": 0},
        {"queued_for": 1800.0},
        {"slow_by": 5.0},
        {"host_quits_after": 100.0},
        {"fails_after": 5.0, "times": 4},
        {"usd_per_hour": 0.2},
    ]
)
CHANGES = st.lists(
    st.tuples(st.sampled_from([PREMIUM_3060, PREMIUM_3060, COMMUNITY_4090]), WEATHER, st.integers(0, 900)),
    max_size=4,
)
POLICIES = st.fixed_dictionaries(
    {
        "retry": st.fixed_dictionaries(
            {
                "on": st.sampled_from([ON, ("host_quit", "queued_too_long")]),
                "attempts": st.integers(2, 4),
                "backoff": st.sampled_from(["1s", "30s"]),
                "elsewhere": st.sampled_from([ELSEWHERE, ELSEWHERE[:1], ELSEWHERE[1:], []]),
            }
        ),
        "stop": st.sampled_from(
            [
                {"queued_longer_than": "5m"},
                {"queued_longer_than": "2m", "max_cost": "0.02"},
                {"max_cost": "0.012"},
                {"max_cost": "0.012"},
                {"after": "4m"},
                {},
            ]
        ),
    },
    optional={"extend": st.just({"by": "5m", "max_times": 2}), "quantum": st.just("3m")},
)
JOBS = st.lists(
    st.tuples(
        POLICIES,
        st.fixed_dictionaries(
            {"runs_for": st.sampled_from(["2m", "9m", "25m"])},
            optional={
                "host_quits_after": st.just("1m"),
                "exit_code": st.just(3),
                "only_first": st.integers(1, 2),
                "queued_for": st.just("4m"),
            },
        ),
    ),
    min_size=1,
    max_size=3,
)


@settings(
    max_examples=90,
    deadline=None,
    derandomize=True,
    phases=[Phase.explicit, Phase.generate],  # a whole day is too long to be shrunk
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(
    seed=st.integers(0, 10_000),
    generation=st.sampled_from([2, 3]),
    mischief=st.sampled_from(MISCHIEF),
    jobs=JOBS,
    changes=CHANGES,
    stops=st.lists(st.integers(0, 2), max_size=1),
)
def test_whatever_happens_no_job_has_two_copies(
    seed: int,
    generation: Any,
    mischief: str,
    jobs: list[tuple[dict[str, Any], dict[str, Any]]],
    changes: list[tuple[str, dict[str, Any], int]],
    stops: list[int],
) -> None:
    r = random.Random(f"{mischief} {seed}")
    day = Day(seed, r, mischief, accounts=ACCOUNTS, options=Options(generation=generation))
    know(day, day.sane)
    observer = Observer(day.network)
    for number, (policies, how) in enumerate(jobs):
        asked = partial(
            day.enqueue, definition(f"{number}", **how), request_id=f"r{number}", policies=policies
        )
        day.operate(lambda asked=asked: day.ids.append(asked()))
    for market, conditions, later in changes:
        day.network.change_market(market, Conditions(**conditions))
        day.run_for(later)
    for number in stops:
        day.operate(partial(day.stop, day.ids[number % len(day.ids)]))
    day.run_for(3600)
    for market in day.network.markets:
        day.network.change_market(market, Conditions())
    day.network.faults.replace([])
    day.parts = day.sane
    day.run()
    assert not observer.wrong, observer.wrong
    assert not observer.alive()
    audit(day)
    for job_id in day.ids:
        orders = [event.kind for event in day.parts.store.events(job_id) if is_of_the_whole_job(event)]
        assert (
            "attempt_ended" not in orders[orders.index("stop_ordered") :]
            if "stop_ordered" in orders
            else True
        )


def is_of_the_whole_job(event: Event) -> bool:
    """An operator's stop, and the end of an attempt, which must not come after it."""
    return event.kind == "attempt_ended" or (event.kind == "stop_ordered" and event.by != "policy")


# --- a worker that is killed at any call --------------------------------------------------------------------


def nobody_takes_it(world: World) -> JobId:
    policies = {"retry": {"elsewhere": ELSEWHERE[:1], "backoff": "1s"}, "stop": {"queued_longer_than": "5m"}}
    return world.enqueue(definition(runs_for="2m", queued_for="1s"), request_id="k", policies=policies)


def its_host_quits(world: World) -> JobId:
    policies = {
        "retry": {"elsewhere": ELSEWHERE[1:], "backoff": "1s"},
        "extend": {"by": "2m", "max_times": 2},
        "poll": {"every": "5m"},
    }
    how = {"runs_for": "350s", "host_quits_after": "330s", "only_first": 1, "queued_for": "1s"}
    return world.enqueue(definition(**how), request_id="k", timeout="6m", policies=policies)


def it_takes_too_long(world: World) -> JobId:
    policies = {"retry": {"on": ["timed_out"], "backoff": "1s"}, "stop": {"after": "3m"}}
    return world.enqueue(definition(runs_for="100s", queued_for="1s"), request_id="k", policies=policies)


LIVES = {life.__name__: life for life in (nobody_takes_it, its_host_quits, it_takes_too_long)}
MARKET_IS = {
    "nobody_takes_it": Conditions(hosts=0),
    "its_host_quits": Conditions(),
    "it_takes_too_long": Conditions(slow_by=9, times=1),
}
TRIED_AGAIN = {
    "nobody_takes_it": Reason.QUEUED_TOO_LONG,
    "its_host_quits": Reason.HOST_QUIT,
    "it_takes_too_long": Reason.STOP_AFTER,
}
FAULTS: dict[str, list[dict[str, Any]]] = {
    "none": [],
    "every second answer is lost": [
        {"route": "jobs.list", "kind": "lose_answer", "nth": [2]},
        {"route": "jobs.stop", "kind": "lose_answer", "nth": [1]},
        {"route": "jobs.extend", "kind": "lose_answer", "nth": [1]},
    ],
}


def lived(
    name: str,
    generation: Any,
    faults: list[dict[str, Any]],
    kill_at: tuple[int, bool] | None,
) -> tuple[World, JobId, list[str]]:
    """One life from request to end. `kill_at`: the worker is killed at that call, before or after it."""
    world = World(accounts=ACCOUNTS, options=Options(generation=generation), faults=faults)
    know(world, world.parts)
    world.network.change_market(PREMIUM_3060, MARKET_IS[name])
    observer, wire = Observer(world.network), Tripwire()
    sane, world.parts = world.parts, wired(world.parts, wire)
    if kill_at is not None:
        wire.arm(kill_at[0], before=kill_at[1])
    while True:
        try:
            job_id = LIVES[name](world)
            world.run()
            break
        except Killed:
            world.bell.rung.clear()
    world.parts = sane
    assert not observer.wrong, observer.wrong
    return world, job_id, wire.calls


# Between two calls that change something it makes no difference where a worker dies.
READS = (
    "waiting_accounts",
    "waiting_lines",
    "earliest_due",
    "providers.account",
    "ledger.view",
    "store.load",
)


@pytest.mark.parametrize("faults", FAULTS)
@pytest.mark.parametrize("generation", [2, 3])
@pytest.mark.parametrize("life", LIVES)
def test_a_worker_that_is_killed_at_any_call_leaves_one_copy_at_a_time(
    life: str, generation: int, faults: str
) -> None:
    world, job_id, calls = lived(life, generation, FAULTS[faults], None)
    check(world, job_id, life, sure=generation == 3 or faults == "none")
    points = [index for index, call in enumerate(calls) if not call.endswith(READS)]
    for index in points[len(life) % 5 :: 5]:
        world, job_id, _ = lived(life, generation, FAULTS[faults], (index, False))
        try:
            check(world, job_id, life, sure=generation == 3)
        except AssertionError as e:
            raise AssertionError(f"killed after call {index}, {calls[index]}") from e


def check(world: World, job_id: JobId, life: str, *, sure: bool) -> None:
    """The second attempt did it. Not `sure`: without keys a stop may have lost its answer; then nobody knows that the
    first attempt is over, and there is no second one."""
    audit(world)
    job, there = world.job(job_id), remotes(world, job_id)
    for name in world.parts.providers.names():
        assert world.parts.ledger.view(AccountName(name)).held == 0
    if not sure and job.attempt == 1:
        assert job.ending is not None
        assert "it is not known to be over on the network" in job.ending.detail
        return
    assert (job.state, job.attempt, len(there)) == (State.COMPLETED, 2, 2)
    assert [attempt.reason for attempt in job.earlier] == [TRIED_AGAIN[life]]
    assert over_at(there[0]) <= there[1].listed_at


def test_the_observer_sees_two_copies(monkeypatch: pytest.MonkeyPatch) -> None:
    """Were a job tried again whose end is not known, this is how it would be noticed."""

    def believed(job: Job) -> bool:
        return True

    monkeypatch.setattr(retrying, "is_known_to_be_over", believed)
    monkeypatch.setattr(retrying, "_wanted", lambda job, policy, end: "anything")
    world = World(accounts=ACCOUNTS)
    observer = Observer(world.network)
    world.enqueue(definition(runs_for="9h"), timeout="10h", policies={"retry": {"attempts": 2}})
    world.run_for(120)
    assert len(observer.alive()) == 1
    world.network.faults.replace(hidden())
    world.run_for(3 * 3600)
    world.network.faults.replace([])
    world.run_for(3 * 3600)
    assert [" is listed as " in sentence for sentence in observer.wrong] == [True]


def hidden() -> Any:
    from dispatcher.simulator.fault_plan import parse_plan

    return parse_plan([{"route": "jobs.get", "kind": "status", "status": 404}])
