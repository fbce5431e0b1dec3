"""Faults on demand, and the plan that orders them."""

from collections.abc import Callable
from typing import Any

import pytest

from dispatcher.simulator.fault_plan import FaultPlanError, parse_plan


def _order(world: Any, *rules: dict[str, Any]) -> None:
    reply = world.call("POST", "/simulator/faults", list(rules))
    assert reply.status == 200, reply.body


def test_a_lost_answer_loses_only_the_answer(world: Any) -> None:
    cid = world.pin()
    _order(world, {"route": "jobs.list", "kind": "lose_answer", "nth": [1]})
    lost = world.post(cid, key="k")
    assert lost.cut
    (job,) = world.network.jobs
    assert world.post(cid, key="k").json()["job"] == job


def test_a_cut_does_no_work(world: Any) -> None:
    cid = world.pin()
    _order(world, {"route": "jobs.list", "kind": "cut", "nth": [1], "seconds": 2})
    cut = world.post(cid)
    assert (cut.cut, cut.delay) == (True, 2)
    assert not world.network.jobs


def test_a_slow_answer_has_done_its_work(world: Any) -> None:
    _order(world, {"route": "jobs.*", "kind": "slow", "seconds": 2.5})
    reply = world.post()
    assert (reply.status, reply.delay) == (200, 2.5)
    assert world.call("GET", "/api/credits/balance").delay == 0


@pytest.mark.parametrize(
    ("rule", "status", "kind", "body"),
    [
        ({"status": 503}, 503, "application/json", b'{"message":"Service Unavailable"}'),
        ({"status": 599}, 599, "application/json", b'{"message":"Status 599"}'),
        ({"status": 502, "body": "<html>x</html>"}, 502, "text/html", b"<html>x</html>"),
        ({"status": 404, "body": "Not Found"}, 404, "text/plain", b"Not Found"),
        ({"status": 500, "body": ""}, 500, "application/json", b""),
        ({"status": 200, "body": None}, 200, "application/json", b"null"),
        ({"status": 402, "body": {"error": "x"}}, 402, "application/json", b'{"error":"x"}'),
        ({"status": 401, "body": '"x"', "content_type": "application/json"}, 401, "application/json", b'"x"'),
    ],
)
def test_statuses(world: Any, rule: dict[str, Any], status: int, kind: str, body: bytes) -> None:
    cid = world.pin()
    _order(world, {"route": "jobs.list", "kind": "status", **rule})
    reply = world.post(cid)
    assert (reply.status, reply.headers["content-type"].partition(";")[0], reply.body) == (status, kind, body)
    assert not world.network.jobs


def test_a_status_may_come_after_the_work(world: Any) -> None:
    cid = world.pin()
    _order(world, {"route": "jobs.list", "kind": "status", "status": 500, "done": True, "times": 1})
    assert world.post(cid, key="k").status == 500
    assert world.post(cid, key="k").json()["job"] in world.network.jobs
    assert len(world.network.jobs) == 1


@pytest.mark.parametrize(
    ("given", "header"),
    [
        ({}, "30"),
        ({"retry_after": 7}, "7"),
        ({"retry_after": "Wed, 21 Oct 2026 07:28:00 GMT"}, "Wed, 21 Oct 2026 07:28:00 GMT"),
        ({"retry_after": None}, None),
    ],
)
def test_rate_limits(world: Any, given: dict[str, Any], header: str | None) -> None:
    _order(world, {"route": "jobs.get", "kind": "rate_limit", **given})
    reply = world.call("GET", f"/api/jobs/{world.job()}")
    assert (reply.status, reply.headers.get("retry-after")) == (429, header)
    assert reply.json() == {"error": "Rate limit exceeded", "message": "Too many requests"}


def test_a_late_listing(world: Any) -> None:
    cid = world.pin()
    _order(world, {"route": "jobs.list", "kind": "list_late", "seconds": 40, "nth": 1})
    late, prompt = world.job(cid), world.job(cid)
    world.get(prompt)
    assert world.wait(39).call("GET", f"/api/jobs/{late}").status == 404
    world.wait(1).get(late)


