"""Budgets in the ledger, step by step. The long runs are in `test_ledger_properties`."""

from decimal import Decimal
from typing import Any

import pytest
import redis

from dispatcher.domain.budget import OWN, Budget, BudgetUse, Scope, Window, window_end, window_start
from dispatcher.domain.ids import AccountName, HoldId, JobId
from dispatcher.ports.ledger import Held, Ledger, Over, Short
from dispatcher.store import windows
from dispatcher.store.redis import RedisLedger
from tests.store.books import ACCOUNT, EXTEND, JOB, OTHER, POST, balance, shown
from tests.store.records import DAY, T0

TEAM, MINE = Scope("label:team-a"), Scope("account:default")


@pytest.fixture(autouse=True)
def rich(ledger: Ledger) -> None:
    shown(ledger, "1000")


def hold(
    ledger: Ledger, amount: str, name: HoldId = POST, job: JobId = JOB, *, now: float = T0, **more: Any
) -> Any:
    scopes = more.pop("scopes", (MINE, TEAM))
    return ledger.hold(ACCOUNT, job, name, Decimal(amount), now=now, scopes=scopes, **more)


def allow(ledger: Ledger, scope: Scope, window: Window, limit: str, *, now: float = T0) -> None:
    ledger.set_budget(Budget(scope, window, Decimal(limit)), now=now)


def used(ledger: Ledger, *, now: float = T0) -> dict[str, tuple[Decimal, Decimal]]:
    """What each budget has used, and holds."""
    return {
        f"{use.budget.scope}/{use.budget.window}": (use.used, use.held) for use in ledger.budgets(now=now)
    }


def test_budgets_are_listed_with_their_use(ledger: Ledger) -> None:
    assert ledger.budgets(now=T0) == []
    hold(ledger, "3")
    for window in (Window.TOTAL, Window.MONTH, Window.DAY):
        allow(ledger, TEAM, window, "5.5")
    allow(ledger, MINE, Window.DAY, "7")
    hold(ledger, "1", EXTEND)

    day, month = (window_end(window, T0) for window in (Window.DAY, Window.MONTH))
    since = [window_start(window, T0) or 0.0 for window in (Window.DAY, Window.MONTH)]
    four, one = Decimal(4), Decimal(1)
    assert ledger.budgets(now=T0) == [
        BudgetUse(Budget(MINE, Window.DAY, Decimal(7)), since[0], day, four, four),
        BudgetUse(Budget(TEAM, Window.DAY, Decimal("5.5")), since[0], day, four, four),
        BudgetUse(Budget(TEAM, Window.MONTH, Decimal("5.5")), since[1], month, four, four),
        BudgetUse(Budget(TEAM, Window.TOTAL, Decimal("5.5")), T0, None, one, one),
    ]


def test_a_budget_that_is_set_at_noon_sees_the_morning(ledger: Ledger) -> None:
    hold(ledger, "3")
    allow(ledger, TEAM, Window.DAY, "5")

    assert hold(ledger, "2.000001", EXTEND) == Over(
        TEAM, Window.DAY, Decimal(5), Decimal(3), window_end(Window.DAY, T0)
    )
    assert hold(ledger, "2", EXTEND) == Held(Decimal(2))
    assert used(ledger) == {"label:team-a/day": (Decimal(5), Decimal(5))}
    assert ledger.view(ACCOUNT).held == 5


def test_what_a_budget_refuses_sets_nothing_aside(ledger: Ledger) -> None:
    allow(ledger, TEAM, Window.DAY, "5")
    assert isinstance(hold(ledger, "6"), Over)

    assert (ledger.view(ACCOUNT).held, used(ledger)) == (0, {"label:team-a/day": (0, 0)})


def test_a_total_counts_from_when_it_was_set_and_goes_on_when_it_is_changed(ledger: Ledger) -> None:
    hold(ledger, "3")
    allow(ledger, TEAM, Window.TOTAL, "5", now=T0 + 1)
    hold(ledger, "4", EXTEND)
    allow(ledger, TEAM, Window.TOTAL, "6", now=T0 + 2)

    assert hold(ledger, "3", HoldId("more")) == Over(TEAM, Window.TOTAL, Decimal(6), Decimal(4), None)
    assert ledger.budgets(now=T0)[0].since == T0 + 1

    ledger.remove_budget(TEAM, Window.TOTAL)
    ledger.remove_budget(TEAM, Window.TOTAL)
    allow(ledger, TEAM, Window.TOTAL, "6", now=T0 + 3)
    assert used(ledger) == {"label:team-a/total": (0, 0)}
    assert ledger.budgets(now=T0)[0].since == T0 + 3
    ledger.settle(ACCOUNT, JOB, Decimal(1))
    assert used(ledger) == {"label:team-a/total": (0, 0)}  # what it never counted is not given back to it


