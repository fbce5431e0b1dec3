"""The result of a job: the FlowState that its host reports and pins (Nosana credits API, FlowState).

Times are milliseconds here and strings in the logs. A flow is a function of the ended job alone, so it is
made when somebody asks for it and need not be stored.
"""

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from dispatcher.simulator.definitions import Definition, Operation
from dispatcher.simulator.jobs import End, Job

_STATUS: dict[End | None, str] = {
    End.FINISHED: "success",
    End.EXPIRED: "success",
    End.STOPPED: "stopped",
    End.HOST_QUIT: "failed",
    End.REFUSED: "validation-error",
    End.UNPINNED: "failed",
}
# What the host software calls the reason in its diagnostics.
_REASON: dict[End | None, str] = {End.EXPIRED: "expired", End.STOPPED: "stopped", End.HOST_QUIT: "quit"}
# The host software reports 2 for a step that it killed, and 0 for one that it never began.
_KILLED = 2


def flow_status(job: Job) -> str:
    """The status of an ended job's flow. A job that timed out says `success`."""
    if job.end is End.FINISHED and job.exit_code and _runs(job):
        return "failed"
    return _STATUS.get(job.end, "stopped")


def flow_state(job: Job, *, logs: bool) -> dict[str, Any]:
    """The FlowState of an ended job; without `logs` they are empty, as in the job record."""
    flow: dict[str, Any] = {
        "status": flow_status(job),
        "startTime": _milliseconds(job.started_at),
        "endTime": _milliseconds(job.ended_at),
        "errors": _errors(job),
        "opStates": [],
        "secrets": {},
    }
    if job.definition is not None and not job.definition.faults:
        flow["opStates"] = [_op_state(job, step, logs=logs) for step in _steps(job, job.definition)]
    return flow


def _errors(job: Job) -> list[Any]:
    if job.definition is None:
        return [f"Could not retrieve the job definition {job.cid}"]
    return [{"path": path, "expected": expected} for path, expected in job.definition.faults]


@dataclass(frozen=True, slots=True)
class _Step:
    """One operation of an ended job: when it ran and how it fared. One that never began has no times of its
    own."""

    operation: Operation
    begins: float
    ends: float
    killed: bool = False
    unstarted: bool = False
    exit_code: int = 0
    output: str | None = None


def _steps(job: Job, definition: Definition) -> Iterator[_Step]:
    """The operations one after another, each container with its share of the run time. The last container
    prints the output and exits with the exit code; a job that was ended early ends in the one whose turn it
    was."""
    containers = [operation for operation in definition.operations if operation.runs]
    share = job.runs_for / max(1, len(containers))
    ended_early = job.end in _REASON
    killed = False
    begins = job.started_at
    for operation in definition.operations:
        last = bool(containers) and operation is containers[-1]
        ends = begins + share if operation.runs else begins
        if killed:
            yield _Step(operation, job.ended_at, job.ended_at, unstarted=True)
        elif ended_early and operation.runs and (ends >= job.ended_at or last):
            killed = True
            yield _Step(operation, begins, job.ended_at, killed=True, exit_code=_KILLED)
        elif last:
            behaviour = definition.behaviour
            yield _Step(operation, begins, job.ended_at, exit_code=job.exit_code, output=behaviour.output)
        else:
            yield _Step(operation, begins, ends)
        begins = ends


def _op_state(job: Job, step: _Step, *, logs: bool) -> dict[str, Any]:
    operation = step.operation
    cut_short = step.killed or step.unstarted
    status = flow_status(job) if cut_short else "failed" if step.exit_code else "success"
    lines = list(_lines(job, step))
    state: dict[str, Any] = {
        "providerId": None if step.unstarted or not operation.runs else _container(job, operation),
        "operationId": operation.id,
        "group": operation.group,
        "status": status,
        "startTime": None if step.unstarted else _milliseconds(step.begins),
        "endTime": _milliseconds(step.ends),
        "exitCode": step.exit_code,
        "logs": lines if logs else [],
        "diagnostics": {"reason": _diagnostics(job, cut_short=cut_short)},
    }
    if operation.results:
        state["results"] = {name: _matches(wanted, lines) for name, wanted in operation.results.items()}
    return state


def _diagnostics(job: Job, *, cut_short: bool) -> dict[str, Any]:
    reason: dict[str, Any] = {
        "hostShutDown": cut_short and job.end is End.HOST_QUIT,
        "jobStopped": cut_short and job.end is End.STOPPED,
        "jobExpired": cut_short and job.end is End.EXPIRED,
    }
    if cut_short:
        reason["reason"] = _reason(job)
    return reason


def _reason(job: Job) -> str:
    return f"Operation stopped due to flow {_REASON.get(job.end, 'unknown')}"


def _lines(job: Job, step: _Step) -> Iterator[dict[str, str]]:
    operation = step.operation
    if step.unstarted or not operation.runs:
        return
    yield _line("stdout", f"Pulling image {operation.image}", step.begins)
    yield _line("stdout", f"Container of {operation.id} started", min(step.begins + 1, step.ends))
    for text in (step.output or "").splitlines():
        yield _line("stdout", text, step.ends)
    if step.killed:
        yield _line("nodeerr", _reason(job), step.ends)
    elif step.exit_code:
        yield _line("stderr", f"Container of {operation.id} exited with code {step.exit_code}", step.ends)


def _line(kind: str, text: str, at: float) -> dict[str, str]:
    moment = datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return {"type": kind, "log": text + "\n", "timestamp": moment}


def _matches(wanted: Any, lines: list[dict[str, str]]) -> list[str]:
    """What `results` of a step collects: the log lines that match its regular expression."""
    pattern = wanted.get("regex") if isinstance(wanted, dict) else wanted
    kinds = wanted.get("logType", ["stdout"]) if isinstance(wanted, dict) else ["stdout"]
    try:
        expression = re.compile(str(pattern))
    except re.error:  # a JavaScript expression that Python does not know
        return []
    return [
        line["log"].rstrip("\n") for line in lines if line["type"] in kinds and expression.search(line["log"])
    ]


def _container(job: Job, operation: Operation) -> str:
    return hashlib.sha256(f"{job.address}/{operation.id}".encode()).hexdigest()


def _runs(job: Job) -> bool:
    return job.definition is not None and any(operation.runs for operation in job.definition.operations)


def _milliseconds(at: float) -> int:
    return int(at * 1000)
