"""Serves /metrics and /healthz to a scraper, on an address of this machine."""

import signal
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from socketserver import ThreadingTCPServer
from typing import Any

import structlog

from dispatcher.domain.errors import SettingsError
from dispatcher.engine.parts import Parts
from dispatcher.ops.metrics.collector import Collector, exposition, store_trouble

_PLAIN = "text/plain; charset=utf-8"


_log = structlog.get_logger(__name__)


class MetricsServer(ThreadingTCPServer):
    """Listens when it is made; port 0 is any free one. Raises `SettingsError` if the address cannot be had."""

    allow_reuse_address = True
    daemon_threads = True

    def __init__(self, parts: Parts, host: str, port: int) -> None:
        self.parts, self.collector = parts, Collector(parts)
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        try:
            super().__init__((host, port), _Handler)
        except OSError as e:
            raise SettingsError(
                f"cannot listen on {host}:{port}: {e.strerror or e}; end what listens there, or take another port"
            ) from e

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ARG002 - the inherited signature
        """A scraper that hung up is none of our business; nothing goes past the log, and no traceback into it."""
        _log.warning("metrics_request_failed", error=type(sys.exception()).__name__)

    def serve_until_signal(self) -> None:
        """Serve until SIGINT or SIGTERM. Main thread only."""
        with self, _stop_signal() as stop:
            serving = threading.Thread(target=self.serve_forever, daemon=True)
            serving.start()
            stop.wait()
            self.shutdown()
            serving.join()


class _Handler(BaseHTTPRequestHandler):
    timeout = 10
    """Seconds of the wall's time for a scraper to say what it wants."""

    server: MetricsServer

    def do_GET(self) -> None:
        match self.path.partition("?")[0]:
            case "/metrics":
                body, content_type = exposition(self.server.collector, self.headers.get("Accept", ""))
                self._answer(HTTPStatus.OK, body, content_type)
            case "/healthz":
                trouble = store_trouble(self.server.parts)
                status = HTTPStatus.SERVICE_UNAVAILABLE if trouble else HTTPStatus.OK
                self._answer(status, f"{trouble or 'ok'}\n".encode(), _PLAIN)
            case _:
                self._answer(HTTPStatus.NOT_FOUND, b"there are /metrics and /healthz\n", _PLAIN)

    def _answer(self, status: HTTPStatus, body: bytes, content_type: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name that http.server gives it
        """A scrape every few seconds is nothing to log."""


@contextmanager
def _stop_signal() -> Iterator[threading.Event]:
    stop = threading.Event()

    def set_it(_number: int, _frame: object) -> None:
        stop.set()

    before = {number: signal.signal(number, set_it) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
