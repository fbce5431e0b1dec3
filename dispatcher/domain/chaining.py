"""Jobs after jobs: when a job may begin, and what it takes over from those before it. Pure.

A cycle cannot be: a job's id is made when it is stored, and it can only come after ids, and requests, that were there
before it.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from dispatcher.domain.chain import Take, Upstream
from dispatcher.domain.definition import canonical_json, secret_faults, validate_definition
from dispatcher.domain.definition.ecmascript import MISSING, Kind, kind_of
from dispatcher.domain.definition.places import Place, parse_place, place_text, put, value_at
from dispatcher.domain.definition.stamp import stamp
from dispatcher.domain.ids import JobId
from dispatcher.domain.job import Job
from dispatcher.domain.leaks import own_secret_places
from dispatcher.domain.request import DEFINITION_AT_MOST
from dispatcher.domain.ties import RESULT, ROOT
from dispatcher.domain.words import Reason, State

_NAMED_AT_MOST: Final = 3
"""Jobs that a sentence names; of more it says how many."""


@dataclass(frozen=True, slots=True)
class Seen:
    """A job that another comes after, as it was found. `job` None: no record of it can be had; `over` says whether
    that is because it is over, and `word` what is known of it instead."""

    job: Job | None
    over: bool
    word: str = ""


GONE: Final = Seen(None, over=True, word="is not kept any more, so how it ended is not known")
UNREADABLE: Final = Seen(None, over=False, word="has a record that cannot be read")
UNREADABLE_OVER: Final = Seen(None, over=True, word="has a record that cannot be read")


@dataclass(frozen=True, slots=True)
class Over:
    """All are over, as they had to."""


@dataclass(frozen=True, slots=True)
class Pending:
    """Some are not over."""

    detail: str


@dataclass(frozen=True, slots=True)
class Barred:
    """One did not end as it had to: the job will never begin."""

    reason: Reason
    detail: str


def standing(after: Sequence[Upstream], seen: Mapping[JobId, Seen]) -> Over | Pending | Barred:
    """Whether a job that comes `after` these may begin. One that did not succeed bars it at once."""
    open_: list[str] = []
    for upstream in after:
        found = seen[upstream.job]
        if (why := failed(upstream, found)) is not None:
            return Barred(Reason.UPSTREAM, f"{upstream.job} {why}, and this job comes after its success")
        if not found.over:
            open_.append(f"{upstream.job} {_where(found)}")
    if not open_:
        return Over()
    more = len(open_) - _NAMED_AT_MOST
    named = ", ".join(open_[:_NAMED_AT_MOST])
    return Pending(f"waits for {named}" + (f" and {more} more" if more > 0 else ""))


def failed(upstream: Upstream, found: Seen) -> str | None:
    """Why the job that comes after it will never begin; None as long as it may."""
    if upstream.on == "any" or not found.over:
        return None
    if found.job is None:
        return found.word
    if found.job.state is State.COMPLETED:
        return None
    return f"ended {found.job.state} ({found.job.reason})"


def _where(found: Seen) -> str:
    if found.job is None:
        return "(its record cannot be read)"
    more = f"; {found.word}" if found.word else ""
    return f"({found.job.state}, {found.job.reason}{more})"


@dataclass(frozen=True, slots=True)
class Filled:
    """The definition with everything in it that was taken, and where that was put."""

    definition: dict[str, Any]
    taken: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Source:
    """What can be taken from a job that is over: its record, and the host's result document."""

    job: Job | None
    result: Mapping[str, Any] | None


class Unfit(Exception):
    """What was to be taken is not there, or may not be used. The text holds no value."""


def fill(
    definition: dict[str, Any], take: Mapping[str, Take], sources: Mapping[JobId, Source]
) -> Filled | Barred:
    """Put what is taken into its places: as text where text stood, as JSON otherwise.

    The answer is a definition that the network takes and that shows no secret that the old one did not show; or why
    there is none.
    """
    filled = definition
    places: dict[Place, Take] = {}
    try:
        for text, each in take.items():
            place = parse_place(text, ROOT)
            value = _taken(each, sources[each.source])
            filled = put(filled, place, _fitted(value_at(definition, place), value))
            places[place] = each
        _check(definition, filled, places)
    except Unfit as e:
        return Barred(Reason.UNFIT_RESULT, str(e))
    return Filled(filled, tuple(place_text(place, ROOT) for place in places))


