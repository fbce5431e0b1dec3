"""What policies mean: intervals, margins, caps; and what they refuse, with the way out."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from dispatcher.domain.policies import (
    STOP_GRACE,
    CreditPolicy,
    ExtendPolicy,
    Policies,
    Policy,
    PollPolicy,
    StopPolicy,
)

KINDS = [PollPolicy, ExtendPolicy, StopPolicy, CreditPolicy, Policies]
LENGTHS = st.integers(min_value=1, max_value=10**6).map(lambda seconds: timedelta(seconds=seconds))
POLLS = st.builds(
    PollPolicy,
    every=LENGTHS,
    backoff=st.floats(min_value=1, max_value=10),
    at_most=LENGTHS,
    near_deadline=LENGTHS,
)
LOOKS = st.integers(min_value=0, max_value=10_000)
LEFT = st.floats(min_value=0.001, max_value=1e7)


def refusals(kind: type[Policy], /, **fields: Any) -> dict[str, str]:
    """What is wrong with each field."""
    with pytest.raises(ValidationError) as refused:
        kind.model_validate(fields)
    return {".".join(map(str, item["loc"])): item["msg"] for item in refused.value.errors()}


@pytest.mark.parametrize(
    ("looks", "left", "seconds"),
    [
        (0, None, 30),
        (1, None, 45),
        (2, None, 67.5),
        (6, None, 300),  # 341 s are more than at_most
        (10_000, None, 300),
        (0, 1e6, 30),
        (10_000, 1e6, 300),
        (10_000, 400, 200),  # half of what is left
        (0, 40, 20),
        (0, 15, 10),  # never shorter than near_deadline
        (0, 0.5, 10),
        (0, 0, 30),  # past the deadline there is nothing to halve
        (0, -100, 30),
    ],
)
def test_the_default_poll_intervals(looks: int, left: float | None, seconds: float) -> None:
    assert PollPolicy().interval(looks, left) == seconds


@pytest.mark.parametrize(
    ("looks", "queued_for", "seconds"),
    [(0, 0, 5), (0, 5, 5), (0, 11, 11), (1, 40, 40), (1, 60, 45), (9, 200, 200), (9, 1000, 300)],
)
def test_the_first_looks_after_posting_come_sooner_and_grow(
    looks: int, queued_for: float, seconds: float
) -> None:
    assert PollPolicy().interval(looks, None, queued_for) == seconds


def test_a_first_look_is_never_later_than_every() -> None:
    poll = PollPolicy.model_validate({"at_first": "5m", "every": "30s"})
    assert poll.interval(0, None, 0) == 30


@given(POLLS, LOOKS, st.none() | LEFT)
def test_an_interval_stays_within_its_bounds(poll: PollPolicy, looks: int, left: float | None) -> None:
    every, near = poll.every.total_seconds(), poll.near_deadline.total_seconds()
    seconds = poll.interval(looks, left)
    assert seconds <= max(poll.at_most.total_seconds(), every)
    assert seconds >= min(every, near)
    if left is None:
        assert seconds >= every
    else:
        assert seconds <= max(left / 2, near)


@given(POLLS, LOOKS, LOOKS, st.none() | LEFT)
def test_looks_without_a_change_never_make_the_interval_shorter(
    poll: PollPolicy, some: int, others: int, left: float | None
) -> None:
    fewer, more = sorted((some, others))
    assert poll.interval(fewer, left) <= poll.interval(more, left)


@given(POLLS, LOOKS, LEFT, LEFT)
def test_the_nearer_the_deadline_the_shorter_the_interval(
    poll: PollPolicy, looks: int, some: float, other: float
) -> None:
    near, far = sorted((some, other))
    assert poll.interval(looks, near) <= poll.interval(looks, far) <= poll.interval(looks, None)


@pytest.mark.parametrize(
    ("by", "margin", "seconds"),
    [
        ("1h", None, 300),  # 10 % are 360 s
        ("50m", None, 300),
        ("30m", None, 180),
        ("10m", None, 60),
        ("5m", None, 60),  # 10 % are 30 s
        ("2m", None, 60),
        ("90s", None, 45),  # never more than half
        ("1m", None, 30),
        ("1h", "10m", 600),
        ("1h", "30m", 1800),
        ("1h", "2h", 1800),
        ("1h", "1s", 1),
    ],
)
def test_the_margin_of_an_extension(by: str, margin: str | None, seconds: float) -> None:
    assert ExtendPolicy.model_validate({"by": by, "margin": margin}).margin_seconds() == seconds


@given(st.integers(min_value=60, max_value=10**7), st.none() | LENGTHS)
def test_a_margin_leaves_at_least_half_of_the_extension(by: int, margin: timedelta | None) -> None:
    seconds = ExtendPolicy(by=timedelta(seconds=by), margin=margin).margin_seconds()
    assert 0 < seconds <= by / 2
    if margin is None:
        assert min(by / 2, 60) <= seconds <= 300


@pytest.mark.parametrize(
    ("policies", "cost"),
    [
        ({}, None),
        ({"extend": {"by": "1h"}}, None),
        ({"stop": {"max_cost": "2"}}, "2"),
        ({"extend": {"by": "1h", "max_cost": "3"}}, "3"),
        ({"extend": {"by": "1h", "max_cost": "3"}, "stop": {"max_cost": "2"}}, "2"),
        ({"extend": {"by": "1h", "max_cost": "1"}, "stop": {"max_cost": "2"}}, "1"),
    ],
)
def test_the_smaller_cap_of_cost_holds(policies: dict[str, Any], cost: str | None) -> None:
    assert Policies.model_validate(policies).max_cost() == (None if cost is None else Decimal(cost))


@pytest.mark.parametrize(
    ("policies", "seconds"),
    [
        ({}, None),
        ({"extend": {"by": "1h"}}, None),
        ({"stop": {"after": "1h"}}, 3600 + STOP_GRACE),
        ({"extend": {"by": "1h", "max_runtime": "2h"}}, 7200),
        ({"extend": {"by": "1h", "max_runtime": "2h"}, "stop": {"after": "1h"}}, 3600 + STOP_GRACE),
        ({"extend": {"by": "1h", "max_runtime": "30m"}, "stop": {"after": "1h"}}, 1800),
        ({"stop": {"at": "2027-01-01T00:00:00Z", "queued_longer_than": "1h", "max_cost": "1"}}, None),
    ],
)
def test_the_smaller_cap_of_run_time_holds(policies: dict[str, Any], seconds: float | None) -> None:
    assert Policies.model_validate(policies).max_runtime() == seconds


def test_what_holds_if_nothing_is_said() -> None:
    said = Policies().model_dump(mode="json", exclude_none=True)
    assert said == {
        "version": 1,
        "poll": {
            "kind": "poll",
            "at_first": "5s",
            "every": "30s",
            "backoff": 1.5,
            "at_most": "5m",
            "near_deadline": "10s",
        },
        "stop": {"kind": "stop"},
        "credit": {"kind": "credit", "when_short": "wait"},
    }


@pytest.mark.parametrize("kind", KINDS)
def test_unknown_fields_are_refused(kind: type[Policy]) -> None:
    needed = {"by": "1h"} if kind is ExtendPolicy else {}
    assert refusals(kind, evry="30s", **needed) == {"evry": "Extra inputs are not permitted"}


def test_unknown_fields_are_refused_inside_too() -> None:
    assert set(refusals(Policies, poll={"evry": "30s"}, extnd={})) == {"poll.evry", "extnd"}


@pytest.mark.parametrize("value", [30, "30", 1.5, "1.5", True])
@pytest.mark.parametrize(
    ("kind", "field"),
    [
        (PollPolicy, "every"),
        (PollPolicy, "at_most"),
        (PollPolicy, "near_deadline"),
        (ExtendPolicy, "by"),
        (ExtendPolicy, "margin"),
        (ExtendPolicy, "max_runtime"),
        (StopPolicy, "after"),
        (StopPolicy, "queued_longer_than"),
        (CreditPolicy, "wait_at_most"),
    ],
)
def test_bare_numbers_are_refused_with_the_way_out(kind: type[Policy], field: str, value: object) -> None:
    needed: dict[str, Any] = {"by": "1h"} if kind is ExtendPolicy else {}
    said = refusals(kind, **{**needed, field: value})[field]
    assert "unit" in said
    assert "90s, 30m, 1h30m, 2d, PT30M, or a timedelta" in said


@pytest.mark.parametrize(
    "value",
    [
        datetime(2026, 12, 24, 18),  # noqa: DTZ001 - what is refused
        "2026-12-24T18:00:00",
        "2026-12-24 18:00",
        "2026-12-24",
        60,
        60.5,
        "60",
        "-60",
        1_766_599_200,
        "1766599200",
        "1766599200000",
        "1.7e9",
        True,
        b"2026-12-24T18:00:00Z",
    ],
)
def test_a_time_without_its_offset_or_without_a_date_is_refused(value: object) -> None:
    assert "2026-12-24T18:00:00+01:00, or ...Z for UTC" in refusals(StopPolicy, at=value)["at"]


@pytest.mark.parametrize("value", ["soon", "2026-13-24T18:00:00Z", "2026-12-24T18:00:00+99:00", [], {}])
def test_what_is_no_time_at_all_is_refused(value: object) -> None:
    assert set(refusals(StopPolicy, at=value)) == {"at"}


@pytest.mark.parametrize(
    ("value", "moment"),
    [
        ("2026-12-24T18:00:00Z", datetime(2026, 12, 24, 18, tzinfo=UTC)),
        ("2026-12-24T18:00:00+01:00", datetime(2026, 12, 24, 17, tzinfo=UTC)),
        ("2026-12-24 18:00-05:00", datetime(2026, 12, 24, 23, tzinfo=UTC)),
        (datetime(2026, 12, 24, 18, tzinfo=UTC), datetime(2026, 12, 24, 18, tzinfo=UTC)),
    ],
)
def test_a_time_with_its_offset_is_taken(value: object, moment: datetime) -> None:
    assert StopPolicy.model_validate({"at": value}).at == moment


@pytest.mark.parametrize(
    ("kind", "field", "value"),
    [
        (PollPolicy, "every", "0.999s"),  # a turn that looks again at once goes round for ever
        (PollPolicy, "near_deadline", "0.1s"),
        (PollPolicy, "near_deadline", "0.5s"),
        (PollPolicy, "backoff", 0.9),
        (PollPolicy, "backoff", 11),
        (PollPolicy, "backoff", float("nan")),
        (PollPolicy, "kind", "extend"),
        (ExtendPolicy, "by", "59s"),
        (ExtendPolicy, "max_cost", "0"),
        (ExtendPolicy, "max_cost", "-1"),
        (ExtendPolicy, "max_cost", "0.0000001"),
        (ExtendPolicy, "max_times", 0),
        (StopPolicy, "max_cost", "0"),
        (StopPolicy, "max_cost", True),
        (CreditPolicy, "when_short", "panic"),
        (Policies, "version", 2),
        (Policies, "poll", None),
        (Policies, "stop", "after 1h"),
    ],
)
def test_values_out_of_bounds_are_refused(kind: type[Policy], field: str, value: object) -> None:
    needed: dict[str, Any] = {"by": "1h"} if kind is ExtendPolicy else {}
    assert set(refusals(kind, **{**needed, field: value})) == {field}


def test_an_extend_policy_needs_to_say_by_how_much() -> None:
    assert refusals(ExtendPolicy) == {"by": "Field required"}


@given(
    st.builds(
        Policies,
        poll=POLLS,
        extend=st.none()
        | st.builds(
            ExtendPolicy,
            by=st.integers(60, 10**6).map(lambda seconds: timedelta(seconds=seconds)),
            margin=st.none() | LENGTHS,
            max_cost=st.none() | st.decimals("0.000001", 10**9, places=6),
            max_times=st.none() | st.integers(1, 100),
        ),
        stop=st.builds(
            StopPolicy, at=st.none() | st.datetimes(timezones=st.just(UTC)), after=st.none() | LENGTHS
        ),
    )
)
def test_policies_survive_json(policies: Policies) -> None:
    assert Policies.model_validate_json(policies.model_dump_json()) == policies
    assert Policies.model_validate(policies.model_dump(mode="json")) == policies
