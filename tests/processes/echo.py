"""A network that repeats what it was sent: a proxy in front of the simulated one, for tests of what leaks."""

import json
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx

ENDED = 3
"""Answers of each kind that are spoilt before the network's own comes through."""


class Echo:
    """Every kind of call is first answered by an error, an unreadable answer and a refusal for now that repeat all of
    its headers; results come with `secrets` and with a log that repeats `repeated`."""

    def __init__(self, behind: str, repeated: str) -> None:
        self.behind, self.repeated = behind, repeated
        self.url = ""
        self.sent: list[tuple[str, dict[str, str], bytes]] = []
        """Path, headers and body of every request."""
        self._asked: Counter[str] = Counter()
        self._lock = threading.Lock()
        self._client = httpx.Client(timeout=10)

    def answer(
        self, method: str, path: str, headers: dict[str, str], body: bytes
    ) -> tuple[int, dict[str, str], bytes]:
        names = {name: value for name, value in headers.items() if name.lower() not in ("host", "connection")}
        kind = f"{method} {'/'.join(part for part in path.split('/') if len(part) < 25)}"
        with self._lock:
            self.sent.append((path, headers, body))
            self._asked[kind] += 1
            asked = self._asked[kind]
        echo = f"you sent {headers} and {self.repeated}"
        if asked <= ENDED and "/markets" not in path:
            return [
                (500, {}, json.dumps({"message": echo, "headers": headers}).encode()),
                (200, {"content-type": "text/html"}, f"<p>{echo}</p>".encode()),
                (429, {"retry-after": "0"}, json.dumps({"error": echo}).encode()),
            ][asked - 1]
        got = self._client.request(method, self.behind + path, headers=names, content=body)
        return (
            got.status_code,
            {"content-type": got.headers.get("content-type", "")},
            self._with_echo(path, got.content, echo),
        )

    def _with_echo(self, path: str, content: bytes, echo: str) -> bytes:
        try:
            value: Any = json.loads(content)
        except ValueError:
            return content
        if not isinstance(value, dict):
            return content
        if "opStates" in value:
            value["secrets"] = {"TOKEN": "canary-in-result"}
            value["opStates"][0]["secrets"] = {"TOKEN": "canary-in-result"}
            value["opStates"][0]["logs"].append({"type": "stdout", "log": echo, "timestamp": "0"})
            value["errors"] = [echo]
        for name in ("run", "tx", "jobStatus"):
            if name in value:
                value[name] = echo
        return json.dumps({**value, "headers": echo}).encode()


@contextmanager
def echo(behind: str, repeated: str) -> Iterator[Echo]:
    """The proxy, listening."""
    made = Echo(behind, repeated)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _all(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            status, headers, content = made.answer(self.command, self.path, dict(self.headers), body)
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(content))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = _all  # noqa: N815 - the names that http.server calls

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    made.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield made
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
        made._client.close()
