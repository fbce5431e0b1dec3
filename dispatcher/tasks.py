"""The Celery tasks. A follow-up carries job ids and nothing else that matters; its name says what fell due.

All four follow-ups do the same: the job is read again, decided again and moved on. A lost, late or doubled
message does no harm. `dispatcher.submit` takes a request from an application that cannot import this package.
"""

from collections.abc import Sequence
from typing import Any

import structlog

from dispatcher import bootstrap
from dispatcher.celery import app
from dispatcher.domain.errors import InvalidRequest, RequestConflict, RequestError
from dispatcher.domain.faults import Fault
from dispatcher.domain.ids import JobId
from dispatcher.domain.request import JobRequest
from dispatcher.engine import intake
from dispatcher.engine.advance import advance
from dispatcher.engine.parts import Parts
from dispatcher.engine.reconcile import reconcile_in_turn
from dispatcher.engine.schedules import tick as tick_once
from dispatcher.engine.sweep import sweep as sweep_once

_log = structlog.get_logger(__name__)


def _parts() -> Parts:
    return bootstrap.runtime(app).parts


def _advance_all(job_ids: Sequence[str]) -> None:
    failed: Exception | None = None
    for job_id in job_ids:
        structlog.contextvars.bind_contextvars(job=job_id)
        try:
            advance(_parts(), JobId(job_id))
        except Exception as e:  # noqa: BLE001 - one job's trouble must not keep the others waiting
            _log.exception("advance_failed", job=job_id)
            failed = e
        finally:
            structlog.contextvars.unbind_contextvars("job")
    if failed is not None:
        raise failed


@app.task(name="dispatcher.dispatch")
def dispatch(job_ids: list[str]) -> None:
    """Credit, pin, post."""
    _advance_all(job_ids)


@app.task(name="dispatcher.poll")
def poll(job_ids: list[str]) -> None:
    """Ask the network how jobs are."""
    _advance_all(job_ids)


@app.task(name="dispatcher.extend")
def extend(job_ids: list[str]) -> None:
    """Extend jobs before they run out."""
    _advance_all(job_ids)


@app.task(name="dispatcher.stop")
def stop(job_ids: list[str]) -> None:
    """Stop jobs."""
    _advance_all(job_ids)


@app.task(name="dispatcher.sweep")
def sweep() -> None:
    """One round of the sweep that every worker runs by itself."""
    sweep_once(_parts())


@app.task(name="dispatcher.reconcile")
def reconcile() -> None:
    """A bounded round that looks over what is kept, and what is on the network; one of many callers makes it."""
    reconcile_in_turn(_parts())


@app.task(name="dispatcher.tick")
def tick() -> None:
    """Enqueue what is due by the schedules. Any number of these at once do no more than one."""
    tick_once(_parts())


_FAULTS_AT_MOST = 100
_TEXT_AT_MOST = 20_000


def _told(fault: Fault) -> dict[str, str]:
    return {name: text[:1000] for name, text in fault.as_dict().items()}


def _bounded(text: str) -> str:
    return text if len(text) <= _TEXT_AT_MOST else text[:_TEXT_AT_MOST] + "\n  and so on"


@app.task(name="dispatcher.submit", bind=True, ignore_result=False, throws=(ValueError,))
def submit(self: Any, **request: Any) -> dict[str, Any]:
    """Enqueue a request: the fields of `JobRequest` as keyword arguments, in JSON.

    Answers `{"id": "job_…", "new": true}`; `new` is False where the request id was known. A bad request fails
    with a ValueError of two arguments: a text that lists every fault, and the faults as
    `[{"path", "message"}]`, so that an application without this package can read them; of very many, or very long
    ones, the beginning: they are kept with Celery's results.

    Without a request id the task's own id is taken: a broker may deliver a message twice, and that must not be two
    jobs.
    """
    request.setdefault("request_id", f"celery:{self.request.id}")
    try:
        added = intake.enqueue(_parts(), [JobRequest.parse(request)])[0]
    except InvalidRequest as e:
        raise ValueError(_bounded(str(e)), [_told(fault) for fault in e.faults[:_FAULTS_AT_MOST]]) from None
    except RequestError as e:
        path = "request_id" if isinstance(e, RequestConflict) else "request"
        raise ValueError(str(e), [{"path": path, "message": str(e)}]) from None
    return {"id": added.id, "new": added.new}
