"""What producers ask for in a simulation: requests of many shapes, drawn from the seeded random."""

import random
from datetime import UTC, datetime
from typing import Any

from dispatcher.domain.request import JobRequest
from tests.world import MARKET, definition

DEARER = "nvidia-4090-community"


def draw_request(rng: random.Random, number: int, now: float, accounts: list[str]) -> JobRequest:
    """One request; four of five have a request id, and some run the same definition."""
    simulated: dict[str, Any] = {
        "runs_for": rng.choice(["90s", "5m", "8m", "25m", "25m", "70m", "3h"]),
        "queued_for": rng.choice(["0s", "5s", "40s", "4m", "30m"]),
        "results_after": rng.choice(["0s", "4s", "4s", "20s", "100s"]),
    }
    if rng.random() < 0.2:
        simulated["exit_code"] = 9
    if rng.random() < 0.1:
        simulated["host_quits_after"] = "3m"
    fields: dict[str, Any] = {
        "market": MARKET,
        "timeout": rng.choice(["5m", "10m", "10m", "30m"]),
        "account": rng.choice(accounts),
        "priority": rng.choice([0, 0, 5]),
        "policies": _policies(rng, now, accounts),
        "labels": rng.choice([{}, {"team": "a"}, {"team": "a"}, {"team": "b"}]),
    }
    if "budget" in fields["policies"].get("stop", {}):
        fields["labels"] = {"team": "a"}
    if rng.random() < 0.8:
        fields["request_id"] = f"request-{number}"
    if number > 2 and rng.random() < 0.15:
        # Of the requests before it; those without an id cannot be named, and some are refused until those are there.
        on = rng.choice(["any", "any", "success"])
        fields["after"] = [{"request_id": f"request-{rng.randrange(number)}", "on": on}]
    return JobRequest(definition=definition(f"{number // 2}", **simulated), **fields)


def draw_change(rng: random.Random) -> dict[str, Any]:
    """What an operator lays upon the policies of a job that is under way."""
    return rng.choice(
        [
            {"extend": {"by": "10m", "max_times": 2}},
            {"extend": None},
            {"quantum": "4m"},
            {"stop": {"after": rng.choice(["10m", "40m"])}},
            {"stop": {"max_cost": rng.choice(["0.006", "0.03"])}},
            {"stop": {"soft": {"warn": 0.5, "no_extends": 0.7}}},
            {"retry": {"on": ["failed", "host_quit"], "attempts": 3}},
            {"retry": None},
            {"credit": {"max_rate_per_hour": rng.choice(["0.05", "0.3"])}},
            {"poll": {"every": "1m", "at_most": "5m"}},
        ]
    )


def _policies(rng: random.Random, now: float, accounts: list[str]) -> dict[str, Any]:
    policies: dict[str, Any] = {}
    if rng.random() < 0.5:
        policies["retry"] = _retry(rng, accounts)
    if rng.random() < 0.7:
        policies["extend"] = {"by": rng.choice(["5m", "10m", "20m"])}
        if rng.random() < 0.3:
            policies["extend"]["max_times"] = rng.choice([1, 3])
        if rng.random() < 0.2:
            policies["extend"]["max_runtime"] = rng.choice(["25m", "44m30s"])
    if rng.random() < 0.2:
        policies["quantum"] = rng.choice(["2m", "4m", "9m"])
    stop: dict[str, Any] = {}
    if rng.random() < 0.2:
        stop["after"] = rng.choice(["3m", "20m"])
    if rng.random() < 0.15:
        stop["at"] = datetime.fromtimestamp(now + rng.choice([600, 3000, 9000]), UTC)
    if rng.random() < 0.3:
        stop["max_cost"] = rng.choice(["0.009", "0.02", "0.05"])
    if rng.random() < 0.15:
        stop["queued_longer_than"] = rng.choice(["2m", "10m"])
    if rng.random() < 0.15:
        stop["soft"] = {"warn": rng.choice([0.3, 0.8]), "no_extends": rng.choice([0.5, 0.9])}
    if rng.random() < 0.1:
        stop["budget"] = "label:team=a"
    if stop:
        policies["stop"] = stop
    if "extend" in policies and rng.random() < 0.1:
        policies["extend"]["until"] = datetime.fromtimestamp(now + rng.choice([1800, 6000]), UTC)
    if rng.random() < 0.2:
        policies["credit"] = rng.choice([{"when_short": "fail"}, {"wait_at_most": "30m"}])
    if rng.random() < 0.1:
        policies.setdefault("credit", {})["max_rate_per_hour"] = rng.choice(["0.06", "0.3"])
    if rng.random() < 0.3:
        policies["poll"] = {"every": "2m", "backoff": 2, "at_most": "20m"}
    return policies


def _retry(rng: random.Random, accounts: list[str]) -> dict[str, Any]:
    places = [{"market": DEARER}, {"market": MARKET, "account": rng.choice(accounts)}]
    return {
        "on": rng.choice([["failed", "timed_out", "queued_too_long", "no_result"], ["host_quit"]]),
        "attempts": rng.choice([2, 3, 5]),
        "backoff": rng.choice(["1s", "30s"]),
        "elsewhere": rng.choice([[], places[:1], places, places[1:]]),
    }
