"""A host's result document, the FlowState, and what it says about the run.

Shape (Nosana credits API, result): `{status, opStates: [{exitCode, error?, diagnostics, ...}], errors?, ...}`.
Its times are milliseconds. `status` alone misleads: a job that ran into its time-out says `success`.
"""

from collections.abc import Iterator
from typing import Any, Final

from dispatcher.domain.outcome import RunReport
from dispatcher.providers.nosana.lines import one_line
from dispatcher.providers.nosana.reading import Unreadable, a_list, an_object, maybe_text

_STATUS_AT_MOST: Final = 64
_DETAIL_AT_MOST: Final = 300
_LARGEST_CODE: Final = 2**31 - 1
"""No system has larger exit codes; JSON may have numbers of any size."""


def run_report(document: object) -> RunReport:
    """Read a FlowState. Raises `Unreadable` for a document that is none.

    Exit code: the first that is not 0; 0 if any operation has it; None if none has one. What happened to one
    operation (time-out, stop, host quit) happened to the run.
    """
    flow = an_object(document, "the result")
    states = [state for state in a_list(flow.get("opStates"), "opStates") if isinstance(state, dict)]
    reasons = [_object(_object(state.get("diagnostics")).get("reason")) for state in states]
    codes = [_exit_code(code) for state in states if type(code := state.get("exitCode")) is int]
    return RunReport(
        status=_status(flow),
        exit_code=next((code for code in codes if code != 0), 0 if codes else None),
        expired=any(reason.get("jobExpired") is True for reason in reasons),
        stopped=any(reason.get("jobStopped") is True for reason in reasons),
        host_quit=any(reason.get("hostShutDown") is True for reason in reasons),
        detail=one_line("; ".join(dict.fromkeys(_words(flow, states, reasons))), _DETAIL_AT_MOST),
    )


def _exit_code(code: int) -> int:
    return max(-_LARGEST_CODE, min(code, _LARGEST_CODE))


def _status(flow: dict[str, Any]) -> str:
    status = maybe_text(flow.get("status"))
    if status is None:
        raise Unreadable("the result has no status")
    return one_line(status, _STATUS_AT_MOST)


def _words(
    flow: dict[str, Any], states: list[dict[str, Any]], reasons: list[dict[str, Any]]
) -> Iterator[str]:
    """What the host wrote for people, each once: operations' errors, reasons, then the flow's own errors."""
    found = [state.get("error") for state in states] + [reason.get("reason") for reason in reasons]
    errors = flow.get("errors")
    found += errors if isinstance(errors, list) else [errors]
    for item in found:
        if words := _word(item):
            yield words


def _word(item: object) -> str | None:
    match item:
        case str():
            return item.strip() or None
        case {"message": str(message)} if message.strip():
            return message.strip()
        case {"path": str(path), "expected": str(expected)}:
            # A validator's finding. Its `value` stays out: it may be a secret of the definition's.
            return f"{path}: expected {expected}"
        case {"event": str(event)} if event.strip():
            return event.strip()
        case _:
            return None


def _object(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
