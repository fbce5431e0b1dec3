"""Commands about dead letters: list, show, retry, drop; and what the other commands say of jobs in trouble."""

import sys
from collections.abc import Sequence
from typing import Any

import click

from dispatcher import client
from dispatcher.cli.output import json_option, print_fields, print_json, print_table
from dispatcher.domain.errors import DispatcherError, UnreadableRecord
from dispatcher.ports.dead import Unreadable


@click.group("dead")
def dead_group() -> None:
    """Jobs that were put aside after too many crashes. Nothing is done for them until you say so."""


@dead_group.command("list")
@click.option("--limit", type=click.IntRange(1, 1000), default=50, show_default=True)
@json_option
def list_command(limit: int, as_json: bool) -> None:
    """List dead letters, the newest first."""
    letters = client.dead_letters(limit=limit)
    if as_json:
        print_json(letters)
        return
    rows = [(letter["id"], letter["at"], letter["crashes"], letter["reason"]) for letter in letters]
    print_table(["job", "since", "crashes", "reason"], rows)


@dead_group.command("show")
@click.argument("job_id")
@json_option
def show_command(job_id: str, as_json: bool) -> None:
    """Show why a job is a dead letter, with the traceback, and what it can still cost."""
    letter = client.dead_letter(job_id)
    if as_json:
        print_json(letter)
        return
    job = letter["job"] or {"state": "unknown", "reason": "", "cost": {}, "address": None}
    most = job["cost"].get("committed_usd")
    print_fields(
        [
            ("job", letter["id"]),
            ("reason", letter["reason"]),
            ("crashes", letter["crashes"]),
            ("at", letter["at"]),
            ("next", _next(letter)),
            ("record", None if letter["readable"] else "cannot be read; what follows is what its log says"),
            ("state", f"{job['state']} ({job['reason']})" if letter["job"] else "unknown"),
            ("address", job["address"]),
            ("network", letter["alive"] or "nothing of it can be alive there"),
            ("at most now", f"${most}" if most else "unknown"),
        ]
    )
    if letter["traceback"]:
        click.echo("\n" + letter["traceback"].rstrip())


def _next(letter: dict[str, Any]) -> str:
    if letter["dropped_at"]:
        return f"nothing: it was dropped at {letter['dropped_at']}"
    if letter["dead"]:
        return f"nothing, until `dispatcher dead retry {letter['id']}`, a stop, or `dispatcher dead drop`"
    return f"tried again at {letter['retry_at']}" if letter["retry_at"] else "tried again"


@dead_group.command("retry")
@click.argument("job_ids", nargs=-1)
@click.option("--all", "all_", is_flag=True, help="All that are dead now.")
@json_option
def retry_command(job_ids: tuple[str, ...], all_: bool, as_json: bool) -> None:
    """Try dead letters again, each as often as a new job."""
    if bool(job_ids) == all_:
        raise click.UsageError("name the jobs to try again, or give --all")
    revived = client.retry_dead(None if all_ else job_ids)
    others = [job_id for job_id in job_ids if job_id not in revived]
    if as_json:
        print_json({"retried": revived, "not_dead": others})
    else:
        for job_id in revived:
            click.echo(f"{job_id}  is tried again")
        for job_id in others:
            click.echo(f"{job_id}  is no dead letter: nothing was done", err=True)
        if all_ and not revived:
            click.echo("no dead letters")
    if others:
        sys.exit(1)


@dead_group.command("drop")
@click.argument("job_ids", nargs=-1, required=True)
@click.option("--running", is_flag=True, help="Also jobs that may be alive on the network, and cost on.")
@json_option
def drop_command(job_ids: tuple[str, ...], running: bool, as_json: bool) -> None:
    """End dead letters for good. Nothing is asked of the network."""
    failed = False
    for job_id in job_ids:
        try:
            job = client.drop_dead(job_id, running=running)
        except DispatcherError as e:
            failed = True
            click.echo(f"error: {e}", err=True)
            continue
        settled = job["cost"]["settled_usd"] if job else None
        if as_json:
            print_json({"id": job_id, "dropped": True, "settled_usd": settled})
        else:
            cost = f"settled at ${settled}" if settled else "its record could not be read"
            click.echo(f"{job_id}  dropped; {cost}")
    if failed:
        sys.exit(1)


# --- what the other commands say --------------------------------------------------------------------------


def dead_reason(dead: dict[str, Any]) -> str:
    """The reason in the list of jobs, short."""
    return "dropped" if dead["dropped_at"] else f"dead: {dead['reason']}"[:48]


def trouble_fields(seen: dict[str, Any]) -> list[tuple[str, Any]]:
    """The lines of `show` for a job whose last turns failed."""
    if dead := seen["dead"]:
        return [
            ("next", dead["next"]),
            ("dead", f"since {dead['at']}, after {dead['crashes']} crashes: {dead['reason']}"),
        ]
    if crashed := seen["crashed"]:
        again = f"; tried again at {crashed['retry_at']}" if crashed["retry_at"] else "; being tried again"
        return [("crashed", f"{crashed['crashes']} times in a row, last {crashed['reason']}{again}")]
    return []


def readable_and_not(job_ids: Sequence[str]) -> tuple[list[client.JobHandle], list[client.JobHandle]]:
    """Handles of the jobs, apart those whose record cannot be read. Raises `UnknownJob`."""
    readable, unreadable = [], []
    for job_id in job_ids:
        try:
            readable.append(client.get_job(job_id))
        except UnreadableRecord:
            unreadable.append(client.get_job(job_id, read=False))
    return readable, unreadable


def stop_unreadable(handles: Sequence[client.JobHandle]) -> None:
    """Leave the stop for each, say what that is worth, and exit with 1."""
    for handle in handles:
        try:
            handle.stop()
        except DispatcherError as e:
            click.echo(f"error: {e}", err=True)
    if handles:
        sys.exit(1)


def print_unreadable(entry: Unreadable, *, as_json: bool) -> None:
    """The place in a log of an entry that cannot be read."""
    if as_json:
        print_json({"at": None, "kind": "unreadable", "position": entry.position})
    else:
        click.echo(f"{'?':<20}  unreadable      entry {entry.position}: of a newer version, or damaged")
