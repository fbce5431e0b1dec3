"""Events in words: one line each, with what matters in it, and nothing but what the event holds."""

from decimal import Decimal

import pytest

from dispatcher.domain import events as ev
from dispatcher.domain.eventwords import in_words, who
from dispatcher.domain.ids import IdempotencyKey
from dispatcher.domain.words import Operation, Phase, Reason
from tests.domain import made
from tests.domain.made import ADDRESS, T0
from tests.domain.test_lifecycle import EXAMPLES

KEY = IdempotencyKey("job_1:extend:1:1")


@pytest.mark.parametrize(("state", "kind"), EXAMPLES, ids=[f"{s}-{k}" for s, k in EXAMPLES])
def test_every_kind_of_event_can_be_told_on_one_line(state: str, kind: str) -> None:
    make, event = EXAMPLES[state, kind]
    said = in_words(event(make()))
    assert "\n" not in said
    assert "None" not in said


@pytest.mark.parametrize(
    ("event", "said", "by"),
    [
        (made.enqueued(), "on nvidia-3060 for 30m, account default", None),
        (
            ev.Waited(
                at=T0, reason=Reason.AWAITING_CREDIT, detail="needs $1", short_usd=Decimal(1), retry_at=T0
            ),
            "awaiting_credit ($1.000): needs $1; again at 2027-01-15T08:00:00Z",
            None,
        ),
        (
            ev.Waited(at=T0, reason=Reason.AWAITING_NETWORK, detail="rate limit", sent=False),
            "awaiting_network, not asked: rate limit",
            None,
        ),
        (ev.Woken(at=T0, by="credit"), "", "credit"),
        (
            ev.CallUndecided(at=T0, operation=Operation.STOP, key=KEY, error="cut", retry_at=T0 + 2),
            "stop: no usable answer: cut; again at 2027-01-15T08:00:02Z",
            None,
        ),
        (
            ev.CallUndecided(
                at=T0, operation=Operation.POST, key=KEY, error="cut", retry_at=T0, doubtful=True
            ),
            "post: no usable answer: cut; it is looked for",
            None,
        ),
        (ev.Extended(at=T0, key=KEY, seconds=90, amount=Decimal("0.1")), "1m30s more for $0.100", None),
        (
            ev.Extended(at=T0, key=KEY, seconds=90, landed=False),
            "it was over already, nothing was paid",
            None,
        ),
        (ev.ExtendOrdered(at=T0, seconds=600, by="ann"), "10m more", "ann"),
        (
            ev.Observed(at=T0, phase=Phase.RUNNING, timeout=60, started_at=T0, node="n1"),
            "running, until 2027-01-15T08:01:00Z on n1",
            None,
        ),
        (
            ev.PostFound(at=T0, key=KEY, address=ADDRESS, seconds=60, amount=Decimal(1), by="search"),
            f"at {ADDRESS}, 1m for $1.000",
            "search",
        ),
        # It has no words of its own: its fields are told.
        (
            ev.BudgetUsedUp(at=T0, scope="label:a", detail="all of it"),
            "scope label:a, detail all of it",
            None,
        ),
    ],
    ids=lambda value: value.kind if isinstance(value, ev.EventBase) else None,
)
def test_what_is_told(event: ev.Event, said: str, by: str | None) -> None:
    assert in_words(event) == said
    assert who(event) == by
