"""The simulated network on a loopback socket. The only module here that does I/O."""

import asyncio
import json
import signal
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

from aiohttp import web

from dispatcher.simulator import money
from dispatcher.simulator.app import App
from dispatcher.simulator.fault_plan import FaultPlanError
from dispatcher.simulator.journal import open_journal
from dispatcher.simulator.markets import Market
from dispatcher.simulator.messages import Call
from dispatcher.simulator.network import Network, Options

HOST = "127.0.0.1"
_LARGEST_BODY = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerConfig:
    """What `serve` runs. `port` 0 takes any free one; `accounts` maps API keys to credits in US dollars;
    `clock` is what the ready message says of the clock, `<simulated seconds per real one>@<origin in unix
    seconds>`."""

    clock: str
    port: int = 0
    seed: int = 0
    accounts: Mapping[str, money.Dollars] = field(
        default_factory=lambda: {"nos_simulated_key": "100"}, repr=False
    )
    ipfs_jwt: str = field(default="simulated-jwt", repr=False)
    markets: Sequence[Market] | None = None
    hosts: int | Mapping[str, int] | None = None
    options: Options = field(default_factory=Options)
    faults: Any = ()
    journal: Path | None = None
    """A file that keeps the network: the same file again brings it back as it was."""

    def identity(self) -> dict[str, Any]:
        """What the network is made of; a journal belongs to one such network."""
        return {
            "clock": self.clock,
            "seed": self.seed,
            "accounts": {key: str(credits_usd) for key, credits_usd in self.accounts.items()},
            "ipfs_jwt": self.ipfs_jwt,
            "markets": None if self.markets is None else [repr(market) for market in self.markets],
            "hosts": self.hosts if self.hosts is None or isinstance(self.hosts, int) else dict(self.hosts),
            "options": repr(self.options),
            "faults": list(self.faults) if isinstance(self.faults, tuple) else self.faults,
        }


def load_plan(path: Path) -> Any:
    """The fault plan in a JSON file, to be passed on as `faults`. Raises FaultPlanError if it is no JSON."""
    try:
        return json.loads(path.read_bytes())
    except ValueError as error:
        raise FaultPlanError([f"{path.name} is not JSON: {error}"]) from error


def serve(config: ServerConfig, clock: Callable[[], float], ready: Callable[[dict[str, Any]], None]) -> None:
    """Serves until SIGINT or SIGTERM, then closes and returns. Main thread only (it handles signals).

    `ready` is called once with what a client needs to know: `api_url`, `ipfs_api_url`, `ipfs_gateway_url`
    (ends in `/`), `ipfs_jwt`, `accounts` ([{api_key, credits_usd}]) and `clock`. Raises FaultPlanError for a
    bad plan, JournalError for a journal that is not this network's, OSError if the port is taken.
    """

    def make(ticking: Callable[[], float]) -> Network:
        return Network(
            ticking,
            config.seed,
            accounts=config.accounts,
            ipfs_jwt=config.ipfs_jwt,
            markets=config.markets,
            hosts=config.hosts,
            options=config.options,
            faults=config.faults,
        )

    with ExitStack() as stack:
        if config.journal is None:
            app = App(make(clock))
        else:
            app = stack.enter_context(closing(open_journal(config.journal, clock, config.identity(), make)))
        asyncio.run(_until_signalled(app, config, ready))


async def _until_signalled(app: App, config: ServerConfig, ready: Callable[[dict[str, Any]], None]) -> None:
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(name, stopping.set)
    server = Server(app.network, config.port, app)
    await server.start()
    try:
        ready(server.description(config.clock))
        await stopping.wait()
    finally:
        await server.stop()


class Server:
    """The network on a port of the loopback address, inside a running event loop."""

    def __init__(self, network: Network, port: int = 0, app: App | None = None) -> None:
        self.network = network
        self.port = port
        self._app = app or App(network)
        self._runner: web.AppRunner | None = None

    @property
    def url(self) -> str:
        """Where it listens, without a slash at the end."""
        return f"http://{HOST}:{self.port}"

    async def start(self) -> None:
        """Listens; from here on `port` is the real one. Raises OSError if the port is taken."""
        application = web.Application(client_max_size=_LARGEST_BODY)
        application.router.add_route("*", "/{path:.*}", self._answer)
        self._runner = web.AppRunner(application, access_log=None, handle_signals=False, shutdown_timeout=1.0)
        await self._runner.setup()
        try:
            await web.TCPSite(self._runner, HOST, self.port).start()
        except OSError:
            await self.stop()
            raise
        self.port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        """Closes all connections and stops listening."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    def description(self, clock: str) -> dict[str, Any]:
        """What a client needs to know, as `serve` tells it."""
        return {
            "api_url": self.url,
            "ipfs_api_url": self.url,
            "ipfs_gateway_url": f"{self.url}/ipfs/",
            "ipfs_jwt": self.network.ipfs_jwt,
            "accounts": [
                {"api_key": account.api_key, "credits_usd": money.wire(account.assigned)}
                for account in self.network.accounts
            ],
            "clock": clock,
        }

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        path, _, query = request.raw_path.partition("?")
        body = await request.read()
        reply = self._app.handle(Call(request.method, path, query, dict(request.headers), body))
        if reply.delay:
            await asyncio.sleep(reply.delay)
        if reply.cut:
            if request.transport is not None:
                request.transport.abort()
            return web.Response()
        return web.Response(status=reply.status, headers=dict(reply.headers), body=reply.body)


class BackgroundServer:
    """A server in a thread of its own, for tests: `with BackgroundServer(network) as server: server.url`."""

    def __init__(self, network: Network, port: int = 0) -> None:
        self._server = Server(network, port)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="simulated-network", daemon=True)

    @property
    def url(self) -> str:
        """Where it listens, without a slash at the end."""
        return self._server.url

    def __enter__(self) -> "BackgroundServer":
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._server.start(), self._loop).result()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        asyncio.run_coroutine_threadsafe(self._server.stop(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
