"""What Prometheus is shown: true, whole, documented; and there all the same when a part of it cannot be read."""

import re
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client.openmetrics.parser import text_string_to_metric_families as read_openmetrics
from prometheus_client.parser import text_string_to_metric_families as read_text

from dispatcher.domain.errors import SettingsError, StoreUnavailable
from dispatcher.domain.ids import AccountName
from dispatcher.domain.schedules import Schedule
from dispatcher.engine import timetable
from dispatcher.engine.books import audit_books
from dispatcher.engine.money import refresh_balance
from dispatcher.engine.parts import Parts
from dispatcher.engine.schedules import tick
from dispatcher.ops.metrics import Collector, MetricsServer, exposition, store_trouble
from dispatcher.ops.metrics.collector import ERRORS, UP
from dispatcher.ops.metrics.figures import ELSEWHERE, FIGURES, Figure
from tests.world import MARKET, World, definition

ROOT = Path(__file__).parents[2]
Shown = dict[str, dict[tuple[str, ...], float]]

EXTENDING = {"extend": {"by": "10m"}}


def shown(parts: Parts, collector: Collector | None = None) -> Shown:
    """Name -> values of the labels -> figure."""
    text, _ = exposition(collector or Collector(parts))
    return read(text)


def read(text: bytes) -> Shown:
    found: Shown = {}
    for family in read_text(text.decode()):
        for sample in family.samples:
            found.setdefault(sample.name, {})[tuple(sample.labels.values())] = sample.value
    return found


class Away:
    """A store that cannot be reached; counts how often it was tried."""

    def __init__(self) -> None:
        self.tries = 0

    def __getattr__(self, name: str) -> Any:
        def refuse(*_: object, **__: object) -> None:
            self.tries += 1
            raise StoreUnavailable("the store at 10.0.0.1:6379/0 cannot be reached: TimeoutError")

        return refuse


def a_day() -> World:
    """Two jobs run, one of them without a limit; one waits for credit; one is over."""
    world = World(accounts={"default": "100", "poor": "0.001"})
    world.enqueue(definition("runs", runs_for="1h"), timeout="1h")
    world.enqueue(definition("for ever", runs_for="9h"), timeout="1h", policies=EXTENDING)
    world.enqueue(definition("short", runs_for="1m"), timeout="2m")
    world.enqueue(definition("waits"), account="poor", policies={"stop": {"max_cost": "0.5"}})
    world.run_for(600)
    audit_books(world.parts, AccountName("default"))
    asked = {"definition": definition(), "market": MARKET, "timeout": "10m"}
    for name in ("nightly", "held"):
        timetable.add(world.parts, Schedule.parse({"name": name, "every": "1d", "request": asked}))
    timetable.pause(world.parts, "held")
    tick(world.parts)
    return world


def test_the_figures_of_a_day() -> None:
    world = a_day()
    found = shown(world.parts)

    assert {state: count for (state,), count in found["dispatcher_jobs"].items() if count} == {
        "running": 2,
        "completed": 1,
        "enqueued": 1,
    }
    assert found["dispatcher_reason_jobs"] == {("running",): 2, ("awaiting_credit",): 1}
    assert found["dispatcher_live_jobs"] == {("default",): 2, ("poor",): 1}
    # An hour costs 0.04796: reserved by the network as 0.048.
    assert found["dispatcher_unattended_spend_usd"] == {("default",): 0.096, ("poor",): 0}
    assert found["dispatcher_allowed_spend_usd"] == {("default",): 0.048, ("poor",): 0.5}
    assert found["dispatcher_unlimited_jobs"] == {("default",): 1, ("poor",): 0}
    assert found["dispatcher_credit_waiting_jobs"] == {("default",): 0, ("poor",): 1}
    assert found["dispatcher_held_usd"][("default",)] == 0.096
    assert found["dispatcher_settled_usd_total"] == {("default",): 0.001, ("poor",): 0}
    assert found["dispatcher_balance_assigned_usd"] == {("default",): 100, ("poor",): 0.001}
    assert {state: count for (state,), count in found["dispatcher_schedules"].items() if count} == {
        "active": 1,
        "paused": 1,
    }
    assert found["dispatcher_schedule_tick_age_seconds"] == {(): 0}
    assert found["dispatcher_store_up"] == {(): 1}
    assert found["dispatcher_scrape_errors_total"] == {(): 0}


def test_how_long_nobody_ticked_is_told_where_there_are_schedules() -> None:
    world = World()
    assert "dispatcher_schedule_tick_age_seconds" not in shown(world.parts)
    asked = {"definition": definition(), "market": MARKET, "timeout": "10m"}
    timetable.add(world.parts, Schedule.parse({"name": "nightly", "every": "1d", "request": asked}))
    assert shown(world.parts)["dispatcher_schedule_tick_age_seconds"] == {(): float("inf")}
    tick(world.parts)
    world.clock.move(90)
    assert shown(world.parts)["dispatcher_schedule_tick_age_seconds"] == {(): 90}


