"""How applications are told that a job is over."""

from typing import Protocol

from dispatcher.domain.callback import Message


class Callbacks(Protocol):
    """Sends callbacks through the message broker."""

    def send(self, message: Message) -> None:
        """Hand the message to the broker. Raises `BrokerUnavailable` if it may not have taken it."""
        ...