def test_a_host_that_quits(world: Any) -> None:
    cid = world.pin(queued_for=10, runs_for="1h")
    _order(world, {"route": "jobs.list", "kind": "host_quits", "seconds": 90, "nth": 2})
    loyal, quitter = world.job(cid), world.job(cid)
    assert world.wait(99).get(quitter)["state"] == 1
    assert (world.wait(1).get(quitter)["state"], world.get(loyal)["state"]) == (3, 1)


@pytest.mark.parametrize(
    ("rule", "left"), [({}, -1), ({"to": "-7.5"}, -7.5), ({"amount": 20}, 30), ({"to": 60}, 50)]
)
def test_credit_that_is_dropped(world: Any, rule: dict[str, Any], left: float) -> None:
    world.pin()
    _order(world, {"route": "credits.balance", "kind": "drop_credit", "times": 1, **rule})
    assert world.balance() == (left, 0, 0)
    assert world.balance() == (left, 0, 0)
    assert world.balance(world.other) == (50, 0, 0)


def test_faults_of_other_routes_and_of_the_simulators_own_do_not_strike(world: Any) -> None:
    _order(world, {"route": "markets.*", "kind": "cut"}, {"route": "jobs.list", "kind": "cut"})
    assert world.call("GET", "/api/markets/").cut
    assert world.call("GET", f"/api/markets/{world.market}/required-resources").cut
    assert world.call("POST", "/api/jobs/list/batch", {}, key="k").cut, "the batch is of the family"
    assert world.balance() == (50, 0, 0)
    _order(world, {"route": "*", "kind": "cut"})
    assert world.call("GET", "/simulator/clock").status == 200
    assert world.call("GET", "/api/credits/balance").cut
    assert world.call("GET", "/nowhere").status == 404


def test_nth_counts_the_calls_that_the_rule_could_strike(world: Any) -> None:
    _order(world, {"route": "credits.balance", "kind": "cut", "nth": [1, 4]})
    cuts = []
    for _ in range(5):
        world.call("GET", "/api/markets/")
        cuts.append(world.call("GET", "/api/credits/balance").cut)
    assert cuts == [True, False, False, True, False]


def test_times_bounds_a_rule(world: Any) -> None:
    _order(world, {"route": "*", "kind": "cut", "probability": 0.5, "times": 3})
    assert sum(world.call("GET", "/api/credits/balance").cut for _ in range(100)) == 3


def test_probability_is_drawn_from_the_seed(make_world: Callable[..., Any]) -> None:
    plan = [{"route": "*", "kind": "cut", "probability": 0.3}]

    def cuts(seed: int) -> list[bool]:
        world = make_world(seed=seed, faults=plan)
        return [world.call("GET", "/api/credits/balance").cut for _ in range(200)]

    assert cuts(1) == cuts(1) != cuts(2)
    assert 30 < sum(cuts(1)) < 90


def test_rules_do_not_disturb_each_others_draws(make_world: Callable[..., Any]) -> None:
    chance = {"route": "credits.balance", "kind": "slow", "seconds": 1, "probability": 0.5}
    alone = make_world(faults=[chance])
    paired = make_world(
        faults=[chance, {"route": "*", "kind": "drop_credit", "amount": 0.001, "probability": 0.5}]
    )
    delays = [
        [world.call("GET", "/api/credits/balance").delay for _ in range(50)] for world in (alone, paired)
    ]
    assert delays[0] == delays[1]


def test_the_first_of_two_outcomes_wins_and_effects_add_up(world: Any) -> None:
    _order(
        world,
        {"route": "*", "kind": "slow", "seconds": 1},
        {"route": "*", "kind": "slow", "seconds": 2},
        {"route": "*", "kind": "status", "status": 503},
        {"route": "*", "kind": "cut"},
    )
    reply = world.call("GET", "/api/credits/balance")
    assert (reply.status, reply.delay, reply.cut) == (503, 3, False)
    report = world.call("GET", "/simulator/faults").json()["rules"]
    assert [rule["struck"] for rule in report] == [1, 1, 1, 0]