def test_the_lag_is_how_late_the_latest_is() -> None:
    world = World()
    world.enqueue()
    assert shown(world.parts)["dispatcher_agenda_lag_seconds"] == {
        (): 0
    }  # due in two seconds, should the bell fail
    assert shown(world.parts)["dispatcher_agenda_due_jobs"] == {(): 0}

    world.clock.move(92)  # and nobody works
    assert shown(world.parts)["dispatcher_agenda_lag_seconds"] == {(): 90}
    assert shown(world.parts)["dispatcher_agenda_due_jobs"] == {(): 1}

    world.run()
    assert shown(world.parts)["dispatcher_agenda_lag_seconds"] == {(): 0}


def test_a_balance_is_shown_as_it_was_last_seen_and_with_its_age() -> None:
    world = World()
    assert "dispatcher_balance_assigned_usd" not in shown(world.parts)  # never asked
    refresh_balance(world.parts, AccountName("default"))
    world.credit("default", "50")
    world.clock.move(300)

    found = shown(world.parts)

    assert found["dispatcher_balance_assigned_usd"] == {("default",): 100}
    assert found["dispatcher_balance_available_usd"] == {("default",): 100}
    assert found["dispatcher_balance_age_seconds"] == {("default",): 300}


def test_the_network_is_never_asked() -> None:
    class Mute:
        """Accounts whose names are known and whose network must be left alone."""

        def names(self) -> tuple[AccountName, ...]:
            return (AccountName("default"),)

        def account(self, name: AccountName) -> Any:
            raise AssertionError(f"{name} was asked")

    world = a_day()
    collector = Collector(replace(world.parts, providers=Mute()))
    assert shown(world.parts, collector)["dispatcher_scrape_errors_total"] == {(): 0}


def test_accounts_that_the_settings_do_not_know_are_added_up() -> None:
    """Their names are the producers' choice, and there may be any number of them."""
    world = World()
    for name in ("gone", "mistyped", "b"):
        world.enqueue(definition(name), account=name, policies={"stop": {"max_cost": "2"}})

    found = shown(world.parts)

    assert found["dispatcher_live_jobs"] == {("default",): 0, (ELSEWHERE,): 3}
    assert found["dispatcher_allowed_spend_usd"] == {("default",): 0, (ELSEWHERE,): 6}
    assert "mistyped" not in exposition(Collector(world.parts))[0].decode()


def test_no_data_of_a_job_is_shown() -> None:
    world = World()
    job = world.enqueue(labels={"customer": "secretive"}, request_id="order-17")
    text = exposition(Collector(world.parts))[0].decode()
    assert not [word for word in (job, "secretive", "order-17", "nos_default") if word in text]


def broken(message: str) -> Figure:
    def read(_: object) -> Any:
        raise RuntimeError(message)

    return Figure("dispatcher_broken", "Never there.", read)


def test_a_figure_that_fails_is_absent_and_counted_and_the_others_are_there() -> None:
    world = World()
    collector = Collector(world.parts, (FIGURES[0], broken("a"), *FIGURES[1:]))

    first, second = shown(world.parts, collector), shown(world.parts, collector)

    assert "dispatcher_broken" not in first
    assert {figure.name for figure in FIGURES if not figure.name.startswith("dispatcher_balance")} <= set(
        first
    ) | {"dispatcher_reason_jobs", "dispatcher_ledger_drift_usd", "dispatcher_schedule_tick_age_seconds"}
    assert first["dispatcher_scrape_errors_total"] == {(): 1}
    assert second["dispatcher_scrape_errors_total"] == {(): 2}


def test_a_store_that_is_away_is_tried_once_a_scrape() -> None:
    away = Away()
    parts: Any = replace(World().parts, store=away)  # type: ignore[arg-type]

    found = shown(parts)

    assert found == {UP[0]: {(): 0}, ERRORS[0]: {(): len(FIGURES)}}
    assert away.tries == 1
    assert "cannot be reached" in str(store_trouble(parts))


def test_a_ledger_that_fails_costs_its_own_figures_alone() -> None:
    parts: Any = replace(World().parts, ledger=Away())  # type: ignore[arg-type]
    found = shown(parts)
    assert found["dispatcher_live_jobs"] == {("default",): 0}
    assert "dispatcher_held_usd" not in found
    assert found["dispatcher_scrape_errors_total"] == {(): 10}


# --- names, docs, alerts ----------------------------------------------------------------------------------


def documented() -> list[tuple[str, ...]]:
    text = (ROOT / "docs" / "metrics.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(dispatcher_\w+)` \| (\w+) \| ([\w, ]*) \| (.+) \|$", text, re.MULTILINE)
    return [(name, kind, labels.strip(), meaning) for name, kind, labels, meaning in rows]


