"""Every figure, once: its name, what it means, and how it is read.

A new figure is one more entry of `FIGURES`, and a row of docs/metrics.md (a test holds the two to one another).
"""

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Final, Literal

from dispatcher.domain.errors import UnreadableSchedule
from dispatcher.domain.ids import AccountName
from dispatcher.engine.parts import Parts
from dispatcher.ports.ledger import LedgerView
from dispatcher.ports.provider import Balance
from dispatcher.ports.store import Exposure

ELSEWHERE: Final = "(not in the settings)"
"""The label of all accounts together that have live jobs and are in nobody's settings; no account has such a name."""

Sample = tuple[tuple[str, ...], float]
"""The labels' values, and the figure."""


class Scrape:
    """One reading of everything. What several figures need is read once; nothing is read before it is needed."""

    def __init__(self, parts: Parts) -> None:
        self.store, self.ledger, self.schedules = parts.store, parts.ledger, parts.schedules
        self.accounts = parts.providers.names()
        self.now = parts.clock.now()

    @cached_property
    def earliest_due(self) -> float | None:
        return self.store.earliest_due()

    @cached_property
    def views(self) -> dict[AccountName, LedgerView]:
        return {name: self.ledger.view(name) for name in self.accounts}

    @cached_property
    def exposures(self) -> list[tuple[str, Exposure]]:
        """Of the settings' accounts, and of all others together where there are any."""
        known = [(str(name), self.store.exposure(name)) for name in self.accounts]
        strangers = [
            self.store.exposure(name) for name in self.store.exposed_accounts() if name not in self.accounts
        ]
        return known + [(ELSEWHERE, exposure) for exposure in strangers]


@dataclass(frozen=True, slots=True)
class Figure:
    """`read` may raise: the figure is then absent."""

    name: str
    help: str
    read: Callable[[Scrape], Iterable[Sample]]
    labels: tuple[str, ...] = ()
    kind: Literal["gauge", "counter"] = "gauge"

    def samples(self, scrape: Scrape) -> dict[tuple[str, ...], float]:
        """What was read; figures under the same labels are added up."""
        found: dict[tuple[str, ...], float] = {}
        for labels, value in self.read(scrape):
            found[labels] = found.get(labels, 0.0) + value
        return found


def _lag(scrape: Scrape) -> Iterator[Sample]:
    due = scrape.earliest_due
    yield (), 0.0 if due is None else max(scrape.now - due, 0.0)


def _of_balance(pick: Callable[[Balance], object]) -> Callable[[Scrape], Iterator[Sample]]:
    def read(scrape: Scrape) -> Iterator[Sample]:
        for name, view in scrape.views.items():
            if view.balance is not None:
                yield (name,), float(str(pick(view.balance)))

    return read


def _of_view(pick: Callable[[LedgerView, float], object]) -> Callable[[Scrape], Iterator[Sample]]:
    """For each account; what is None is left out."""

    def read(scrape: Scrape) -> Iterator[Sample]:
        for name, view in scrape.views.items():
            if (value := pick(view, scrape.now)) is not None:
                yield (name,), float(str(value))

    return read


def _of_exposure(pick: Callable[[Exposure], object]) -> Callable[[Scrape], Iterator[Sample]]:
    def read(scrape: Scrape) -> Iterator[Sample]:
        for name, exposure in scrape.exposures:
            yield (name,), float(str(pick(exposure)))

    return read


def _schedules(scrape: Scrape) -> Iterator[Sample]:
    states = {"active": 0, "paused": 0, "halted": 0, "unreadable": 0}
    for name in scrape.schedules.names():
        try:
            kept = scrape.schedules.get(name)
        except UnreadableSchedule:
            states["unreadable"] += 1
            continue
        if kept is not None:
            states["halted" if kept.state.halted else "paused" if kept.state.paused else "active"] += 1
    yield from (((state,), count) for state, count in states.items())


def _tick_age(scrape: Scrape) -> Iterator[Sample]:
    if scrape.schedules.names():
        ticked = scrape.schedules.last_tick()
        yield (), math.inf if ticked is None else max(scrape.now - ticked, 0.0)


_ACCOUNT = ("account",)

