"""Schedules from the command line, and the same from Python: against a whole world in this process."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from dispatcher import client, schedules
from dispatcher.cli import main
from dispatcher.domain.errors import InvalidRequest, SettingsError
from dispatcher.engine.schedules import tick
from dispatcher.settings.schedules import ScheduleFile
from tests.world import MARKET, World, definition

REQUEST = {"definition": definition(), "market": MARKET, "timeout": "10m"}
AT_TWO = ("--cron", "0 2 * * *", "--tz", "Europe/Amsterdam")


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    made = World()
    for module in (client, schedules):
        monkeypatch.setattr(module, "_parts", lambda: made.parts)
    return made


@pytest.fixture
def file(tmp_path: Path) -> str:
    path = tmp_path / "job.json"
    path.write_text(json.dumps(definition()))
    return str(path)


def run(*command: str, code: int = 0) -> Result:
    result = CliRunner().invoke(main, ("schedule", *command))
    assert result.exit_code == code, result.output
    return result


def told(*command: str) -> Any:
    # Logs are not configured here and go to stdout too; what was asked for comes last.
    return json.loads(run(*command, "--json").stdout.splitlines()[-1])


def add(file: str, *options: str, name: str = "nightly") -> Any:
    return told("add", name, file, *AT_TWO, "--market", MARKET, "--timeout", "10m", *options)


def test_the_life_of_a_schedule(world: World, file: str) -> None:
    made = add(
        file,
        "--overlap",
        "queue",
        "--jitter",
        "5m",
        "--budget",
        "5/day",
        "--label",
        "team=a",
        "--max-cost",
        "1",
    )
    assert (made["state"], made["next_at"], made["budget"]) == ("active", "2027-01-16T01:00:00Z", "5/day")
    assert made == told("show", "nightly") == client.get_schedule("nightly")
    assert made["request"]["labels"] == {"team": "a"}
    assert made["request"]["policies"] == {"stop": {"max_cost": "1.000"}}
    assert "definition" not in made["request"]
    world.clock.move(86_400)
    tick(world.parts)
    world.run()
    shown = told("show", "nightly")
    assert [entry["what"] for entry in shown["history"]] == ["enqueued"]
    table = run("list").stdout
    assert "nightly" in table
    assert "2027-01-16T01:00:00Z enqueued" in table
    text = run("show", "nightly").stdout
    assert "1 enqueued, 0 skipped, 0 missed, 0 refused" in text
    assert shown["history"][0]["job"] in text
    assert (
        run("pause", "nightly").stdout.splitlines()[-1]
        == "nightly  paused, no occurrence until it is resumed"
    )
    ran = told("run-now", "nightly")
    assert ran["labels"] == {"team": "a", "schedule": "nightly"}
    assert run("run-now", "nightly").stdout.splitlines()[-1].endswith("  enqueued")
    assert told("resume", "nightly")["state"] == "active"
    assert "removed; jobs that it enqueued go on" in run("remove", "nightly").stdout
    assert told("list")["schedules"] == []
    assert run("show", "nightly", code=1).stderr == (
        "error: no schedule 'nightly': `dispatcher schedule list` shows those that there are\n"
    )


def test_whether_anybody_looks_after_them(world: World, file: str) -> None:
    add(file)
    assert "nobody ever looked" in told("list")["warning"]
    tick(world.parts)
    world.clock.move(120)
    assert told("list")["warning"] is None
    world.clock.move(480)
    assert "no tick for 10m: is beat running" in run("list").stderr


def test_what_comes_next_and_what_the_clocks_do_to_it(world: World, file: str) -> None:
    world.clock.at = 1_806_105_600.0  # 2027-03-26T16:00:00Z
    told("add", "nightly", file, "--cron", "30 2 * * *", *AT_TWO[2:], "--market", MARKET, "--timeout", "10m")
    seen = told("next", "nightly", "-n", "3")
    assert seen == client.next_occurrences("nightly", 3)
    assert [(each["local"], each["at"]) for each in seen] == [
        ("2027-03-27T02:30:00+01:00", "2027-03-27T01:30:00Z"),
        ("2027-03-28T03:00:00+02:00", "2027-03-28T01:00:00Z"),
        ("2027-03-29T02:30:00+02:00", "2027-03-29T00:30:00Z"),
    ]
    assert [each["note"] for each in seen] == ["", "in place of 02:30, which the clocks skip", ""]
    assert "in place of 02:30, which the clocks skip" in run("next", "nightly", "-n", "3").stdout


def test_every_fault_at_once(world: World, file: str) -> None:
    options = (
        "--every",
        "5",
        "--market",
        MARKET,
        "--timeout",
        "10",
        "--overlap",
        "skip",
        "--budget",
        "x/day",
    )
    said = run("add", "a b", file, *options, code=2).stderr
    for path in ("name", "every", "budget", "request.timeout"):
        assert f"  {path}: " in said
    assert told("list")["schedules"] == []


def test_the_same_again_and_another(world: World, file: str) -> None:
    made = add(file)
    assert add(file) == made
    said = run("add", "nightly", file, "--every", "1h", "--market", MARKET, "--timeout", "10m", code=1).stderr
    assert "--replace" in said
    other = told("add", "nightly", file, "--every", "1h", "--market", MARKET, "--timeout", "10m", "--replace")
    assert (other["when"], other["generation"]) == ("every 1h", made["generation"])


def test_a_schedule_that_cannot_be_read_is_listed_and_removed(
    world: World, file: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dispatcher.domain.errors import UnreadableSchedule

    add(file)
    store: Any = world.parts.schedules

    def unreadable(name: str) -> None:
        raise UnreadableSchedule(name)

    monkeypatch.setattr(store, "get", unreadable)
    (seen,) = told("list")["schedules"]
    assert (seen["name"], seen["state"]) == ("nightly", "unreadable")
    assert tick(world.parts).failed == ()
    world.clock.move(86_400)
    assert tick(world.parts).failed == ("nightly",)
    run("remove", "nightly")
    assert store.names() == []


# --- the settings' file -----------------------------------------------------------------------------------


def test_a_file_is_checked_and_synced(world: World, tmp_path: Path) -> None:
    path = tmp_path / "schedules.yaml"
    path.write_text(
        f"""
