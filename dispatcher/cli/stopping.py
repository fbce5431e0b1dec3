"""`dispatcher stop --all`: says what it is about to stop, asks, and stops it."""

import sys

import click

from dispatcher import client
from dispatcher.cli.network import at_most_ever
from dispatcher.cli.output import print_json


def stop_every_job(account: str | None, labels: dict[str, str], *, yes: bool, as_json: bool) -> None:
    """Stop all jobs that are not over, or those of `account` and with all of `labels`.

    Asks on a terminal; elsewhere `yes` has to be given.
    """
    seen = client.live_jobs(account=account, labels=labels)
    if seen["live_jobs"] == 0:
        if as_json:
            print_json({"asked": 0, **seen})
        else:
            click.echo(f"no job {_which(account, labels)} is live")
        return
    if not yes:
        if not is_terminal():
            raise click.UsageError("this is no terminal to ask on: give --yes to stop all these jobs unasked")
        click.confirm(
            f"Stop {_count(seen['live_jobs'])} {_which(account, labels)}? At most now: ${seen['unattended_usd']}, "
            f"if nobody stops them; at most ever: {at_most_ever(seen)}",
            abort=True,
            err=True,
        )
    asked = client.stop_all(account=account, labels=labels)
    if as_json:
        print_json({"asked": asked, **seen})
        return
    click.echo(f"stop asked for: {_count(asked)} {_which(account, labels)}")
    click.echo(
        "Jobs that are enqueued from now on are not stopped: `dispatcher account freeze NAME` keeps an account "
        "from paying for new ones.",
        err=True,
    )


def is_terminal() -> bool:
    """Whether there is somebody to ask."""
    return sys.stdin.isatty()


def _count(jobs: int) -> str:
    return "1 job" if jobs == 1 else f"{jobs} jobs"


def _which(account: str | None, labels: dict[str, str]) -> str:
    said = [f"labelled {name}={value}" for name, value in labels.items()]
    return " ".join([*said, "of all accounts" if account is None else f"of account {account}"])
