"""The simulated network behind an `httpx.Client`, in the same process and without waiting."""

from collections.abc import Callable

import httpx

from dispatcher.simulator.app import App
from dispatcher.simulator.messages import Call
from dispatcher.simulator.network import Network


class SimulatedTransport(httpx.BaseTransport):
    """Use as `httpx.Client(transport=SimulatedTransport(network), base_url="http://simulated")`.

    A cut connection is an `httpx.ReadError`. A delay is not slept: one beyond the request's read timeout is
    an `httpx.ReadTimeout`, after the work was done, as with a real server. `waited` is told how many seconds
    the client would have spent (the delay, or its timeout), so that a test can move its clock. `latency`: what every
    call takes besides, in seconds, half of it before the network sees it and half after. Any host name is the network.
    """

    def __init__(
        self, network: Network, waited: Callable[[float], None] | None = None, *, latency: float = 0.0
    ) -> None:
        self._app = App(network)
        self._waited = waited
        self.latency = latency

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Answers one request. Raises `httpx.ReadError` and `httpx.ReadTimeout` as told above."""
        path, _, query = request.url.raw_path.decode("ascii").partition("?")
        self._wait(self.latency / 2)
        reply = self._app.handle(Call(request.method, path, query, dict(request.headers), request.read()))
        patience = request.extensions.get("timeout", {}).get("read")
        impatient = patience is not None and reply.delay + self.latency > patience
        self._wait(patience - self.latency / 2 if impatient else reply.delay + self.latency / 2)
        if impatient:
            raise httpx.ReadTimeout("The read operation timed out", request=request)
        if reply.cut:
            raise httpx.ReadError("Server disconnected without sending a response.", request=request)
        return httpx.Response(reply.status, headers=dict(reply.headers), content=reply.body, request=request)

    def _wait(self, seconds: float) -> None:
        if seconds > 0 and self._waited is not None:
            self._waited(seconds)
