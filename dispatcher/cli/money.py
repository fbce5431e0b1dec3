"""Commands about what may be spent: budget, account."""

from typing import Any

import click

from dispatcher import client
from dispatcher.cli.output import json_option, print_fields, print_json, print_table
from dispatcher.domain.budget import Window, in_words
from dispatcher.domain.money import parse_usd


@click.group("budget")
def budget_group() -> None:
    """Limit what may be spent in a day, in a month (UTC's), or in total.

    A scope is account:NAME, label:NAME (every job with a label of that name, or with that value), or
    label:NAME=VALUE. One scope may have a budget for each window.
    """


@budget_group.command("set")
@click.argument("scope")
@click.argument("limit")
@json_option
def set_command(scope: str, limit: str, as_json: bool) -> None:
    """Set or change a budget: set label:team-a 50/day. Without a window it is a total, counted from now."""
    use = client.set_budget(scope, limit)
    if as_json:
        print_json(use)
    else:
        click.echo(f"{use['scope']} {_limit(use)}: ${use['used_usd']} is used, ${use['left_usd']} is left")


@budget_group.command("list")
@json_option
def list_command(as_json: bool) -> None:
    """Show every budget, what is used of it, and until when."""
    uses = client.budgets()
    if as_json:
        print_json(uses)
        return
    names = ("scope", "window", "limit_usd", "used_usd", "held_usd", "left_usd", "since", "until")
    headings = ["scope", "window", "limit $", "used $", "of that held $", "left $", "since", "until"]
    print_table(headings, [tuple(use[name] for name in names) for use in uses])


@budget_group.command("remove")
@click.argument("scope")
@click.argument("window", required=False)
@json_option
def remove_command(scope: str, window: str | None, as_json: bool) -> None:
    """Remove a budget: remove label:team-a /day. The window may be left out where there is only one."""
    removed = client.remove_budget(scope, window)
    if as_json:
        print_json(removed)
    else:
        click.echo(f"{removed['scope']} {_limit(removed)}: removed")


def _limit(use: dict[str, Any]) -> str:
    return in_words(parse_usd(use["limit_usd"]), Window(use["window"]))


@click.group("account")
def account_group() -> None:
    """Freeze and thaw an account, and audit its books."""


@account_group.command("freeze")
@click.argument("account")
@click.option("--reason", default="", help="Why, for whoever looks next.")
@json_option
def freeze_command(account: str, reason: str, as_json: bool) -> None:
    """Post and extend nothing more for the account. What runs goes on until it ends or is stopped."""
    frozen = client.freeze_account(account, reason)
    if as_json:
        print_json({"account": account, **frozen})
        return
    click.echo(f"{account} is frozen since {frozen['at']} by {frozen['by']}: {frozen['reason']}")
    if frozen["running_jobs"]:
        click.echo(f"{frozen['running_jobs']} of its jobs are on the network and go on")


@account_group.command("thaw")
@click.argument("account")
@json_option
def thaw_command(account: str, as_json: bool) -> None:
    """Let the account spend again, unless the network's balance is below zero."""
    thawed = client.thaw_account(account)
    if as_json:
        print_json(thawed)
    else:
        click.echo(f"{account} may spend again: ${thawed['available_usd']} is available")


@account_group.command("audit")
@click.argument("account")
@click.option("--accept", is_flag=True, help="What is different now is right, and is no drift.")
@json_option
def audit_command(account: str, accept: bool, as_json: bool) -> None:
    """Compare the network's books with what is known here, now."""
    found = client.audit_account(account, accept=accept)
    if as_json:
        print_json(found)
        return
    print_fields(
        [
            ("account", account),
            ("network", f"${found['network_usd']}  (reserved and settled)"),
            ("known here", f"${found['known_usd']}"),
            ("drift", f"${found['drift_usd']}{'' if found['balanced'] else '  (not explained)'}"),
            ("detail", found["drift_detail"]),
        ]
    )
