"""The command that tells what will happen before anything is paid: plan."""

import sys
from pathlib import PurePath
from typing import IO, Any

import click

from dispatcher import client
from dispatcher.cli.inputs import DURATION
from dispatcher.cli.jobs import enqueue_command
from dispatcher.cli.output import print_fields, print_json, print_table
from dispatcher.cli.requests import read_document_of, request_of
from dispatcher.cli.timeline import timeline_svg
from dispatcher.domain.planned import planned_view

_NOT_PLANNED = {"file", "wait", "wait_timeout", "as_json"}


@click.command("plan")
@click.argument("file", type=click.File("rb"))
@click.option("--runs-for", type=DURATION, help="How long the job works; default: as long as it is allowed.")
@click.option(
    "--queued-for", type=DURATION, default="1m", show_default=True, help="How long hosts keep it waiting."
)
@click.option(
    "--exit-code", type=click.IntRange(0, 255), default=0, help="With which it ends then; default: 0."
)
@click.option("--rate", help="US dollars an hour, fee included, instead of asking the network.")
@click.option("--svg", type=click.File("w", encoding="utf-8"), help="Write the timeline as a picture.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
def plan_command(
    file: IO[bytes],
    runs_for: Any,
    queued_for: Any,
    exit_code: int,
    rate: str | None,
    svg: Any,
    as_json: bool,
    **options: Any,
) -> None:
    """Tell what will happen to a request, and what it costs, before it is enqueued. Nothing is stored or spent.

    FILE and the options are those of `enqueue`; exit code 3 if the job could not run.
    """
    planned = client.plan(
        request_of(read_document_of(file), options),
        runs_for=runs_for,
        queued_for=queued_for,
        exit_code=exit_code,
        rate_per_hour=rate,
    )
    if svg is not None:
        svg.write(timeline_svg(planned, PurePath(getattr(file, "name", "job")).name))
    seen = planned_view(planned)
    if as_json:
        print_json(seen)
    else:
        _show(seen)
    sys.exit(0 if seen["can_run"] else 3)


def _show(seen: dict[str, Any]) -> None:
    cost, ends = seen["cost"], seen["ends"]
    if seen["timeline"]:
        rows = [
            (
                step["after"],
                step["event"].replace("_", " "),
                step["detail"],
                step["rule"],
                step["polls_before"] or "",
                step["so_far_usd"],
                step["committed_usd"],
            )
            for step in seen["timeline"]
        ]
        print_table(["after", "what", "", "rule", "polls before", "so far $", "at most then $"], rows)
        click.echo()
    print_fields(
        [
            ("ends", f"{ends['state'] or 'never'} ({ends['reason']})" if ends else "cannot run"),
            ("expected cost", f"${cost['expected_usd']}" if cost["expected_usd"] else "no limit"),
            ("worst cost", f"${cost['worst_usd']}" if cost["worst_usd"] else "no policy limits it"),
            ("unattended", f"${cost['unattended_usd']}  (at most, if every dispatcher process dies)"),
            (
                "calls",
                f"{seen['calls_total']}  ({', '.join(f'{n} {name}' for name, n in seen['calls'].items())})",
            ),
        ]
        if ends
        else [("ends", "cannot run")]
    )
    for conflict in seen["conflicts"]:
        click.echo(f"{conflict['severity']}: {conflict['path']}: {conflict['message']}")


for _option in enqueue_command.params:
    if _option.name not in _NOT_PLANNED:
        plan_command.params.append(_option)
