"""Threads, processes and connections, and what a broken one may show."""

import json
import os
import socket
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
import pytest

from dispatcher.domain import errors as e
from tests.providers.leaks import everything_shown
from tests.providers.operations import ALL
from tests.providers.stand_in import ADDRESS, API_KEY, JWT, StandIn, good, provider

BALANCE = {"assignedCredits": 50, "reservedCredits": 0, "settledCredits": 0}


def test_each_thread_has_a_client_of_its_own_and_keeps_it() -> None:
    account = provider(StandIn(good(BALANCE)))
    clients = account._wire._clients
    barrier = threading.Barrier(4)

    def mine(_: int) -> list[httpx.Client]:
        barrier.wait()
        found = [clients.mine() for _ in range(3)]
        barrier.wait()
        return found

    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(mine, range(4)))
    assert all(len(set(map(id, each))) == 1 for each in found)
    assert len({id(each[0]) for each in found}) == 4


def test_close_closes_every_threads_client_and_a_later_call_opens_anew() -> None:
    network = StandIn(good(BALANCE))
    account = provider(network)

    def use() -> httpx.Client:
        assert account.balance().assigned == 50
        return account._wire._clients.mine()

    with ThreadPoolExecutor(1) as pool:
        used = [pool.submit(use).result(), use()]
        account.close()
        assert used[0] is not used[1]
        assert all(client.is_closed for client in used)
        assert network.closed == 2
        assert not {pool.submit(use).result(), use()} & set(used)
    account.close()


def test_clients_of_threads_that_are_gone_do_not_pile_up() -> None:
    account = provider(None)
    clients = account._wire._clients
    made: list[httpx.Client] = []
    for _ in range(3):
        thread = threading.Thread(target=lambda: made.append(clients.mine()))
        thread.start()
        thread.join()
    assert [client.is_closed for client in made] == [True, True, False]
    account.close()
    assert made[-1].is_closed


def test_a_forked_process_lets_go_of_its_parents_clients(monkeypatch: pytest.MonkeyPatch) -> None:
    account = provider(StandIn(good(BALANCE)))
    parents = account._wire._clients.mine()
    monkeypatch.setattr(os, "getpid", lambda: -1)
    childs = account._wire._clients.mine()
    assert childs is not parents
    assert account._wire._clients.mine() is childs
    account.close()
    assert not parents.is_closed


# --- real sockets


class _Server:
    """HTTP on loopback; counts connections. `answer` gets the handler and writes what it likes."""

    def __init__(self, answer: Callable[[BaseHTTPRequestHandler], None]) -> None:
        self.connections = 0
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def setup(self) -> None:
                server.connections += 1
                super().setup()

            def do_GET(self) -> None:
                self.rfile.read(int(self.headers.get("content-length", 0)))
                answer(self)

            do_POST = do_GET  # noqa: N815 - named by the standard library

            def log_message(self, *_: Any) -> None:
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.http.serve_forever, kwargs={"poll_interval": 0.01})
        self.url = f"http://127.0.0.1:{self.http.server_port}"

    def __enter__(self) -> "_Server":
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.http.shutdown()
        self.thread.join()
        self.http.server_close()


def _say(handler: BaseHTTPRequestHandler, value: Any) -> None:
    body = json.dumps(value).encode()
    handler.send_response(200)
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    handler.wfile.write(body)


def test_a_thread_uses_its_connection_again() -> None:
    with _Server(lambda handler: _say(handler, BALANCE)) as server:
        account = provider(None, api_url=server.url)
        for _ in range(5):
            account.balance()
        assert server.connections == 1
        account.close()


def _hang_up(handler: BaseHTTPRequestHandler) -> None:
    handler.close_connection = True


def _hang_up_midway(handler: BaseHTTPRequestHandler) -> None:
    handler.send_response(200)
    handler.send_header("Content-Length", "1000")
    handler.end_headers()
    handler.wfile.write(b'{"job":"')
    handler.close_connection = True


def _hang_up_midway_in_an_error(handler: BaseHTTPRequestHandler) -> None:
    handler.send_response(409)
    handler.send_header("Content-Length", "1000")
    handler.end_headers()
    handler.wfile.write(b'{"message":"still confirming","code"')
    handler.close_connection = True


def _talk_nonsense(handler: BaseHTTPRequestHandler) -> None:
    handler.wfile.write(b"SSH-2.0-OpenSSH_9.2\r\n")
    handler.close_connection = True


@pytest.mark.parametrize(
    "answer",
    [_hang_up, _hang_up_midway, _hang_up_midway_in_an_error, _talk_nonsense],
    ids=lambda f: f.__name__,
)
@pytest.mark.parametrize("name", ["balance", "post", "extend", "stop", "pin"])
def test_a_connection_that_breaks_is_no_answer_and_shows_no_secret(
    name: str, answer: Callable[[BaseHTTPRequestHandler], None]
) -> None:
    with _Server(answer) as server:
        account = provider(None, api_url=server.url, ipfs_api_url=server.url)
        with pytest.raises(e.NoAnswer) as caught:
            ALL[name](account)
        account.close()
    whole = everything_shown(caught.value)
    assert "wire.py" in whole
    assert API_KEY not in whole
    assert JWT not in whole
    assert isinstance(caught.value.__cause__, httpx.TransportError)
    assert caught.value.__cause__.__traceback__ is None


def test_nobody_there_is_no_answer() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        account = provider(None, api_url=f"http://127.0.0.1:{taken.getsockname()[1]}")
        with pytest.raises(e.NoAnswer, match=r"no answer from 127\.0\.0\.1: ConnectError"):
            account.get(ADDRESS)  # type: ignore[arg-type]
        account.close()
