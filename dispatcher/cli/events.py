"""The command that tells what happened to a job, and what goes on happening: events."""

import sys
from collections.abc import Iterable
from typing import Final

import click

from dispatcher import client
from dispatcher.cli.dead import print_unreadable
from dispatcher.cli.output import json_option, print_json
from dispatcher.domain.eventlog import LOG_AT_LAST, LOG_AT_MOST
from dispatcher.domain.events import EVENTS, Event
from dispatcher.domain.eventwords import in_words, who
from dispatcher.domain.view import timestamp
from dispatcher.ports.dead import Unreadable

_GAPS: Final = {
    LOG_AT_MOST: f"the log is long: from its {LOG_AT_MOST}th entry on, waits and looks are left out",
    LOG_AT_LAST: f"the log is very long: from its {LOG_AT_LAST}th entry on, all but the end is left out",
}
_INTERRUPTED: Final = 130
"""The exit code of what Ctrl-C ended."""


@click.command("events")
@click.argument("job_id")
@click.option("--follow", "-f", is_flag=True, help="Go on with what happens, until the job is over.")
@json_option
def events_command(job_id: str, follow: bool, as_json: bool) -> None:
    """Print everything that happened to a job, oldest first: when, what, under which rule and policy, for whom.

    --json prints one event a line. The record can be derived from them again, but where a long log has gaps.
    """
    handle = client.get_job(job_id, read=False)
    try:
        _print(handle.follow() if follow else handle.log() or handle.refresh().events(), as_json=as_json)
    except KeyboardInterrupt:
        sys.exit(_INTERRUPTED)


def _print(log: Iterable[Event | Unreadable], *, as_json: bool) -> None:
    for number, event in enumerate(log, start=1):
        if isinstance(event, Unreadable):
            print_unreadable(event, as_json=as_json)
        elif as_json:
            fields = EVENTS.dump_python(event, mode="json", exclude_none=True)
            print_json({"at": timestamp(fields.pop("at")), "kind": fields.pop("kind"), **fields})
        else:
            click.echo(_line(event))
        if number in _GAPS:
            _print_gap(number, as_json=as_json)


def _line(event: Event) -> str:
    cause = [part for part in (event.rule, event.policy) if part is not None]
    if (by := who(event)) is not None and not (by == "policy" and event.policy):
        cause.append(f"by {by}")
    under = f"  [{', '.join(cause)}]" if cause else ""
    said = " ".join(in_words(event).split())
    return f"{timestamp(event.at)}  {event.kind:<15}  {said}{under}".rstrip()


def _print_gap(position: int, *, as_json: bool) -> None:
    """Told where it is: nobody who reads on may take what follows for everything."""
    if as_json:
        print_json({"at": None, "kind": "gap", "position": position, "detail": _GAPS[position]})
    else:
        click.echo(f"{'...':<20}  gap              {_GAPS[position]}")
