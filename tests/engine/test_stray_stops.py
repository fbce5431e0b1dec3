"""Stops of jobs that no record has: written down first, repeated until they are confirmed; and rounds are bounded."""

from typing import Any

import pytest

from dispatcher.domain.errors import (
    DispatcherError,
    Forbidden,
    KeyExpired,
    NoAnswer,
    NotFound,
    NotPossible,
    NotSent,
    SettingsError,
    Unauthorized,
)
from dispatcher.domain.ids import AccountName, RemoteAddress
from dispatcher.engine.reconcile import reconcile
from dispatcher.engine.strays import Sighting, stop_by_hand
from dispatcher.ports.provider import StoppedJob
from tests.engine.listing import (
    DEFAULT,
    LONG,
    address_of,
    looked,
    orphaned,
    post_behind_its_back,
    remote,
    the_stray,
    with_listing,
)
from tests.world import World, definition


@pytest.mark.parametrize(
    ("error", "epochs"),
    [
        (NoAnswer("stop", "cut"), [1, 1, 1]),
        (Unauthorized("stop", "no", status=401), [1, 1, 1]),
        (SettingsError("no such account"), [1, 1, 1]),
        (KeyExpired("stop", "dead", status=409), [1, 2, 3]),
        (Forbidden("stop", "no", status=403), [1, 2, 3]),
        (NotFound("stop", "unknown", status=404), [1, 2, 3]),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else None,
)
def test_a_stop_is_written_down_first_and_repeated_until_it_is_confirmed(
    error: DispatcherError, epochs: list[int]
) -> None:
    world, listing, _, address = orphaned()
    failures = [error, error]

    def fails() -> None:
        assert the_stray(world).is_open, "it is written down before it is sent"
        if failures:
            raise failures.pop()

    listing.before_stop = fails
    for tries in (1, 2, 3):
        world.clock.move(60)
        looked(world)
        assert the_stray(world).tries == tries
    assert listing.stop_keys == [f"stray:{address}:stop:{epoch}" for epoch in epochs]
    assert the_stray(world).outcome == "ended"
    assert remote(world, address).over


def test_a_stop_that_was_held_back_is_no_try() -> None:
    world, listing, _, address = orphaned()

    def held_back() -> None:
        raise NotSent("stop", "held back: the network has failed 8 times in a row", retry_after=5)

    listing.before_stop = held_back
    looked(world)
    assert (the_stray(world).tries, the_stray(world).epoch, the_stray(world).is_open) == (0, 1, True)
    listing.before_stop = lambda: None
    looked(world)
    assert (the_stray(world).tries, the_stray(world).outcome) == (1, "ended")
    assert remote(world, address).over


def test_a_stop_that_is_under_way_does_not_need_the_list() -> None:
    world, listing, _, address = orphaned()

    def cut() -> None:
        raise NoAnswer("stop", "cut")

    listing.before_stop = cut
    looked(world)
    listing.before_stop, listing.before_list = (lambda: None), cut
    assert reconcile(world.parts).unseen
    assert remote(world, address).over
    assert the_stray(world).outcome == "ended"


def test_what_the_network_does_not_know_any_more_needs_no_stop() -> None:
    world, listing, _, address = orphaned(queued_for="5h")

    def delisted() -> None:
        listing.before_stop = lambda: None
        world.network.stop_job(remote(world, address))

    listing.before_stop = delisted
    looked(world)
    assert the_stray(world).outcome == "gone"


def test_a_confirmed_stop_that_had_no_effect_is_made_again() -> None:
    world, listing, _, address = orphaned()
    lies = [StoppedJob("ended")]
    stop = listing.stop

    def lying(remote_address: RemoteAddress, *, key: Any) -> StoppedJob:
        if not lies:
            return stop(remote_address, key=key)
        listing.stop_keys.append(key)
        return lies.pop()

    listing.stop = lying  # type: ignore[method-assign]
    looked(world)
    world.clock.move(60)
    assert looked(world).strays == [], "lists lag"
    world.clock.move(120)
    looked(world)
    assert listing.stop_keys == [f"stray:{address}:stop:1", f"stray:{address}:stop:2"]
    assert remote(world, address).over


def test_by_hand_nothing_is_stopped_that_a_live_job_has() -> None:
    world = World()
    with_listing(world)
    job_id = world.enqueue(definition(**LONG))
    world.run_for(60)
    address = address_of(world, job_id)
    with pytest.raises(NotPossible, match=f"`dispatcher stop {job_id}` stops it"):
        stop_by_hand(world.parts, DEFAULT, address, by="me")
    plain = World()
    with pytest.raises(SettingsError, match="account 'nobody' is not in the settings"):
        stop_by_hand(plain.parts, AccountName("nobody"), address, by="me")
    assert world.parts.store.strays() == []


# --- bounds


def test_a_round_asks_for_four_pages_and_the_next_goes_on_behind_them() -> None:
    world = World(accounts={"default": "1000"})
    listing = with_listing(world)
    for number in range(430):
        post_behind_its_back(world, definition(queued_for="90h"), f"n{number}")
    world.clock.move(4000)
    seen: set[str] = set()
    for _ in range(3):
        before, reads = listing.listings, listing.reads
        sighting = looked(world, whole=False)
        assert listing.listings - before <= 4
        assert listing.reads - reads == 20
        seen |= {stray.address for stray in sighting.strays}
    assert len(seen) == 60
    before = listing.listings
    assert looked(world).foreign == 430
    assert listing.listings - before == 10


def test_an_account_that_cannot_be_listed_is_left_out() -> None:
    world = World()
    post_behind_its_back(world, definition(**LONG))
    assert looked(world) == Sighting(finds=False)
