"""Idempotency keys on single calls and batches."""

from typing import Any

import pytest

from dispatcher.simulator.markets import A100


def _code(reply: Any) -> tuple[int, str | None]:
    return reply.status, reply.json().get("code")


def _faults(world: Any, *rules: dict[str, Any]) -> None:
    assert world.call("POST", "/simulator/faults", list(rules)).status == 200


def test_a_listing_is_done_once_and_its_answer_replayed(world: Any) -> None:
    cid = world.pin()
    first, again = (world.post(cid, key="a:post:1:0") for _ in range(2))
    assert (first.status, first.body) == (again.status, again.body)
    assert len(world.network.jobs) == 1
    assert world.balance() == (50, 0.024, 0)
    assert [record.replayed for record in list(world.network.ledger.calls)[-3:]] == [False, True, False]


def test_extensions_and_stops_are_done_once(world: Any) -> None:
    job = world.job(world.pin(queued_for=0, runs_for="1h"))
    first, again = (world.extend(job, key="e") for _ in range(2))
    assert first.body == again.body
    assert world.get(job)["timeout"] == 2400
    stopped, again = (world.stop(job, key="s") for _ in range(2))
    assert stopped.body == again.body
    assert again.json()["outcome"] == "ended", "the stored answer, not already_terminal"


def test_blanks_and_order_of_the_body_do_not_matter(world: Any) -> None:
    cid = world.pin()
    first = world.post(cid, key="k")
    raw = f'{{ "timeout":1800, "market" : "{world.market}","ipfsHash":"{cid}"}}'.encode()
    assert world.call("POST", "/api/jobs/list", raw=raw, key="k").body == first.body


def test_another_payload_under_the_same_key_is_a_bug(world: Any) -> None:
    cid = world.pin()
    job = world.post(cid, key="k").json()["job"]
    mismatch = (409, "IDEMPOTENCY_KEY_PAYLOAD_MISMATCH")
    assert _code(world.post(cid, timeout=900, key="k")) == mismatch
    assert _code(world.extend(job, key="k")) == mismatch
    other = world.post(cid, key="k2").json()["job"]
    assert world.extend(job, key="e").status == 200
    assert _code(world.extend(other, key="e")) == mismatch
    assert len(world.network.jobs) == 2


def test_a_key_of_another_user_is_not_found(world: Any) -> None:
    cid = world.pin()
    world.post(cid, key="k")
    assert world.post(cid, key="k", api_key=world.other).status == 404
    assert world.balance(world.other) == (50, 0, 0)


def test_a_refusal_leaves_the_key_free(world: Any) -> None:
    cid = world.pin()
    world.call("POST", "/simulator/credits", {"account": world.key, "add": -50})
    assert world.post(cid, key="k").status == 402
    world.call("POST", "/simulator/credits", {"account": world.key, "add": 50})
    assert world.post(cid, key="k").status == 200


def test_an_expired_key_surely_did_nothing_and_is_dead_for_ever(world: Any) -> None:
    cid = world.pin()
    _faults(world, {"route": "jobs.list", "kind": "expire_key", "nth": [1]})
    for _ in range(3):
        assert _code(world.wait(1000).post(cid, key="k:1")) == (409, "IDEMPOTENCY_KEY_EXPIRED")
    assert not world.network.jobs
    assert world.post(cid, key="k:2").status == 200


def test_a_key_in_progress_says_when_to_ask_again(world: Any) -> None:
    cid = world.pin()
    _faults(world, {"route": "jobs.list", "kind": "in_progress", "nth": [1], "seconds": 12})
    busy = world.post(cid, key="k")
    assert _code(busy) == (409, "IDEMPOTENCY_KEY_IN_PROGRESS")
    assert (busy.headers["retry-after"], busy.json()["retryAfter"]) == ("12", 12)
    assert world.wait(11.5).post(cid, key="k").headers["retry-after"] == "1"
    done = world.wait(0.5).post(cid, key="k")
    assert done.status == 200
    assert list(world.network.jobs) == [done.json()["job"]]


def test_a_key_in_progress_may_expire(world: Any) -> None:
    cid = world.pin()
    _faults(world, {"route": "*", "kind": "in_progress", "times": 1, "outcome": "expired"})
    assert _code(world.post(cid, key="k")) == (409, "IDEMPOTENCY_KEY_IN_PROGRESS")
    assert _code(world.wait(5).post(cid, key="k")) == (409, "IDEMPOTENCY_KEY_EXPIRED")
    assert not world.network.jobs


def test_faults_about_keys_leave_calls_without_a_fresh_key_alone(world: Any) -> None:
    cid = world.pin()
    done = world.post(cid, key="k")
    _faults(world, {"route": "jobs.list", "kind": "expire_key"})
    assert world.post(cid, key="k").body == done.body
    assert world.post(cid).status == 200


# Batches


