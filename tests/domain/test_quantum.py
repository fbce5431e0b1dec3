"""The quantum policy: what is posted and added at once, and what that means for the most that can be spent."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatcher.domain.bounds import costs
from dispatcher.domain.costs import first_seconds, next_extension
from dispatcher.domain.errors import InvalidRequest
from dispatcher.domain.policies import Policies, QuantumPolicy
from tests.domain.made import RATE, T0, new_job, queued_job, request, running_job


def policies(**fields: Any) -> Policies:
    return Policies.model_validate(fields)


def test_the_step_alone_is_enough() -> None:
    assert policies(quantum="30m").quantum == policies(quantum={"step": "30m"}).quantum
    assert request(policies={"quantum": "30m"}).fingerprint() != request().fingerprint()


@pytest.mark.parametrize("step", ["1m", "119s", "0s", 30, ["30m"]])
def test_a_step_that_leaves_no_time_to_extend_is_refused(step: object) -> None:
    with pytest.raises(InvalidRequest) as caught:
        request(policies={"quantum": step})
    assert next(fault.path for fault in caught.value.faults).startswith("policies.quantum")


@pytest.mark.parametrize(
    ("given", "margin"),
    [
        ({"quantum": "30m"}, 180),
        ({"quantum": "2m"}, 60),
        ({"quantum": "10h"}, 300),
        ({"quantum": {"step": "10m", "margin": "4m"}}, 240),
        ({"quantum": {"step": "10m", "margin": "9m"}}, 300),
        ({"quantum": "30m", "extend": {"by": "2h", "margin": "5m"}}, 300),
        ({"quantum": "10m", "extend": {"by": "2h", "margin": "30m"}}, 300),
        ({"extend": {"by": "30m"}}, 180),
        ({}, None),
    ],
)
def test_the_next_step_is_asked_for_a_margin_before_the_deadline(
    given: dict[str, Any], margin: float | None
) -> None:
    assert policies(**given).margin_seconds() == margin


@given(step=st.integers(120, 360_000), wanted=st.integers(60, 360_000))
def test_steps_add_up_to_what_was_asked_for_and_none_is_too_short_or_too_long(step: int, wanted: int) -> None:
    quantum = QuantumPolicy(step=f"{step}s")
    left = wanted
    while left > 0:
        seconds = quantum.next_step(left)
        assert 60 <= seconds <= step
        left -= seconds
    assert left == 0


@pytest.mark.parametrize(
    ("timeout", "quantum", "stop", "seconds"),
    [
        ("4h", "30m", {}, 1800),
        ("20m", "30m", {}, 1200),
        ("30m30s", "30m", {}, 1740),
        ("4h", "30m", {"after": "10m"}, 660),
        ("4h", "30m", {"max_cost": "0.5"}, 500),
    ],
)
def test_the_first_posting_is_one_step(
    timeout: str, quantum: str, stop: dict[str, str], seconds: int
) -> None:
    spec = request(timeout=timeout, policies={"quantum": quantum, "stop": stop}).spec()
    assert first_seconds(spec, RATE, T0) == seconds


@pytest.mark.parametrize(
    ("asked", "allowed_so_far", "extends", "seconds"),
    [
        ({"quantum": "30m"}, 1800, 0, 1800),
        ({"quantum": "30m"}, 5400, 2, 1800),
        ({"quantum": "30m"}, 7200, 3, 0),
        ({"quantum": "25m"}, 6000, 3, 1200),
        ({"quantum": "30m", "extend": {"by": "1h"}}, 7200, 3, 1800),
        ({"quantum": "30m", "extend": {"by": "40m"}}, 9000, 4, 600),
        ({"quantum": "30m", "extend": {"by": "40m"}}, 9600, 5, 1800),
        ({"quantum": "30m", "extend": {"by": "10m"}}, 7200, 3, 600),
        ({"quantum": "30m", "extend": {"by": "1h", "max_times": 1}}, 9000, 4, 1800),
        ({"quantum": "30m", "extend": {"by": "1h", "max_times": 1}}, 10800, 5, 0),
        ({"quantum": "30m", "stop": {"max_cost": "6"}}, 5400, 2, 600),
    ],
)
def test_each_extension_is_one_step_until_the_time_is_reached(
    asked: dict[str, Any], allowed_so_far: int, extends: int, seconds: int
) -> None:
    job = running_job(timeout="2h", policies=asked)
    assert job.remote is not None
    grown = job.model_copy(
        update={
            "remote": job.remote.model_copy(update={"timeout": allowed_so_far}),
            "extends": extends,
            "spend": job.spend.model_copy(update={"posted": Decimal(allowed_so_far) / 1000}),
        }
    )
    assert next_extension(grown) == seconds


def test_what_an_operator_added_is_reached_too() -> None:
    job = running_job(timeout="1h", policies={"quantum": "30m"})
    assert job.remote is not None
    grown = job.model_copy(update={"extra": 1800, "remote": job.remote.model_copy(update={"timeout": 3600})})
    assert next_extension(grown) == 1800


def test_only_one_step_is_at_risk_and_the_whole_time_is_allowed() -> None:
    job = queued_job(timeout="4h", policies={"quantum": "30m"})
    figures = costs(job, T0)
    assert figures.committed == Decimal("1.8")
    assert figures.allowed == Decimal("14.4")


def test_before_it_is_posted_nothing_but_the_request_is_known() -> None:
    job = new_job(timeout="4h", policies={"quantum": "30m", "stop": {"max_cost": "3"}})
    assert costs(job, T0).committed == 0
    assert costs(job, T0).allowed == 3
