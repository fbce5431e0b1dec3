"""What a schedule says: every fault at once, and what is kept of it."""

from typing import Any

import pytest

from dispatcher.domain.errors import InvalidRequest
from dispatcher.domain.ids import JobId
from dispatcher.domain.schedules import Schedule, parse_schedules

JOB = JobId(f"job_{1:024x}")
DEFINITION = {
    "version": "0.1",
    "type": "container",
    "meta": {"trigger": "test"},
    "ops": [{"type": "container/run", "id": "main", "args": {"image": "ubuntu", "cmd": "date"}}],
}
REQUEST: dict[str, Any] = {"definition": DEFINITION, "market": "nvidia-3060", "timeout": "10m"}


def schedule(**fields: Any) -> Schedule:
    return Schedule.parse({"name": "nightly", "cron": "0 2 * * *", "request": REQUEST, **fields})


def faults(**fields: Any) -> dict[str, str]:
    with pytest.raises(InvalidRequest) as caught:
        schedule(**fields)
    return {fault.path: fault.message for fault in caught.value.faults}


def test_every_fault_at_once() -> None:
    found = faults(
        name="a b",
        cron="0 25 * * *",
        tz="Europe/Amsterdm",
        overlap="maybe",
        misfire_grace="5",
        budget="5/week",
        colour="red",
        request={**REQUEST, "timeout": "10", "markt": "x", "request_id": "mine", "labels": {"schedule": "x"}},
    )
    assert set(found) == {
        *("name", "cron", "tz", "overlap", "misfire_grace", "budget", "colour"),
        *("request.timeout", "request.markt", "request.request_id", "request.labels.schedule"),
    }
    assert "did you mean Europe/Amsterdam" in found["tz"]
    assert found["cron"].startswith("bad hour")
    assert "'week' is no window" in found["budget"]


@pytest.mark.parametrize(
    ("fields", "path", "said"),
    [
        ({"every": "1h"}, "cron", "either cron"),
        ({"cron": None}, "cron", "either cron"),
        ({"cron": None, "every": "1500ms"}, "every", "1500ms"),
        ({"cron": None, "every": "1.5s"}, "every", "whole seconds"),
        ({"cron": None, "every": "1m", "jitter": "2m"}, "jitter", "longer than every"),
        ({"jitter": "25h"}, "jitter", "longer than a day"),
        ({"cron": "0 0 31 2 *"}, "cron", "bad day-of-month"),
        ({"up_to": 101}, "up_to", "100"),
        ({"tz": "../../etc/passwd"}, "tz", "no time zone"),
        ({"tz": "Europe"}, "tz", "no time zone"),
        ({"request": {**REQUEST, "after": [JOB]}}, "request.after", "overlap: queue"),
        ({"request": {**REQUEST, "labels": {f"l{n}": "x" for n in range(20)}}}, "request.labels", "20 items"),
        ({"request": "x"}, "request", "object"),
    ],
)
def test_one_fault(fields: dict[str, Any], path: str, said: str) -> None:
    found = faults(**fields)
    assert set(found) == {path}
    assert said in found[path]


def test_no_message_shows_a_secret() -> None:
    with pytest.raises(InvalidRequest) as caught:
        schedule(request={**REQUEST, "node": "canary-4711", "labels": "canary-4711"}, budget=["canary-4711"])
    assert "canary" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert "ubuntu" not in repr(schedule())


def test_it_is_read_back_as_it_was_written() -> None:
    policies = [
        {"kind": "extend", "by": "30m", "max_cost": "2.50"},
        {"kind": "stop", "at": "2026-12-24T18:00:00+01:00"},
        {"kind": "retry", "elsewhere": [{"market": "other", "max_rate_per_hour": 0.5}]},
    ]
    made = schedule(
        jitter="5m",
        budget="5/day",
        rapid={"within": "1m"},
        request={**REQUEST, "policies": policies, "labels": {"team": "a"}, "callback": "billing.ended"},
    )
    read = Schedule.model_validate_json(made.model_dump_json())
    assert read == made
    assert read.fingerprint() == made.fingerprint()
    request = read.request_of("schedule:nightly:1:x", (JOB,))
    assert request.labels == {"team": "a", "schedule": "nightly"}
    assert [(each.id, each.on) for each in request.after] == [(JOB, "any")]
    assert request.policies.stop.at is not None
    # What was not said is not said now either: a named set of policies may say it.
    assert "poll" not in read.request["policies"]
    assert Schedule.parse({**made.model_dump(mode="json"), "request": made.request}) == made


def test_what_json_cannot_keep_is_refused() -> None:
    op = {"type": "container/run", "id": "main", "args": {"image": "ubuntu", "cmd": "half \ud800"}}
    found = faults(request={**REQUEST, "definition": {**DEFINITION, "ops": [op]}})
    assert list(found) == ["request.definition"]


def test_the_fingerprint_is_of_what_is_enqueued() -> None:
    assert schedule().fingerprint() == schedule(cron="5 5 * * *", overlap="queue").fingerprint()
    assert schedule().fingerprint() != schedule(request={**REQUEST, "timeout": "11m"}).fingerprint()


def test_the_jitter_is_the_same_for_everybody_and_spread() -> None:
    made = schedule(jitter="10m")
    later = [made.fires_at(at) - at for at in range(0, 86_400 * 200, 86_400)]
    assert later == [schedule(jitter="10m").fires_at(at) - at for at in range(0, 86_400 * 200, 86_400)]
    assert all(0 <= each < 600 for each in later)
    assert sum(each < 300 for each in later) in range(70, 130)
    assert schedule().fires_at(5.0) == 5.0
    assert schedule(name="other", jitter="10m").fires_at(0.0) != made.fires_at(0.0)


def test_a_file_of_schedules() -> None:
    document = {"a": {"every": "1h", "request": REQUEST}, "b": {"cron": "0 2 * * *", "request": REQUEST}}
    assert [each.in_words() for each in parse_schedules(document)] == ["every 1h", "0 2 * * * UTC"]
    broken = {"a": {"every": "1", "request": {}}, "b": 5, "c": {**document["a"], "name": "d"}}
    with pytest.raises(InvalidRequest) as caught:
        parse_schedules(broken)
    paths = {fault.path for fault in caught.value.faults}
    assert {"a.every", "a.request.definition", "a.request.market", "b.schedule", "c.name"} <= paths
    for wrong in (None, [], "x"):
        with pytest.raises(InvalidRequest, match="must be an object"):
            parse_schedules(wrong)