def test_the_table_in_the_docs_is_what_is_exposed() -> None:
    rows = [(figure.name, figure.kind, ", ".join(figure.labels), figure.help) for figure in FIGURES]
    assert documented() == [(UP[0], "gauge", "", UP[1]), *rows, (ERRORS[0], "counter", "", ERRORS[1])]


def test_everything_that_is_documented_is_exposed_on_a_day_with_a_bit_of_everything() -> None:
    found = shown(a_day().parts)
    assert {name for name, *_ in documented()} == {name for name in found if not name.endswith("_created")}


def test_names_follow_the_conventions() -> None:
    names = [figure.name for figure in FIGURES]
    assert len(set(names)) == len(names)
    for figure in FIGURES:
        assert re.fullmatch(r"dispatcher(_[a-z]+)+", figure.name)
        assert figure.name.endswith("_total") == (figure.kind == "counter"), figure.name
        assert figure.name.removesuffix("_total").rpartition("_")[2] in {
            "jobs",
            "usd",
            "seconds",
            "accounts",
            "schedules",
        }
        assert set(figure.labels) <= {"account", "state", "reason"}
        assert figure.help.endswith(".")


ALERTS: dict[str, Any] = yaml.safe_load((ROOT / "deploy" / "alerts.yml").read_text(encoding="utf-8"))
RULES: list[dict[str, Any]] = [rule for group in ALERTS["groups"] for rule in group["rules"]]


@pytest.mark.parametrize("rule", RULES, ids=[rule["alert"] for rule in RULES])
def test_an_alert_is_about_figures_that_there_are(rule: dict[str, Any]) -> None:
    assert set(rule) <= {"alert", "expr", "for", "labels", "annotations"}
    names = set(re.findall(r"\bdispatcher_\w+", rule["expr"]))
    assert names
    assert names <= {figure.name for figure in FIGURES} | {UP[0], ERRORS[0]}
    assert rule["labels"]["severity"] in {"critical", "warning"}
    assert set(rule["annotations"]) == {"summary", "description"}
    assert re.fullmatch(r"\d+[smhd]", rule.get("for", "0s"))
    assert rule["expr"].count("(") == rule["expr"].count(")")


def test_the_docs_name_every_alert() -> None:
    assert list(ALERTS) == ["groups"]
    text = (ROOT / "docs" / "metrics.md").read_text(encoding="utf-8")
    assert re.findall(r"^\| (Dispatcher\w+) \|", text, re.MULTILINE) == [rule["alert"] for rule in RULES]


# --- served -----------------------------------------------------------------------------------------------


@contextmanager
def serving(parts: Parts) -> Iterator[str]:
    server = MetricsServer(parts, "127.0.0.1", 0)
    with server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


def asked(url: str, accept: str = "") -> tuple[int, str, str]:
    request = urllib.request.Request(url, headers={"Accept": accept} if accept else {})
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, answer.headers["Content-Type"], answer.read().decode()
    except urllib.error.HTTPError as e:
        with e:
            return e.code, e.headers["Content-Type"], e.read().decode()


def test_it_is_served() -> None:
    world = a_day()
    with serving(world.parts) as url:
        status, content_type, text = asked(f"{url}/metrics")
        assert (status, content_type) == (200, "text/plain; version=0.0.4; charset=utf-8")
        assert read(text.encode()) == shown(world.parts)

        world.enqueue()  # read when it is asked for, not before
        assert read(asked(f"{url}/metrics?x=1")[2].encode())["dispatcher_live_jobs"][("default",)] == 3

        _, content_type, text = asked(f"{url}/metrics", "application/openmetrics-text;version=1.0.0")
        assert content_type.startswith("application/openmetrics-text")
        assert {family.name for family in read_openmetrics(text)} >= {
            "dispatcher_jobs",
            "dispatcher_settled_usd",
        }

        assert asked(f"{url}/healthz")[::2] == (200, "ok\n")
        assert asked(f"{url}/")[0] == 404


def test_health_is_the_stores() -> None:
    parts: Any = replace(World().parts, store=Away())  # type: ignore[arg-type]
    with serving(parts) as url:
        status, _, text = asked(f"{url}/healthz")
        assert (status, text) == (
            503,
            "the store at 10.0.0.1:6379/0 cannot be reached: TimeoutError\n",
        )
        assert asked(f"{url}/metrics")[0] == 200  # and says so


def test_an_address_that_is_taken_is_an_error_with_a_way_out() -> None:
    parts = World().parts
    with (
        MetricsServer(parts, "127.0.0.1", 0) as first,
        pytest.raises(SettingsError, match="take another port"),
    ):
        MetricsServer(parts, "127.0.0.1", first.server_address[1])
