"""What `enqueue` refuses although the request is well formed: our own secrets, and more jobs than may be kept."""

from dataclasses import replace
from typing import Any

import pytest

from dispatcher.domain.errors import InvalidRequest, TooManyJobs
from dispatcher.domain.request import JobRequest
from dispatcher.engine import intake
from dispatcher.engine.parts import Limits
from tests.world import MARKET, World, definition

KEY = "nos_8c1d22af90cc4b55"
PASSWORD = 'r"dis/p%ss'


def asked(**fields: Any) -> JobRequest:
    return JobRequest(**{"definition": definition(), "market": MARKET, "timeout": "10m", **fields})


def with_cmd(text: str) -> dict[str, Any]:
    made = definition()
    made["ops"][0]["args"]["cmd"] = ["run", text]
    return made


PLACE = "definition.ops[0].args.cmd[1]"


@pytest.mark.parametrize(
    ("request_", "path"),
    [
        (asked(definition=with_cmd(f"x{KEY}y"), allow_secrets=[PLACE]), PLACE),
        (asked(definition=with_cmd(f"a {PASSWORD}"), allow_secrets=[PLACE]), PLACE),
        (asked(labels={"note": f"{KEY}."}), "labels"),
        (asked(request_id=f"order {PASSWORD}"), "request_id"),
        (asked(account=KEY), "account"),
        (
            asked(policies={"retry": {"elsewhere": [{"market": "nvidia-3060", "account": KEY}]}}),
            "policies.retry.elsewhere",
        ),
    ],
    ids=["key in definition", "password in definition", "label", "request id", "account", "place"],
)
def test_our_own_secrets_are_refused_even_where_allowed(request_: JobRequest, path: str) -> None:
    world = World()
    parts = replace(world.parts, own_secrets=(KEY, PASSWORD, "short"))
    for requests, place in (([request_], path), ([asked(), request_], f"requests[1].{path}")):
        with pytest.raises(InvalidRequest) as caught:
            intake.enqueue(parts, requests)
        assert [fault.path for fault in caught.value.faults] == [place]
        assert KEY not in str(caught.value)
        assert PASSWORD not in str(caught.value)
    assert world.parts.store.list_jobs() == []
    assert KEY not in repr(parts)


def test_short_passwords_are_not_looked_for_in_words() -> None:
    world = World()
    assert intake.enqueue(replace(world.parts, own_secrets=("echo",)), [asked()])[0].new


def test_no_more_jobs_than_may_be_kept() -> None:
    world = World()
    parts = replace(world.parts, limits=Limits(jobs=3))
    first = intake.enqueue(parts, [asked(request_id="a"), asked()])
    with pytest.raises(TooManyJobs, match="DISPATCHER_JOBS_AT_MOST") as caught:
        intake.enqueue(parts, [asked(), asked()])
    assert (caught.value.kept, caught.value.at_most) == (2, 3)
    assert "DISPATCHER_RETENTION" in str(caught.value)
    assert len(world.parts.store.list_jobs()) == 2
    intake.enqueue(parts, [asked()])
    again = intake.enqueue(parts, [asked(request_id="a")])[0]  # known: needs no room
    assert (again.id, again.new) == (first[0].id, False)
    with pytest.raises(TooManyJobs):
        intake.enqueue(parts, [asked(request_id="b")])


def test_room_comes_back_when_jobs_are_forgotten() -> None:
    world = World()
    parts = replace(world.parts, limits=Limits(jobs=1))
    intake.enqueue(parts, [asked()])
    world.run()
    with pytest.raises(TooManyJobs):
        intake.enqueue(parts, [asked()])
    world.run_for(8 * 86_400)
    assert intake.enqueue(parts, [asked()])[0].new
