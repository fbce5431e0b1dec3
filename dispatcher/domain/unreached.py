"""What in a request's policies never comes, as the forecast of a job shows that never ends by itself."""

from collections.abc import Iterator, Sequence

from dispatcher.domain import events as ev
from dispatcher.domain.conflict import Conflict
from dispatcher.domain.duration import format_duration
from dispatcher.domain.forecast import Forecast
from dispatcher.domain.request import JobSpec
from dispatcher.domain.words import Reason

_BEFORE_EXTENDING = {"policies.stop.after", "policies.stop.at"}
"""Where these conflict, they come before the first extension."""


def unreached(spec: JobSpec, worst: Forecast, found: Sequence[Conflict]) -> list[Conflict]:
    """Warnings of what `worst` shows; nothing where it has no end, or where `found` names the field already.

    `stop.max_cost` is left out: it is a limit also where nothing comes near it.
    """
    if not worst.complete:
        return []
    named = {conflict.path for conflict in found}
    if named & _BEFORE_EXTENDING:
        named.add("policies.extend")
    return [each for each in _never(spec, worst) if not any(path.startswith(each.path) for path in named)]


def _never(spec: JobSpec, worst: Forecast) -> Iterator[Conflict]:
    stop, soft, remote = spec.policies.stop, spec.policies.stop.soft, worst.job.remote
    over = f"the job is over before, at the latest by {worst.reason.value}"
    if stop.after is not None and worst.reason is not Reason.STOP_AFTER and remote is not None:
        ran = 0.0 if None in (remote.started_at, remote.ended_at) else _ran(worst)
        if ran < stop.after.total_seconds():
            message = f"never comes: {over}, after {format_duration(round(ran))}"
            yield Conflict("warning", "policies.stop.after", message)
    if spec.policies.extend is not None and worst.extends == 0:
        yield Conflict("warning", "policies.extend", f"never applies: {over}")
    if soft is None or stop.at is not None:
        return  # how much of the time until `at` is left when it is posted, nobody knows
    if spec.policies.retry is not None and stop.max_cost is not None:
        return  # nor which of its attempts comes to what part of the cost of all
    kinds = {type(event) for event in worst.log}
    if soft.warn is not None and ev.Warned not in kinds:
        yield Conflict("warning", "policies.stop.soft.warn", f"never comes: {over}")
    if soft.no_extends is not None and ev.ExtendsEnded not in kinds:
        yield Conflict("warning", "policies.stop.soft.no_extends", f"never comes: {over}")


def _ran(worst: Forecast) -> float:
    remote = worst.job.remote
    if remote is None or remote.started_at is None or remote.ended_at is None:
        return 0.0
    return remote.ended_at - remote.started_at
