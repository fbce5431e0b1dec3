"""`stop --all`, `jobs`, `balance`, `show` and `metrics`, as people and programs see them."""

import json
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import pytest
from click.testing import CliRunner, Result

from dispatcher import client
from dispatcher.cli import metrics as metrics_module
from dispatcher.cli import stopping
from dispatcher.cli.main import main
from dispatcher.domain.ids import AccountName
from dispatcher.domain.words import State
from tests.world import World, definition


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    """Two jobs run, one of them without a limit; one waits for credit."""
    world = World(accounts={"default": "100", "poor": "0"})
    world.enqueue(definition("a", runs_for="5h"), timeout="1h", labels={"team": "a"})
    world.enqueue(definition("b", runs_for="5h"), timeout="1h", policies={"extend": {"by": "10m"}})
    world.enqueue(definition("c"), account="poor", labels={"team": "a"}, policies={"stop": {"max_cost": "2"}})
    world.run_for(60)
    monkeypatch.setattr(client, "_parts", lambda: world.parts)
    monkeypatch.setattr(metrics_module, "_parts", lambda: world.parts)
    return world


def run(*words: str, says: str = "") -> Result:
    return CliRunner().invoke(main, words, input=says)


def as_json(*words: str) -> Any:
    result = run(*words, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def live(world: World) -> int:
    world.run_for(60)
    return len(world.live())


# --- stop --all -------------------------------------------------------------------------------------------


def test_without_a_terminal_it_needs_a_yes(world: World) -> None:
    result = run("stop", "--all", says="y\n")
    assert result.exit_code == 2
    assert "give --yes" in result.stderr
    assert live(world) == 3


@pytest.mark.parametrize(("says", "left"), [("y\n", 0), ("n\n", 3), ("", 3)])
def test_it_asks_and_says_how_many_of_what(
    world: World, monkeypatch: pytest.MonkeyPatch, says: str, left: int
) -> None:
    monkeypatch.setattr(stopping, "is_terminal", lambda: True)
    result = run("stop", "--all", says=says)
    assert "Stop 3 jobs of all accounts? At most now: $0.096" in result.stderr
    assert "not known: 1 job has no limit, or no price yet" in result.stderr
    assert result.exit_code == (0 if left == 0 else 1)
    assert live(world) == left


def test_with_yes_it_does_not_ask(world: World) -> None:
    result = run("stop", "--all", "--yes")
    assert (result.exit_code, result.stdout) == (0, "stop asked for: 3 jobs of all accounts\n")
    assert "enqueued from now on are not stopped" in result.stderr
    assert "dispatcher account freeze NAME" in result.stderr
    assert live(world) == 0


@pytest.mark.parametrize(
    ("words", "which", "left"),
    [
        (["--account", "poor"], "1 job of account poor", 2),
        (["--label", "team=a"], "2 jobs labelled team=a of all accounts", 1),
        (["--label", "team=a", "--account", "default"], "1 job labelled team=a of account default", 2),
    ],
)
def test_it_stops_those_that_are_meant(world: World, words: Sequence[str], which: str, left: int) -> None:
    result = run("stop", "--all", "--yes", *words)
    assert result.stdout == f"stop asked for: {which}\n"
    assert live(world) == left


def test_nothing_to_stop(world: World) -> None:
    result = run("stop", "--all", "--label", "team=z")
    assert (result.exit_code, result.stdout) == (0, "no job labelled team=z of all accounts is live\n")
    assert as_json("stop", "--all", "--account", "nobody")["asked"] == 0


def test_stopping_as_json(world: World) -> None:
    assert as_json("stop", "--all", "--yes", "--account", "default") == {
        "asked": 2,
        "live_jobs": 2,
        "unattended_usd": "0.096",
        "allowed_usd": None,
        "unlimited_jobs": 1,
    }


@pytest.mark.parametrize(
    "words", [[], ["--all", "job_1"], ["job_1", "--yes"], ["job_1", "--account", "poor"], ["--label", "a=b"]]
)
def test_what_cannot_be_meant_is_refused(world: World, words: Sequence[str]) -> None:
    assert run("stop", *words).exit_code == 2
    assert live(world) == 3


def test_single_jobs_are_stopped_as_ever(world: World) -> None:
    job = world.live()[0].id
    assert "stop asked for" in run("stop", job).stdout
    assert live(world) == 2


# --- jobs -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "labels"),
    [
        ([], [{"team": "a"}, {}, {"team": "a"}]),
        (["--account", "poor"], [{"team": "a"}]),
        (["--label", "team=a", "--reason", "running"], [{"team": "a"}]),
        (["--reason", "awaiting_credit"], [{"team": "a"}]),
        (["--reason", "finished"], []),
        (["--state", "running", "--limit", "1"], [{}]),
    ],
)
def test_jobs_are_filtered(world: World, words: Sequence[str], labels: list[Any]) -> None:
    assert [job["labels"] for job in as_json("jobs", *words)] == labels


