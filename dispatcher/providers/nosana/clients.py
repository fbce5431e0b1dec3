"""One `httpx.Client` for each thread: connections are used again, and threads never wait for one another."""

import os
import ssl
import threading
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Final

import httpx

_LIMITS: Final = httpx.Limits(
    max_connections=10,
    max_keepalive_connections=5,
    # Node's servers close an idle connection after 5 s. Closing it first avoids sending into a closing one, which
    # would leave a write undecided for nothing.
    keepalive_expiry=4.0,
)


class ThreadClients:
    """Makes, keeps and closes the clients. A client of a thread that is gone is closed when the next is made."""

    _made: list[tuple[threading.Thread, httpx.Client]]

    def __init__(
        self, *, timeout: httpx.Timeout, headers: dict[str, str], transport: httpx.BaseTransport | None
    ):
        self._timeout = timeout
        self._headers = headers
        self._transport = transport
        self._tls: ssl.SSLContext | None = None
        self._start()

    def mine(self) -> httpx.Client:
        """The calling thread's client; a new one after `close`, and in a forked process."""
        if self._process != os.getpid():
            # Forked: the sockets are the parent's, and so may be whoever holds the locks. Let go of all, untouched.
            self._start()
        client: httpx.Client | None = getattr(self._own, "client", None)
        if client is None or client.is_closed:
            client = self._own.client = self._make()
        return client

    def close(self) -> None:
        """Close every thread's client and its connections."""
        with self._lock:
            made = self._made
            self._made = []
        for _, client in made:
            client.close()

    def _start(self) -> None:
        self._process = os.getpid()
        self._own = threading.local()
        self._lock = threading.Lock()
        self._made = []

    def _make(self) -> httpx.Client:
        with self._lock:
            if self._transport is None and self._tls is None:
                self._tls = httpx.create_ssl_context()  # 30 ms of work, and safe to share
            client = httpx.Client(
                transport=self._transport,
                verify=self._tls if self._tls is not None else True,
                timeout=self._timeout,
                headers=self._headers,
                limits=_LIMITS,
                # The API has no cookies; what a proxy in between sets must not tie calls together.
                cookies=CookieJar(policy=DefaultCookiePolicy(allowed_domains=[])),
            )
            gone = [made for thread, made in self._made if not thread.is_alive()]
            if self._transport is None:  # a transport that was given is shared: only `close` may close it
                for made in gone:
                    made.close()
            living = [(thread, made) for thread, made in self._made if made not in gone]
            self._made = [*living, (threading.current_thread(), client)]
        return client
