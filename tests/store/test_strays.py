"""What is remembered of jobs on the network that no record has, and where rounds stopped."""

from dataclasses import replace

import pytest

from dispatcher.domain.ids import RemoteAddress
from dispatcher.ports.mending import MOST_STRAYS, Stray
from dispatcher.ports.store import JobStore
from tests.store.records import (
    T0,
    account,
    job_id,
)


def test_bookmarks_are_kept(store: JobStore) -> None:
    assert store.bookmark("a") == ""
    store.set_bookmark("a", "live 17")
    store.set_bookmark("b", "x")
    store.set_bookmark("b", "")
    assert (store.bookmark("a"), store.bookmark("b")) == ("live 17", "")


def stray(number: int = 1, **fields: object) -> Stray:
    made = Stray(
        address=RemoteAddress(f"address{number}"),
        account=account(),
        kind="orphan",
        why="job_1 is over",
        job=job_id(1),
        found_at=T0 + number,
        noted_at=T0 + number,
    )
    return replace(made, **fields)  # type: ignore[arg-type]


def test_strays_are_remembered_the_oldest_first(store: JobStore) -> None:
    second, first = stray(2), stray(1, kind="foreign", job=None)
    store.note_stray(second)
    store.note_stray(first)
    assert store.strays() == [first, second]

    changed = replace(second, tries=3, outcome="ended", noted_at=T0 + 50)
    store.note_stray(changed)
    assert store.strays() == [first, changed]


def test_those_that_still_have_to_be_stopped_are_forgotten_last(store: JobStore) -> None:
    store.note_stray(stray(0))
    store.note_stray(stray(1, outcome="ended"))
    for number in range(2, MOST_STRAYS + 1):
        store.note_stray(stray(number, kind="foreign"))

    kept = [each.address for each in store.strays()]
    assert len(kept) == MOST_STRAYS
    assert "address0" in kept
    assert "address1" not in kept


@pytest.mark.parametrize(
    ("kind", "outcome", "still_open"),
    [
        ("orphan", None, True),
        ("duplicate", None, True),
        ("ordered", None, True),
        ("orphan", "ended", False),
        ("foreign", None, False),
        ("suspected", None, False),
    ],
)
def test_a_stray_is_open_until_its_stop_is_confirmed(
    kind: str, outcome: str | None, still_open: bool
) -> None:
    assert stray(kind=kind, outcome=outcome).is_open is still_open
