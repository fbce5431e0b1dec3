"""The group of commands."""

import sys

import click

from dispatcher.cli.dead import dead_group
from dispatcher.cli.events import events_command
from dispatcher.cli.explain import explain_command
from dispatcher.cli.jobs import (
    enqueue_command,
    extend_command,
    jobs_command,
    show_command,
    stop_command,
)
from dispatcher.cli.local import demo_command, redis_command, simulate_command, validate_command
from dispatcher.cli.metrics import metrics_command
from dispatcher.cli.money import account_group, budget_group
from dispatcher.cli.network import balance_command, markets_command, network_command
from dispatcher.cli.plan import plan_command
from dispatcher.cli.policies import policies_group, policy_command
from dispatcher.cli.reconcile import reconcile_command
from dispatcher.cli.resolve import resolve_command
from dispatcher.cli.schedule import schedule_group
from dispatcher.domain.errors import DispatcherError, InvalidRequest


class _Group(click.Group):
    """Prints our errors as one clear text instead of a traceback."""

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except InvalidRequest as e:
            click.echo(str(e), err=True)
            sys.exit(2)
        except DispatcherError as e:
            click.echo(f"error: {e}", err=True)
            sys.exit(1)


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="dispatcher")
def main() -> None:
    """Run jobs on prepaid compute networks: posted once, followed, extended, stopped, within what you allowed.

    Settings are read from DISPATCHER_... variables; see the README.
    """


for _command in (
    enqueue_command,
    plan_command,
    show_command,
    explain_command,
    jobs_command,
    stop_command,
    extend_command,
    policy_command,
    policies_group,
    resolve_command,
    events_command,
    dead_group,
    schedule_group,
    balance_command,
    budget_group,
    account_group,
    markets_command,
    reconcile_command,
    network_command,
    metrics_command,
    validate_command,
    simulate_command,
    redis_command,
    demo_command,
):
    main.add_command(_command)
