"""Answers calls: finds the route, lets faults befall it, does the work, writes it into the ledger."""

from collections.abc import Callable

from dispatcher.simulator import control_routes, job_routes, public_routes, query_routes
from dispatcher.simulator.faults import Trouble
from dispatcher.simulator.job_routes import Ask
from dispatcher.simulator.ledger import Record
from dispatcher.simulator.messages import Call, Refusal, Reply, refuse
from dispatcher.simulator.network import Network
from dispatcher.simulator.routes import Route, route_of

_HANDLERS: dict[str, Callable[[Ask], Reply]] = {
    "credits.balance": job_routes.balance,
    "jobs.get": job_routes.get,
    "jobs.query": query_routes.query,
    "jobs.list": job_routes.list_job,
    "jobs.extend": job_routes.extend,
    "jobs.stop": job_routes.stop,
    "jobs.list.batch": job_routes.list_batch,
    "jobs.extend.batch": job_routes.extend_batch,
    "jobs.stop.batch": job_routes.stop_batch,
    "markets.list": public_routes.markets,
    "markets.get": public_routes.market,
    "markets.required_resources": public_routes.required_resources,
    "ipfs.pin": public_routes.pin,
    "ipfs.get": public_routes.retrieve,
    "simulator.ledger": control_routes.ledger,
    "simulator.jobs": control_routes.jobs,
    "simulator.clock": control_routes.clock,
    "simulator.credits": control_routes.credit,
    "simulator.faults": control_routes.faults,
    "simulator.host_quits": control_routes.host_quits,
    "simulator.markets": control_routes.markets,
}
_UNKNOWN = Route("unknown")


class App:
    """The network's front door. It keeps no state of its own: several of them may serve one network."""

    def __init__(self, network: Network) -> None:
        self.network = network

    def handle(self, call: Call) -> Reply:
        """Answers a call. Safe to be called by several threads; delays and cuts are left to whoever
        transports it."""
        network = self.network
        with network.lock:
            now = network.advance()
            third = network.options.generation == 3
            route = route_of(call.method, call.path, batches=third) or _UNKNOWN
            key = call.headers.get("idempotency-key") or None if third else None
            ask = Ask(network, call, route, now, network.accounts.of_key(call.bearer()), key, Trouble())
            if route.name.startswith("simulator."):
                return _refusable(_HANDLERS[route.name], ask)
            reply = self._troubled(ask)
            network.ledger.note(
                Record(
                    at=now,
                    method=call.method,
                    route=route.name,
                    path=call.path,
                    account=ask.account.name if ask.account else None,
                    status=None if reply.cut else reply.status,
                    key=key,
                    faults=tuple(ask.trouble.kinds),
                    replayed=ask.replayed,
                )
            )
            return reply

    def _troubled(self, ask: Ask) -> Reply:
        """The reply after all faults."""
        network = self.network
        fresh_key = ask.key is not None and ask.account is not None and network.keys.is_fresh(ask.key)
        trouble = ask.trouble = network.faults.draw(
            ask.route.name, fresh_key=fresh_key, account=ask.account is not None
        )
        if ask.account is not None:
            if trouble.drop_by is not None:
                network.credit(ask.account, -trouble.drop_by)
            if trouble.drop_to is not None:
                network.credit(ask.account, min(0, trouble.drop_to - ask.account.available))
        if trouble.cut:
            return Reply(0, cut=True, delay=trouble.delay)
        if trouble.answer is not None and not trouble.done:
            reply = trouble.answer
        else:
            reply = _refusable(_HANDLERS.get(ask.route.name, _not_found), ask)
        reply = trouble.answer or reply
        if trouble.lose_answer:
            return Reply(0, cut=True, delay=trouble.delay)
        if trouble.delay:
            return Reply(reply.status, reply.headers, reply.body, trouble.delay)
        return reply


def _refusable(handler: Callable[[Ask], Reply], ask: Ask) -> Reply:
    try:
        return handler(ask)
    except Refusal as refusal:
        return refusal.reply()


def _not_found(ask: Ask) -> Reply:  # noqa: ARG001 (a handler like the others)
    raise refuse(404, "Not Found", code="NOT_FOUND")
