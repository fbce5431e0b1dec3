"""`dispatcher reconcile`: what it says, to people and to programs; and that beat asks for a round."""

import json
from typing import Any

import pytest
from click.testing import CliRunner, Result

from dispatcher import client
from dispatcher.cli.main import main
from dispatcher.domain.errors import NoAnswer
from tests.engine.listing import (
    DEFAULT,
    LONG,
    address_of,
    orphaned,
    post_behind_its_back,
    remote,
    stamped,
    twice,
    with_listing,
)
from tests.store.damage import Damage
from tests.world import World, definition


def dispatcher(monkeypatch: pytest.MonkeyPatch, world: World, *arguments: str) -> Result:
    monkeypatch.setattr(client, "_parts", lambda: world.parts)
    return CliRunner().invoke(main, list(arguments))


def said(monkeypatch: pytest.MonkeyPatch, world: World, *arguments: str) -> Any:
    """The last line of stdout: log lines of the engine come before it."""
    result = dispatcher(monkeypatch, world, *arguments, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.output.splitlines()[-1])


def test_it_says_what_it_mended(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World()
    job_id = world.enqueue()
    Damage(world.parts.store, None).due(job_id, None)

    result = dispatcher(monkeypatch, world, "reconcile")

    assert result.exit_code == 0
    assert f"mended  {job_id}  it was not on the agenda" in result.output
    assert "account default: its jobs on the network cannot be listed" in result.output
    assert "1 jobs looked over, 1 mended" in result.output
    assert "1 jobs looked over, nothing mended" in dispatcher(monkeypatch, world, "reconcile").output


def test_programs_are_told_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World()
    job_id = world.enqueue()
    Damage(world.parts.store, None).due(job_id, None)
    assert said(monkeypatch, world, "reconcile") == {
        "looked_at": 1,
        "mended": [{"job": job_id, "what": "it was not on the agenda"}],
        "strays": [],
        "adopted": [],
        "foreign_jobs": 0,
        "not_listed": ["default"],
        "not_looked_at": [],
    }


def test_strays_are_told_with_what_was_done(monkeypatch: pytest.MonkeyPatch) -> None:
    world, _, job_id, address = orphaned()
    foreign = post_behind_its_back(world, definition(**LONG), "foreign")
    suspected = post_behind_its_back(world, stamped(77, **LONG), "suspected")
    world.clock.move(4000)

    output = dispatcher(monkeypatch, world, "reconcile").output

    assert f"{address}  orphan: {job_id} is over (stopped, operator); stopped (ended)" in output
    assert f"{foreign}  foreign: it bears no stamp of a dispatcher; left alone" in output
    assert f"`dispatcher reconcile --stop {suspected} --account default` stops it" in output
    assert "1 live jobs on the network are not this dispatcher's" in output

    stopped = said(monkeypatch, world, "reconcile", "--stop", suspected)
    assert (stopped["outcome"], stopped["kind"]) == ("ended", "ordered")
    assert remote(world, suspected).over
    assert not remote(world, foreign).over


def test_a_takeover_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    world, _, job_id, older = twice(older_recorded=False)
    assert f"adopted  {job_id}  goes on as {older}" in dispatcher(monkeypatch, world, "reconcile").output


def test_a_job_of_ours_is_not_stopped_as_a_stray(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World()
    with_listing(world)
    job_id = world.enqueue(definition(**LONG))
    world.run_for(60)
    result = dispatcher(monkeypatch, world, "reconcile", "--stop", address_of(world, job_id))
    assert result.exit_code == 1
    assert f"`dispatcher stop {job_id}` stops it" in result.output


def test_a_stop_that_is_not_confirmed_and_a_network_that_is_away_are_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world, listing, _, _ = orphaned()

    def away() -> None:
        raise NoAnswer("stop", "cut")

    listing.before_stop = away
    assert "its stop is not confirmed yet" in dispatcher(monkeypatch, world, "reconcile").output
    listing.before_list = away
    assert "not looked at  account default: stop: cut" in dispatcher(monkeypatch, world, "reconcile").output


def test_beat_asks_for_a_round_every_minute() -> None:
    from dispatcher import tasks
    from dispatcher.celery import app

    entry = app.conf.beat_schedule["reconcile"]
    assert entry["task"] == tasks.reconcile.name
    assert entry["schedule"] == 60.0
    assert entry["options"]["expires"] < 60


def test_of_several_calls_one_makes_the_round(monkeypatch: pytest.MonkeyPatch) -> None:
    from dispatcher import tasks

    world = World()
    monkeypatch.setattr(tasks, "_parts", lambda: world.parts)
    damage, ids = Damage(world.parts.store, None), [world.enqueue(), world.enqueue()]
    for job_id in ids:
        damage.due(job_id, None)
        tasks.reconcile()
    assert [world.parts.store.next_due(job_id) is not None for job_id in ids] == [True, False]
    assert world.parts.store.waiters(DEFAULT, 1) == []
