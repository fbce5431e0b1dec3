"""The job record, as the index serves it (Nosana credits API, the job record)."""

from typing import Any

from dispatcher.simulator import javascript
from dispatcher.simulator.definitions import Definition
from dispatcher.simulator.flows import flow_state, flow_status
from dispatcher.simulator.identifiers import NO_NODE
from dispatcher.simulator.jobs import Job, State

PAYER = "credFgXCGH3JFUT6WEKF6tJitxrXhSCM2VEqF7GE6pt"
"""The account that pays for all jobs bought with credits."""


def job_record(
    job: Job,
    definition: Definition | None,
    *,
    seen: float,
    filled: bool,
    result_cid: str | None,
    as_text: bool,
) -> dict[str, Any]:
    """The record of a job, as far as the index has `seen` it: what happened after that time is not in it.

    `definition` is what is pinned under its CID, shown only when the index has `filled` it in (with it the
    type and the price), as a JSON string if `as_text`. `result_cid` is what to show as `ipfsResult`. The
    result itself appears once the host has uploaded it.
    """
    uploaded = job.uploaded(seen)
    over = job.state > State.RUNNING and job.ended_at <= seen
    started = job.node is not None and job.started_at <= seen
    extended = sum(made.seconds for made in job.reservations if made.kind == "extend" and made.at > seen)
    shown = definition if filled else None
    document: Any = shown.document if shown else None
    return {
        "ipfsJob": job.cid,
        "ipfsResult": result_cid,
        "market": job.market.address,
        "node": job.node if started else NO_NODE,
        "payer": PAYER,
        "price": job.market.nos_price,
        "project": job.account.project,
        "state": int(job.state if over else State.RUNNING if started else State.QUEUED),
        "type": shown.trigger if shown else None,
        "jobDefinition": javascript.stringify(document) if as_text and shown else document,
        "jobResult": flow_state(job, logs=False) if uploaded else None,
        "jobStatus": flow_status(job) if uploaded else None,
        "timeEnd": job.time_end if over else 0,
        "timeStart": job.time_start if started else 0,
        "benchmarkProcessedAt": None,
        "timeout": job.timeout - extended,
        "usdRewardPerHour": job.market.usd_per_hour if filled else None,
        "listedAt": int(job.listed_at),
    }