def own_secret_in(definition: object, secrets: Iterable[str]) -> Barred | None:
    """Why a definition that holds one of the dispatcher's own secrets by now is not used; None if it holds none."""
    found = own_secret_places(definition, secrets)
    if not found:
        return None
    return Barred(
        Reason.UNFIT_RESULT, f"{found[0]} would hold one of the dispatcher's own secrets: it is not pinned"
    )


def document_of(definition: dict[str, Any], job: Job) -> bytes | Barred:
    """The bytes that are pinned: with the job's stamp where its definition bears one."""
    stamped = stamp(definition, dispatch_id=job.id, attempt=1) if job.stamped else definition
    document = canonical_json(stamped)
    if len(document) > DEFINITION_AT_MOST:
        detail = f"with what was taken the definition is larger than {DEFINITION_AT_MOST} bytes"
        return Barred(Reason.UNFIT_RESULT, detail)
    return document


def _taken(take: Take, source: Source) -> object:
    job = source.job
    if job is None:
        raise Unfit(f"{_told(take)} cannot be taken: no record of that job can be read any more")
    match take.field:
        case "result_cid":
            value: object = job.ending.result_cid if job.ending is not None else None
        case "exit_code":
            value = job.ending.exit_code if job.ending is not None else None
        case "address":
            value = job.remote.address if job.remote is not None else None
        case field:
            return _from_result(take, source.result, parse_place(field, RESULT))
    if value is None:
        raise Unfit(f"{_told(take)} is not there: that job ended {job.state} ({job.reason}) without")
    return value


def _from_result(take: Take, result: Mapping[str, Any] | None, place: Place) -> object:
    if result is None:
        raise Unfit(f"{_told(take)} is not there: no result of that job was kept")
    value = value_at(result, place)
    if value is MISSING:
        outline = "; the result was too large to be kept whole" if "dispatcher" in result else ""
        raise Unfit(f"{_told(take)} is not in the result that was kept{outline}")
    if isinstance(value, float) and not math.isfinite(value):
        raise Unfit(f"{_told(take)} is no finite number")
    return value


def _fitted(before: object, value: object) -> object:
    if not isinstance(before, str) or isinstance(value, str):
        return value
    return canonical_json(value).decode("utf-8")


def _check(before: dict[str, Any], filled: dict[str, Any], places: Mapping[Place, Take]) -> None:
    faults = validate_definition(filled)
    if faults:
        place = _place_of(faults[0].path.replace("$input", ROOT, 1), places)
        if place is None:
            raise Unfit("with what was taken the definition is none that the network takes")
        found = _KINDS.get(kind_of(value_at(filled, place)), "that")
        text = place_text(place, ROOT)
        raise Unfit(f"{_told(places[place])} does not fit: the network does not take {found} at {text}")
    allowed = {
        fault.path
        for fault in secret_faults(before)
        if _place_of(fault.path, places) is None  # what was allowed there is not there any more
    }
    for fault in secret_faults(filled, allowed):
        found_at = _place_of(fault.path, places)
        if found_at is not None and places[found_at].field in _PUBLIC:
            continue  # not secret, whatever it looks like: the network shows it to everybody
        text = place_text(found_at, ROOT) if found_at is not None else fault.path
        raise Unfit(
            f"what was taken for {text} looks like a secret, and definitions are pinned where everybody can read "
            "them: have the job hand it over another way"
        )


_PUBLIC: Final = frozenset({"result_cid", "address", "exit_code"})
_KINDS: Final[Mapping[Kind, str]] = {
    Kind.NULL: "null",
    Kind.BOOLEAN: "a boolean",
    Kind.NUMBER: "a number",
    Kind.STRING: "this text",
    Kind.ARRAY: "this array",
    Kind.OBJECT: "this object",
}


def _place_of(path: str, places: Mapping[Place, Take]) -> Place | None:
    """The place that a fault's path lies in. A path whose names are hidden is none that can be read."""
    for place in places:
        text = place_text(place, ROOT)
        if path == text or path.startswith((text + ".", text + "[")):
            return place
    return None


def _told(take: Take) -> str:
    return f"{take.field} of {take.source}"
