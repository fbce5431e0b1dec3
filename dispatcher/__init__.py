"""Run jobs on prepaid compute networks from your own applications.

    from dispatcher import JobRequest, enqueue

    handle = enqueue(JobRequest(definition={...}, market="nvidia-3060", timeout="30m"))
    handle.wait(timeout="1h")

Importing this package reads no settings and opens no connection: the first call of `enqueue` does.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dispatcher.client import JobHandle as JobHandle
    from dispatcher.client import enqueue as enqueue
    from dispatcher.client import enqueue_many as enqueue_many
    from dispatcher.client import get_job as get_job
    from dispatcher.domain.chain import Callback as Callback
    from dispatcher.domain.chain import Take as Take
    from dispatcher.domain.chain import Upstream as Upstream
    from dispatcher.domain.errors import DispatcherError as DispatcherError
    from dispatcher.domain.errors import InvalidRequest as InvalidRequest
    from dispatcher.domain.policies import CreditPolicy as CreditPolicy
    from dispatcher.domain.policies import ExtendPolicy as ExtendPolicy
    from dispatcher.domain.policies import Place as Place
    from dispatcher.domain.policies import Policies as Policies
    from dispatcher.domain.policies import PollPolicy as PollPolicy
    from dispatcher.domain.policies import QuantumPolicy as QuantumPolicy
    from dispatcher.domain.policies import RapidEnds as RapidEnds
    from dispatcher.domain.policies import RetryPolicy as RetryPolicy
    from dispatcher.domain.policies import SoftSteps as SoftSteps
    from dispatcher.domain.policies import StopPolicy as StopPolicy
    from dispatcher.domain.request import JobRequest as JobRequest

_PUBLIC = {
    "Callback": "dispatcher.domain.chain",
    "CreditPolicy": "dispatcher.domain.policies",
    "DispatcherError": "dispatcher.domain.errors",
    "ExtendPolicy": "dispatcher.domain.policies",
    "InvalidRequest": "dispatcher.domain.errors",
    "JobHandle": "dispatcher.client",
    "JobRequest": "dispatcher.domain.request",
    "Place": "dispatcher.domain.policies",
    "Policies": "dispatcher.domain.policies",
    "PollPolicy": "dispatcher.domain.policies",
    "QuantumPolicy": "dispatcher.domain.policies",
    "RapidEnds": "dispatcher.domain.policies",
    "RetryPolicy": "dispatcher.domain.policies",
    "SoftSteps": "dispatcher.domain.policies",
    "StopPolicy": "dispatcher.domain.policies",
    "Take": "dispatcher.domain.chain",
    "Upstream": "dispatcher.domain.chain",
    "enqueue": "dispatcher.client",
    "enqueue_many": "dispatcher.client",
    "get_job": "dispatcher.client",
}

__all__ = list(_PUBLIC)


def __getattr__(name: str) -> Any:
    if name in _PUBLIC:
        from importlib import import_module  # noqa: PLC0415 - lazy on purpose: the package must import cheaply

        return getattr(import_module(_PUBLIC[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
