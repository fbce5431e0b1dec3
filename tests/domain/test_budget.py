"""Budgets: what is read, for whom a job counts, when windows begin and end."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatcher.domain.budget import (
    OWN,
    Budget,
    BudgetUse,
    Scope,
    Window,
    forget_at,
    parse_budget,
    parse_scope,
    parse_window,
    refusal,
    scopes_of,
    window_end,
    window_id,
    window_start,
)
from dispatcher.domain.errors import InvalidRequest
from dispatcher.domain.ids import AccountName
from dispatcher.domain.request import JobSpec
from dispatcher.domain.view import timestamp

NOON = 1_795_348_800.0  # 2026-11-22T12:00:00Z
SECONDS = st.integers(0, 4_000_000_000).map(float)
PERIODS = st.sampled_from([Window.DAY, Window.MONTH])


def spec(**fields: object) -> JobSpec:
    return JobSpec(**{"market": "some-market", "timeout": "30m", **fields})


@pytest.mark.parametrize(
    ("scope", "limit", "meant"),
    [
        ("label:team-a", "50/day", Budget(Scope("label:team-a"), Window.DAY, Decimal(50))),
        ("account:default", "200/month", Budget(Scope("account:default"), Window.MONTH, Decimal(200))),
        ("label:team=a", "5", Budget(Scope("label:team=a"), Window.TOTAL, Decimal(5))),
        ("label:team=a", 5, Budget(Scope("label:team=a"), Window.TOTAL, Decimal(5))),
        ("label:x=a=b c\n", "$0.5 / day", Budget(Scope("label:x=a=b c\n"), Window.DAY, Decimal("0.5"))),
        ("label:x=", "0/total", Budget(Scope("label:x="), Window.TOTAL, Decimal(0))),
    ],
)
def test_budgets_that_are_understood(scope: str, limit: object, meant: Budget) -> None:
    assert parse_budget(scope, limit) == meant


@pytest.mark.parametrize(
    ("scope", "limit", "paths"),
    [
        ("team-a", "50/day", ["scope"]),
        ("label:", "50/day", ["scope"]),
        ("label:a b", "50/day", ["scope"]),
        ("account:a=b", "50/day", ["scope"]),
        ("account:default\n", "50/day", ["scope"]),
        (None, "50/day", ["scope"]),
        ("label:a", "50/week", ["limit"]),
        ("label:a", "50/", ["limit"]),
        ("label:a", "/day", ["limit"]),
        ("label:a", "", ["limit"]),
        ("label:a", "-1/day", ["limit"]),
        ("label:a", "NaN", ["limit"]),
        ("label:a", "many/day", ["limit"]),
        ("label:a", "0.0000001", ["limit"]),
        ("label:" + "a" * 65, "1000000001", ["scope", "limit"]),
        ("", None, ["scope", "limit"]),
    ],
)
def test_every_fault_is_named_at_once_with_the_way_out(
    scope: object, limit: object, paths: list[str]
) -> None:
    with pytest.raises(InvalidRequest) as caught:
        parse_budget(scope, limit)
    assert [fault.path for fault in caught.value.faults] == paths
    assert "account:NAME" in str(caught.value) or "amount" in str(caught.value) or "/day" in str(caught.value)


@pytest.mark.parametrize("text", ["day", "/day", "50/day", " /day "])
def test_a_window_is_named_alone_or_with_its_amount(text: str) -> None:
    assert parse_window(text) is Window.DAY


@pytest.mark.parametrize("text", ["", "/", "week", "50"])
def test_other_windows_are_refused(text: str) -> None:
    with pytest.raises(InvalidRequest, match="/day, /month or /total"):
        parse_window(text)


def test_a_scope_is_refused_alone() -> None:
    assert parse_scope("label:a") == "label:a"
    with pytest.raises(InvalidRequest, match="label:NAME=VALUE"):
        parse_scope("labels:a")


def test_a_job_counts_for_its_account_and_for_each_label_by_name_by_value_and_by_both() -> None:
    job = spec(account="poor", labels={"team": "team-a", "team-a": "team", "note": "two words", "empty": ""})

    assert scopes_of(job, AccountName("poor")) == (
        "account:poor",
        *("label:team", "label:team-a", "label:team=team-a"),
        "label:team-a=team",
        *("label:note", "label:note=two words"),
        *("label:empty", "label:empty="),
    )


@given(
    labels=st.dictionaries(
        st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,5}", fullmatch=True), st.text(max_size=9)
    )
)
def test_whatever_a_job_counts_for_can_be_given_a_budget(labels: dict[str, str]) -> None:
    scopes = scopes_of(spec(labels=dict(list(labels.items())[:20])), AccountName("default"))

    assert len(set(scopes)) == len(scopes)
    assert [parse_scope(scope) for scope in scopes] == list(scopes)


@given(at=SECONDS, window=PERIODS)
def test_windows_follow_each_other_without_a_gap(at: float, window: Window) -> None:
    start, end = window_start(window, at), window_end(window, at)
    assert start is not None
    assert end is not None

    assert start <= at < end
    assert window_id(window, start) == window_id(window, end - 0.001) == window_id(window, at)
    assert window_id(window, end) != window_id(window, at)
    assert window_start(window, end) == end
    assert forget_at(window, at) > end


@pytest.mark.parametrize(
    ("window", "name", "start", "end", "forgotten"),
    [
        (Window.DAY, "2026-11-22", "2026-11-22T00:00:00Z", "2026-11-23T00:00:00Z", "2027-01-02T00:00:00Z"),
        (Window.MONTH, "2026-11", "2026-11-01T00:00:00Z", "2026-12-01T00:00:00Z", "2028-01-05T00:00:00Z"),
    ],
)
def test_windows_are_utcs(window: Window, name: str, start: str, end: str, forgotten: str) -> None:
    assert window_id(window, NOON) == name
    assert timestamp(window_start(window, NOON)) == start
    assert timestamp(window_end(window, NOON)) == end
    assert timestamp(forget_at(window, NOON)) == forgotten


def test_a_total_has_no_end() -> None:
    assert (window_id(Window.TOTAL, NOON), window_end(Window.TOTAL, NOON)) == ("", None)
    assert window_start(Window.TOTAL, NOON) is None


def test_nothing_is_left_of_a_budget_that_was_lowered_below_its_use() -> None:
    budget = Budget(Scope("label:a"), Window.DAY, Decimal(2))

    assert BudgetUse(budget, NOON, None, Decimal("1.5"), Decimal(0)).left == Decimal("0.5")
    assert BudgetUse(budget, NOON, None, Decimal(3), Decimal(0)).left == 0


@pytest.mark.parametrize(
    ("scope", "window", "limit", "until", "said"),
    [
        (
            "label:team-a",
            Window.DAY,
            "50",
            1_795_392_000.0,
            "budget label:team-a allows $50.000 a day: $48.200 is used, this needs $3.000; "
            "the day ends 2026-11-23T00:00:00Z",
        ),
        (
            "label:team-a",
            Window.TOTAL,
            "50",
            None,
            "budget label:team-a allows $50.000 in total: $48.200 is used, this needs $3.000: "
            "raise it with `dispatcher budget set`",
        ),
        (
            "account:default",
            Window.MONTH,
            "2",
            1_795_392_000.0,
            "budget account:default allows $2.000 a month: $48.200 is used, this needs $3.000, "
            "more than it ever allows: raise it with `dispatcher budget set`",
        ),
        (
            OWN,
            Window.TOTAL,
            "50",
            None,
            "the job's max_cost allows $50.000: $48.200 is used, this needs $3.000",
        ),
    ],
)
def test_a_refusal_says_what_will_change_it(
    scope: str, window: Window, limit: str, until: float | None, said: str
) -> None:
    assert refusal(Scope(scope), window, Decimal(limit), Decimal("48.2"), until, Decimal(3)) == said
