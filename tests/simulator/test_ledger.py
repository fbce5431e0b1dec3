"""What the network saw: calls, charges, and effects that were one too many."""

from collections.abc import Callable
from typing import Any

import pytest

from dispatcher.simulator.ledger import key_root
from dispatcher.simulator.network import Options


def test_every_call_is_recorded_without_secrets(world: Any) -> None:
    job = world.post(key="j:post:1:0").json()["job"]
    world.wait(5)
    world.call("GET", f"/api/jobs/{job}", api_key=None)
    world.call("GET", "/api/credits/balance", api_key="wrong")
    world.call("GET", "/nowhere")
    report = world.ledger()
    shown = [
        (
            call["time"] - world.origin,
            call["method"],
            call["route"],
            call["account"],
            call["status"],
            call["idempotency_key"],
        )
        for call in report["calls"]
    ]
    assert shown == [
        (0, "POST", "ipfs.pin", None, 200, None),
        (0, "POST", "jobs.list", "account-1", 200, "j:post:1:0"),
        (5, "GET", "jobs.get", None, 200, None),
        (5, "GET", "credits.balance", None, 401, None),
        (5, "GET", "unknown", "account-1", 404, None),
    ]
    assert report["calls_total"] == 5
    assert report["calls_by_route"]["credits.balance"] == {"401": 1}
    for secret in (world.key, world.other, "test-jwt"):
        assert secret not in str(report)


def test_the_story_of_a_job(world: Any) -> None:
    cid = world.pin(queued_for=10, runs_for="1h")
    job = world.post(cid, key="j:post:1:0").json()["job"]
    world.wait(60).extend(job, 600, key="j:extend:1:0")
    world.wait(40).stop(job)
    (story,) = world.call("GET", "/simulator/jobs").json()
    assert story["node"] in world.network.hosts(world.market)
    assert {**story, "node": ""} == {
        "job": job,
        "account": "account-1",
        "ipfsJob": cid,
        "market": world.market,
        "node": "",
        "state": 2,
        "idempotency_key": "j:post:1:0",
        "posted_at": world.origin,
        "started_at": world.origin + 10,
        "ended_at": world.origin + 100,
        "how": "stopped",
        "exit_code": None,
        "timeout": 2400,
        "extensions": [
            {"at": world.origin + 60, "seconds": 600, "usd": 0.008, "idempotency_key": "j:extend:1:0"}
        ],
        "stop_asked_at": world.origin + 100,
        "reserved": 0.032,
        "settled": 0.001,
    }


def test_charges_and_postings_are_summed(world: Any) -> None:
    cid, other = world.pin(queued_for=0, runs_for=1800, output="1"), world.pin(queued_for="1h", output="2")
    for _ in range(2):
        world.job(cid)
    world.job(other)
    world.wait(1800)
    report = world.ledger()
    assert report["posts_by_cid"] == {cid: 2, other: 1}
    assert report["posts_total"] == 3
    assert report["charges"]["account-1"] == {"reserved": 0.072, "settled": 0.048, "released": 0}
    account = report["accounts"][0]
    assert (account["reserved"], account["settled"], account["available"]) == (0.024, 0.048, 49.928)


@pytest.mark.parametrize(
    ("key", "root"),
    [("j:post:1:0", "j:post:1"), ("plain", "plain"), ("a:b", "a"), (None, None), ("a:", "a")],
)
def test_key_roots(key: str | None, root: str | None) -> None:
    assert key_root(key) == root


_ID = {"dispatch_id": "job-1"}


@pytest.mark.parametrize(
    ("posts", "duplicates"),
    [
        # (meta, idempotency key) of each posting
        ([({}, None), ({}, None)], 0),
        ([({}, "j:post:1:0"), ({}, "j:post:1:1")], 1),
        ([({}, "j:post:1:0"), ({}, "j:post:1:1"), ({}, "j:post:1:2")], 2),
        ([({}, "j:post:1:0"), ({}, "j:post:2:0")], 0),
        ([({}, "j:post:1:0"), ({}, "i:post:1:0")], 0),
        ([(_ID, None), (_ID, None)], 1),
        ([(_ID, "j:post:1:0"), (_ID, "j:post:2:0")], 0),
        ([(_ID, "j:post:1:0"), (_ID, "j:post:1:1")], 1),
        ([({**_ID, "dispatch_attempt": 1}, "k1"), ({**_ID, "dispatch_attempt": 1}, "k2")], 1),
        ([({**_ID, "dispatch_attempt": 1}, "k:1"), ({**_ID, "dispatch_attempt": 2}, "k:2")], 0),
        ([({"dispatch_id": "a"}, None), ({"dispatch_id": "b"}, None)], 0),
    ],
)
def test_duplicate_postings(world: Any, posts: list[Any], duplicates: int) -> None:
    for meta, key in posts:
        world.job(world.pin(meta=meta), key=key)
    report = world.ledger()
    assert report["duplicate_posts"] == len(report["duplicates"]) == duplicates
    assert report["duplicate_extends"] == 0


