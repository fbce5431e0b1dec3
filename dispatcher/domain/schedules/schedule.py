"""What a schedule says, validated whole: every fault at once, unknown fields refused."""

import difflib
import hashlib
from collections.abc import Mapping
from datetime import timedelta
from functools import partial
from typing import Annotated, Any, Final, Literal, Self
from zoneinfo import available_timezones

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import PydanticSerializationError

from dispatcher.domain.budget import Budget, Scope, parse_budget
from dispatcher.domain.duration import Duration, format_duration
from dispatcher.domain.errors import InvalidRequest
from dispatcher.domain.faults import Fault, faults_of, under
from dispatcher.domain.ids import JobId
from dispatcher.domain.names import Name
from dispatcher.domain.policies import RapidEnds
from dispatcher.domain.policies.fields import at_least
from dispatcher.domain.request import JobRequest
from dispatcher.domain.schedules.cadence import Cadence, Cron, Every, check_expression, zone_of

LABEL: Final = "schedule"
"""The label that each job of a schedule has, with the schedule's name."""

_ONE_CADENCE: Final = "give either cron (`0 2 * * *`) or every (`1h`)"
_OWN_TO_EACH: Final = {
    "request_id": "is the schedule's to give: each occurrence has its own",
    "after": "is the schedule's to give: `overlap: queue` has each job come after the one before",
    "take": "takes from jobs that it comes after, and a schedule's jobs come after no others",
}


def _expression(value: str) -> str:
    text = " ".join(value.split())
    check_expression(text)
    return text


def _zone(value: str) -> str:
    try:
        zone_of(value)
    except (OSError, KeyError, ValueError) as e:
        near = difflib.get_close_matches(value, available_timezones(), n=2, cutoff=0.6)
        meant = f"; did you mean {' or '.join(near)}?" if near else ": write Europe/Amsterdam, or UTC"
        raise ValueError(f"no time zone of this name is known{meant}") from e
    return value


def _whole(value: timedelta) -> timedelta:
    if value.microseconds:
        raise ValueError("must be whole seconds")
    return at_least(timedelta(seconds=1), value)


def _allowance(value: str) -> str:
    try:
        parse_budget("label:any", value)
    except InvalidRequest as e:
        raise ValueError("; ".join(fault.message for fault in e.faults)) from e
    return value


class Schedule(BaseModel):
    """A job that comes again and again.

    `cron`, in the time of `tz`, or `every` so often: when. `request`: what is enqueued, the fields of `JobRequest`
    without a request id. `overlap`: what is done while a job of the schedule is not over: `skip` the occurrence,
    `queue` it after that job, or `replace` that job, which is stopped first. `misfire`: what is done with occurrences
    that could not be begun within `misfire_grace`, since nobody was there: `skip` them, run `once` for all of them, or
    run `all`, of which the latest `up_to`. `jitter`: each occurrence is begun so much later at most, by a fixed part of
    it that its own time decides. `budget`: what the schedule's jobs may spend (`5/day`); while it is used up,
    occurrences are left out. `rapid`: jobs that fail at once, again and again, first slow the schedule down, and then
    halt it. `paused`: nothing is enqueued until it is resumed.

    Raises `InvalidRequest` (by `parse`), which lists every fault with its path.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    name: Name
    cron: Annotated[str, Field(max_length=200), AfterValidator(_expression)] | None = None
    every: Annotated[Duration, AfterValidator(_whole)] | None = None
    tz: Annotated[str, Field(max_length=100), AfterValidator(_zone)] = "UTC"
    overlap: Literal["skip", "queue", "replace"] = "skip"
    misfire: Literal["skip", "once", "all"] = "once"
    up_to: Annotated[int, Field(ge=1, le=100)] = 10
    misfire_grace: Annotated[Duration, AfterValidator(partial(at_least, timedelta(seconds=1)))] = timedelta(
        minutes=1
    )
    jitter: Duration | None = None
    budget: Annotated[str, AfterValidator(_allowance)] | None = None
    rapid: RapidEnds = RapidEnds()
    paused: bool = False
    request: Annotated[dict[str, Any], Field(repr=False)]

    @classmethod
    def parse(cls, fields: object) -> Self:
        """A schedule from decoded JSON (or YAML), its request validated as if it were enqueued now."""
        if not isinstance(fields, Mapping) or not all(isinstance(name, str) for name in fields):
            raise InvalidRequest([Fault("schedule", "must be an object with cron or every, and a request")])
        faults: list[Fault] = []
        if (fields.get("cron") is None) == (fields.get("every") is None):
            faults.append(Fault("cron", _ONE_CADENCE))
        template: dict[str, Any] = {}
        if isinstance(asked := fields.get("request"), Mapping):
            try:
                template = _template(asked)
            except InvalidRequest as e:
                faults.extend(under("request", e.faults))
        try:
            schedule = cls(**{**fields, "request": template} if isinstance(asked, Mapping) else dict(fields))
        except ValidationError as e:
            # The cause is left behind on purpose: pydantic's errors carry the input, which may hold secrets.
            raise InvalidRequest(
                [*faults, *faults_of(e, "schedule", "a schedule; docs/schedules.md has those that are")]
            ) from None
        if schedule.jitter and schedule.every and schedule.jitter > schedule.every:
            faults.append(
                Fault("jitter", f"must not be longer than every ({format_duration(schedule.every)})")
            )
        if schedule.jitter and schedule.jitter > timedelta(days=1):
            faults.append(Fault("jitter", "must not be longer than a day"))
        if faults:
            raise InvalidRequest(faults)
        return schedule

    def cadence(self, anchor: float) -> Cadence:
        """When it comes true; `anchor` is what an interval is counted from, unix seconds."""
        if self.every is not None:
            return Every(round(self.every.total_seconds()), anchor)
        return Cron(self.cron or "", self.tz)

    def in_words(self) -> str:
        """`0 2 * * * Europe/Amsterdam`, or `every 1h`."""
        return f"every {format_duration(self.every)}" if self.every is not None else f"{self.cron} {self.tz}"

    def fires_at(self, at: float) -> float:
        """When the occurrence at `at` is begun: `at`, and the part of the jitter that falls to it. The same for
        everybody who asks."""
        if self.jitter is None:
            return at
        digest = hashlib.sha256(f"{self.name}:{at!r}".encode()).digest()
        return at + int.from_bytes(digest[:6]) / 2**48 * self.jitter.total_seconds()

    def allowance(self) -> Budget | None:
        """The budget of the schedule's jobs, by their label."""
        if self.budget is None:
            return None
        return parse_budget(scope_of(self.name), self.budget)

    def request_of(
        self, request_id: str | None = None, after: tuple[JobId, ...] = (), **more: Any
    ) -> JobRequest:
        """The request of one occurrence. Raises `InvalidRequest` if it is not valid (any more)."""
        fields = {**self.request, "labels": {**self.request.get("labels", {}), LABEL: self.name}, **more}
        if request_id is not None:
            fields["request_id"] = request_id
        if after:
            fields["after"] = [{"id": job_id, "on": "any"} for job_id in after]
        return JobRequest.parse(fields)

    def fingerprint(self) -> str:
        """SHA-256 (hex) of what is enqueued each time; equal for equal requests."""
        return self.request_of().fingerprint()


