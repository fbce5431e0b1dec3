"""Which event may come in which state of a job, and where it may lead: the table, and nothing else.

A picture of the life of a job is drawn from this table, never by hand.
"""

from collections.abc import Mapping
from typing import Final

from dispatcher.domain.words import FINAL_STATES, State

_S = State
_ENDS = FINAL_STATES


def _to(*states: State) -> frozenset[State]:
    return frozenset(states)


TRANSITIONS: Final[Mapping[State, Mapping[str, frozenset[State]]]] = {
    _S.ENQUEUED: {
        "waited": _to(_S.ENQUEUED),
        "woken": _to(_S.ENQUEUED),
        "credit_held": _to(_S.ENQUEUED),
        "pinned": _to(_S.PINNED),
        "stop_ordered": _to(_S.ENQUEUED),
        "extend_dropped": _to(_S.ENQUEUED),
        "ended": _to(_S.STOPPED, _S.REJECTED, _S.FAILED),
        "mended": _to(_S.ENQUEUED),
        "policies_changed": _to(_S.ENQUEUED),
        "policies_kept": _to(_S.ENQUEUED),
        "released": _to(_S.ENQUEUED),
        "moved": _to(_S.ENQUEUED),
        "attempt_ended": _to(_S.ENQUEUED),  # it never was on the network
    },
    _S.PINNED: {
        "waited": _to(_S.PINNED),
        "woken": _to(_S.PINNED),
        "call_intended": _to(_S.POSTING),
        "stop_ordered": _to(_S.PINNED),
        "extend_dropped": _to(_S.PINNED),
        "ended": _to(_S.STOPPED, _S.REJECTED, _S.FAILED),
        "mended": _to(_S.PINNED),
        "policies_changed": _to(_S.PINNED, _S.ENQUEUED),  # its credits are held anew
        "policies_kept": _to(_S.PINNED),
        "attempt_ended": _to(_S.ENQUEUED),  # its post was refused
    },
    _S.POSTING: {
        "call_undecided": _to(_S.POSTING),
        "call_undone": _to(_S.PINNED),
        "call_sought": _to(_S.POSTING),
        "call_unresolved": _to(_S.POSTING),
        "call_not_found": _to(_S.ENQUEUED),
        "call_expired": _to(_S.POSTING),
        "call_refused": _to(_S.PINNED),
        "call_short": _to(_S.ENQUEUED),
        "posted": _to(_S.QUEUED),
        "post_found": _to(_S.QUEUED),
        "resolve_ordered": _to(_S.POSTING),
        "resolve_dropped": _to(_S.POSTING),
        "stop_ordered": _to(_S.POSTING),
        "extend_dropped": _to(_S.POSTING),
        "ended": _to(_S.FAILED),  # dropped by an operator
        "mended": _to(_S.POSTING),
        "policies_changed": _to(_S.POSTING),
        "policies_kept": _to(_S.POSTING),
    },
    _S.QUEUED: {
        "waited": _to(_S.QUEUED),
        "woken": _to(_S.QUEUED),
        "looked": _to(_S.QUEUED),
        "observed": _to(_S.QUEUED, _S.RUNNING),
        "call_intended": _to(_S.QUEUED, _S.STOPPING),
        "call_undecided": _to(_S.QUEUED),
        "call_undone": _to(_S.QUEUED),
        "call_not_found": _to(_S.QUEUED),
        "call_expired": _to(_S.QUEUED),
        "call_refused": _to(_S.QUEUED),
        "call_short": _to(_S.QUEUED),
        "extended": _to(_S.QUEUED),
        "stop_ordered": _to(_S.QUEUED),
        "extend_ordered": _to(_S.QUEUED),
        "extend_dropped": _to(_S.QUEUED),
        "ended": _ENDS,
        "adopted": _to(_S.QUEUED),
        "mended": _to(_S.QUEUED),
        "policies_changed": _to(_S.QUEUED),
        "policies_kept": _to(_S.QUEUED),
        "warned": _to(_S.QUEUED),
        "extends_ended": _to(_S.QUEUED),
        "budget_used_up": _to(_S.QUEUED),
        "attempt_ended": _to(_S.ENQUEUED),
    },
    _S.RUNNING: {
        "waited": _to(_S.RUNNING),
        "woken": _to(_S.RUNNING),
        "looked": _to(_S.RUNNING),
        "observed": _to(_S.RUNNING),
        "call_intended": _to(_S.RUNNING, _S.STOPPING),
        "call_undecided": _to(_S.RUNNING),
        "call_undone": _to(_S.RUNNING),
        "call_not_found": _to(_S.RUNNING),
        "call_expired": _to(_S.RUNNING),
        "call_refused": _to(_S.RUNNING),
        "call_short": _to(_S.RUNNING),
        "extended": _to(_S.RUNNING),
        "stop_ordered": _to(_S.RUNNING),
        "extend_ordered": _to(_S.RUNNING),
        "extend_dropped": _to(_S.RUNNING),
        "ended": _ENDS,
        "adopted": _to(_S.QUEUED),
        "mended": _to(_S.RUNNING),
        "policies_changed": _to(_S.RUNNING),
        "policies_kept": _to(_S.RUNNING),
        "warned": _to(_S.RUNNING),
        "extends_ended": _to(_S.RUNNING),
        "budget_used_up": _to(_S.RUNNING),
        "attempt_ended": _to(_S.ENQUEUED),
    },
    _S.STOPPING: {
        "waited": _to(_S.STOPPING),
        "woken": _to(_S.STOPPING),
        "looked": _to(_S.STOPPING),
        "observed": _to(_S.STOPPING),
        "call_intended": _to(_S.STOPPING),
        "call_undecided": _to(_S.STOPPING),
        "call_expired": _to(_S.STOPPING),
        "call_refused": _to(_S.STOPPING),
        "stop_confirmed": _to(_S.STOPPING),
        "stop_ordered": _to(_S.STOPPING),  # an operator's, after a policy's that is of the attempt alone
        "extend_dropped": _to(_S.STOPPING),
        "ended": _ENDS,
        "mended": _to(_S.STOPPING),
        "policies_changed": _to(_S.STOPPING),
        "policies_kept": _to(_S.STOPPING),
        "warned": _to(_S.STOPPING),
        "extends_ended": _to(_S.STOPPING),
        "budget_used_up": _to(_S.STOPPING),
        "attempt_ended": _to(_S.ENQUEUED),
    },
    _S.COMPLETED: {},
    _S.FAILED: {},
    _S.STOPPED: {},
    _S.REJECTED: {},
}
"""State -> kind of event -> the states it may lead to. What is not here cannot happen."""