def test_the_ledger_tells_what_struck(world: Any) -> None:
    _order(
        world,
        {"route": "jobs.list", "kind": "lose_answer"},
        {"route": "jobs.list", "kind": "slow", "seconds": 1},
    )
    world.post(key="k")
    call = world.ledger()["calls"][-1]
    assert (call["route"], call["status"], call["faults"]) == ("jobs.list", None, ["lose_answer", "slow"])
    assert world.ledger()["faults"] == {"lose_answer": 1, "slow": 1}


def test_a_plan_is_replaced_whole(world: Any) -> None:
    _order(world, {"route": "*", "kind": "cut"})
    _order(world)
    assert world.balance() == (50, 0, 0)


@pytest.mark.parametrize(
    ("rule", "fault"),
    [
        ({"kind": "cut"}, "rules[0].route: is missing"),
        ({"route": "*"}, "rules[0].kind: is missing"),
        ({"route": "jobs.post", "kind": "cut"}, "rules[0].route: must be one of"),
        ({"route": "jobs.list", "kind": "cutt"}, "rules[0].kind: must be one of"),
        ({"route": "*", "kind": "slow"}, "rules[0].seconds: is required for kind slow"),
        ({"route": "*", "kind": "slow", "seconds": "1"}, "rules[0].seconds: must be a number"),
        ({"route": "*", "kind": "cut", "status": 500}, "rules[0].status: is unknown for kind cut"),
        (
            {"route": "*", "kind": "cut", "probability": 2},
            "rules[0].probability: must be a number from 0 to 1",
        ),
        ({"route": "*", "kind": "cut", "probability": True}, "rules[0].probability: must be"),
        ({"route": "*", "kind": "cut", "nth": [0]}, "rules[0].nth: must be a list of positive integers"),
        ({"route": "*", "kind": "cut", "nth": [1], "times": 1}, "rules[0].nth: cannot be combined"),
        ({"route": "*", "kind": "cut", "times": 0}, "rules[0].times: must be a positive integer"),
        (
            {"route": "jobs.get", "kind": "list_late"},
            "rules[0].route: kind list_late cannot happen on jobs.get",
        ),
        (
            {"route": "ipfs.*", "kind": "expire_key"},
            "rules[0].route: kind expire_key cannot happen on ipfs.*",
        ),
        ({"route": "*", "kind": "status", "status": 99}, "rules[0].status: must be an HTTP status"),
        (
            {"route": "*", "kind": "drop_credit", "to": 1, "amount": 1},
            "rules[0].amount: cannot be combined with to",
        ),
        ({"route": "*", "kind": "drop_credit", "to": "all"}, "rules[0].to: must be an amount"),
        ({"route": "*", "kind": "cut", "probabilty": 1}, "rules[0].probabilty: is unknown"),
        ("cut", "rules[0]: must be an object"),
    ],
)
def test_a_wrong_rule_is_named(rule: Any, fault: str) -> None:
    with pytest.raises(FaultPlanError) as caught:
        parse_plan([rule])
    assert [found for found in caught.value.faults if found.startswith(fault)], caught.value.faults


def test_all_faults_of_a_plan_are_named_in_one_error(world: Any) -> None:
    plan = [
        {"route": "x", "kind": "cut"},
        {"route": "*", "kind": "cut"},
        {"route": "*", "kind": "y", "times": -1},
    ]
    reply = world.call("POST", "/simulator/faults", plan)
    assert reply.status == 400
    places = [fault.partition(":")[0] for fault in reply.json()["errors"]]
    assert places == ["rules[0].route", "rules[2].kind", "rules[2].times"]
    assert all(place in reply.json()["message"] for place in places)


@pytest.mark.parametrize("plan", ["x", 1, None, {"rule": []}, {"rules": 1}])
def test_a_plan_is_a_list(plan: Any) -> None:
    with pytest.raises(FaultPlanError, match="must be a list of rules"):
        parse_plan(plan)


def test_a_plan_may_be_wrapped_in_an_object() -> None:
    assert len(parse_plan({"rules": [{"route": "*", "kind": "cut"}]})) == 1
