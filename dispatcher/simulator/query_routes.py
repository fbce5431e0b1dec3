"""The list of jobs, as the network's index serves it: filtered, sorted, in pages (Nosana indexer)."""

from typing import Any
from urllib.parse import parse_qs

from dispatcher.simulator import bodies
from dispatcher.simulator.job_routes import Ask
from dispatcher.simulator.jobs import Job, State
from dispatcher.simulator.messages import Reply, json_reply

_LIMIT = 10
_MOST = 50


def query(ask: Ask) -> Reply:
    """`GET /jobs/?poster=&payer=&market=&node=&state=&limit=&offset=`, which asks for no key.

    The jobs that were taken last by a host come first; those that no host has taken have a start of 0 and come last,
    in no order that could be relied on: here the one in which they were listed. `limit` is 1 to 50, 10 if it is not
    said; `totalJobs` counts all that the filters let pass. What `jobs.get` does not show yet, or no more, is not here.
    """
    asked = {name: values[-1] for name, values in parse_qs(ask.call.query).items()}
    limit = min(_number(asked, "limit", _LIMIT, 1, _MOST), _MOST)
    offset = _number(asked, "offset", 0, 0, 10**9)
    state = _state(asked.get("state"))
    passed: list[tuple[Job, dict[str, Any]]] = []
    for number, job in enumerate(ask.network, start=1):
        record = ask.network.record(job.address)
        if record is None or (state is not None and record["state"] != state):
            continue
        wanted = {
            "project": asked.get("poster"),
            **{name: asked.get(name) for name in ("payer", "market", "node")},
        }
        if all(value is None or record[name] == value for name, value in wanted.items()):
            del record["benchmarkProcessedAt"]
            passed.append((job, {"id": number, "address": job.address, **record}))
    passed.sort(key=lambda found: -found[0].time_start)
    page = [record for _, record in passed[offset : offset + limit]]
    return json_reply({"jobs": page, "totalJobs": len(passed)})


def _number(asked: dict[str, str], name: str, otherwise: int, least: int, most: int) -> int:
    text = asked.get(name)
    if text is None:
        return otherwise
    if not text.isdecimal() or not least <= int(text) <= most:
        raise bodies.validation(f"/{name}", f"Expected number from {least} to {most}", on="query")
    return int(text)


def _state(text: str | None) -> int | None:
    if text is None:
        return None
    if text not in State.__members__:
        raise bodies.validation("/state", "Expected a state", on="query")
    return int(State[text])
