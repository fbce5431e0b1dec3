"""What people are shown of a job is JSON, true to the planner, and tells no secret."""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatcher.domain import events as ev
from dispatcher.domain.actions import Wait
from dispatcher.domain.bounds import costs
from dispatcher.domain.job import Job
from dispatcher.domain.lifecycle import apply, create
from dispatcher.domain.money import format_usd
from dispatcher.domain.planner import plan, upcoming
from dispatcher.domain.view import next_step, timestamp, view, why
from dispatcher.domain.words import Operation, Phase, Reason, State
from tests.domain.made import (
    ADDRESS,
    CID,
    DEFINITION,
    EVERYTHING,
    JOB_ID,
    MARKET,
    NODE,
    RESULT,
    T0,
    after,
    ended_job,
    enqueued,
    extending_job,
    intended,
    job_in,
    new_job,
    observed,
    ordered_stop,
    over_job,
    posting_job,
    queued_job,
    refused,
    request,
    running_job,
    undecided,
    waited,
)

JOBS = {
    **{str(state): job_in(state) for state in State},
    "waiting": apply(new_job(), waited(Reason.AWAITING_CREDIT, detail="needs $1.800, available $0.000")),
    "undecided": apply(posting_job(), undecided(posting_job())),
    "extending": extending_job(),
    "over": over_job(),
    "gone": apply(queued_job(), observed(queued_job(), Phase.GONE)),
    "everything": create(enqueued(**EVERYTHING)),
}


@pytest.mark.parametrize("job", JOBS.values(), ids=JOBS)
def test_every_job_can_be_shown_as_json(job: Job) -> None:
    shown = view(job, T0 + 60)
    assert json.loads(json.dumps(shown)) == shown
    assert shown["state"] == job.state
    assert set(shown) == set(view(new_job(), T0))  # always the same fields


@pytest.mark.parametrize("job", JOBS.values(), ids=JOBS)
def test_a_job_has_a_next_step_until_it_is_over(job: Job) -> None:
    for later in (0, 60, 1e6):
        step = view(job, T0 + later)["next"]
        assert (step is None) == job.state.is_final


@pytest.mark.parametrize("job", [job for job in JOBS.values() if not job.state.is_final])
@pytest.mark.parametrize("later", [0, 15, 60, 1e4])
def test_the_next_step_is_what_the_planner_will_do(job: Job, later: float) -> None:
    now = T0 + later
    step, decision = next_step(job, now), plan(job, now)
    assert step is not None
    assert step["rule"] == decision.rule
    if isinstance(decision.action, Wait):
        assert step["at"] == timestamp(decision.action.until)
        assert step["action"] == type(upcoming(job, now).action).__name__.lower()
    else:
        assert step["action"] == type(decision.action).__name__.lower()


def test_of_several_steps_that_are_due_the_one_is_shown_that_will_be_done() -> None:
    """An order could be dropped at once, but a stop that is due goes first."""
    job = running_job(policies={"stop": {"after": "10m"}})
    job = apply(job, ev.ExtendOrdered(at=T0 + 590, seconds=10, by="tester"))
    assert view(job, T0 + 590)["next"] == {
        "action": "dropextension",
        "rule": "ordered_extend",
        "at": timestamp(T0 + 590),
    }
    assert view(job, T0 + 601)["next"] == {
        "action": "orderstop",
        "rule": "policy_stop",
        "at": timestamp(T0 + 600),
    }


def test_what_is_shown_of_a_running_job() -> None:
    job = running_job(
        request_id="order-17", labels={"a": "b"}, policies={"extend": {"by": "10m", "max_times": 2}}
    )
    assert view(job, T0 + 90) == {
        "id": JOB_ID,
        "request_id": "order-17",
        "state": "running",
        "reason": "running",
        "detail": "",
        "next": {"action": "look", "rule": "poll", "at": "2027-01-15T08:00:34Z"},
        "dead": None,
        "crashed": None,
        "account": "default",
        "market": MARKET,
        "labels": {"a": "b"},
        "cid": CID,
        "address": ADDRESS,
        "node": NODE,
        "created_at": "2027-01-15T08:00:00Z",
        "started_at": "2027-01-15T08:00:00Z",
        "deadline": "2027-01-15T08:30:00Z",
        "ended_at": None,
        "ran_for": "1m30s",
        "timeout": "30m",
        "runtime_at_most": "50m",
        "attempt": 1,
        "attempts_at_most": 1,
        "earlier": [],
        "posts": 1,
        "extends": 0,
        "exit_code": None,
        "result_cid": None,
        "cost": {
            "rate_per_hour_usd": "3.600",
            "so_far_usd": "0.090",
            "earlier_usd": "0.000",
            "committed_usd": "1.800",
            "allowed_usd": "3.000",
            "settled_usd": None,
        },
        "after": [],
        "take": {},
        "callback": None,
        "policies": {
            "version": 1,
            "poll": {
                "kind": "poll",
                "at_first": "5s",
                "every": "30s",
                "backoff": 1.5,
                "at_most": "5m",
                "near_deadline": "10s",
            },
            "extend": {"kind": "extend", "by": "10m", "max_times": 2},
            "stop": {"kind": "stop"},
            "credit": {"kind": "credit", "when_short": "wait"},
        },
    }


