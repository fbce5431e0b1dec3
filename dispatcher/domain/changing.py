"""Policies that are changed while a job is under way: what comes of a change, and what cannot be had."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from dispatcher.domain.attempts import ceiling
from dispatcher.domain.conflicts import conflicts
from dispatcher.domain.costs import first_seconds, rate, reserved_at_most, wanted_seconds
from dispatcher.domain.errors import InvalidRequest
from dispatcher.domain.faults import Fault
from dispatcher.domain.job import Job
from dispatcher.domain.money import format_usd
from dispatcher.domain.policies import Place, Policies
from dispatcher.domain.policies.written import as_document, differences, merged, whole
from dispatcher.domain.words import Reason, State


@dataclass(frozen=True, slots=True)
class Change:
    """What a change comes to for a job as it is: `changed` names the fields that are different, `place` is the index
    that the job's place has from then on, `notes` are what is worth knowing about it, each a sentence."""

    policies: Policies
    changed: tuple[str, ...]
    place: int
    notes: tuple[str, ...] = ()


def change(job: Job, part: Mapping[str, Any], now: float) -> Change:
    """`part` (as `written.as_part` gives it) laid upon the job's policies, at `now` (unix seconds).

    Raises `InvalidRequest` with every fault: what comes of it has to be whole, and has to fit the job as it is.
    """
    before = job.spec.policies
    after = whole(merged(as_document(before), part))
    place = _place_among(job, after)
    faults = list(_misfits(job, after, place))
    if faults:
        raise InvalidRequest(faults)
    found = Change(after, differences(before, after), job.place if place is None else place)
    return Change(found.policies, found.changed, found.place, tuple(_notes(job, found, now)))


def touches(changed: tuple[str, ...], *names: str) -> bool:
    """Whether one of `changed` is one of `names`, or a part of it."""
    return any(field == name or field.startswith(f"{name}.") for field in changed for name in names)


def must_quote_anew(job: Job, policies: Policies, now: float) -> bool:
    """Whether the credits that are held for a post that is not written down yet are not what `policies` post."""
    quote = job.quote
    if quote is None or job.call is not None or job.remote is not None or job.post_refused is not None:
        return False
    if job.state not in (State.ENQUEUED, State.PINNED):
        return False
    spec, place = job.spec.model_copy(update={"policies": policies}), _place_among(job, policies)
    most = None if place is None else ceiling(spec, spec.places()[place])
    too_dear = most is not None and quote.rate_per_hour > most
    return too_dear or first_seconds(spec, quote.rate_per_hour, now, job.spend.earlier) != quote.seconds


def same_place(job: Job, one: Place, other: Place) -> bool:
    """Whether both are the same market of the same account; what an hour may cost there is no part of that."""
    accounts = [place.account or job.spec.account for place in (one, other)]
    return one.market == other.market and accounts[0] == accounts[1]


def _place_among(job: Job, policies: Policies) -> int | None:
    """Which of the new places is the job's own; None if none is."""
    places = job.spec.model_copy(update={"policies": policies}).places()
    here = job.at_place
    if job.place < len(places) and same_place(job, places[job.place], here):
        return job.place
    found = (index for index, place in enumerate(places) if same_place(job, place, here))
    return next(found, None)


def _misfits(job: Job, policies: Policies, place: int | None) -> Iterator[Fault]:
    if place is None:
        last = max(job.attempt, 2)
        yield Fault(
            "policies.retry.elsewhere",
            f"attempt {job.attempt} is at market {job.market} (account {job.account}), which has to stay among its "
            f"places: keep it there; for no further attempt, set retry.attempts to {last}",
        )
    before = job.spec.policies
    if before.quantum is not None and policies.quantum is None and job.stop is None:
        seconds = _under_way(job)
        if seconds is not None and seconds < wanted_seconds(job):
            yield Fault(
                "policies.quantum",
                "the job was posted in steps, and without them it would not get the rest of its time: "
                "set quantum.step to 100h for all the rest at once",
            )


def _under_way(job: Job) -> int | None:
    """Seconds of run time that are posted, or are being posted; None while nothing is."""
    if job.remote is not None:
        return job.remote.timeout
    return None if job.call is None else job.call.seconds


def _notes(job: Job, found: Change, now: float) -> Iterator[str]:
    if not found.changed:
        yield "nothing is different from what holds now"
    if job.stop is not None:
        yield "the job is being stopped, and a stop always wins"
    retry = found.policies.retry
    is_decided = job.wait is not None and job.wait.reason is Reason.RETRYING
    if is_decided and touches(found.changed, "retry") and (retry is None or retry.attempts < job.attempt):
        yield f"attempt {job.attempt} is decided already, and still comes: stop the job if it is not to"
    cap, committed = found.policies.max_cost(), job.spend.earlier + reserved_at_most(job)
    if cap is not None and cap < committed:
        yield (
            f"${format_usd(committed)} is committed already, more than the ${format_usd(cap)} that it may cost from "
            "now on: nothing more is spent, and it is stopped before it used more than it may"
        )
    wanted, seconds = wanted_seconds(job), _under_way(job)
    if seconds is not None and seconds < wanted and found.policies.quantum is None and job.stop is None:
        if found.policies.extend is None:
            yield "less than its time-out was posted: quantum or an extend policy gets it more, if its limits allow"
    elif seconds is None and (hourly := rate(job)) is not None:
        spec = job.spec.model_copy(update={"policies": found.policies})
        yield from (f"{item.path}: {item.message}" for item in conflicts(spec, hourly, now))
