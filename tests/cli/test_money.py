"""Budgets and accounts from the command line, and the same from Python: against a whole world in this process."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from click.testing import CliRunner, Result

from dispatcher import client, spending
from dispatcher.cli import main
from dispatcher.domain.ids import AccountName
from dispatcher.engine.books import audit_books
from tests.world import World, definition

DEFAULT = AccountName("default")


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    made = World(accounts={"default": "100", "poor": "0"})
    for module, name in ((client, "_parts"), (spending, "parts")):
        monkeypatch.setattr(module, name, lambda: made.parts)
    monkeypatch.setattr(spending, "user", lambda: "ada")
    return made


def run(*command: str, code: int = 0) -> Result:
    result = CliRunner().invoke(main, command)
    assert result.exit_code == code, result.output
    return result


def told(*command: str) -> Any:
    # Logs are not configured here and go to stdout too; what was asked for comes last.
    return json.loads(run(*command, "--json").stdout.splitlines()[-1])


def test_budgets_are_set_listed_and_removed(world: World) -> None:
    assert told("budget", "list") == []
    said = run("budget", "set", "label:team-a", "50/day").stdout
    assert said == "label:team-a $50.000 a day: $0.000 is used, $50.000 is left\n"
    world.enqueue(definition(), labels={"team": "team-a"})
    world.run_for(1)
    use = {
        **{"scope": "label:team-a", "window": "day", "limit_usd": "50.000"},
        **{"used_usd": "0.008", "held_usd": "0.008", "left_usd": "49.992"},
        **{"since": "2027-01-15T00:00:00Z", "until": "2027-01-16T00:00:00Z"},
    }
    assert told("budget", "list") == client.budgets() == [use]
    assert told("budget", "set", "label:team-a", "5/day") == {
        **use,
        "limit_usd": "5.000",
        "left_usd": "4.992",
    }
    run("budget", "set", "label:team=a", "5")
    table = run("budget", "list").stdout
    assert [line.split()[:3] for line in table.splitlines()[1:]] == [
        ["label:team-a", "day", "5.000"],
        ["label:team=a", "total", "5.000"],
    ]
    run("budget", "set", "label:team-a", "500/month")
    assert "name the window, /day" in run("budget", "remove", "label:team-a", code=1).stderr
    assert run("budget", "remove", "label:team-a", "/day").stdout == "label:team-a $5.000 a day: removed\n"
    removed = told("budget", "remove", "label:team-a")
    assert removed == {"scope": "label:team-a", "window": "month", "limit_usd": "500.000"}
    assert client.remove_budget("label:team=a", "5/total")["limit_usd"] == "5.000"
    assert client.budgets() == []


def test_what_is_wrong_is_told_whole_and_nothing_is_stored(world: World) -> None:
    said = run("budget", "set", "team-a", "5/week", code=2).stderr
    assert "2 faults" in said
    assert "label:NAME=VALUE" in said
    assert "200/month" in said
    assert "/month or /total" in run("budget", "remove", "label:a", "/week", code=2).stderr
    assert "has no budget" in run("budget", "remove", "label:a", code=1).stderr
    assert client.budgets() == []


def test_an_account_is_frozen_shown_and_thawed(world: World) -> None:
    job_id = world.enqueue(definition(runs_for="50m"), timeout="1h")
    world.run_for(60)
    said = run("account", "freeze", "default", "--reason", "odd").stdout
    assert "default is frozen since 2027-01-15T08:01:00Z by ada: odd" in said
    assert "1 of its jobs are on the network and go on" in said
    seen = told("balance")["frozen"]
    assert seen == {
        **{"at": "2027-01-15T08:01:00Z", "reason": "odd", "by": "ada"},
        **{"running_jobs": 1, "running_job_ids": [job_id]},
    }
    assert told("account", "freeze", "default", "--reason", "another") == {"account": "default", **seen}
    shown = run("balance").stdout
    assert "dispatcher account thaw default" in shown
    assert job_id in shown

    world.credit("default", "-200")
    assert "cannot be thawed" in run("account", "thaw", "default", code=1).stderr
    world.credit("default", "200")
    assert "default may spend again: $99.952" in run("account", "thaw", "default").stdout
    assert told("account", "thaw", "default") == {"account": "default", "available_usd": "99.952"}
    assert told("balance")["frozen"] is None
    assert "frozen" not in run("balance").stdout
    assert "nobody" in run("account", "freeze", "nobody", code=1).stderr


def test_the_books_are_audited_by_hand(world: World) -> None:
    assert told("balance")["drift_usd"] is None
    audit_books(world.parts, DEFAULT)
    account = world.network.accounts.of_key("nos_default")
    assert account is not None
    account.settled += 500
    found = told("account", "audit", "default")
    assert (found["drift_usd"], found["balanced"], found["network_usd"]) == ("0.500", False, "0.500")
    assert "not explained" in run("account", "audit", "default").stdout
    balance = told("balance")
    assert (balance["drift_usd"], balance["audited_at"]) == ("0.500", "2027-01-15T08:00:00Z")
    assert "somebody else spends" in balance["drift_detail"]
    assert "somebody else spends" in run("balance").stdout
    assert "$0.000" in run("account", "audit", "default", "--accept").stdout
    assert told("balance")["drift_usd"] == "0.000"
