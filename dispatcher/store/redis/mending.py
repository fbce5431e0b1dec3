"""The part of the job store on Redis that looks it over. What each script does is told in its file."""

import json
import secrets
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final, TypeVar

from pydantic import ValidationError

from dispatcher.domain.ids import JobId
from dispatcher.domain.job import Job
from dispatcher.domain.words import FINAL_STATES, State
from dispatcher.ports.mending import MOST_STRAYS, Checked, Damage, Source, Stray, Walked
from dispatcher.store.redis.database import Database, text
from dispatcher.store.straying import in_order, place, stray_of, stray_text

_T = TypeVar("_T")

_AT_ONCE: Final = 100
"""Jobs in one script: a millisecond or two, in which the server does nothing else."""

_ASKED_AT_ONCE: Final = 500

_STATES: Final = json.dumps([state.value for state in State])
_WORDS: Final = json.dumps({damage.name: damage.value for damage in Damage})
_LIVE: Final = tuple(state.value for state in State if state not in FINAL_STATES)


class Mending:
    """See `MendingStore`."""

    _db: Database

    def walk(self, source: Source, cursor: str, limit: int) -> Walked:
        if source is Source.RECORDS:
            return self._walk_records(cursor, limit)
        names, keys = self._sorted_sets(source)
        name, _, inside = cursor.rpartition(" ")
        # What was not there when the walk came by is left out: the next walk finds it.
        left = [other for other in names if other >= name] if cursor else list(names)
        if not left:
            return Walked((), "")
        inside = inside if left[0] == name else "0"
        found, members = self._db.ask("ZSCAN", keys[left[0]], inside or "0", "COUNT", limit)
        following = left[0] if int(found) else left[1] if len(left) > 1 else None
        ids = tuple(JobId(text(member)) for member, _ in members)
        return Walked(ids, "" if following is None else f"{following} {int(found)}")

    def mend(self, job_ids: Sequence[JobId], *, now: float, grace: float) -> list[Checked]:
        times = (repr(now), repr(now - grace), repr(now + grace))
        checked: list[Checked] = []
        for chunk in _chunks(list(dict.fromkeys(job_ids)), _AT_ONCE):
            answer = self._db.run("mend", *times, secrets.token_hex(8), _STATES, _WORDS, *chunk)
            checked += [_checked(*entry) for entry in _chunks(answer, 5)]
        return checked

    def over(self, job_ids: Sequence[JobId]) -> list[JobId]:
        found: list[JobId] = []
        for chunk in _chunks(job_ids, _ASKED_AT_ONCE):
            keys = (self._db.key("job", job_id) for job_id in chunk)
            answers = self._db.ask_all(("HGET", key, "final") for key in keys)
            found += [each for each, final in zip(chunk, answers, strict=True) if text(final) != "0"]
        return found

    def bookmark(self, name: str) -> str:
        found = self._db.ask("HGET", self._db.key("bookmarks"), name)
        return "" if found is None else text(found)

    def set_bookmark(self, name: str, text: str) -> None:
        self._db.ask("HSET", self._db.key("bookmarks"), name, text)

    def strays(self) -> list[Stray]:
        return in_order([stray_of(each) for each in self._db.ask("HVALS", self._db.key("strays"))])

    def note_stray(self, stray: Stray) -> None:
        self._db.run("note_stray", stray.address, stray_text(stray), repr(place(stray)), MOST_STRAYS)

    def _sorted_sets(self, source: Source) -> tuple[list[str], dict[str, str]]:
        """The sorted sets of a source by name, and the names in order."""
        match source:
            case Source.LIVE:
                keys = {state: self._db.key("state", state) for state in _LIVE}
            case Source.WAITING:
                waiting = [text(name) for name in self._db.ask("SMEMBERS", self._db.key("waiting"))]
                keys = {name: self._db.key("waiting", name) for name in waiting}
            case _:
                keys = {source.value: self._db.key(source.value)}
        return sorted(keys), keys

    def _walk_records(self, cursor: str, limit: int) -> Walked:
        begins = [self._db.key(kind, "") for kind in ("job", "commands")]
        found, keys = self._db.ask("SCAN", cursor or "0", "MATCH", self._db.key("*"), "COUNT", limit)
        return Walked(tuple(_ids_in(map(text, keys), begins)), str(int(found)) if int(found) else "")


def _chunks(items: Sequence[_T], size: int) -> Iterator[Sequence[_T]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]


def _ids_in(keys: Iterable[str], begins: Sequence[str]) -> Iterable[JobId]:
    for key in keys:
        for begin in begins:
            if key.startswith(begin):
                yield JobId(key.removeprefix(begin))


def _checked(job_id: Any, document: Any, due_at: Any, lease_until: Any, damages: Any) -> Checked:
    return Checked(
        id=JobId(text(job_id)),
        job=_readable(document) if document else None,
        due_at=_time(due_at),
        lease_until=_time(lease_until),
        damages=tuple(Damage[name] for name in text(damages).split()),
    )


def _time(answer: Any) -> float | None:
    words = text(answer)
    return float(words) if words else None


def _readable(document: Any) -> Job | None:
    try:
        return Job.model_validate_json(document)
    except ValidationError:
        return None  # what cannot be read is the worker's to report
