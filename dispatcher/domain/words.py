"""The closed sets of words about a job: where it is, why, what is done for it, how the network shows it."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final


class State(StrEnum):
    """Where a job is."""

    ENQUEUED = "enqueued"  # stored; credit is checked next
    PINNED = "pinned"  # its definition is on IPFS
    POSTING = "posting"  # the post is written down; whether it landed may not be known
    QUEUED = "queued"  # on the network, waiting for a host
    RUNNING = "running"  # a host has it
    STOPPING = "stopping"  # a stop is written down; the network has not confirmed the end
    COMPLETED = "completed"  # ended by itself, exit code 0
    FAILED = "failed"  # ended badly: exit code, host quit, invalid at the host
    STOPPED = "stopped"  # ended by an operator, a policy or its deadline
    REJECTED = "rejected"  # never ran: refused by the network or by a policy

    @property
    def is_final(self) -> bool:
        return self in FINAL_STATES


FINAL_STATES = frozenset({State.COMPLETED, State.FAILED, State.STOPPED, State.REJECTED})


class Reason(StrEnum):
    """Why a job is where it is."""

    # waits
    NEW = "new"
    AWAITING_CREDIT = "awaiting_credit"
    AWAITING_BUDGET = "awaiting_budget"
    ACCOUNT_FROZEN = "account_frozen"
    AWAITING_JOBS = "awaiting_jobs"  # other jobs have to end first
    AWAITING_PRICE = "awaiting_price"  # every place asks for more than may be paid an hour
    RETRYING = "retrying"  # an attempt ended, and the next one is waited for
    AWAITING_NETWORK = "awaiting_network"
    AWAITING_HOST = "awaiting_host"
    AWAITING_INDEX = "awaiting_index"
    AWAITING_RESULT = "awaiting_result"
    RUNNING = "running"
    EXTENDING = "extending"
    STOP_REQUESTED = "stop_requested"
    UNRESOLVED = "unresolved"  # whether the post landed cannot be found out here: a person has to say
    # ends, and why a stop is asked for
    FINISHED = "finished"
    OPERATOR = "operator"
    STOP_AFTER = "stop_after"
    STOP_AT = "stop_at"
    MAX_COST = "max_cost"
    QUEUED_TOO_LONG = "queued_too_long"
    NO_OUTPUT = "no_output"
    RESULT_MATCHED = "result_matched"
    BUDGET_USED_UP = "budget_used_up"
    TIMED_OUT = "timed_out"
    MAX_RUNTIME = "max_runtime"
    EXTEND_UNTIL = "extend_until"
    MAX_EXTENDS = "max_extends"
    NO_CREDIT = "no_credit"
    NO_BUDGET = "no_budget"
    NO_PRICE = "no_price"
    TOO_DEAR = "too_dear"
    UPSTREAM = "upstream"  # a job that it was to come after did not end as it had to
    UNFIT_RESULT = (
        "unfit_result"  # what was to be taken from another job's result is not there, or may not be used
    )
    EXIT_CODE = "exit_code"
    HOST_QUIT = "host_quit"
    INVALID_AT_HOST = "invalid_at_host"
    NO_RESULT = "no_result"
    REFUSED = "refused"
    VANISHED = "vanished"
    STOPPED_ELSEWHERE = "stopped_elsewhere"
    DROPPED = "dropped"


MONEY_WAITS: Final[Mapping[Reason, Reason]] = {
    Reason.AWAITING_CREDIT: Reason.NO_CREDIT,
    Reason.AWAITING_BUDGET: Reason.NO_BUDGET,
    Reason.ACCOUNT_FROZEN: Reason.ACCOUNT_FROZEN,
    Reason.AWAITING_PRICE: Reason.TOO_DEAR,
}
"""Waits for money that may be spent, and why a job ended that waited in vain."""


class Operation(StrEnum):
    """The calls that change something on the network; each is written down before it is sent."""

    POST = "post"
    EXTEND = "extend"
    STOP = "stop"


class FollowUp(StrEnum):
    """What falls due for a job; also the name of the Celery task that is sent for it."""

    DISPATCH = "dispatch"
    POLL = "poll"
    EXTEND = "extend"
    STOP = "stop"


class Phase(StrEnum):
    """How the network last showed the job (Nosana states 0 to 3; `gone`: 404 after it had been there)."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    HOST_QUIT = "host_quit"
    GONE = "gone"