def test_python_filters_too(world: World) -> None:
    found = client.list_jobs(labels={"team": "a"}, states=[State.RUNNING])
    assert [job["account"] for job in found] == ["default"]


# --- balance and show -------------------------------------------------------------------------------------


def test_a_balance_says_what_jobs_can_still_cost(world: World) -> None:
    seen = as_json("balance")
    assert seen["live_jobs"] == 2
    assert seen["unattended_usd"] == "0.096"
    assert (seen["allowed_usd"], seen["unlimited_jobs"]) == (None, 1)
    poor = as_json("balance", "--account", "poor")
    assert (poor["allowed_usd"], poor["unlimited_jobs"], poor["waiting_jobs"]) == ("2.000", 0, 1)

    lines = run("balance").stdout.splitlines()
    assert "at most now   $0.096  (if every dispatcher process died now)" in lines
    assert "at most ever  not known: 1 job has no limit, or no price yet" in lines
    assert "at most ever  $2.000  (by the jobs' policies)" in run("balance", "--account", "poor").stdout


def test_all_balances_and_their_total(world: World) -> None:
    world.enqueue(account="gone", policies={"stop": {"max_cost": "3"}})

    result = run("balance", "--all", "--json")

    assert result.exit_code == 1  # one could not be asked
    seen = json.loads(result.stdout)
    assert [each["account"] for each in seen["accounts"]] == ["default", "gone", "poor"]
    assert seen["accounts"][1] == {
        "account": "gone",
        "error": seen["accounts"][1]["error"],
        "live_jobs": 1,
        "unattended_usd": "0.000",
        "allowed_usd": "3.000",
        "unlimited_jobs": 0,
    }
    assert "gone" in seen["accounts"][1]["error"]
    total = {"live_jobs": 4, "unattended_usd": "0.096", "allowed_usd": None, "unlimited_jobs": 1}
    assert seen["total"] == total
    assert sum(Decimal(each["unattended_usd"]) for each in seen["accounts"]) == Decimal("0.096")

    text = run("balance", "--all").stdout
    assert "in total      3 accounts" in text
    assert text.index("account       default") < text.index("error         ") < text.index("in total")


def test_when_all_can_be_asked_all_is_well(world: World) -> None:
    assert run("balance", "--all").exit_code == 0


@pytest.mark.parametrize(
    ("policies", "said"),
    [
        ({}, "the price of 10m, which is asked when the credits are held"),
        ({"extend": {"by": "10m"}}, "no policy limits it"),
        ({"extend": {"by": "10m"}, "stop": {"max_cost": "2"}}, "$2.000"),
    ],
)
def test_a_job_without_a_price_yet_is_not_called_unlimited(
    world: World, policies: dict[str, Any], said: str
) -> None:
    job = world.enqueue(definition("new"), policies=policies)
    assert f"at most ever  {said}" in run("show", job).stdout


# --- metrics ----------------------------------------------------------------------------------------------


def test_metrics_are_printed(world: World) -> None:
    result = run("metrics")
    assert result.exit_code == 0
    assert 'dispatcher_live_jobs{account="default"} 2.0' in result.stdout.splitlines()
    assert world.parts.store.exposed_accounts() == [AccountName("default"), AccountName("poor")]


@pytest.mark.parametrize("address", ["9808", "127.0.0.1", "host:99999", "::1:9808", "http://a:1"])
def test_what_is_no_address_is_refused(world: World, address: str) -> None:
    result = run("metrics", "--serve", address)
    assert result.exit_code == 2
    assert "write 127.0.0.1:9808" in result.stderr
