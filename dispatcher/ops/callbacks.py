"""Callbacks as ordinary Celery tasks, sent by name to the application's own workers."""

from typing import Any

from kombu.exceptions import KombuError, OperationalError

from dispatcher.domain.callback import Message
from dispatcher.domain.errors import BrokerUnavailable


class CeleryCallbacks:
    """Sends through `app`, whose serializer is JSON; `queue` is for messages that name none."""

    def __init__(self, app: Any, queue: str) -> None:
        self._app, self._queue = app, queue

    def send(self, message: Message) -> None:
        try:
            self._app.send_task(
                message.task,
                args=list(message.args),
                kwargs=dict(message.kwargs),
                queue=message.queue or self._queue,
                task_id=message.task_id,
                # What events and Flower show of the arguments.
                argsrepr=f"({message.about})",
                kwargsrepr="{}",
                # Nobody here waits for what the application's task answers.
                ignore_result=True,
                retry=False,
            )
        except (OperationalError, KombuError, OSError) as e:
            # Only the kind of error: its text may have the broker's address, with a password in it.
            raise BrokerUnavailable(
                f"the callback {message.task} was not sent: the broker cannot be reached ({type(e).__name__})"
            ) from e
