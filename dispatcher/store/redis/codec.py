"""Records, events and commands as JSON text, and back."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from pydantic import TypeAdapter, ValidationError

from dispatcher.domain.errors import UnreadableRecord
from dispatcher.domain.events import EVENTS, Event
from dispatcher.domain.ids import JobId
from dispatcher.domain.job import Job
from dispatcher.ports.store import Command
from dispatcher.store.exposed import exposed
from dispatcher.store.waiting import credit_wait

_COMMANDS: Final = TypeAdapter(Command)
_STOP: Final = '{"kind":"stop"'


def record(job: Job) -> list[str]:
    """The record and what it is found by: the first eight arguments of `add`, `save` and `release`."""
    waits = credit_wait(job)
    return [
        job.id,
        job.model_dump_json(),
        job.state,
        "1" if job.state.is_final else "0",
        waits.line if waits else "",
        repr(waits.rank) if waits else "0",
        str(waits.short_usd) if waits else "",
        _facts(job),
    ]


def _facts(job: Job) -> str:
    """What the store keeps sums and an index of, as JSON; the amounts in whole micro-dollars, -1 for unlimited."""
    risk = exposed(job)
    facts = {
        "account": job.account,
        "address": job.remote.address if job.remote else "",
        "past": " ".join(attempt.address for attempt in job.earlier if attempt.address is not None),
        "reason": job.reason if risk else "",
        "live": 1 if risk else 0,
        "committed": risk.committed if risk else 0,
        "allowed": 0 if risk is None else -1 if risk.allowed is None else risk.allowed,
    }
    return json.dumps(facts, separators=(",", ":"))


def readable(job_id: JobId, document: Any) -> Job:
    """The record. Raises `UnreadableRecord`."""
    try:
        return Job.model_validate_json(document)
    except ValidationError as e:
        raise UnreadableRecord(job_id) from e


def job_of(job_id: JobId, answer: Any) -> Job | None:
    return None if answer is None else readable(job_id, answer)


def logged(log: Sequence[Event]) -> list[bytes]:
    """The events that are kept."""
    return [EVENTS.dump_json(event) for event in log if event.logged]


def event_of(answer: Any) -> Event:
    return EVENTS.validate_json(answer)


def command_text(command: Command) -> str:
    """`kind` comes first: the scripts look no further."""
    fields = {"kind": command.kind, "by": command.by, "at": command.at, "seconds": command.seconds}
    if command.detail:
        fields["detail"] = command.detail
    if command.address is not None:
        fields["address"] = command.address
    return json.dumps(fields, separators=(",", ":"))


def commands_of(commands: Sequence[Any]) -> tuple[Command, ...]:
    return tuple(_command(command) for command in commands)


def _command(written: Any) -> Command:
    try:
        return _COMMANDS.validate_json(written)
    except ValidationError:
        # As the scripts read it: a stop is a stop, whoever asked for it.
        if written[: len(_STOP)] in (_STOP, _STOP.encode()):
            return Command("stop", by="unreadable", at=0.0)
        return Command("unreadable", by="unreadable", at=0.0)


def result_text(result: Mapping[str, Any] | None) -> str:
    """Empty if there is none to store. ASCII: a host's text may hold halves of characters that UTF-8 cannot write."""
    return "" if result is None else json.dumps(result, separators=(",", ":"))
