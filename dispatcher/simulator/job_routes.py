"""The calls about jobs and credits: list, get, extend, stop, their batches, and the balance."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from dispatcher.simulator import bodies, money
from dispatcher.simulator.accounts import Account
from dispatcher.simulator.faults import Trouble
from dispatcher.simulator.idempotency import payload_of
from dispatcher.simulator.jobs import Job, Reservation
from dispatcher.simulator.messages import Call, Refusal, Reply, json_reply, refuse
from dispatcher.simulator.network import Network
from dispatcher.simulator.routes import Route


@dataclass(slots=True)
class Ask:
    """A call on its way: who asks, under which key, and what befalls it. `replayed`: the answer is a stored
    one."""

    network: Network
    call: Call
    route: Route
    now: float
    account: Account | None
    key: str | None
    trouble: Trouble
    replayed: bool = False

    def owner(self) -> Account:
        """The account of the key. Raises 401 without a key or with a wrong one."""
        if self.account is not None:
            return self.account
        if self.call.bearer() is None:
            raise refuse(401, "Unauthorized")
        raise Refusal(401, {"name": "Unauthorized", "message": "Invalid API key"})


def balance(ask: Ask) -> Reply:
    """`credits.balance`."""
    return json_reply(ask.owner().balance())


def get(ask: Ask) -> Reply:
    """`jobs.get`, which asks for no key."""
    record = ask.network.record(ask.route.target)
    if record is None:
        raise refuse(404, "Job not found", code="NOT_FOUND")
    return json_reply(record)


def list_job(ask: Ask) -> Reply:
    """`jobs.list`."""
    owner, body = ask.owner(), bodies.parsed(ask.call.body)

    def do() -> Reply:
        listing = bodies.listing(body, ask.network.options.limits)
        (job,) = _list(ask, owner, [listing], batch=False)
        credits_ = _credits(job.reservations[0])
        credits_["project"] = owner.project
        transaction = ask.network.mint.transaction()
        return json_reply({"tx": transaction, "job": job.address, "run": job.run, "credits": credits_})

    return _write(ask, owner, body, do)


def extend(ask: Ask) -> Reply:
    """`jobs.extend`."""
    owner, body = ask.owner(), bodies.parsed(ask.call.body)

    def do() -> Reply:
        job = ask.network.owned(owner, ask.route.target)
        (made,) = ask.network.extend_jobs(owner, [(job, bodies.extension(body))], key=ask.key)
        if made is None:
            _generation_2_refuses(ask)
            return json_reply({"tx": None, "job": job.address})
        transaction = ask.network.mint.transaction()
        return json_reply({"tx": transaction, "job": job.address, "credits": _credits(made)})

    return _write(ask, owner, body, do)


def stop(ask: Ask) -> Reply:
    """`jobs.stop`."""
    owner = ask.owner()

    def do() -> Reply:
        job = ask.network.owned(owner, ask.route.target)
        outcome = ask.network.stop_job(job)
        if outcome == "already_terminal":
            _generation_2_refuses(ask)
        answer: dict[str, Any] = {
            "tx": None if outcome == "already_terminal" else ask.network.mint.transaction(),
            "job": job.address,
            "delisted": outcome == "delisted",
        }
        if ask.network.options.generation == 3:
            answer["outcome"] = outcome
        return json_reply(answer)

    return _write(ask, owner, None, do)


def list_batch(ask: Ask) -> Reply:
    """`jobs.list.batch`."""

    def do(owner: Account, items: list[dict[str, Any]]) -> dict[int, dict[str, Any]]:
        limits = ask.network.options.limits
        listings = [
            bodies.listing({**item, "node": None}, limits, f"/jobs/{index}")
            for index, item in enumerate(items)
        ]
        wanted = [index for index in range(len(items)) if index not in ask.trouble.expire_items]
        jobs = _list(ask, owner, [listings[index] for index in wanted], batch=True)
        transaction = ask.network.mint.transaction
        return {
            index: {"job": job.address, "run": job.run, "tx": transaction()}
            for index, job in zip(wanted, jobs, strict=True)
        }

    return _batch(ask, do)


def extend_batch(ask: Ask) -> Reply:
    """`jobs.extend.batch`."""

    def do(owner: Account, items: list[dict[str, Any]]) -> dict[int, dict[str, Any]]:
        extensions = [
            (ask.network.owned(owner, bodies.job_address(item, index)), bodies.extension(item))
            for index, item in enumerate(items)
        ]
        wanted = [index for index in range(len(items)) if index not in ask.trouble.expire_items]
        made = ask.network.extend_jobs(
            owner, [extensions[index] for index in wanted], key=ask.key, batch=True
        )
        return {
            index: _confirmed(ask, extensions[index][0], effect=reservation is not None)
            for index, reservation in zip(wanted, made, strict=True)
        }

    return _batch(ask, do)


def stop_batch(ask: Ask) -> Reply:
    """`jobs.stop.batch`."""

    def do(owner: Account, items: list[dict[str, Any]]) -> dict[int, dict[str, Any]]:
        jobs = [ask.network.owned(owner, bodies.job_address(item, index)) for index, item in enumerate(items)]
        return {
            index: _confirmed(ask, job, effect=ask.network.stop_job(job) != "already_terminal")
            for index, job in enumerate(jobs)
            if index not in ask.trouble.expire_items
        }

    return _batch(ask, do)


def _batch(ask: Ask, do: Callable[[Account, list[dict[str, Any]]], dict[int, dict[str, Any]]]) -> Reply:
    """A batch call: needs a key; items that a fault expires are reported so and not done."""
    owner = ask.owner()
    if ask.key is None:
        raise refuse(400, "Idempotency-Key header is required")
    body = bodies.parsed(ask.call.body)

    def work() -> Reply:
        items = bodies.batch(body)
        done = do(owner, items)
        return json_reply({"items": [_item(index, done.get(index)) for index in range(len(items))]})

    return _write(ask, owner, body, work)


def _item(index: int, confirmed: dict[str, Any] | None) -> dict[str, Any]:
    if confirmed is None:
        return {"index": index, "status": "expired"}
    return {"index": index, "status": "confirmed", **confirmed}


def _confirmed(ask: Ask, job: Job, *, effect: bool) -> dict[str, Any]:
    """An item that is done; a job that was over already has no transaction."""
    return {"job": job.address, **({"tx": ask.network.mint.transaction()} if effect else {})}


def _list(ask: Ask, owner: Account, listings: list[bodies.Listing], *, batch: bool) -> list[Job]:
    trouble = ask.trouble
    return ask.network.list_jobs(
        owner, listings, key=ask.key, batch=batch, late=trouble.late, quits_after=trouble.quits_after
    )


def _write(ask: Ask, owner: Account, body: Any, do: Callable[[], Reply]) -> Reply:
    """Does a write, under its idempotency key if it has one."""
    if ask.key is None:
        return do()
    keys, trouble = ask.network.keys, ask.trouble
    payload = payload_of(ask.route.name, ask.route.target, body)
    stored = keys.replay(ask.key, owner, payload, ask.now)
    if stored is not None:
        ask.replayed = True
        return stored
    return keys.use(ask.key, owner, payload, do, now=ask.now, expire=trouble.expire, pending=trouble.pending)


def _credits(reservation: Reservation) -> dict[str, Any]:
    return {
        "costUSD": money.wire(reservation.amount),
        "creditsUsed": reservation.amount,
        "reservationId": reservation.id,
    }


def _generation_2_refuses(ask: Ask) -> None:
    if ask.network.options.generation == 2:
        raise refuse(400, "Job is already finished")