def scope_of(name: str) -> Scope:
    """Whose spending is that of a schedule's jobs."""
    return Scope(f"label:{LABEL}={name}")


def parse_schedules(document: object) -> list[Schedule]:
    """The schedules of a file: an object with their names. Raises `InvalidRequest` with the faults of every one."""
    if not isinstance(document, Mapping):
        raise InvalidRequest(
            [Fault("schedules", "must be an object: each schedule's name, and what it says")]
        )
    faults: list[Fault] = []
    parsed: list[Schedule] = []
    for name, fields in document.items():
        if isinstance(fields, Mapping) and "name" in fields:
            faults.append(Fault(f"{str(name)[:80]}.name", "stands before the schedule, not in it"))
        try:
            parsed.append(Schedule.parse({**fields, "name": name} if isinstance(fields, Mapping) else fields))
        except InvalidRequest as e:
            faults.extend(under(str(name)[:80], e.faults))
    if faults:
        raise InvalidRequest(faults)
    return parsed


def _template(asked: Mapping[str, Any]) -> dict[str, Any]:
    """The request as it is kept: what was asked for, in JSON. Raises `InvalidRequest`."""
    faults = [Fault(field, message) for field, message in _OWN_TO_EACH.items() if asked.get(field)]
    labels = asked.get("labels")
    if isinstance(labels, Mapping) and LABEL in labels:
        faults.append(Fault(f"labels.{LABEL}", "is the schedule's to give: it has the schedule's name"))
    rest = {field: value for field, value in asked.items() if field not in _OWN_TO_EACH}
    marked = {**labels, LABEL: "any"} if isinstance(labels, Mapping) else {LABEL: "any"}
    try:
        request = JobRequest.parse(
            {**rest, "labels": marked if isinstance(labels, Mapping | None) else labels}
        )
    except InvalidRequest as e:
        raise InvalidRequest([*faults, *e.faults]) from None
    if faults:
        raise InvalidRequest(faults)
    try:
        request.model_dump_json(include={"definition"})
    except PydanticSerializationError:
        message = "holds half of a character (a lone surrogate), which cannot be kept: write whole characters"
        raise InvalidRequest([Fault("definition", message)]) from None
    kept = request.model_dump(mode="json", exclude_unset=True)
    kept["labels"] = {label: value for label, value in kept["labels"].items() if label != LABEL}
    return kept
