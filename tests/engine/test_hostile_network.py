"""A network that answers with more than can be meant: nothing of it fills the store, and jobs still have their ends."""

import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from dispatcher.domain.events import EVENTS
from dispatcher.domain.ids import JobId
from dispatcher.domain.words import State
from tests.world import World, definition

HUGE = "x" * 300_000
Answer = Callable[[str, Any], Any]


class Hostile(httpx.BaseTransport):
    """The simulated network, with every good JSON answer changed by `twist(path, answer)`."""

    def __init__(self, inner: httpx.BaseTransport, twist: Answer) -> None:
        self._inner, self._twist = inner, twist

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        answer = self._inner.handle_request(request)
        try:
            value = json.loads(answer.content)
        except ValueError:
            return answer
        twisted = json.dumps(self._twist(request.url.path, value)).encode()
        return httpx.Response(
            answer.status_code, headers={"date": HUGE[:1000]}, content=twisted, request=request
        )


def padded(_: str, value: Any) -> Any:
    """Every text that is no address, hash or state gets huge, and there are huge ones nobody asked for."""
    names = ("run", "tx", "reservationId", "jobStatus", "message", "error", "name", "type", "status", "log")
    match value:
        case dict():
            changed = {key: HUGE if key in names else padded("", each) for key, each in value.items()}
            return {**changed, "more": HUGE, "errors": [HUGE, {"message": HUGE}]}
        case list():
            return [padded("", each) for each in value]
        case _:
            return value


def numbers(_: str, value: Any) -> Any:
    """Prices with digits without an end; a time-out that is no time."""
    match value:
        case dict():
            huge = {"exitCode": 10**4000, "timeout": 10**4000, "lowest_vram": 10**4000}
            return {key: huge.get(key, numbers("", each)) for key, each in value.items()}
        case list():
            return [numbers("", each) for each in value]
        case _:
            return value


def errors(path: str, value: Any) -> Any:
    return value if path.startswith("/api/markets") or "balance" in path else {"error": HUGE}


def flapping() -> Answer:
    looks = iter(range(10**9))

    def twist(path: str, value: Any) -> Any:
        if isinstance(value, dict) and "usdRewardPerHour" in value:
            return {**value, "usdRewardPerHour": 0.01 + next(looks) / 10**6}
        return value

    return twist


def world(twist: Answer) -> World:
    made = World()
    made.transport = Hostile(made.transport, twist)  # type: ignore[assignment]
    made.parts.providers._providers.update({"default": made.provider("default")})  # type: ignore[attr-defined]
    return made


def stored(made: World, job_id: JobId) -> int:
    """Bytes that are kept of a job, but for its definition."""
    store = made.parts.store
    log = sum(len(EVENTS.dump_json(event)) for event in store.events(job_id))
    return len(made.job(job_id).model_dump_json()) + log + len(json.dumps(store.result(job_id)))


@pytest.mark.parametrize("twist", [padded, numbers, errors], ids=lambda twist: twist.__name__)
def test_huge_fields_are_not_kept(twist: Answer) -> None:
    made = world(twist)
    job_id = made.enqueue(definition(runs_for="25m"), timeout="30m")
    made.run_for(3 * 3600.0)
    assert stored(made, job_id) < 1_048_576 + 100_000
    record = made.job(job_id).model_dump_json()
    assert len(record) < 10_000
    assert "x" * 400 not in record
    assert all(len(EVENTS.dump_json(event)) < 5_000 for event in made.parts.store.events(job_id))
    for job, event in made.recorder.seen:
        assert len(job.model_dump_json()) + len(EVENTS.dump_json(event)) < 15_000
    if twist is padded:
        assert made.job(job_id).state in (State.COMPLETED, State.FAILED)


def test_a_network_that_changes_its_mind_for_ever_does_not_fill_the_log() -> None:
    made = world(flapping())
    job_id = made.enqueue(
        definition(runs_for="90h"), timeout="100h", policies={"poll": {"every": "1s", "at_most": "1s"}}
    )
    made.run_for(3600.0)
    assert len(made.parts.store.events(job_id)) == 2_000
    made.stop(job_id)
    made.run_for(600.0)
    assert made.kinds(job_id)[2_000:] == ["stop_ordered", "call_intended", "stop_confirmed", "ended"]
    assert made.job(job_id).state is State.STOPPED