def _batch(world: Any, verb: str, items: list[Any], key: str | None = "b", **how: Any) -> Any:
    return world.call("POST", f"/api/jobs/{verb}/batch", {"jobs": items}, key=key, **how)


def test_batches_list_extend_and_stop(world: Any) -> None:
    cid = world.pin(queued_for=0, runs_for="1h")
    item = {"ipfsHash": cid, "market": world.market, "timeout": 1800}
    listed = _batch(world, "list", [item, {**item, "timeout": 3600}]).json()["items"]
    assert [(entry["index"], entry["status"], set(entry)) for entry in listed] == [
        (0, "confirmed", {"index", "status", "job", "run", "tx"}),
        (1, "confirmed", {"index", "status", "job", "run", "tx"}),
    ]
    first, second = (entry["job"] for entry in listed)
    assert [world.get(job)["timeout"] for job in (first, second)] == [1800, 3600]
    assert world.balance() == (50, 0.072, 0)

    world.stop(first)
    extended = _batch(world, "extend", [{"jobAddress": job, "seconds": 600} for job in (first, second)], "x")
    assert [("tx" in entry, entry["status"]) for entry in extended.json()["items"]] == [
        (False, "confirmed"),
        (True, "confirmed"),
    ]
    assert world.get(second)["timeout"] == 4200

    stopped = _batch(world, "stop", [{"jobAddress": job} for job in (first, second)], "s").json()["items"]
    assert [("tx" in entry, entry["job"]) for entry in stopped] == [(False, first), (True, second)]
    assert world.get(second)["state"] == 2


@pytest.mark.parametrize("verb", ["list", "extend", "stop"])
def test_a_batch_needs_a_key(world: Any, verb: str) -> None:
    refused = _batch(world, verb, [], None)
    assert refused.status == 400
    assert "code" not in refused.json()


def test_a_batch_is_replayed_whole(world: Any) -> None:
    item = {"ipfsHash": world.pin(), "market": world.market}
    first, again = (_batch(world, "list", [item, item]) for _ in range(2))
    assert first.body == again.body
    assert len(world.network.jobs) == 2


def test_a_batch_beyond_the_credit_lists_nothing(world: Any) -> None:
    item = {"ipfsHash": world.pin(), "market": A100, "timeout": 120_000}
    refused = _batch(world, "list", [item, item])
    assert (refused.status, refused.json()) == (
        402,
        {"message": "Insufficient credits. Available: $50.000, Required: $66.000"},
    )
    assert not world.network.jobs
    assert _batch(world, "list", [item]).status == 200


@pytest.mark.parametrize(
    ("verb", "items", "status"),
    [
        ("list", None, 422),
        ("list", [], 400),
        ("list", [{"market": "x"}], 422),
        ("list", ["x"], 422),
        ("extend", [{"seconds": 1}], 422),
        ("extend", [{"jobAddress": "nobody", "seconds": 1}], 404),
        ("stop", [{"jobAddress": "nobody"}], 404),
    ],
)
def test_bad_batches(world: Any, verb: str, items: Any, status: int) -> None:
    assert _batch(world, verb, items).status == status


def test_a_bad_item_refuses_the_whole_batch(world: Any) -> None:
    good = {"ipfsHash": world.pin(), "market": world.market}
    assert _batch(world, "list", [good, {**good, "market": "unknown"}]).status == 400
    job = world.job()
    jobs_before = len(world.network.jobs)
    extended = _batch(world, "extend", [{"jobAddress": job, "seconds": 60}, {"jobAddress": job}])
    assert extended.status == 400
    assert world.get(job)["timeout"] == 1800
    assert len(world.network.jobs) == jobs_before


@pytest.mark.parametrize("verb", ["list", "extend", "stop"])
def test_single_items_of_a_batch_can_expire(world: Any, verb: str) -> None:
    cid = world.pin(queued_for=0, runs_for="1h")
    jobs = [world.job(cid) for _ in range(3)]
    _faults(world, {"route": f"jobs.{verb}", "kind": "expire_key", "items": [1], "times": 1})
    world.post(cid, key="a single call is no batch")
    items = {
        "list": [{"ipfsHash": cid, "market": world.market}] * 3,
        "extend": [{"jobAddress": job, "seconds": 60} for job in jobs],
        "stop": [{"jobAddress": job} for job in jobs],
    }[verb]
    before = len(world.network.jobs)
    answer = _batch(world, verb, items).json()["items"]
    assert [entry["status"] for entry in answer] == ["confirmed", "expired", "confirmed"]
    assert set(answer[1]) == {"index", "status"}
    assert len(world.network.jobs) - before == (2 if verb == "list" else 0)
    records = [world.get(job) for job in jobs]
    assert [record["timeout"] for record in records] == (
        [1860, 1800, 1860] if verb == "extend" else [1800] * 3
    )
    assert [record["state"] for record in records] == ([2, 1, 2] if verb == "stop" else [1] * 3)
