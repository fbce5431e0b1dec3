"""The verdict: the network's own ledger compared with the dispatcher's records. Pure."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import pairwise
from typing import Any

from dispatcher.domain.job import Job
from dispatcher.domain.policies import STOP_GRACE
from dispatcher.domain.words import Reason, State

BAD = (
    "lost",
    "duplicate_posts",
    "duplicate_extends",
    "ran_after_stop",
    "overspend_usd",
    "holds_left_usd",
)
"""The figures that must be 0."""

_ZERO = Decimal(0)


@dataclass(slots=True)
class Verdict:
    """The figures, and a sentence for each thing that is wrong."""

    ended: int = 0
    lost: int = 0
    duplicate_posts: int = 0
    duplicate_extends: int = 0
    ran_after_stop: int = 0
    overspend_usd: Decimal = _ZERO
    sentences: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    """What is not wrong by these figures, but worth a look."""
    latest_stop: float = 0.0
    """The longest time from an operator's stop to the job's end, in the network's seconds."""


def judge(
    request_ids: Sequence[str],
    accepted: Mapping[str, str],
    records: Mapping[str, Job],
    ledger: Mapping[str, Any],
    stops: Mapping[str, float],
    *,
    tolerance: float,
) -> Verdict:
    """Compare. `records`: every job that the store has, by id; `stops`: when an operator's stop had been taken;
    `tolerance`: within how many of the network's seconds it must have ended the job."""
    found = Verdict()
    remotes: dict[str, list[dict[str, Any]]] = {}
    for remote in ledger["jobs"]:
        remotes.setdefault(str(remote["idempotency_key"]).split(":", 1)[0], []).append(remote)
    _lost(found, request_ids, accepted, records, remotes)
    _duplicates(found, records, remotes, ledger)
    for job_id, its in remotes.items():
        job = records.get(job_id)
        for remote in its:
            if job is None:
                _add(found, "lost", f"{remote['job']} belongs to {job_id}, which is no job of the store")
            else:
                _stops(found, job, remote, stops.get(job_id), tolerance)
        if job is not None:
            _money(found, job, its)
    for account in ledger["accounts"]:
        beyond = _usd(account["settled"]) + _usd(account["reserved"]) - _usd(account["assigned"])
        if beyond > 0:
            _overspend(found, beyond, f"account {account['name']}")
    return found


def _add(found: Verdict, figure: str, sentence: str) -> None:
    setattr(found, figure, getattr(found, figure) + 1)
    found.sentences.append(f"{figure}: {sentence}")


def _overspend(found: Verdict, amount: Decimal, whose: str) -> None:
    found.overspend_usd += amount
    found.sentences.append(f"overspend_usd: {whose}: ${amount}")


def _usd(value: Any) -> Decimal:
    return Decimal(str(value))


def _say(job: Job) -> str:
    return f"{job.id} ({job.spec.request_id}, {job.spec.labels.get('kind')}, {job.state} {job.reason})"


def _lost(
    found: Verdict,
    request_ids: Sequence[str],
    accepted: Mapping[str, str],
    records: Mapping[str, Job],
    remotes: Mapping[str, Sequence[Any]],
) -> None:
    for request_id in request_ids:
        job = records.get(accepted.get(request_id, ""))
        if request_id not in accepted:
            _add(found, "lost", f"{request_id} was never accepted")
        elif job is None:
            _add(found, "lost", f"{request_id} was accepted and has no job")
        elif not job.state.is_final:
            _add(found, "lost", f"{_say(job)} did not end")
        else:
            found.ended += 1
            stopped_early = job.state is State.STOPPED and job.reason is Reason.OPERATOR
            if job.id not in remotes and not stopped_early:
                _add(found, "lost", f"{_say(job)} was never on the network")


def _duplicates(
    found: Verdict,
    records: Mapping[str, Job],
    remotes: Mapping[str, Sequence[dict[str, Any]]],
    ledger: Mapping[str, Any],
) -> None:
    found.duplicate_extends = ledger["duplicate_extends"]
    posts: Counter[str] = Counter()
    overlapping = 0
    for job_id, its in remotes.items():
        job = records.get(job_id)
        tries = len({remote["job"] for remote in its} & _addresses(job)) if job is not None else 1
        posts[str(job.spec.request_id) if job is not None else job_id] += len(its) - max(tries - 1, 0)
        for first, again in pairwise(sorted(its, key=lambda remote: float(remote["posted_at"]))):
            if (over_at := _over_at(first)) is None or over_at > again["posted_at"]:
                overlapping += 1
                found.sentences.append(
                    f"duplicate_posts: {job_id}: {again['job']} while {first['job']} lives"
                )
    # Two jobs for one request are two purposes to the network: it cannot see that they are one too many.
    one_too_many = sum(count - 1 for count in posts.values())
    found.duplicate_posts = max(ledger["duplicate_posts"], one_too_many, overlapping)
    found.sentences += [f"duplicate: {duplicate}" for duplicate in ledger["duplicates"]]
    found.sentences += [f"duplicate_posts: {name}: {count}" for name, count in posts.items() if count > 1]


def _addresses(job: Job) -> set[str]:
    """Where the job was on the network by its own record, attempt by attempt."""
    found = {str(attempt.address) for attempt in job.earlier if attempt.address is not None}
    return found | ({str(job.remote.address)} if job.remote is not None else set())


def _over_at(remote: Mapping[str, Any]) -> float | None:
    over_at: float | None = remote["stop_asked_at"] if remote["how"] == "delisted" else remote["ended_at"]
    return None if remote["how"] is None else over_at


def _stops(
    found: Verdict, job: Job, remote: Mapping[str, Any], stopped: float | None, tolerance: float
) -> None:
    ended = remote["ended_at"] if remote["how"] != "delisted" else remote["stop_asked_at"]
    if job.state.is_final and (remote["how"] is None or ended > job.updated_at + 1):
        _add(found, "ran_after_stop", f"{_say(job)} is over here; on the network it ended at {ended}")
        return
    started = remote["started_at"]
    after = job.spec.policies.stop.after
    if after is not None and started is not None and ended is not None:
        late = ended - started - after.total_seconds()
        # Never later than this even if everything is dead: the post itself asks for no longer time-out.
        if late > STOP_GRACE + 1:
            _add(found, "ran_after_stop", f"{_say(job)} ran {late:.0f} s beyond stop.after")
    if stopped is None or ended is None:
        return
    late = ended - max(stopped, remote["posted_at"])
    found.latest_stop = max(found.latest_stop, late)
    if late > tolerance:
        _add(found, "ran_after_stop", f"{_say(job)} ended {late:.0f} s after the operator's stop")


def _money(found: Verdict, job: Job, its: Sequence[Mapping[str, Any]]) -> None:
    settled = sum((_usd(remote["settled"] or 0) for remote in its), _ZERO)
    cap = job.spec.policies.max_cost()
    if cap is not None and settled > cap:
        _overspend(found, settled - cap, _say(job))
    if job.state.is_final and job.spend.settled != settled:
        found.remarks.append(f"{_say(job)} settled ${job.spend.settled}; the network ${settled}")
    for remote in its:
        if cap is not None and _usd(remote["reserved"]) > cap:
            found.remarks.append(f"{_say(job)} reserved ${remote['reserved']} with max_cost ${cap}")
        if remote["how"] == "expired" and job.spec.labels.get("kind") not in ("max_cost", "stop_after"):
            found.remarks.append(f"{_say(job)} ran into its time-out: {remote['timeout']} s")
