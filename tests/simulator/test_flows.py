"""FlowStates: what hosts report of jobs with several steps."""

from typing import Any

import pytest


def _document(**simulated: Any) -> dict[str, Any]:
    steps = [
        {"type": "container/create-volume", "id": "disk", "args": {"name": "disk"}},
        {"type": "container/run", "id": "first", "args": {"image": "one"}},
        {
            "type": "container/run",
            "id": "second",
            "args": {"image": "two"},
            "execution": {"group": "late"},
            "results": {"words": "^w", "errors": {"regex": "code", "logType": ["stderr"]}, "odd": "(?<js>w"},
        },
    ]
    meta = {"simulated": {"queued_for": 0, "runs_for": 100, "results_after": 1, **simulated}}
    return {"version": "0.1", "type": "container", "meta": meta, "ops": steps}


def _ops(flow: Any, *fields: str) -> list[tuple[Any, ...]]:
    return [tuple(op[field] for field in fields) for op in flow["opStates"]]


def test_steps_run_one_after_another_in_milliseconds(world: Any) -> None:
    job = world.job(world.pin(_document(output="words\nmore")))
    flow = world.wait(200).result(job)
    start = int(world.origin) * 1000
    assert (flow["status"], flow["startTime"], flow["endTime"]) == ("success", start, start + 100_000)
    assert _ops(flow, "operationId", "group", "startTime", "endTime", "exitCode", "status") == [
        ("disk", "disk", start, start, 0, "success"),
        ("first", "first", start, start + 50_000, 0, "success"),
        ("second", "late", start + 50_000, start + 100_000, 0, "success"),
    ]
    assert flow["opStates"][2]["results"] == {"words": ["words"], "errors": [], "odd": []}


def test_logs_are_lines_with_times_and_kinds(world: Any) -> None:
    job = world.job(world.pin(_document(output="words", exit_code=3)))
    flow = world.wait(200).result(job)
    assert [len(op["logs"]) for op in flow["opStates"]] == [0, 2, 4]
    assert flow["opStates"][2]["logs"][-2:] == [
        {"type": "stdout", "log": "words\n", "timestamp": "2026-11-21T22:01:40.000Z"},
        {
            "type": "stderr",
            "log": "Container of second exited with code 3\n",
            "timestamp": "2026-11-21T22:01:40.000Z",
        },
    ]
    assert _ops(flow, "exitCode", "status") == [(0, "success"), (0, "success"), (3, "failed")]
    assert flow["status"] == "failed"
    assert flow["opStates"][2]["results"]["errors"] == ["Container of second exited with code 3"]


@pytest.mark.parametrize(
    ("at", "expected"),
    [
        (0, [("success", 0), ("stopped", 2), ("stopped", 0)]),
        (20, [("success", 0), ("stopped", 2), ("stopped", 0)]),
        (70, [("success", 0), ("success", 0), ("stopped", 2)]),
    ],
)
def test_a_stop_ends_the_step_whose_turn_it_was(world: Any, at: float, expected: Any) -> None:
    job = world.job(world.pin(_document(output="never seen")))
    world.wait(at).stop(job)
    flow = world.wait(10).result(job)
    assert _ops(flow, "status", "exitCode") == expected
    reasons = [op["diagnostics"]["reason"] for op in flow["opStates"]]
    assert [reason["jobStopped"] for reason in reasons] == [
        code == 2 or status == "stopped" for status, code in expected
    ]
    assert "never seen" not in str(flow)
    assert flow["opStates"][2]["startTime"] is None or at == 70


@pytest.mark.parametrize(
    ("simulated", "status", "flag"),
    [
        ({"runs_for": "2h"}, "success", "jobExpired"),
        ({"runs_for": "2h", "host_quits_after": 70}, "failed", "hostShutDown"),
    ],
)
def test_other_early_ends(world: Any, simulated: Any, status: str, flag: str) -> None:
    job = world.job(world.pin(_document(**simulated)))
    flow = world.wait(3600).result(job)
    assert flow["status"] == status
    killed = next(op for op in flow["opStates"] if op["exitCode"] == 2)
    assert killed["status"] == status
    assert [name for name, set_ in killed["diagnostics"]["reason"].items() if set_ is True] == [flag]


def test_the_record_holds_the_flow_with_empty_logs_and_the_full_one_is_pinned(world: Any) -> None:
    job = world.job(world.pin(_document(output="x")))
    record = world.wait(200).get(job)
    full = world.result(job)
    for op in full["opStates"]:
        op["logs"] = []
    assert record["jobResult"] == full


def test_a_job_without_steps_succeeds(world: Any) -> None:
    document = {"version": "0.1", "type": "container", "ops": [], "meta": {"simulated": {"exit_code": 9}}}
    record = world.wait(0).job(world.pin(document))
    ended = world.wait(3600).get(record)
    assert (ended["jobStatus"], ended["jobResult"]["opStates"]) == ("success", [])
