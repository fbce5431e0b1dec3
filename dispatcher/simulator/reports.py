"""The ledger and the jobs in JSON, for people and tests that look at the network from outside. Money in USD."""

from itertools import islice
from typing import Any

from dispatcher.simulator import money
from dispatcher.simulator.jobs import End, Job
from dispatcher.simulator.network import Network


def ledger_report(network: Network, *, calls: int | None = None, jobs: int | None = None) -> dict[str, Any]:
    """All that the network saw. `calls` and `jobs` limit those lists to the last so many."""
    now, ledger = network.advance(), network.ledger
    routes: dict[str, dict[str, int]] = {}
    for (route, status), count in sorted(ledger.statuses.items()):
        routes.setdefault(route, {})[status] = count
    return {
        "now": now,
        "generation": network.options.generation,
        "accounts": accounts_report(network),
        "charges": _charges(network),
        "calls_total": ledger.total,
        "calls_by_route": routes,
        "faults": dict(ledger.faults),
        "posts_total": sum(ledger.posts_by_cid.values()),
        "posts_by_cid": dict(ledger.posts_by_cid),
        "posts_by_key_root": dict(ledger.posts_by_key_root),
        "duplicate_posts": ledger.duplicate_posts,
        "duplicate_extends": ledger.duplicate_extends,
        "duplicates": [
            {
                "kind": duplicate.kind,
                "purpose": duplicate.purpose,
                "first": duplicate.first,
                "again": duplicate.again,
                "time": duplicate.at,
            }
            for duplicate in ledger.duplicates
        ],
        "jobs": jobs_report(network, last=jobs),
        "calls": [record.as_json() for record in _last(list(ledger.calls), calls)],
    }


def accounts_report(network: Network) -> list[dict[str, Any]]:
    """Every account by its name, with a masked key."""
    return [
        {
            "name": account.name,
            "key": account.masked_key,
            "project": account.project,
            "assigned": money.wire(account.assigned),
            "reserved": money.wire(account.reserved),
            "settled": money.wire(account.settled),
            "available": money.wire(account.available),
        }
        for account in network.accounts
    ]


def jobs_report(network: Network, *, last: int | None = None) -> list[dict[str, Any]]:
    """Every job in the order of posting, or the `last` ones."""
    network.advance()
    skipped = 0 if last is None else max(0, len(network.jobs) - last)
    return [job_report(job) for job in islice(network.jobs.values(), skipped, None)]


def markets_report(network: Network) -> list[dict[str, Any]]:
    """Every market with its present price, and what is not as it was at first."""
    return [
        {
            "market": market.address,
            "slug": market.document.get("slug"),
            "usd_per_hour": market.usd_per_hour,
            "conditions": network.timeline.conditions(market.address).as_json(),
        }
        for market in network.markets.values()
    ]


def job_report(job: Job) -> dict[str, Any]:
    """A job as the network knows it, beyond what its record shows."""
    return {
        "job": job.address,
        "account": job.account.name,
        "ipfsJob": job.cid,
        "market": job.market.address,
        "node": job.node,
        "state": int(job.state),
        "idempotency_key": job.key,
        "posted_at": job.listed_at,
        "started_at": job.started_at or None,
        "ended_at": job.ended_at or None,
        "how": job.end.value if job.end else None,
        "exit_code": job.exit_code if job.end is End.FINISHED else None,
        "timeout": job.timeout,
        "extensions": [
            {
                "at": reservation.at,
                "seconds": reservation.seconds,
                "usd": money.wire(reservation.amount),
                "idempotency_key": reservation.key,
            }
            for reservation in job.reservations
            if reservation.kind == "extend"
        ],
        "stop_asked_at": job.stop_asked_at,
        "reserved": money.wire(job.reserved),
        "settled": None if job.settled is None else money.wire(job.settled),
    }


def _charges(network: Network) -> dict[str, dict[str, Any]]:
    """Per account, over all its jobs: what was ever reserved, what of it is settled, and what came back."""
    sums = {account.name: [0, 0, 0] for account in network.accounts}
    for job in network:
        entry = sums[job.account.name]
        entry[0] += job.reserved
        if job.settled is not None:
            entry[1] += job.settled
            entry[2] += job.reserved - job.settled
    return {
        name: {
            "reserved": money.wire(reserved),
            "settled": money.wire(settled),
            "released": money.wire(released),
        }
        for name, (reserved, settled, released) in sums.items()
    }


def _last(items: list[Any], count: int | None) -> list[Any]:
    return items if count is None else items[len(items) - min(count, len(items)) :]
