"""Commands that need no account and no workers: validate, simulate, redis, demo."""

import sys
from io import StringIO
from pathlib import Path
from typing import IO, Any

import click

from dispatcher import settings
from dispatcher.cli.inputs import DURATION, read_json
from dispatcher.cli.output import json_option, print_json
from dispatcher.domain.definition import secret_faults, validate_definition
from dispatcher.domain.errors import InvalidRequest
from dispatcher.domain.faults import Fault
from dispatcher.domain.money import parse_usd
from dispatcher.ops import logs
from dispatcher.ops.clock import parse_clock, start_clock


@click.command("validate")
@click.argument("file", type=click.File(encoding="utf-8"))
@json_option
def validate_command(file: IO[str], as_json: bool) -> None:
    """Validate job definitions with the verdicts of the network's own validator.

    FILE holds one definition; exit code 2 if it is not valid. With --json - (standard input) one definition per
    line is read, and answered by one line each: {"valid", "errors": [{"path", "message"}]}, and "secrets", likewise,
    where it seems to hold some. Those are no part of the verdict, but `enqueue` refuses them unless they are allowed.
    """
    if as_json:
        for text in file if file.name == "<stdin>" else [file.read()]:
            if text.strip():
                print_json(_verdict(text))
        return
    definition = read_json(file)
    for fault in secret_faults(definition):
        click.echo(f"warning: {fault}", err=True)
    if faults := validate_definition(definition):
        raise InvalidRequest(faults)
    click.echo("valid")


def _verdict(text: str) -> dict[str, Any]:
    try:
        definition = read_json(StringIO(text))
    except InvalidRequest as e:
        return {"valid": False, "errors": [Fault("$input", fault.message).as_dict() for fault in e.faults]}
    faults, found = validate_definition(definition), secret_faults(definition)
    verdict = {"valid": not faults, "errors": [fault.as_dict() for fault in faults]}
    return {**verdict, "secrets": [fault.as_dict() for fault in found]} if found else verdict


def _account(_: click.Context, __: click.Parameter, values: tuple[str, ...]) -> dict[str, str]:
    accounts: dict[str, str] = {}
    for value in values:
        api_key, separator, credits_usd = value.rpartition("=")
        if not separator or not api_key:
            raise click.BadParameter("write API_KEY=CREDITS: nos_rich=100")
        try:
            accounts[api_key] = str(parse_usd(credits_usd))
        except ValueError as e:
            raise click.BadParameter(str(e)) from e
    return accounts


@click.command("simulate")
@click.option("--port", type=click.IntRange(0, 65535), default=0, show_default=True, help="0: any free one.")
@click.option(
    "--account", "accounts", multiple=True, callback=_account, help="API_KEY=CREDITS; may be repeated."
)
@click.option("--ipfs-jwt", default="test-jwt", show_default=True)
@click.option(
    "--speed",
    type=click.FloatRange(min=0.001),
    default=1.0,
    show_default=True,
    help="How fast its time runs.",
)
@click.option(
    "--clock", "clock_option", help="SPEED@ORIGIN of a clock that runs already; instead of --speed."
)
@click.option("--seed", type=int, default=0, show_default=True)
@click.option(
    "--faults",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Plan of misbehaviour (JSON).",
)
@click.option(
    "--generation",
    type=click.Choice(["2", "3"]),
    default="3",
    show_default=True,
    help="Of the network's API.",
)
@click.option(
    "--journal", type=click.Path(dir_okay=False, path_type=Path), help="Keep the network in this file."
)
@click.option("--visible-after", type=DURATION, help="How long a new job is unknown to the index.")
@json_option
def simulate_command(as_json: bool, **options: Any) -> None:
    """Run a simulated network on this machine, until Ctrl-C.

    It serves the API, the pinning service and the gateway on one port. With --json it prints one line when it is
    ready; give that line's "clock" as DISPATCHER_CLOCK to everything that works against it. With --journal, the same
    file and options bring a network that was ended or killed back as it was, its clock included.
    """
    # Heavy, and of use to this command alone.
    from dispatcher.simulator.fault_plan import FaultPlanError  # noqa: PLC0415
    from dispatcher.simulator.journal import JournalError, clock_of  # noqa: PLC0415
    from dispatcher.simulator.network import Options  # noqa: PLC0415
    from dispatcher.simulator.serve import ServerConfig, load_plan, serve  # noqa: PLC0415

    journal: Path | None = options["journal"]
    try:
        begun = clock_of(journal) if journal else None
        text = begun or options["clock_option"] or start_clock(options["speed"])
        ticking = parse_clock(text)
        config = ServerConfig(
            clock=text,
            port=options["port"],
            seed=options["seed"],
            accounts=options["accounts"] or {"nos_simulated_key": "100"},
            ipfs_jwt=options["ipfs_jwt"],
            options=Options(
                generation=3 if options["generation"] == "3" else 2,
                visible_after=options["visible_after"].total_seconds() if options["visible_after"] else 0.0,
                speed=ticking.speed,
            ),
            faults=load_plan(options["faults"]) if options["faults"] else (),
            journal=journal,
        )
        serve(config, ticking.now, lambda ready: _print_ready(ready, as_json))
    except (FaultPlanError, JournalError) as e:
        raise click.UsageError(str(e)) from e
    except OSError as e:
        raise click.ClickException(f"cannot listen on port {options['port']}: {e.strerror or e}") from e


def _print_ready(ready: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print_json(ready)
        return
    click.echo("The simulated network is ready. To work against it:\n")
    click.echo(f"  export DISPATCHER_NOSANA_API_URL={ready['api_url']}")
    click.echo(f"  export DISPATCHER_NOSANA_API_KEY={ready['accounts'][0]['api_key']}")
    click.echo(f"  export DISPATCHER_IPFS_API_URL={ready['ipfs_api_url']}")
    click.echo(f"  export DISPATCHER_IPFS_GATEWAY_URL={ready['ipfs_gateway_url']}")
    click.echo(f"  export DISPATCHER_IPFS_JWT={ready['ipfs_jwt']}")
    click.echo(f"  export DISPATCHER_CLOCK={ready['clock']}\n")
    click.echo("Ctrl-C ends it.")


@click.command("redis")
def redis_command() -> None:
    """Run an embedded Redis for development, if there is no other; see the README for what it is not for."""
    from dispatcher.ops.embedded import run_foreground  # noqa: PLC0415 - of use to this command alone

    found = settings.load()
    logs.configure(found)
    run_foreground(found)


@click.command("demo")
@json_option
@click.option(
    "--keep-logs", type=click.Path(file_okay=False, path_type=Path), help="Keep the processes' logs here."
)
def demo_command(as_json: bool, keep_logs: Path | None) -> None:
    """Show the main job on this machine: simulated network, embedded Redis, real workers; under a minute."""
    from dispatcher.demo import run_demo  # noqa: PLC0415 - heavy, and of use to this command alone

    sys.exit(run_demo(as_json=as_json, keep_logs=keep_logs))
