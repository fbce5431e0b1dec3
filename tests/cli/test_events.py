"""`dispatcher events`: what happened, and what goes on happening, for people and programs."""

import json
from typing import Any

import pytest
from click.testing import CliRunner, Result

from dispatcher import client, handle
from dispatcher.cli.main import main
from dispatcher.domain import events as ev
from dispatcher.domain.eventlog import LOG_AT_LAST, LOG_AT_MOST
from dispatcher.domain.words import Reason
from tests.world import START, World, definition


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    """While somebody waits for something new, ten minutes go by."""
    world = World()
    monkeypatch.setattr(client, "_parts", lambda: world.parts)
    monkeypatch.setattr(handle, "poll", lambda probe, **_: world.run_for(600))
    return world


def run(*words: str) -> Result:
    return CliRunner().invoke(main, ["events", *words])


ASKED: dict[str, Any] = {"extend": {"by": "10m"}, "stop": {"after": "15m"}}


def test_it_follows_until_the_job_is_over(world: World) -> None:
    job_id = world.enqueue(definition(runs_for="1h", queued_for=0), policies=ASKED)
    result = run(job_id, "--follow")
    assert result.exit_code == 0
    assert "enqueued         on nvidia-3060 for 10m, account default\n" in result.stdout
    assert (
        f"2027-01-15T08:09:00Z  call_intended    extend 1 of 6m, $0.005 held, key {job_id}:extend:1:1  "
        "[policy_extend, extend.by]\n"
    ) in result.stdout
    assert "2027-01-15T08:15:00Z  stop_ordered     stop_after  [policy_stop, stop.after]\n" in result.stdout
    assert result.stdout.splitlines()[-1].endswith("[over]")
    assert result.stdout == run(job_id).stdout


def test_each_line_is_an_event_for_programs(world: World) -> None:
    job_id = world.enqueue(definition(runs_for="1h", queued_for=0), policies=ASKED)
    lines = [json.loads(line) for line in run(job_id, "-f", "--json").stdout.splitlines()]
    assert [line["kind"] for line in lines] == world.kinds(job_id)
    ordered = next(line for line in lines if line["kind"] == "stop_ordered")
    assert ordered == {
        "at": "2027-01-15T08:15:00Z",
        "kind": "stop_ordered",
        "rule": "policy_stop",
        "policy": "stop.after",
        "reason": "stop_after",
        "by": "policy",
    }


def test_who_asked_is_told(world: World) -> None:
    job_id = world.enqueue(definition(runs_for="1h"))
    world.run_for(100)
    world.stop(job_id)
    world.run()
    assert "stop_ordered     operator  [by tester]\n" in run(job_id).stdout


def test_an_interrupt_ends_it_without_a_word(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(handle, "poll", interrupted)
    job_id = world.enqueue()
    result = run(job_id, "--follow")
    assert (result.exit_code, result.stderr) == (130, "")
    assert "enqueued" in result.stdout


def test_an_unknown_job(world: World) -> None:
    for words in (["job_x"], ["job_x", "--follow"]):
        result = run(*words)
        assert result.exit_code == 1
        assert "no job 'job_x'" in result.stderr


@pytest.mark.parametrize(
    ("entries", "gaps"),
    [
        (LOG_AT_MOST - 1, []),
        (LOG_AT_MOST, [LOG_AT_MOST]),
        (LOG_AT_LAST + 1, [LOG_AT_MOST, LOG_AT_LAST]),
    ],
)
def test_gaps_of_a_long_log_are_told_where_they_are(
    world: World, monkeypatch: pytest.MonkeyPatch, entries: int, gaps: list[int]
) -> None:
    wait = ev.Waited(at=START, reason=Reason.AWAITING_NETWORK)
    monkeypatch.setattr(handle.JobHandle, "log", lambda _: [wait] * entries)
    lines = [json.loads(line) for line in run("job_long", "--json").stdout.splitlines()]
    assert [line["position"] for line in lines if line["kind"] == "gap"] == gaps
    assert [number for number, line in enumerate(lines) if line["kind"] == "gap"] == [
        gap + before for before, gap in enumerate(gaps)
    ]
    assert run("job_long").stdout.count("left out") == len(gaps)