@pytest.mark.parametrize(
    ("limits", "named"),
    [
        ({Window.DAY: "1", Window.MONTH: "1", Window.TOTAL: "1"}, Window.TOTAL),
        ({Window.DAY: "1", Window.MONTH: "1", Window.TOTAL: "9"}, Window.MONTH),
        ({Window.DAY: "1", Window.MONTH: "9"}, Window.DAY),
    ],
)
def test_the_budget_that_lasts_longest_is_named(
    ledger: Ledger, limits: dict[Window, str], named: Window
) -> None:
    for window, limit in limits.items():
        allow(ledger, TEAM, window, limit)

    assert hold(ledger, "2") == Over(TEAM, named, Decimal(1), Decimal(0), window_end(named, T0))


def test_every_scope_of_a_job_has_to_allow_it(ledger: Ledger) -> None:
    allow(ledger, TEAM, Window.DAY, "5")
    allow(ledger, MINE, Window.DAY, "4")

    assert hold(ledger, "4.5").scope == MINE
    assert hold(ledger, "4.5", scopes=(TEAM,)) == Held(Decimal("4.5"))
    assert hold(ledger, "1", EXTEND).scope == TEAM
    assert hold(ledger, "100", HoldId("free"), scopes=()) == Held(Decimal(100))


def test_accounts_share_the_budget_of_a_label(ledger: Ledger) -> None:
    other = AccountName("other")
    ledger.put_balance(other, ledger.marker(other), balance("100"), now=T0)
    allow(ledger, TEAM, Window.DAY, "5")
    hold(ledger, "3")

    assert isinstance(ledger.hold(other, OTHER, EXTEND, Decimal(3), now=T0, scopes=(TEAM,)), Over)
    assert ledger.hold(other, OTHER, EXTEND, Decimal(2), now=T0, scopes=(TEAM,)) == Held(Decimal(2))
    ledger.settle(other, OTHER, Decimal(1))
    assert used(ledger) == {"label:team-a/day": (Decimal(4), Decimal(3))}


def test_what_came_of_a_hold_takes_its_place(ledger: Ledger) -> None:
    allow(ledger, TEAM, Window.DAY, "50")
    allow(ledger, TEAM, Window.TOTAL, "50")
    more = HoldId("more")
    hold(ledger, "10")
    hold(ledger, "8", EXTEND)
    hold(ledger, "6", more)

    ledger.confirm(ACCOUNT, POST, Decimal(9))
    ledger.confirm(ACCOUNT, POST, Decimal(1))
    ledger.void(ACCOUNT, EXTEND)
    ledger.void(ACCOUNT, POST)
    assert set(used(ledger).values()) == {(Decimal(15), Decimal(15))}

    ledger.settle(ACCOUNT, JOB, Decimal("2.5"))
    ledger.settle(ACCOUNT, JOB, Decimal(99))
    assert set(used(ledger).values()) == {(Decimal("2.5"), Decimal(0))}


def test_a_job_that_cost_more_than_was_held_counts_whole(ledger: Ledger) -> None:
    allow(ledger, TEAM, Window.DAY, "5")
    hold(ledger, "3")

    ledger.settle(ACCOUNT, JOB, Decimal(7))

    assert used(ledger) == {"label:team-a/day": (Decimal(7), Decimal(0))}
    assert ledger.budgets(now=T0)[0].left == 0


def test_a_day_begins_anew_and_what_is_given_back_goes_to_the_latest_day_first(ledger: Ledger) -> None:
    allow(ledger, TEAM, Window.DAY, "5")
    allow(ledger, TEAM, Window.MONTH, "500")
    midnight = window_end(Window.DAY, T0)
    assert midnight is not None
    hold(ledger, "4")
    assert isinstance(hold(ledger, "3", EXTEND, now=midnight - 0.001), Over)
    assert hold(ledger, "3", EXTEND, now=midnight) == Held(Decimal(3))

    month = "label:team-a/month"
    assert used(ledger)["label:team-a/day"] == (Decimal(4), Decimal(4))
    assert used(ledger, now=midnight)["label:team-a/day"] == (Decimal(3), Decimal(3))
    assert used(ledger, now=midnight)[month] == (Decimal(7), Decimal(7))
    ledger.settle(ACCOUNT, JOB, Decimal("3.5"))

    assert used(ledger)["label:team-a/day"] == (Decimal("3.5"), Decimal(0))
    assert used(ledger, now=midnight)["label:team-a/day"] == (Decimal(0), Decimal(0))
    assert used(ledger, now=midnight)[month] == (Decimal("3.5"), Decimal(0))


def test_all_holds_of_a_job_together_stay_within_its_own_cap(ledger: Ledger) -> None:
    cap = Decimal(5)
    assert hold(ledger, "3", cap=cap) == Held(Decimal(3))
    ledger.confirm(ACCOUNT, POST, Decimal("2.5"))

    assert hold(ledger, "2.6", EXTEND, cap=cap) == Over(OWN, Window.TOTAL, cap, Decimal("2.5"), None)
    assert hold(ledger, "2.5", EXTEND, cap=cap) == Held(Decimal("2.5"))
    assert hold(ledger, "5", HoldId("other"), OTHER, cap=cap) == Held(Decimal(5))


