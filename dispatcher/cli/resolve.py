"""The command by which a person says what became of a post: resolve."""

import click

from dispatcher import client
from dispatcher.cli.output import json_option, print_json


@click.command("resolve")
@click.argument("job_id")
@click.option("--posted", metavar="ADDRESS", help="The job is on the network, at this address.")
@click.option("--not-posted", is_flag=True, help="The job is not on the network: it is posted again.")
@json_option
def resolve_command(job_id: str, posted: str | None, not_posted: bool, as_json: bool) -> None:
    """Say what became of a job's post, where the dispatcher cannot find out (reason `unresolved`).

    Look for the job on the network by its CID, which `dispatcher show` prints. Is it there, give its address: the
    record at that address is read first, and another job's is refused. With --not-posted the job is posted again, or
    ended if a stop was asked for. Be sure then: a job that is there all the same would run, and be paid, twice.
    """
    if (posted is None) is not not_posted:
        raise click.UsageError("say either --posted ADDRESS or --not-posted")
    handle = client.get_job(job_id).resolve(posted=posted, not_posted=not_posted)
    if as_json:
        print_json({"id": handle.id, "posted": posted, "not_posted": not_posted, "asked": True})
    else:
        click.echo(f"{handle.id}  {f'is taken to be at {posted}' if posted else 'is posted again, or ended'}")
