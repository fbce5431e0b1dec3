"""Commands about jobs: enqueue, show, jobs, stop, extend."""

import sys
from typing import IO, Any

import click

from dispatcher import client
from dispatcher.cli.dead import (
    dead_reason,
    readable_and_not,
    stop_unreadable,
    trouble_fields,
)
from dispatcher.cli.inputs import DURATION, labels_of
from dispatcher.cli.output import json_option, print_fields, print_json, print_table
from dispatcher.cli.requests import assignments_of, read_document_of, request_of
from dispatcher.cli.stopping import stop_every_job
from dispatcher.cli.ties import take_of, tie_fields
from dispatcher.domain.words import Reason, State


@click.command("enqueue")
@click.argument("file", type=click.File("rb"))
@click.option("--market", help="Address or slug of the market.")
@click.option("--timeout", help="Run time posted at first: 30m.")
@click.option("--policy", help="A named set of policies of the settings; the other options go before it.")
@click.option(
    "--set",
    "overrides",
    multiple=True,
    callback=assignments_of,
    metavar="FIELD=VALUE",
    help="Any field of a policy: extend.by=30m; null takes it away. May be repeated; goes before all else.",
)
@click.option(
    "--quantum", help="Post and extend in steps of so much: what a dead dispatcher can cost at most."
)
@click.option("--extend-by", help="Extend by so much before it runs out.")
@click.option("--extend-margin", help="How long before the deadline to extend.")
@click.option("--max-extends", type=click.IntRange(min=1), help="At most so many extensions.")
@click.option("--max-runtime", help="Never more run time than this in total.")
@click.option("--max-cost", help="Never more than this, in US dollars: 2.50.")
@click.option("--stop-after", help="Stop so long after a host took it.")
@click.option("--stop-at", help="Stop at this time: 2026-12-24T18:00:00+01:00.")
@click.option("--queued-at-most", help="Stop if no host took it for so long.")
@click.option("--poll-every", help="First interval of looking at it.")
@click.option("--fail-when-short", is_flag=True, help="Fail instead of waiting for credit.")
@click.option("--request-id", help="Idempotency key: the same again gives the job that is there.")
@click.option("--label", "labels", multiple=True, callback=labels_of, help="name=value; may be repeated.")
@click.option("--priority", type=click.IntRange(-100, 100), help="Default: 0.")
@click.option("--account", help="Default: the one named default.")
@click.option("--node", help="The one host that may run it.")
@click.option(
    "--allow-secret",
    "allow_secrets",
    multiple=True,
    metavar="PATH",
    help="A place of the definition that may hold a secret, as a fault names it; may be repeated.",
)
@click.option(
    "--after",
    multiple=True,
    metavar="ID",
    help="Not before this job completed; may be repeated.",
)
@click.option(
    "--after-any", multiple=True, metavar="ID", help="Not before this job is over, however it ended."
)
@click.option(
    "--take",
    multiple=True,
    callback=take_of,
    metavar="PLACE=ID:FIELD",
    help="Put FIELD of that job's end (result_cid, address, exit_code, result.a.b) there; may be repeated.",
)
@click.option("--callback", help="Celery task of your application that is sent when the job is over.")
@click.option("--callback-queue", help="The queue that its workers listen to.")
@click.option("--wait", is_flag=True, help="Wait for the end; exit code 3 unless it completed.")
@click.option("--wait-timeout", type=DURATION, help="Wait no longer than this.")
@json_option
def enqueue_command(file: IO[bytes], wait: bool, wait_timeout: Any, as_json: bool, **options: Any) -> None:
    """Enqueue the job in FILE: a job definition, or a whole request with its definition, market, timeout, policies.

    FILE is YAML (.yaml, .yml), TOML (.toml) or JSON; - for standard input, which is JSON or YAML. What options say
    goes before what FILE says.
    """
    handle = client.enqueue(request_of(read_document_of(file), options))
    if not wait:
        if as_json:
            print_json({"id": handle.id, "new": handle.new, **handle.view()})
        else:
            click.echo(f"{handle.id}  {'enqueued' if handle.new else 'known already, nothing was enqueued'}")
        return
    if not as_json:
        click.echo(f"{handle.id}  waiting for its end", err=True)
    try:
        handle.wait(wait_timeout)
    except TimeoutError as e:
        click.echo(f"error: {e}", err=True)
        sys.exit(1)
    if as_json:
        print_json({"new": handle.new, **handle.view()})
    else:
        _show(handle)
    sys.exit(0 if handle.state is State.COMPLETED else 3)


@click.command("show")
@click.argument("job_id")
@json_option
def show_command(job_id: str, as_json: bool) -> None:
    """Show where a job is, why, what happens next and what it costs."""
    handle = client.get_job(job_id)
    if as_json:
        print_json(handle.view())
    else:
        _show(handle)


