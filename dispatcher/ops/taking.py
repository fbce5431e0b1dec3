"""How a worker takes a message in: one that is no task message is refused, and no argument of a request is shown.

Celery refuses what it foresees. Other messages (a body that is bytes, arguments that are no list) raise where nobody
catches it: the worker ends, the message goes back to the queue, and the next worker ends by it too.
"""

import re
from collections.abc import Callable
from typing import Any, Final

from celery.app.task import Task as CeleryTask
from celery.exceptions import InvalidTaskError
from celery.worker.request import Request
from celery.worker.strategy import default
from kombu.exceptions import ContentDisallowed, DecodeError

_JOB_ID: Final = re.compile(r"job_[0-9a-z]{1,64}")
_SHOWN_AT_MOST: Final = 100


class QuietRequest(Request):  # type: ignore[misc] # celery ships no types
    """Shows job ids, and nothing else of a request's arguments, in events, in Flower and to `inspect`: a request may
    hold secrets, and whoever sends one says himself how its arguments are shown."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._argsrepr, self._kwargsrepr = _shown(self._args), "<request>" if self._kwargs else "{}"

    def info(self, safe: bool = True) -> Any:  # noqa: ARG002 - celery's signature; always safe
        return super().info(safe=True)


def _shown(args: Any) -> str:
    match args:
        case [] | ():
            return "()"
        case [[*ids]] if all(isinstance(each, str) and _JOB_ID.fullmatch(each) for each in ids):
            return f"({', '.join(ids[:_SHOWN_AT_MOST])})"
        case _:
            return "<request>"


class Task(CeleryTask):  # type: ignore[misc] # celery ships no types
    """A task whose messages are taken in with care; all of the application's tasks are of this class."""

    abstract = True
    Request = f"{__name__}:QuietRequest"
    Strategy = f"{__name__}:careful"


def careful(task: Any, app: Any, consumer: Any, **options: Any) -> Callable[..., Any]:
    """Celery's strategy, behind a look at the message."""
    take_in = default(task, app, consumer, **options)

    def received(message: Any, body: Any, *args: Any, **kwargs: Any) -> Any:
        try:
            _check(message.payload if body is None else body)
            return take_in(message, body, *args, **kwargs)
        except (InvalidTaskError, ContentDisallowed, DecodeError):
            raise
        except (TypeError, ValueError, LookupError, AttributeError) as e:
            raise InvalidTaskError(f"{type(e).__name__} while it was taken in") from None

    return received


def _check(payload: Any) -> None:
    """`[args, kwargs, embed]`, or the one object of the older protocol."""
    match payload:
        case [list() | tuple(), dict(), dict() | None] | {"args": _} | {"kwargs": _} | {"task": _}:
            return
        case _:
            raise InvalidTaskError(f"the body is no task's: {type(payload).__name__}")