FIGURES: Final[tuple[Figure, ...]] = (
    # --- jobs ---------------------------------------------------------------------------------------------
    Figure(
        "dispatcher_jobs",
        "Jobs that are kept, by state; those that ended until their retention is over.",
        lambda scrape: (((state.value,), count) for state, count in scrape.store.counts().items()),
        ("state",),
    ),
    Figure(
        "dispatcher_reason_jobs",
        "Jobs that are not over, by why they are where they are; reasons that occur.",
        lambda scrape: (((reason.value,), count) for reason, count in scrape.store.reasons().items()),
        ("reason",),
    ),
    # --- agenda -------------------------------------------------------------------------------------------
    Figure(
        "dispatcher_dead_letter_jobs",
        "Jobs that were put aside after too many crashes.",
        lambda scrape: [((), scrape.store.count_dead())],
    ),
    Figure(
        "dispatcher_agenda_due_jobs",
        "Jobs that are due and that no sweep has taken yet.",
        lambda scrape: [((), scrape.store.due_count(now=scrape.now))],
    ),
    Figure(
        "dispatcher_agenda_lag_seconds",
        "How long ago the longest due of these fell due. A worker that sweeps keeps it under a second or two.",
        _lag,
    ),
    # --- credit -------------------------------------------------------------------------------------------
    Figure(
        "dispatcher_credit_waiting_jobs",
        "Jobs that wait for the account's credit.",
        lambda scrape: (((name,), scrape.store.waiting_count(name)) for name in scrape.accounts),
        _ACCOUNT,
    ),
    Figure(
        "dispatcher_balance_assigned_usd",
        "Credits that the account was given, as the network last showed them.",
        _of_balance(lambda balance: balance.assigned),
        _ACCOUNT,
    ),
    Figure(
        "dispatcher_balance_reserved_usd",
        "Of these, reserved by the network for jobs that are not over.",
        _of_balance(lambda balance: balance.reserved),
        _ACCOUNT,
    ),
    Figure(
        "dispatcher_balance_settled_usd",
        "Of these, spent.",
        _of_balance(lambda balance: balance.settled),
        _ACCOUNT,
    ),
    Figure(
        "dispatcher_balance_available_usd",
        "What the dispatcher may still hold: the network's balance less holds that it does not show yet.",
        _of_view(lambda view, _: view.available),
        _ACCOUNT,
    ),
    Figure(
        "dispatcher_balance_age_seconds",
        "How long ago the network was asked for the balance. It is asked when credits are held, not regularly.",
        _of_view(lambda view, now: None if view.balance_at is None else max(now - view.balance_at, 0.0)),
        _ACCOUNT,
    ),
    Figure(
        "dispatcher_held_usd",
        "Held here for jobs that are not over, whether the network shows it or not.",
        _of_view(lambda view, _: view.held),
        _ACCOUNT,
    ),
    Figure(
        "dispatcher_unseen_usd",
        "Held or spent here and not in the balance that the network last showed.",
        _of_view(lambda view, _: view.unseen),
        _ACCOUNT,
    ),
    Figure(
        "dispatcher_settled_usd_total",
        "What the dispatcher's jobs cost that ended.",
        _of_view(lambda view, _: view.settled),
        _ACCOUNT,
        "counter",
    ),
    Figure(
        "dispatcher_ledger_drift_usd",
        "What the network's books have more (or less) than ours, by the last audit.",
        _of_view(lambda view, _: None if view.audit is None else view.audit.drift),
        _ACCOUNT,
    ),
    Figure(
        "dispatcher_frozen_accounts",
        "1 while the account is frozen: nothing new is posted or extended. Otherwise 0.",
        _of_view(lambda view, _: 0 if view.frozen is None else 1),
        _ACCOUNT,
    ),
    # --- what live jobs can still cost --------------------------------------------------------------------
    Figure(
        "dispatcher_live_jobs",
        "Jobs that are not over.",
        _of_exposure(lambda exposure: exposure.jobs),
        _ACCOUNT,
    ),
    Figure(
        "dispatcher_unattended_spend_usd",
        "What jobs that are not over cost at most if every dispatcher process died now.",
        _of_exposure(lambda exposure: exposure.committed),
        _ACCOUNT,
    ),
    Figure(
        "dispatcher_allowed_spend_usd",
        "What their policies allow at most, of those jobs that have a limit.",
        _of_exposure(lambda exposure: exposure.allowed),
        _ACCOUNT,
    ),
    Figure(
        "dispatcher_unlimited_jobs",
        "Jobs that are not over and have no limit that is known: no policy limits them, or they have no price yet.",
        _of_exposure(lambda exposure: exposure.unlimited),
        _ACCOUNT,
    ),
    # --- schedules ----------------------------------------------------------------------------------------
    Figure(
        "dispatcher_schedules",
        "Schedules, by state; a halted one enqueues nothing until somebody resumes it.",
        _schedules,
        ("state",),
    ),
    Figure(
        "dispatcher_schedule_tick_age_seconds",
        "How long ago somebody looked whether a schedule is due; absent without schedules. Beat asks every 10 s.",
        _tick_age,
    ),
)
