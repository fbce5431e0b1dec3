"""The command that looks everything over: reconcile."""

from typing import Any

import click

from dispatcher import client
from dispatcher.cli.network import account_option
from dispatcher.cli.output import json_option, print_json


@click.command("reconcile")
@click.option("--stop", "address", help="Stop this job on the network, which no job here has.")
@account_option
@json_option
def reconcile_command(address: str | None, account: str, as_json: bool) -> None:
    """Look over the store and the network, put right what does not fit, and say what it was.

    Beat does the same in small rounds, a minute apart. --account only matters to --stop.
    """
    if address is not None:
        stray = client.stop_stray(address, account)
        if as_json:
            print_json(stray)
        else:
            click.echo(_told(stray))
        return
    found = client.reconcile()
    if as_json:
        print_json(found)
        return
    for mended in found["mended"]:
        click.echo(f"mended  {mended['job']}  {mended['what']}")
    for adopted in found["adopted"]:
        click.echo(
            f"adopted  {adopted['job']}  goes on as {adopted['address']}, the older of two on the network"
        )
    for stray in found["strays"]:
        click.echo(_told(stray))
    for unseen in found["not_looked_at"]:
        click.echo(f"not looked at  {unseen}")
    for name in found["not_listed"]:
        click.echo(f"not looked at  account {name}: its jobs on the network cannot be listed")
    if found["foreign_jobs"]:
        click.echo(f"{found['foreign_jobs']} live jobs on the network are not this dispatcher's")
    click.echo(f"{found['looked_at']} jobs looked over, {len(found['mended']) or 'nothing'} mended")


def _told(stray: dict[str, Any]) -> str:
    if stray["kind"] == "foreign":
        did = "left alone"
    elif stray["kind"] == "suspected":
        did = f"left alone; `dispatcher reconcile --stop {stray['address']} --account {stray['account']}` stops it"
    elif stray["outcome"] is None:
        did = "its stop is not confirmed yet, and tried again every minute"
    elif stray["outcome"] == "gone":
        did = "the network does not know it (any more)"
    else:
        did = f"stopped ({stray['outcome']})"
    return f"on the network  {stray['address']}  {stray['kind']}: {stray['why']}; {did}"
