"""Commands about the account and the network: balance, markets."""

from decimal import Decimal
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
            *_standing(account, seen),
        ]
    )


def _standing(account: str, seen: dict[str, Any]) -> list[tuple[str, Any]]:
    """Whether the account is frozen, and whether its books are right."""
    rows: list[tuple[str, Any]] = []
    if (frozen := seen["frozen"]) is not None:
        rows += [
            ("frozen", f"since {frozen['at']} by {frozen['by']}: {frozen['reason']}"),
            ("", f"nothing is posted or extended until `dispatcher account thaw {account}`"),
            ("still run", f"{frozen['running_jobs']} jobs" if frozen["running_jobs"] else None),
            ("", ", ".join(frozen["running_job_ids"])),
        ]
    if seen["drift_usd"] is not None:
        rows.append(("drift", f"${seen['drift_usd']}  (audited {seen['audited_at']})"))
        rows.append(("", seen["drift_detail"] if Decimal(seen["drift_usd"]) else None))
    return rows


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
