"""How a connection to the server is made, and why so."""

from typing import Any, Final

import redis
from redis.backoff import ExponentialWithJitterBackoff
from redis.retry import Retry

from dispatcher.domain.errors import SettingsError

TIMEOUT: Final = 5.0
"""Seconds for an answer. No command here blocks and no script is long: after this the server is stuck or gone."""

CONNECT_TIMEOUT: Final = 3.0
"""Seconds for a connection."""

RETRIES: Final = 4
"""Further tries after a lost connection or answer. Repeating is safe: a script knows a call that it has done."""

_BACKOFF: Final = ExponentialWithJitterBackoff(base=0.1, cap=1.0)
"""Two to three seconds in all: a restart of the server is ridden out, a longer outage is reported."""

_IDLE: Final = 30
"""Seconds without use after which a connection is tried before it is trusted: firewalls drop silent ones."""


def connect(url: str, *, timeout: float = TIMEOUT, retries: int = RETRIES) -> redis.Redis:
    """A client for `url` (`redis://`, `rediss://`, `unix://`); nothing is sent yet. Threads may share it.

    Raises `SettingsError` for a URL that cannot be read; the message does not repeat it, as it may hold a password.
    """
    over_tcp: dict[str, Any] = {
        "socket_connect_timeout": min(timeout, CONNECT_TIMEOUT),
        "socket_keepalive": True,
    }
    try:
        return redis.Redis.from_url(
            url,
            socket_timeout=timeout,
            health_check_interval=_IDLE,
            retry=Retry(_BACKOFF, retries),
            # RESP2, as redis-py before 8 did: RESP3 brings nothing here, and on connecting asks servers for
            # maintenance notices that Valkey and Redis 6.2 do not know.
            protocol=2,
            decode_responses=False,
            client_name="dispatcher",
            **({} if url.startswith("unix:") else over_tcp),
        )
    except ValueError:
        # The cause is left behind on purpose: it may quote a part of the URL, and so of the password.
        raise SettingsError(
            "the store's URL cannot be read: it must look like redis://user:password@host:6379/0 "
            "(rediss:// with TLS, unix:///path for a socket), with special characters percent-encoded"
        ) from None
