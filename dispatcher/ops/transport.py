"""Celery's Redis transport, for workers that outlive their broker.

When Redis goes away, a worker closes its channels, and kombu 5.7 then looks for the closed connection's client, which
is None: an AttributeError that no reconnecting is prepared for, and the worker exits. Said as what it is, a connection
error, it is ignored where it happens, and the worker waits for the broker as it does otherwise.
"""

from typing import Any

from kombu.transport import TRANSPORT_ALIASES
from kombu.transport import redis as kombu_redis


class Channel(kombu_redis.Channel):
    """A channel that says it if its connection is closed."""

    def _connparams(self, *args: Any, **options: Any) -> Any:
        if getattr(self.connection, "client", None) is None:
            raise ConnectionError("the connection to the broker is closed")
        return super()._connparams(*args, **options)  # type: ignore[no-untyped-call] # kombu is half typed


class Transport(kombu_redis.Transport):
    """The Redis transport with that channel."""

    Channel = Channel


def install() -> None:
    """Take the place of the Redis transport in this process, with and without TLS. For workers: it is global."""
    for scheme in ("redis", "rediss"):
        TRANSPORT_ALIASES[scheme] = f"{__name__}:Transport"