@pytest.mark.parametrize(("key", "duplicates"), [(None, 0), ("j:post:1:{}", 1)])
def test_what_is_over_may_be_tried_again_unless_its_key_says_that_it_is_the_same_try(
    world: Any, key: str | None, duplicates: int
) -> None:
    cid = world.pin(meta={**_ID, "dispatch_attempt": 1} if key is None else {})
    for epoch in (0, 9):
        world.job(cid, key=key and key.format(epoch))
    assert world.ledger()["duplicate_posts"] == 1
    for job in list(world.network.jobs):
        world.stop(job)
    world.job(cid, key=key and key.format(10))
    assert world.ledger()["duplicate_posts"] == 1 + duplicates


def test_a_duplicate_names_both_jobs(world: Any) -> None:
    first, again = (world.job(world.pin(), key=f"j:post:1:{epoch}") for epoch in (0, 1))
    (duplicate,) = world.ledger()["duplicates"]
    assert duplicate == {
        "kind": "post",
        "purpose": "key/j:post:1",
        "first": first,
        "again": again,
        "time": world.origin,
    }


def test_replays_refusals_and_other_accounts_are_no_duplicates(world: Any) -> None:
    cid = world.pin(meta=_ID)
    for key in ("j:post:1:0", "j:post:1:0"):
        world.job(cid, key=key)
    world.post(cid, key="j:post:1:1", market="unknown")
    world.job(cid, key="j:post:1:9", api_key=world.other)
    assert world.ledger()["duplicates"] == []


def test_duplicate_extensions(world: Any) -> None:
    job = world.job(world.pin(queued_for=0, runs_for=60))
    for key in ("j:extend:1:0", "j:extend:1:0", "j:extend:2:0", None, None):
        world.extend(job, key=key)
    assert world.ledger()["duplicate_extends"] == 0
    world.extend(job, key="j:extend:1:1")
    assert (world.ledger()["duplicate_extends"], world.ledger()["duplicate_posts"]) == (1, 0)
    world.wait(60)
    world.extend(job, key="j:extend:2:1")
    assert world.ledger()["duplicate_extends"] == 1, "a finished job was not extended"


def test_items_of_a_batch_share_its_key_and_are_told_apart(world: Any) -> None:
    cid = world.pin(queued_for="1h")
    item = {"ipfsHash": cid, "market": world.market}

    def post(items: list[Any], key: str) -> list[str]:
        reply = world.call("POST", "/api/jobs/list/batch", {"jobs": items}, key=key)
        return [entry["job"] for entry in reply.json()["items"]]

    jobs = post([item, item], "b:post:1:0")
    assert world.ledger()["duplicate_posts"] == 0
    post([item], "b:post:2:0")
    assert world.ledger()["duplicate_posts"] == 0
    post([item], "b:post:1:1")
    assert world.ledger()["duplicate_posts"] == 1
    for epoch, extended in enumerate((jobs[:1], jobs[1:], jobs[:1])):
        body = {"jobs": [{"jobAddress": job, "seconds": 60} for job in extended]}
        world.call("POST", "/api/jobs/extend/batch", body, key=f"b:extend:1:{epoch}")
    assert world.ledger()["duplicate_extends"] == 1


def test_one_purpose_twice_in_one_batch_is_a_duplicate(world: Any) -> None:
    item = {"ipfsHash": world.pin(meta={**_ID, "dispatch_attempt": 1}), "market": world.market}
    world.call("POST", "/api/jobs/list/batch", {"jobs": [item, item]}, key="b")
    assert world.ledger()["duplicate_posts"] == 1


def test_the_report_can_be_kept_short(world: Any) -> None:
    jobs = [world.job() for _ in range(3)]
    short = world.call("GET", "/simulator/ledger?calls=1&jobs=2").json()
    assert [job["job"] for job in short["jobs"]] == jobs[1:]
    assert [call["route"] for call in short["calls"]] == ["jobs.list"]
    none = world.call("GET", "/simulator/ledger?calls=0&jobs=0").json()
    assert (none["calls"], none["jobs"], none["calls_total"]) == ([], [], 6)
    assert len(world.call("GET", "/simulator/jobs?jobs=all").json()) == 3
    assert world.call("GET", "/simulator/jobs?jobs=x").status == 400


def test_only_so_many_calls_are_kept_but_all_are_counted(make_world: Callable[..., Any]) -> None:
    world = make_world(options=Options(calls_kept=2))
    for _ in range(5):
        world.balance()
    report = world.ledger()
    assert (len(report["calls"]), report["calls_total"]) == (2, 5)
    assert report["calls_by_route"] == {"credits.balance": {"200": 5}}