def _show(handle: client.JobHandle) -> None:
    seen = handle.view()
    step, cost = seen["next"], seen["cost"]
    print_fields(
        [
            ("job", seen["id"]),
            ("request id", seen["request_id"]),
            ("state", f"{seen['state']} ({seen['reason']})"),
            ("why", seen["detail"]),
            ("next", f"{step['action']} at {step['at']} (rule {step['rule']})" if step else None),
            *trouble_fields(seen),
            *tie_fields(seen),
            ("market", seen["market"]),
            ("cid", seen["cid"]),
            ("address", seen["address"]),
            ("host", seen["node"]),
            ("created", seen["created_at"]),
            ("started", seen["started_at"]),
            ("deadline", seen["deadline"]),
            ("ended", seen["ended_at"]),
            ("ran for", seen["ran_for"]),
            ("time-out", f"{seen['timeout']} ({seen['extends']} extensions)"),
            ("exit code", seen["exit_code"]),
            ("result", seen["result_cid"]),
            ("cost so far", f"${cost['so_far_usd']}"),
            ("at most now", f"${cost['committed_usd']}  (if every dispatcher process died now)"),
            ("at most ever", at_most_ever(seen)),
            ("settled", f"${cost['settled_usd']}" if cost["settled_usd"] else None),
        ]
    )


def at_most_ever(seen: dict[str, Any]) -> str:
    """The most that the job's policies allow, in words."""
    if seen["cost"]["allowed_usd"] is not None:
        return f"${seen['cost']['allowed_usd']}"
    if seen["runtime_at_most"] is None:
        return "no policy limits it"
    return f"the price of {seen['runtime_at_most']}, which is asked when the credits are held"


@click.command("jobs")
@click.option("--state", "states", multiple=True, type=click.Choice([state.value for state in State]))
@click.option("--label", "labels", multiple=True, callback=labels_of, help="name=value; all of several.")
@click.option("--account", help="Only jobs of this account.")
@click.option("--reason", "reasons", multiple=True, type=click.Choice([reason.value for reason in Reason]))
@click.option("--limit", type=click.IntRange(1, 1000), default=50, show_default=True)
@json_option
def jobs_command(
    states: tuple[str, ...],
    labels: dict[str, str],
    account: str | None,
    reasons: tuple[str, ...],
    limit: int,
    as_json: bool,
) -> None:
    """List jobs, the newest first."""
    seen = client.list_jobs(
        states=[State(state) for state in states],
        labels=labels,
        account=account,
        reasons=[Reason(reason) for reason in reasons],
        limit=limit,
    )
    if as_json:
        print_json(seen)
        return
    rows = [
        (
            job["id"],
            job["state"],
            dead_reason(job["dead"]) if job["dead"] else job["reason"],
            f"{job['next']['action']} {job['next']['at']}" if job.get("next") else "",
            job.get("extends"),
            job["cost"]["so_far_usd"] if "cost" in job else "?",
            job["cost"]["committed_usd"] if "cost" in job else "?",
        )
        for job in seen
    ]
    print_table(["job", "state", "reason", "next", "extends", "so far $", "at most now $"], rows)


@click.command("stop")
@click.argument("job_ids", nargs=-1)
@click.option("--all", "all_jobs", is_flag=True, help="Every job that is not over.")
@click.option("--account", help="With --all: only those of this account.")
@click.option(
    "--label", "labels", multiple=True, callback=labels_of, help="With --all: name=value; all of several."
)
@click.option("--yes", is_flag=True, help="With --all: do not ask.")
@json_option
def stop_command(
    job_ids: tuple[str, ...],
    all_jobs: bool,
    account: str | None,
    labels: dict[str, str],
    yes: bool,
    as_json: bool,
) -> None:
    """Stop jobs. A stop wins over every extension, and over a post that is under way.

    --all asks before it stops. It stops the jobs that are there, not those that are enqueued from then on:
    `dispatcher account freeze NAME` keeps an account from paying for new ones.
    """
    if all_jobs == bool(job_ids):
        raise click.UsageError("name jobs, or give --all")
    if all_jobs:
        stop_every_job(account, labels, yes=yes, as_json=as_json)
        return
    if account is not None or labels or yes:
        raise click.UsageError("--account, --label and --yes go with --all")
    handles, unreadable = readable_and_not(job_ids)
    dead = {handle.id for handle in handles if handle.is_dead}
    for handle in handles:
        handle.stop()
    if as_json:
        print_json([{"id": handle.id, "state": handle.state, "asked": not handle.done} for handle in handles])
    else:
        for handle in handles:
            asked = f"is over already: {handle.state}" if handle.done else "stop asked for"
            revived = "; it was a dead letter, and is tried again for this" if handle.id in dead else ""
            click.echo(f"{handle.id}  {asked}{revived}")
    stop_unreadable(unreadable)


@click.command("extend")
@click.argument("job_id")
@click.argument("by", type=DURATION)
@json_option
def extend_command(job_id: str, by: Any, as_json: bool) -> None:
    """Give a job so much more run time: extend ID 30m."""
    handle = client.get_job(job_id).extend(by)
    if as_json:
        print_json({"id": handle.id, "seconds": int(by.total_seconds()), "asked": True})
    else:
        click.echo(f"{handle.id}  extension asked for")