def test_a_hold_that_is_there_is_kept_whatever_the_budget_says(ledger: Ledger) -> None:
    hold(ledger, "3")
    allow(ledger, TEAM, Window.DAY, "1")

    assert hold(ledger, "3", cap=Decimal(1)) == Held(Decimal(3))
    assert used(ledger) == {"label:team-a/day": (Decimal(3), Decimal(3))}


def test_those_ahead_in_line_go_first_if_there_is_enough_for_them(ledger: Ledger) -> None:
    ahead = [(JobId("job_8"), Decimal(600)), (JobId("job_7"), Decimal(500)), (JobId("job_9"), Decimal(300))]

    assert hold(ledger, "101", ahead=ahead) == Short(Decimal(1000), Decimal(900))
    assert hold(ledger, "100", ahead=ahead) == Held(Decimal(100))


def test_those_ahead_who_have_their_hold_already_are_not_counted_again(ledger: Ledger) -> None:
    ahead = [(OTHER, Decimal(600))]
    theirs = HoldId("job_2:post:1")
    hold(ledger, "500", theirs, OTHER)
    assert hold(ledger, "450", ahead=ahead) == Held(Decimal(450))

    ledger.void(ACCOUNT, POST)
    ledger.confirm(ACCOUNT, theirs, Decimal(500))
    assert hold(ledger, "450", ahead=[(OTHER, Decimal(100))]) == Short(Decimal(500), Decimal(100))


def test_old_windows_are_forgotten_and_stay_so(client: redis.Redis) -> None:
    ledger = RedisLedger(client, "test")
    shown(ledger, "1000")
    for day in range(0, 800, 20):
        hold(ledger, "1", HoldId(f"hold {day}"), JobId(f"job {day}"), now=T0 + day * DAY)
    kept = {name.decode() for name in client.scan_iter("test:spent:*")}

    assert len([name for name in kept if ":day:" in name]) <= 4
    assert len([name for name in kept if ":month:" in name]) <= 16
    ledger.settle(ACCOUNT, JobId("job 0"), Decimal(0))
    ledger.confirm(ACCOUNT, HoldId("hold 20"), Decimal(2))
    assert {name.decode() for name in client.scan_iter("test:spent:*")} == kept


def test_nothing_is_left_of_jobs_that_are_over(client: redis.Redis) -> None:
    ledger = RedisLedger(client, "test")
    shown(ledger, "1000")
    allow(ledger, TEAM, Window.TOTAL, "50")
    before = set(client.scan_iter("*"))
    hold(ledger, "1")
    hold(ledger, "2", HoldId("void"), OTHER)
    ledger.void(ACCOUNT, HoldId("void"))
    ledger.settle(ACCOUNT, JOB, Decimal(1))
    ledger.remove_budget(TEAM, Window.TOTAL)

    left = {name.decode() for name in set(client.scan_iter("*")) - before}
    assert left == {
        *("test:credit:default:settled", "test:credit:default:unseen"),
        *("test:spent:windows", "test:spent:day:2023-11-14", "test:spent:month:2023-11"),
    }


def test_beyond_many_scopes_only_those_with_a_budget_are_counted(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(windows, "SCOPES_AT_MOST", 2)
    late, new = Scope("label:late"), Scope("label:new")
    allow(ledger, late, Window.DAY, "9")
    hold(ledger, "1", scopes=(TEAM, MINE, late, new))
    hold(ledger, "1", EXTEND, scopes=(TEAM, MINE, late, new))
    for scope in (TEAM, new):
        allow(ledger, scope, Window.DAY, "9")
    assert used(ledger) == {
        "label:late/day": (Decimal(2), Decimal(2)),
        "label:new/day": (Decimal(0), Decimal(0)),
        "label:team-a/day": (Decimal(2), Decimal(2)),
    }
    ledger.settle(ACCOUNT, JOB, Decimal("0.5"))
    assert used(ledger)["label:new/day"] == (0, 0)
    assert used(ledger)["label:late/day"] == (Decimal("0.5"), 0)
    hold(ledger, "1", HoldId("x"), OTHER, scopes=(new,))
    assert used(ledger)["label:new/day"] == (Decimal(1), Decimal(1))


def test_scopes_may_have_any_text(ledger: Ledger) -> None:
    odd = Scope('label:note=ü "quoted": %d\n\\ \u2603')
    allow(ledger, odd, Window.DAY, "5")
    hold(ledger, "2", scopes=(odd,))
    ledger.settle(ACCOUNT, JOB, Decimal(1))

    assert ledger.budgets(now=T0)[0].budget.scope == odd
    assert ledger.budgets(now=T0)[0].used == 1
