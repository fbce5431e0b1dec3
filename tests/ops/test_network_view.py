"""`dispatcher network`: what holds calls back, for people and for programs, and the settings behind it."""

import json
from typing import Any

import pytest
from click.testing import CliRunner

from dispatcher import client
from dispatcher.bootstrap import Runtime
from dispatcher.cli import main
from dispatcher.domain.errors import SettingsError
from dispatcher.domain.traffic import Limits, Looking, Urgency
from dispatcher.settings import Settings, load
from dispatcher.simulator.fault_plan import parse_plan
from tests.world import World, definition


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    world = World(requests_per_second=20, polls_per_minute=60)
    runtime = Runtime(Settings(_env_file=None), world.parts, world.parts.providers)  # type: ignore[arg-type]
    monkeypatch.setattr(client, "_runtime", lambda: runtime)
    return world


def shown(*words: str) -> str:
    done = CliRunner().invoke(main, ["network", *words])
    assert done.exit_code == 0, done.output
    return done.output


def test_a_healthy_network(world: World) -> None:
    calls, pins, results = client.network()
    assert calls == {
        "account": "default",
        "api": "api.test",
        "requests_per_second": 20,
        "available_now": 40,
        "paused_until": None,
        "breaker": "closed",
        "breaker_since": None,
        "next_trial_at": None,
        "failures_in_a_row": 0,
        "polls_per_minute": 60,
        "polls_now": 6,
        "polls_wait_until": None,
    }
    assert (pins["api"], results["api"]) == ("pins.test", "gateway.test")
    assert json.loads(shown("--json")) == [calls, pins, results]
    assert "20/s, 40 now" in shown()
    assert "60/min, 6 now" in shown()


def test_looks_that_wait_show(world: World) -> None:
    lane, looks = (
        client._runtime().accounts.disciplined()[0].lanes()[0][0],
        Limits.of(20, polls_per_minute=60),
    )
    for _ in range(20):
        world.traffic.admit(lane, urgency=Urgency.LOOK, now=world.clock.at, limits=looks, looking=Looking.NEW)
    assert [lane["polls_now"] for lane in client.network()] == [3, None, None]
    assert "the last that waits at 2027-01-15T08:00:1" in shown()


@pytest.mark.parametrize(
    ("fault", "fields", "words"),
    [
        (
            {"kind": "rate_limit", "retry_after": 90},
            {"paused_until": "2027-01-15T08:02:30Z", "breaker": "closed"},
            "until 2027-01-15T08:02:30Z",
        ),
        (
            {"kind": "cut"},
            {
                "breaker": "open",
                "breaker_since": "2027-01-15T08:01:00Z",
                "next_trial_at": "2027-01-15T08:01:05Z",
                "failures_in_a_row": 8,
            },
            "open since 2027-01-15T08:01:00Z, 8 failures in a row, next try at 2027-01-15T08:01:05Z",
        ),
    ],
    ids=["paused", "open"],
)
def test_trouble_shows(world: World, fault: Any, fields: dict[str, Any], words: str) -> None:
    world.run_for(60)
    world.network.faults.replace(parse_plan([{"route": "*", **fault}]))
    for number in range(10):
        world.enqueue(definition(str(number)))
    world.work()
    asked = world.network.ledger.total
    calls = client.network()[0]
    assert {name: calls[name] for name in fields} == fields
    assert words in shown()
    assert world.network.ledger.total == asked  # only the store is asked


def test_the_rate_is_a_setting_and_every_account_may_have_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "NOSANA_API_KEY": "nos_a",
        "REQUESTS_PER_SECOND": "7.5",
        "POLLS_PER_MINUTE": "100",
        "ACCOUNTS__LAB__API_KEY": "nos_b",
        "ACCOUNTS__LAB__REQUESTS_PER_SECOND": "2",
        "ACCOUNTS__LAB__POLLS_PER_MINUTE": "12",
        "ACCOUNTS__ZOO__API_KEY": "nos_c",
    }.items():
        monkeypatch.setenv(f"DISPATCHER_{name}", value)
    settings = load()
    rates = {name: settings.account(name).requests_per_second for name in settings.account_names()}
    assert rates == {"default": 7.5, "lab": 2, "zoo": 7.5}
    polls = {name: settings.account(name).polls_per_minute for name in settings.account_names()}
    assert polls == {"default": 100, "lab": 12, "zoo": 100}
    assert settings.unknown == ()


@pytest.mark.parametrize("value", ["0", "-1", "nan", "inf", "0.01", "20000", "many"])
@pytest.mark.parametrize("name", ["REQUESTS_PER_SECOND", "ACCOUNTS__LAB__REQUESTS_PER_SECOND"])
def test_a_rate_that_is_none_is_refused_by_name(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv("DISPATCHER_ACCOUNTS__LAB__API_KEY", "nos_b")
    monkeypatch.setenv(f"DISPATCHER_{name}", value)
    with pytest.raises(SettingsError, match=f"DISPATCHER_{name}") as caught:
        load()
    if name == "REQUESTS_PER_SECOND":
        assert "default: 20" in str(caught.value)
