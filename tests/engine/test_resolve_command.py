"""`dispatcher resolve` and the handle's `resolve`, against a world in this process."""

import json

import pytest
from click.testing import CliRunner

from dispatcher import client
from dispatcher.cli.main import main
from dispatcher.domain.errors import NotPossible
from dispatcher.domain.ids import JobId
from dispatcher.domain.words import State
from tests.engine.audit import audit
from tests.engine.test_resolve import NOWHERE, parked, there
from tests.world import World


def at(monkeypatch: pytest.MonkeyPatch, kind: str) -> tuple[World, JobId]:
    world, job_id = parked(kind)
    monkeypatch.setattr(client, "_parts", lambda: world.parts)
    return world, job_id


def test_a_person_says_where_the_job_is(monkeypatch: pytest.MonkeyPatch) -> None:
    world, job_id = at(monkeypatch, "lose_answer")
    address = there(world, job_id)
    said = CliRunner().invoke(main, ["resolve", job_id, "--posted", address])
    assert (said.exit_code, said.output) == (0, f"{job_id}  is taken to be at {address}\n")
    world.run()
    assert world.job(job_id).state is State.COMPLETED
    events = [event for event in world.parts.store.events(job_id) if event.kind == "resolve_ordered"]
    assert [event.by for event in events] == [client._user()]  # type: ignore[union-attr]
    audit(world)


def test_a_person_says_that_the_job_is_nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    world, job_id = at(monkeypatch, "cut")
    said = CliRunner().invoke(main, ["resolve", job_id, "--not-posted", "--json"])
    assert json.loads(said.output) == {"id": job_id, "posted": None, "not_posted": True, "asked": True}
    world.run()
    assert world.job(job_id).state is State.COMPLETED
    audit(world)


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        ([], 2, "say either --posted ADDRESS or --not-posted"),
        (["--posted", NOWHERE, "--not-posted"], 2, "say either --posted ADDRESS or --not-posted"),
        (["--posted", NOWHERE], 1, "the network knows no such job"),
    ],
)
def test_what_cannot_be_said(
    monkeypatch: pytest.MonkeyPatch, arguments: list[str], code: int, words: str
) -> None:
    world, job_id = at(monkeypatch, "cut")
    said = CliRunner().invoke(main, ["resolve", job_id, *arguments])
    assert said.exit_code == code
    assert words in said.output
    assert "resolve_ordered" not in world.kinds(job_id)


def test_a_handle_can_say_it_too(monkeypatch: pytest.MonkeyPatch) -> None:
    world, job_id = at(monkeypatch, "cut")
    with pytest.raises(NotPossible, match="say either"):
        client.get_job(job_id).resolve()
    client.get_job(job_id).resolve(not_posted=True, by="ann")
    world.work()
    (event,) = [event for event in world.parts.store.events(job_id) if event.kind == "call_not_found"]
    assert event.by == "ann"  # type: ignore[union-attr]
