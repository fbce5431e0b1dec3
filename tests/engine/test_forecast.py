"""A forecast is what then happens: the engine on the simulated network does the same, event by event."""

from collections import Counter
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from dispatcher.domain import events as ev
from dispatcher.domain.forecast import Assumed, forecast
from dispatcher.domain.words import Reason
from tests.world import START, World, definition

RATE = Decimal("0.04796")


def told(event: ev.Event, start: float) -> tuple[Any, ...]:
    """What both must agree on: names, keys and addresses are each side's own."""
    at = round(event.at - start, 3)
    match event:
        case ev.CreditHeld():
            return at, event.kind, event.quote.seconds, event.quote.amount
        case ev.CallIntended():
            call = event.call
            return at, event.kind, call.operation, call.ordinal, call.seconds, call.amount
        case ev.Posted() | ev.Extended():
            return at, event.kind, event.seconds, event.amount
        case ev.StopConfirmed():
            return at, event.kind, event.outcome
        case ev.Observed():
            times = [None if t is None else t - start for t in (event.started_at, event.ended_at)]
            return at, event.kind, event.phase, event.timeout, *times, event.result_cid is None
        case ev.StopOrdered():
            return at, event.kind, event.reason
        case ev.Warned() | ev.ExtendsEnded():
            return at, event.kind, event.limit, event.share
        case ev.AttemptEnded():
            told_of = event.attempt, event.state, event.reason, event.settled, event.why, event.place
            return at, event.kind, *told_of, event.rapid, event.keep, round(event.retry_at - start, 3)
        case ev.Moved():
            return at, event.kind, event.place, event.reason
        case ev.Ended():
            by_itself = event.reason in (Reason.FINISHED, Reason.EXIT_CODE)
            code = event.ending.exit_code if by_itself else None  # how a container dies is the host's affair
            return at, event.kind, event.state, event.reason, event.settled, code
        case _:
            return at, event.kind


ROUTES = {
    "credits.balance": "balance",
    "markets.list": "market",
    "ipfs.pin": "pin",
    "jobs.list": "post",
    "jobs.get": "get",
    "jobs.extend": "extend",
    "jobs.stop": "stop",
    "ipfs.get": "result",
}


def calls_made(world: World) -> dict[str, int]:
    made: Counter[str] = Counter()
    for (route, _), count in world.network.ledger.statuses.items():
        made[ROUTES[route]] += count
    return dict(sorted(made.items()))


def moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(START + seconds, UTC)


durations = st.sampled_from(["90s", "4m", "10m", "25m", "1h", "3h20m"])
COMMUNITY = "nvidia-4090-community"
RATES = {COMMUNITY: Decimal("0.2399925"), "unpriced": None}
ENDS = ["failed", "exit_code", "timed_out", "queued_too_long", "no_result"]
retries = st.fixed_dictionaries(
    {"on": st.lists(st.sampled_from(ENDS), max_size=3, unique=True)},
    optional={
        "exit_codes": st.sampled_from([[3], [137]]),
        "attempts": st.integers(2, 5),
        "backoff": st.sampled_from(["1s", "45s"]),
        "at_most": st.sampled_from(["1m", "1h"]),
        "elsewhere": st.sampled_from(
            [
                [{"market": COMMUNITY}],
                [{"market": COMMUNITY, "max_rate_per_hour": "0.2"}],
                [{"market": "unpriced"}, {"market": COMMUNITY}],
            ]
        ),
        "rapid": st.fixed_dictionaries(
            {"within": st.sampled_from(["1m", "10m"]), "halt_after": st.integers(1, 4)},
            optional={"slow_after": st.integers(1, 2), "factor": st.sampled_from([1, 10])},
        ),
    },
)
policies = st.fixed_dictionaries(
    {},
    optional={
        "retry": retries,
        "quantum": st.sampled_from(["2m", "7m", "30m"]),
        "extend": st.fixed_dictionaries(
            {"by": st.sampled_from(["1m", "10m", "45m"]), "max_times": st.integers(1, 5)},
            optional={
                "margin": st.sampled_from(["10s", "3m", "2h"]),
                "max_runtime": durations,
                "max_cost": st.sampled_from(["0.0115", "0.03"]),
                "until": st.sampled_from([30, 1500, 9000]).map(moment),
            },
        ),
        "stop": st.fixed_dictionaries(
            {},
            optional={
                "after": durations,
                "at": st.sampled_from([30, 400, 5000]).map(moment),
                "max_cost": st.sampled_from(["0.001", "0.01", "0.05"]),
                "queued_longer_than": st.sampled_from(["30s", "5m"]),
                "soft": st.fixed_dictionaries(
                    {},
                    optional={
                        "warn": st.sampled_from([0.1, 0.8]),
                        "no_extends": st.sampled_from([0.05, 0.6]),
                    },
                ),
            },
        ),
        "poll": st.fixed_dictionaries(
            {"every": st.sampled_from(["5s", "1m", "20m"]), "backoff": st.sampled_from([1, 1.5, 4])},
            optional={"at_first": st.sampled_from(["1s", "12s", "10m"])},
        ),
        "credit": st.fixed_dictionaries({"wait_until": st.sampled_from([-5, 60]).map(moment)}),
    },
)


@settings(max_examples=150, deadline=None)
@given(
    timeout=durations,
    asked=policies,
    runs_for=st.sampled_from([20, 299.5, 1800, 6000]),
    queued_for=st.sampled_from([0, 7, 61.25, 600]),
    results_after=st.sampled_from([0, 4, 100]),
    exit_code=st.sampled_from([0, 3]),
)
def test_the_forecast_is_what_the_engine_does(
    timeout: str,
    asked: dict[str, Any],
    runs_for: float,
    queued_for: float,
    results_after: float,
    exit_code: int,
) -> None:
    assumed = Assumed(RATE, queued_for, runs_for, exit_code, results_after, rates=RATES)
    assert_foretold(timeout, asked, assumed)


@settings(max_examples=60, deadline=None)
@given(
    asked=policies,
    retry=retries,
    queued_longer_than=st.sampled_from(["30s", "5m"]),
    runs_for=st.sampled_from([20, 299.5, 1800]),
    queued_for=st.sampled_from([0, 7, 61.25]),
)
def test_every_attempt_is_foretold(
    asked: dict[str, Any], retry: dict[str, Any], queued_longer_than: str, runs_for: float, queued_for: float
) -> None:
    stop = {"queued_longer_than": queued_longer_than}
    assumed = Assumed(RATE, queued_for, runs_for, 3, 4, rates=RATES)
    assert_foretold("10m", {**asked, "retry": retry, "stop": stop}, assumed)


def assert_foretold(timeout: str, asked: dict[str, Any], assumed: Assumed) -> None:
    world = World(accounts={"default": "1000"})
    behaviour = {name: getattr(assumed, name) for name in ("runs_for", "queued_for", "results_after")}
    behaviour["exit_code"] = assumed.exit_code
    job_id = world.enqueue(definition(**behaviour), timeout=timeout, policies=asked)
    world.run()

    told_before = forecast(world.job(job_id).spec, assumed, START, job_id=job_id)
    happened = [told(event, START) for event in world.parts.store.events(job_id)]
    foretold = [told(event, START) for event in told_before.log if event.logged]
    assert foretold == happened
    assert told_before.complete
    assert told_before.cost == world.job(job_id).spend.settled
    assert told_before.calls == calls_made(world)
