"""Commands about the account and the network: balance, markets, network."""

import sys
from decimal import Decimal
from typing import Any

import click

from dispatcher import client
from dispatcher.cli.output import json_option, print_fields, print_json, print_table

account_option = click.option("--account", default="default", show_default=True, help="Name of the account.")


@click.command("balance")
@account_option
@click.option(
    "--all", "all_accounts", is_flag=True, help="Every account, and the total of what jobs can still cost."
)
@json_option
def balance_command(account: str, all_accounts: bool, as_json: bool) -> None:
    """Show the account's credits, what is held, and the most that its jobs can still cost.

    With --all the exit code is 1 if an account could not be asked; what its jobs can cost is in the total anyway.
    """
    if all_accounts:
        seen = client.balances()
        print_json(seen) if as_json else _print_all(seen)
        sys.exit(1 if any("error" in each for each in seen["accounts"]) else 0)
    seen = client.balance(account)
    if as_json:
        print_json(seen)
        return
    _print_balance(seen)


def _print_balance(seen: dict[str, Any]) -> None:
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
            *_standing(seen),
            *still_fields(seen),
        ]
    )


def _standing(seen: dict[str, Any]) -> list[tuple[str, Any]]:
    """Whether the account is frozen, and whether its books are right."""
    rows: list[tuple[str, Any]] = []
    if (frozen := seen["frozen"]) is not None:
        rows += [
            ("frozen", f"since {frozen['at']} by {frozen['by']}: {frozen['reason']}"),
            ("", f"nothing is posted or extended until `dispatcher account thaw {seen['account']}`"),
            ("still run", f"{frozen['running_jobs']} jobs" if frozen["running_jobs"] else None),
            ("", ", ".join(frozen["running_job_ids"])),
        ]
    if seen["drift_usd"] is not None:
        rows.append(("drift", f"${seen['drift_usd']}  (audited {seen['audited_at']})"))
        rows.append(("", seen["drift_detail"] if Decimal(seen["drift_usd"]) else None))
    return rows


def still_fields(seen: dict[str, Any]) -> list[tuple[str, str]]:
    """What live jobs can still cost, in words."""
    return [
        ("live jobs", str(seen["live_jobs"])),
        ("at most now", f"${seen['unattended_usd']}  (if every dispatcher process died now)"),
        ("at most ever", at_most_ever(seen)),
    ]


def at_most_ever(seen: dict[str, Any]) -> str:
    """By the jobs' policies; or how many jobs have no limit that is known."""
    if seen["allowed_usd"] is not None:
        return f"${seen['allowed_usd']}  (by the jobs' policies)"
    count = seen["unlimited_jobs"]
    have = "1 job has" if count == 1 else f"{count} jobs have"
    return f"not known: {have} no limit, or no price yet"


def _print_all(seen: dict[str, Any]) -> None:
    for each in seen["accounts"]:
        if "error" in each:
            print_fields([("account", each["account"]), ("error", each["error"]), *still_fields(each)])
        else:
            _print_balance(each)
        click.echo()
    print_fields(
        [
            ("in total", f"{len(seen['accounts'])} account{'' if len(seen['accounts']) == 1 else 's'}"),
            *still_fields(seen["total"]),
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
            _looks(lane),
            f"until {lane['paused_until']}" if lane["paused_until"] else "no",
            _breaker(lane),
        )
        for lane in seen
    ]
    print_table(["account", "API", "rate limit", "looks", "paused", "breaker"], rows)


def _looks(lane: dict[str, Any]) -> str:
    if lane["polls_now"] is None:
        return "not counted"
    waiting = f", the last that waits at {lane['polls_wait_until']}" if lane["polls_wait_until"] else ""
    return f"{lane['polls_per_minute']:g}/min, {lane['polls_now']} now{waiting}"


def _breaker(lane: dict[str, Any]) -> str:
    failures = f"{lane['failures_in_a_row']} failures in a row"
    if lane["breaker"] == "closed":
        return f"closed, {failures}" if lane["failures_in_a_row"] else "closed"
    return f"{lane['breaker']} since {lane['breaker_since']}, {failures}, next try at {lane['next_trial_at']}"
