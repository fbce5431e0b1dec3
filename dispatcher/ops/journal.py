"""Every event of every job, as a log line with fields."""

import structlog

from dispatcher.domain import events as ev
from dispatcher.domain.job import Job

_log = structlog.get_logger("dispatcher.jobs")

_QUIET = {"at", "kind", "spec", "fingerprint", "quote", "call", "ending"}
"""Fields that are long, or are told by fields of their own below."""


class JobJournal:
    """Logs events; the event's kind is the static name of the line."""

    def observed(self, job: Job, event: ev.Event) -> None:
        """One line for `event`; looks that brought nothing new are logged at debug level."""
        fields = event.model_dump(mode="json", exclude=_QUIET, exclude_none=True)
        fields.pop("id", None)
        if isinstance(event, ev.CallIntended):
            fields |= {
                "operation": event.call.operation.value,
                "key": event.call.key,
                "seconds": event.call.seconds,
            }
        if isinstance(event, ev.Ended | ev.AttemptEnded):
            fields |= {"exit_code": event.ending.exit_code}
        log = _log.info if event.logged else _log.debug
        log(f"job_{event.kind}", job=job.id, account=job.account, to_state=job.state.value, **fields)
