"""The life of a job, from its listing to its result."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from dispatcher.simulator.behaviour import Defaults
from dispatcher.simulator.identifiers import NO_NODE, NULL_RESULT
from dispatcher.simulator.network import Options

UNPINNED = "QmNLei78zWmzUdbeRB3CiUfAizWUrbeeZh5K1rhAQKCh51"


def test_a_job_is_queued_runs_and_ends(world: Any) -> None:
    cid = world.pin(queued_for="1m", runs_for="20m", results_after="10s", output="done")
    job = world.job(cid)
    queued = world.get(job)
    assert queued == {
        "ipfsJob": cid,
        "ipfsResult": None,
        "market": world.market,
        "node": NO_NODE,
        "payer": "credFgXCGH3JFUT6WEKF6tJitxrXhSCM2VEqF7GE6pt",
        "price": 40,
        "project": world.post(cid).json()["credits"]["project"],
        "state": 0,
        "type": "cli",
        "jobDefinition": world.definition(
            queued_for="1m", runs_for="20m", results_after="10s", output="done"
        ),
        "jobResult": None,
        "jobStatus": None,
        "timeEnd": 0,
        "timeStart": 0,
        "benchmarkProcessedAt": None,
        "timeout": 1800,
        "usdRewardPerHour": 0.0436,
        "listedAt": int(world.origin),
    }
    assert world.wait(59.9).get(job)["state"] == 0
    running = world.wait(0.1).get(job)
    assert (running["state"], running["timeStart"]) == (1, int(world.origin) + 60)
    assert running["node"] in world.network.hosts(world.market)
    assert world.wait(1199).get(job)["state"] == 1
    ended = world.wait(1).get(job)
    assert (ended["state"], ended["timeEnd"]) == (2, int(world.origin) + 1260)
    assert (ended["jobStatus"], ended["jobResult"], ended["ipfsResult"]) == (None, None, None)
    assert world.wait(9).get(job)["ipfsResult"] is None
    reported = world.wait(1).get(job)
    assert reported["jobStatus"] == reported["jobResult"]["status"] == "success"
    assert reported["jobResult"]["opStates"][0]["logs"] == []
    texts = [line["log"] for line in world.result(job)["opStates"][0]["logs"]]
    assert texts[-1] == "done\n"


def test_the_answer_of_a_listing(world: Any) -> None:
    answer = world.post(timeout=3600).json()
    assert list(answer) == ["tx", "job", "run", "credits"]
    assert list(answer["credits"]) == ["costUSD", "creditsUsed", "reservationId", "project"]
    assert (answer["credits"]["costUSD"], answer["credits"]["creditsUsed"]) == (0.048, 48)


@pytest.mark.parametrize(("timeout", "expected"), [("900", 900), (900, 900), (900.0, 900)])
def test_timeout_is_a_number_or_a_numeral(world: Any, timeout: Any, expected: int) -> None:
    assert world.get(world.job(timeout=timeout))["timeout"] == expected


def test_timeout_is_an_hour_unless_said(world: Any) -> None:
    body = {"ipfsHash": world.pin(), "market": world.market}
    job = world.call("POST", "/api/jobs/list", body).json()["job"]
    assert world.get(job)["timeout"] == 3600


def test_a_job_that_runs_into_its_timeout_says_success(world: Any) -> None:
    job = world.job(world.pin(queued_for=0, runs_for="2h", results_after=1))
    assert world.wait(1799).get(job)["state"] == 1
    ended = world.wait(2).get(job)
    assert (ended["state"], ended["timeEnd"] - ended["timeStart"]) == (2, 1800)
    assert ended["jobStatus"] == "success"
    (op,) = ended["jobResult"]["opStates"]
    assert op["diagnostics"]["reason"]["jobExpired"] is True
    assert (op["status"], op["exitCode"]) == ("success", 2)


def test_a_job_that_is_done_at_its_deadline_has_finished(world: Any) -> None:
    job = world.job(world.pin(queued_for=0, runs_for=1800, exit_code=4))
    (op,) = world.wait(1900).get(job)["jobResult"]["opStates"]
    assert (op["exitCode"], op["diagnostics"]["reason"]["jobExpired"]) == (4, False)


def test_the_deadline_can_be_reckoned_from_the_record(make_world: Callable[..., Any]) -> None:
    """A start within a second is rounded down in the record, and the time-out counts from there."""
    world = make_world(now=1_795_298_400.75)
    job = world.job(world.pin(queued_for=0.5, runs_for="2h"), timeout=60)
    started = world.wait(10).get(job)
    world.now = started["timeStart"] + 59.99
    assert world.get(job)["state"] == 1
    world.now = float(started["timeStart"] + 60)
    assert world.get(job)["state"] == 2


def test_extensions_move_the_timeout_queued_and_running(world: Any) -> None:
    job = world.job(world.pin(queued_for="1m", runs_for="2h"))
    answer = world.extend(job, 600).json()
    assert (answer["job"], answer["credits"]["costUSD"], answer["credits"]["creditsUsed"]) == (job, 0.008, 8)
    assert list(answer) == ["tx", "job", "credits"]
    assert world.get(job)["timeout"] == 2400
    world.wait(60 + 2399)
    assert world.extend(job, "100").status == 200
    assert world.wait(2).get(job)["state"] == 1
    ended = world.wait(100).get(job)
    assert (ended["state"], ended["timeEnd"] - ended["timeStart"]) == (2, 2500)


@pytest.mark.parametrize("seconds", [0, -5, None, "many", True, [1], 1.5, 1e18, ""])
def test_an_extension_needs_a_positive_number(world: Any, seconds: Any) -> None:
    job = world.job()
    reply = world.extend(job, seconds)
    assert (reply.status, reply.json()) == (
        400,
        {"message": "Invalid request: 'seconds' must be a positive number"},
    )
    assert world.get(job)["timeout"] == 1800


def test_stopping_a_queued_job_makes_it_vanish(world: Any) -> None:
    job = world.job(world.pin(queued_for="1m"))
    answer = world.stop(job).json()
    assert {**answer, "tx": None} == {"tx": None, "job": job, "delisted": True, "outcome": "delisted"}
    assert answer["tx"]
    gone = world.call("GET", f"/api/jobs/{job}")
    assert (gone.status, gone.json()) == (404, {"message": "Job not found", "code": "NOT_FOUND"})
    for again in (world.stop(job), world.extend(job)):
        assert (again.status, again.json()) == (404, {"message": "Job not found"})
    assert world.wait(600).network.job(job).node is None


def test_stopping_a_running_job_completes_it_and_its_result_comes_later(world: Any) -> None:
    job = world.job(world.pin(queued_for=0, runs_for="2h", results_after="8s"))
    world.wait(100)
    assert world.stop(job).json()["outcome"] == "ended"
    stopped = world.get(job)
    assert (stopped["state"], stopped["jobStatus"], stopped["ipfsResult"]) == (2, None, None)
    assert stopped["timeEnd"] - stopped["timeStart"] == 100
    reported = world.wait(8).get(job)
    assert (reported["state"], reported["jobStatus"]) == (2, "stopped")
    assert reported["jobResult"]["opStates"][0]["diagnostics"]["reason"]["jobStopped"] is True
    assert world.wait(7200).get(job) == reported


def test_a_finished_job_can_be_stopped_and_extended_without_effect(world: Any) -> None:
    job = world.job(world.pin(queued_for=0, runs_for=10))
    world.wait(60)
    before = world.balance()
    assert world.stop(job).json() == {
        "tx": None,
        "job": job,
        "delisted": False,
        "outcome": "already_terminal",
    }
    assert world.extend(job).json() == {"tx": None, "job": job}
    assert world.balance() == before
    assert world.network.job(job).stop_asked_at is None


def test_a_host_that_quits(world: Any) -> None:
    job = world.job(world.pin(queued_for=0, runs_for="1h", host_quits_after="5m", results_after=2))
    quit_ = world.wait(302).get(job)
    assert (quit_["state"], quit_["jobStatus"], quit_["timeEnd"] - quit_["timeStart"]) == (3, "failed", 300)
    assert quit_["jobResult"]["opStates"][0]["diagnostics"]["reason"]["hostShutDown"] is True
    assert world.wait(7200).get(job)["state"] == 3


def test_a_host_made_to_quit(world: Any) -> None:
    job = world.job(world.pin(queued_for=10))
    path = "/simulator/host-quits"
    assert world.call("POST", path, {"job": job}).status == 409
    world.wait(20)
    assert world.call("POST", path, {"job": job}).status == 200
    assert world.get(job)["state"] == 3
    assert world.call("POST", path, {"job": "nobody"}).status == 404


def test_a_command_that_fails(world: Any) -> None:
    job = world.job(world.pin(queued_for=0, runs_for=60, exit_code=7, results_after=1))
    failed = world.wait(62).get(job)
    assert (failed["state"], failed["jobStatus"]) == (2, "failed")
    assert [op["exitCode"] for op in failed["jobResult"]["opStates"]] == [7]


def test_a_definition_that_does_not_validate_is_listed_and_refused_by_the_host(world: Any) -> None:
    document = {
        "version": "0.1",
        "type": "container",
        "ops": [{"type": "container/run", "id": "a", "args": {}}],
    }
    job = world.job(world.pin(document))
    refused = world.wait(60).get(job)
    assert (refused["state"], refused["jobStatus"]) == (2, "validation-error")
    assert refused["jobResult"]["errors"] == [{"path": "$input.ops[0].args.image", "expected": "string"}]
    assert refused["timeEnd"] - refused["timeStart"] == 2


def test_a_cid_that_nobody_pinned_is_listed_and_fails_at_the_host(world: Any) -> None:
    job = world.job(UNPINNED)
    listed = world.get(job)
    assert (listed["jobDefinition"], listed["type"]) == (None, None)
    failed = world.wait(120).get(job)
    assert (failed["state"], failed["jobStatus"]) == (2, "failed")
    assert UNPINNED in failed["jobResult"]["errors"][0]


def test_a_definition_pinned_after_the_listing_is_found_when_the_host_looks(world: Any) -> None:
    other = world.definition(runs_for=30, output="late")
    cid = type(world)().pin(other)
    job = world.job(cid)
    world.pin(other)
    assert world.wait(120).get(job)["jobStatus"] == "success"


def test_the_same_definition_behaves_the_same_each_time_without_a_word(world: Any) -> None:
    cid = world.pin({"version": "0.1", "type": "container", "ops": []})
    jobs = [world.job(cid) for _ in range(3)]
    world.wait(3600)
    lengths = {(record["timeStart"], record["timeEnd"]) for record in map(world.get, jobs)}
    assert len(lengths) == 1


def test_a_listed_job_may_stay_invisible_for_a_while(make_world: Callable[..., Any]) -> None:
    world = make_world(options=Options(visible_after=20))
    job = world.job()
    assert world.wait(19).call("GET", f"/api/jobs/{job}").status == 404
    assert world.extend(job).status == 200, "writes go to the chain, which knows the job at once"
    assert world.wait(1).get(job)["listedAt"] == int(world.origin)


def test_the_record_may_be_filled_later_and_hold_the_definition_as_text(
    make_world: Callable[..., Any],
) -> None:
    world = make_world(options=Options(filled_after=30, definition_as_text=True, null_result=NULL_RESULT))
    job = world.job(world.pin(queued_for=100, output="é"))
    early = world.get(job)
    assert [early[name] for name in ("jobDefinition", "type", "usdRewardPerHour")] == [None] * 3
    assert early["ipfsResult"] == NULL_RESULT
    filled = world.wait(30).get(job)
    assert json.loads(filled["jobDefinition"]) == world.definition(queued_for=100, output="é")
    assert (filled["type"], filled["usdRewardPerHour"]) == ("cli", 0.0436)


def test_defaults_can_be_set(make_world: Callable[..., Any]) -> None:
    world = make_world(options=Options(defaults=Defaults(queued_for=1, runs_for=10, results_after=3)))
    job = world.job(world.pin({"version": "0.1", "type": "container", "ops": []}))
    record = world.wait(14).get(job)
    assert (record["timeStart"] - record["listedAt"], record["timeEnd"] - record["timeStart"]) == (1, 10)
    assert record["jobStatus"] == "success"


def test_a_clock_that_goes_back_stands_still(world: Any) -> None:
    job = world.job(world.pin(queued_for=10, runs_for="1h"))
    assert world.wait(20).get(job)["state"] == 1
    assert world.wait(-15).get(job)["state"] == 1
    assert world.network.advance() == world.origin + 20


def test_generation_2(make_world: Callable[..., Any]) -> None:
    world = make_world(options=Options(generation=2))
    cid = world.pin(queued_for=0, runs_for=60)
    first, second = (world.post(cid, key="the same").json()["job"] for _ in range(2))
    assert first != second
    assert world.call("POST", "/api/jobs/stop/batch", {"jobs": []}, key="k").status == 404
    assert "outcome" not in world.wait(1).stop(first).json()
    for refused in (world.stop(first), world.extend(first)):
        assert (refused.status, refused.json()) == (400, {"message": "Job is already finished"})