hourly:
  every: 1h
  request: {json.dumps(REQUEST)}
nightly:
  cron: 0 2 * * *
  tz: Europe/Amsterdam
  overlap: replace
  request: {json.dumps(REQUEST)}
"""
    )
    assert told("check", str(path)) == [
        {"name": "hourly", "when": "every 1h"},
        {"name": "nightly", "when": "0 2 * * * Europe/Amsterdam"},
    ]
    with pytest.raises(SettingsError, match="DISPATCHER_SCHEDULES_FILE"):
        client.sync_schedules()
    world.parts = replace(world.parts, written_schedules=ScheduleFile(str(path)).read)
    assert told("sync") == {"added": ["hourly", "nightly"], "changed": [], "removed": [], "refused": {}}
    assert run("sync").stdout.splitlines()[-1] == "nothing to do"
    said = run("remove", "hourly", code=1).stderr
    assert "change it there, or `dispatcher schedule pause hourly`" in said
    path.write_text(path.read_text().replace("hourly", "daily").replace("1h", "1d"))
    assert "daily  added\nhourly  removed\n" in run("sync").stdout


def test_a_file_is_read_again_when_it_is_another_and_told_once_that_it_is_wrong(tmp_path: Path) -> None:
    path = tmp_path / "schedules.json"
    source = ScheduleFile(str(path))
    with pytest.raises(SettingsError, match="No such file"):
        source.read()
    path.write_text(json.dumps({"a": {"every": "1h", "request": REQUEST}}))
    first = source.read()
    assert first is not None
    assert source.read() is first
    path.write_text(json.dumps({"a": {"every": "1x", "request": REQUEST}}) + "\n\n")
    with pytest.raises(InvalidRequest, match=r"a\.every"):
        source.read()
    assert source.read() is None
    path.write_text("{}" + "\n" * 7)
    assert source.read() == []
    assert ScheduleFile("").read() is None
