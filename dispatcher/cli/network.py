"""Commands about the account and the network: balance, markets, network."""

from typing import Any

import click

from dispatcher import client
from dispatcher.cli.output import json_option, print_fields, print_json, print_table

account_option = click.option("--account", default="default", show_default=True, help="Name of the account.")


@click.command("balance")
@account_option
@json_option
def balance_command(account: str, as_json: bool) -> None:
    """Show the account's credits, what is held, and the most that can still be spent as things stand."""
    seen = client.balance(account)
    if as_json:
        print_json(seen)
        return
    print_fields(
        [
            ("account", seen["account"]),
            ("assigned", f"${seen['assigned_usd']}"),
            ("reserved", f"${seen['reserved_usd']}  (by the network, for jobs that are not over)"),
            ("settled", f"${seen['settled_usd']}"),
            ("available", f"${seen['available_usd']}"),
            ("held", f"${seen['held_usd']}  (here, for jobs that are not over)"),
            ("jobs cost", f"${seen['jobs_settled_usd']}  (those of this dispatcher that ended)"),
            ("waiting", f"{seen['waiting_jobs']} jobs wait for credit" if seen["waiting_jobs"] else None),
        ]
    )


@click.command("markets")
@account_option
@json_option
def markets_command(account: str, as_json: bool) -> None:
    """List the markets with what an hour costs, the network's fee included."""
    seen = client.markets(account)
    if as_json:
        print_json(seen)
        return
    rows = [
        (
            m["slug"],
            m["type"],
            m["rate_per_hour_usd"] or "no price",
            m["lowest_vram"],
            ", ".join(m["gpu_types"]),
            m["address"],
        )
        for m in seen
    ]
    print_table(["market", "type", "$/hour", "VRAM", "GPUs", "address"], rows)


@click.command("network")
@json_option
def network_command(as_json: bool) -> None:
    """Show what holds calls to the network back: rate limits, pauses that it asked for, breakers."""
    seen = client.network()
    if as_json:
        print_json(seen)
        return
    rows = [
        (
            lane["account"],
            lane["api"],
            f"{lane['requests_per_second']:g}/s, {lane['available_now']} now",
            f"until {lane['paused_until']}" if lane["paused_until"] else "no",
            _breaker(lane),
        )
        for lane in seen
    ]
    print_table(["account", "API", "rate limit", "paused", "breaker"], rows)


def _breaker(lane: dict[str, Any]) -> str:
    failures = f"{lane['failures_in_a_row']} failures in a row"
    if lane["breaker"] == "closed":
        return f"closed, {failures}" if lane["failures_in_a_row"] else "closed"
    return f"{lane['breaker']} since {lane['breaker_since']}, {failures}, next try at {lane['next_trial_at']}"