def test_what_is_shown_of_a_job_that_is_over() -> None:
    shown = view(ended_job(State.FAILED), T0 + 1e6)
    assert shown["ended_at"] == "2027-01-15T08:02:00Z"
    assert (shown["ran_for"], shown["deadline"], shown["exit_code"]) == ("1m40s", None, 0)
    assert shown["cost"].pop("earlier_usd") == "0.000"
    assert set(shown["cost"].values()) == {"3.600", "0.100"}


@pytest.mark.parametrize(
    ("job", "detail"),
    [
        (new_job(), ""),
        (JOBS["waiting"], "needs $1.800, available $0.000"),
        (JOBS["undecided"], "cut"),
        (after(queued_job(), ev.Looked(at=T0, error="HTTP 503")), "HTTP 503"),
        (apply(extending_job(), refused(extending_job())), "no (HTTP 400)"),
        (ended_job(), ""),
    ],
)
def test_the_detail_says_why(job: Job, detail: str) -> None:
    assert why(job) == view(job, T0)["detail"] == detail


@given(st.sampled_from(sorted(JOBS)), st.floats(0, 10**6))
def test_the_cost_that_is_shown_is_the_cost(name: str, later: float) -> None:
    job = JOBS[name]
    found, shown = costs(job, T0 + later), view(job, T0 + later)["cost"]
    assert shown["so_far_usd"] == format_usd(found.so_far)
    assert shown["committed_usd"] == format_usd(found.committed)
    assert shown["allowed_usd"] == (None if found.allowed is None else format_usd(found.allowed))


CANARY = "nos_Canary7h4tMustN0tSing"


def strings(value: object) -> list[str]:
    """Every key and every text in decoded JSON."""
    if isinstance(value, Mapping):
        return [text for key, inner in value.items() for text in (str(key), *strings(inner))]
    return [text for inner in value for text in strings(inner)] if isinstance(value, list) else [str(value)]


def test_nothing_of_the_definition_is_shown() -> None:
    definition: dict[str, Any] = {
        **DEFINITION,
        "ops": [{**DEFINITION["ops"][0], "args": {"image": "u", "env": {"TOKEN": CANARY}}}],
    }
    asked = request(definition=definition, **EVERYTHING, allow_secrets=["definition.ops[0].args.env.TOKEN"])
    event = ev.Enqueued(at=T0, id=JOB_ID, spec=asked.spec(), fingerprint=asked.fingerprint(), cid=CID)
    job = create(event)
    for text in (
        *strings(view(job, T0)),
        job.model_dump_json(),
        repr(job),
        event.model_dump_json(),
        repr(event),
    ):
        assert CANARY not in text


@pytest.mark.parametrize(
    ("at", "text"),
    [
        (None, None),
        (0, "1970-01-01T00:00:00Z"),
        (T0, "2027-01-15T08:00:00Z"),
        (T0 + 0.999, "2027-01-15T08:00:00Z"),
        (datetime.fromisoformat("9999-12-31T23:59:59-12:00").timestamp(), "9999-12-31T23:59:59Z"),
        (datetime.fromisoformat("0001-01-01T00:00:00+12:00").timestamp(), "0001-01-01T00:00:00Z"),
    ],
)
def test_times_are_in_utc_and_whole_seconds(at: float | None, text: str | None) -> None:
    assert timestamp(at) == text


def test_a_stop_and_a_result_are_shown() -> None:
    job = apply(running_job(), ordered_stop())
    assert view(job, T0)["next"]["rule"] == "stop"
    job = apply(job, intended(job, Operation.STOP))
    job = apply(job, observed(job, Phase.DONE, at=T0 + 9, ended_at=T0 + 5, result_cid=RESULT))
    assert view(job, T0 + 9)["next"] == {"action": "collect", "rule": "over", "at": timestamp(T0 + 9)}
    assert view(job, T0 + 9)["timeout"] == "30m"


def test_what_a_job_is_tied_to_is_shown_but_not_what_the_callback_is_given() -> None:
    first = f"job_{9:024x}"
    callback = {"task": "app.ended", "queue": "app", "kwargs": {"order": "canary"}}
    place = {"definition.ops[0].args.cmd": {"job": first}}
    shown = view(new_job(after=[first], take=place, callback=callback), T0)
    assert shown["after"] == [{"id": first, "on": "success"}]
    assert shown["take"] == {"definition.ops[0].args.cmd": {"job": first, "field": "result_cid"}}
    assert shown["callback"] == {"task": "app.ended", "queue": "app"}
    assert shown["next"] == {"action": "release", "rule": "upstream", "at": timestamp(T0)}
    assert "canary" not in json.dumps(shown)
