"""The simulator's own routes, under `/simulator/`: to look behind the network and to steer it. They ask for
no key."""

from typing import Any
from urllib.parse import parse_qs

from dispatcher.simulator import bodies, money
from dispatcher.simulator.accounts import Account
from dispatcher.simulator.conditions import Conditions, ConditionsError
from dispatcher.simulator.fault_plan import FaultPlanError, parse_plan
from dispatcher.simulator.job_routes import Ask
from dispatcher.simulator.messages import Refusal, Reply, json_reply, refuse
from dispatcher.simulator.reports import accounts_report, jobs_report, ledger_report, markets_report


def ledger(ask: Ask) -> Reply:
    """`GET /simulator/ledger?calls=<last n>&jobs=<last n>`."""
    return json_reply(ledger_report(ask.network, calls=_count(ask, "calls"), jobs=_count(ask, "jobs")))


def jobs(ask: Ask) -> Reply:
    """`GET /simulator/jobs?jobs=<last n>`."""
    return json_reply(jobs_report(ask.network, last=_count(ask, "jobs")))


def clock(ask: Ask) -> Reply:
    """`GET /simulator/clock`: simulated unix seconds, and simulated seconds per real one."""
    return json_reply({"now": ask.now, "speed": ask.network.options.speed})


def credit(ask: Ask) -> Reply:
    """`POST /simulator/credits {"account": "<API key or name>", "add": "12.50"}`: credit arrives, or goes."""
    fields = _fields(ask)
    account = _account(ask, fields)
    try:
        amount = money.thousandths(fields.get("add", ""))
    except ValueError:
        raise refuse(400, "'add' must be an amount of US dollars") from None
    ask.network.credit(account, amount)
    return json_reply(
        next(report for report in accounts_report(ask.network) if report["name"] == account.name)
    )


def faults(ask: Ask) -> Reply:
    """`GET /simulator/faults`, or `POST` with a fault plan that replaces the one in force."""
    if ask.call.method == "POST":
        try:
            ask.network.faults.replace(parse_plan(bodies.parsed(ask.call.body)))
        except FaultPlanError as error:
            raise Refusal(400, {"message": str(error), "errors": error.faults}) from None
    return json_reply({"rules": ask.network.faults.report()})


def host_quits(ask: Ask) -> Reply:
    """`POST /simulator/host-quits {"job": address}`: its host quits now. 409 if no host has the job."""
    job = ask.network.job(str(_fields(ask).get("job")))
    if job is None:
        raise refuse(404, "Job not found")
    if not ask.network.quit_host(job):
        raise refuse(409, "Job is not running")
    return json_reply({"job": job.address, "node": job.node})


def markets(ask: Ask) -> Reply:
    """`GET /simulator/markets`, or `POST {"market": address or slug, ...}`: what it is like from now on (see
    `conditions`); what is left out is as it was at first."""
    network = ask.network
    if ask.call.method == "POST":
        fields = _fields(ask)
        market = network.market(str(fields.pop("market", None)))
        if market is None:
            raise refuse(404, "'market' must be the address or the slug of a market of this network")
        try:
            network.change_market(market.address, Conditions.of(fields))
        except ConditionsError as error:
            raise Refusal(400, {"message": str(error), "errors": error.faults}) from None
    return json_reply({"markets": markets_report(network)})


def _fields(ask: Ask) -> dict[str, Any]:
    body = bodies.parsed(ask.call.body)
    if not isinstance(body, dict):
        raise refuse(400, "the body must be a JSON object")
    return body


def _account(ask: Ask, fields: dict[str, Any]) -> Account:
    account = ask.network.accounts.find(str(fields.get("account")))
    if account is None:
        raise refuse(404, "'account' must be an API key or a name of this network")
    return account


def _count(ask: Ask, name: str) -> int | None:
    text = parse_qs(ask.call.query).get(name, [""])[-1]
    if text in ("", "all"):
        return None
    if not text.isdecimal():
        raise refuse(400, f"'{name}' must be a number or all")
    return int(text)
