"""`dispatcher metrics`: the figures for Prometheus, once or served."""

import re
import sys

import click

from dispatcher import bootstrap
from dispatcher.engine.parts import Parts
from dispatcher.ops import logs
from dispatcher.ops.metrics import Collector, MetricsServer, exposition, store_trouble

_ADDRESS = re.compile(r"(?:\[(?P<six>[0-9A-Fa-f:.]+)\]|(?P<host>[^:\[\]]*)):(?P<port>\d{1,5})")


class Address(click.ParamType[tuple[str, int]]):
    """HOST:PORT; nothing before the colon is every address of the machine."""

    name = "address"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, int]:
        found = _ADDRESS.fullmatch(str(value))
        if found is None or int(found["port"]) > 65535:
            self.fail(f"{value!r} is no address: write 127.0.0.1:9808", param, ctx)
        return found["six"] or found["host"], int(found["port"])


@click.command("metrics")
@click.option("--serve", "address", type=Address(), help="Serve /metrics and /healthz here: 127.0.0.1:9808.")
def metrics_command(address: tuple[str, int] | None) -> None:
    """Print the figures for Prometheus once, or serve them until Ctrl-C.

    They are read from the store whenever they are asked for; the network is not asked. Exit code 1 if the store does
    not answer. Whoever reaches the address may read them: names of accounts, amounts and counts, no job's data.
    """
    parts = _parts()
    if address is None:
        text, _ = exposition(Collector(parts))
        click.echo(text, nl=False)
        if (trouble := store_trouble(parts)) is not None:
            click.echo(f"error: {trouble}", err=True)
            sys.exit(1)
        return
    server = MetricsServer(parts, *address)
    port = server.server_address[1]
    click.echo(f"serving /metrics and /healthz on port {port} of {address[0] or 'every address'}", err=True)
    server.serve_until_signal()


def _parts() -> Parts:
    from dispatcher.celery import app  # noqa: PLC0415 - reads the settings: not before a command needs them

    runtime = bootstrap.runtime(app)
    logs.configure(runtime.settings)
    return runtime.parts
