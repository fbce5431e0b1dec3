"""Commands about policies: the named sets of the settings, a file that is checked, and the policies of one job."""

from collections.abc import Mapping
from typing import IO, Any

import click

from dispatcher import client, settings
from dispatcher.cli.output import json_option, print_fields, print_json
from dispatcher.cli.requests import assigned, at_field, read_document_of
from dispatcher.domain.policies.whole import KINDS
from dispatcher.domain.policies.written import (
    as_object,
    as_part,
    composed,
    leaves,
    merged,
    parse_sets,
    said,
    whole,
)
from dispatcher.domain.told_policies import change_view


@click.group("policies", invoke_without_command=True)
@json_option
@click.pass_context
def policies_group(context: click.Context, as_json: bool) -> None:
    """List the named sets of policies that requests may ask for (DISPATCHER_POLICIES_FILE)."""
    if context.invoked_subcommand is not None:
        return
    sets = {name: said(whole(policies)) for name, policies in settings.load().policy_sets.items()}
    if as_json:
        print_json(sets)
        return
    if not sets:
        click.echo("there are none: DISPATCHER_POLICIES_FILE names the file that holds them", err=True)
    _print_sets(sets)


@policies_group.command("check")
@click.argument("file", type=click.File("rb"))
@json_option
def check_command(file: IO[bytes], as_json: bool) -> None:
    """Check the policies in FILE: named sets, or the policies of one request.

    FILE is YAML, TOML or JSON by its name. Exit code 2 with every fault if it is not valid.
    """
    document = read_document_of(file)
    if _is_one(document):
        one = said(whole(_without_short_forms(document)))
        if as_json:
            print_json(one)
        else:
            _print_policies(one)
            click.echo("valid: policies of one request")
        return
    sets = {name: said(whole(policies)) for name, policies in parse_sets(document).items()}
    if as_json:
        print_json(sets)
    else:
        _print_sets(sets)
        click.echo(f"valid: {len(sets)} named {'set' if len(sets) == 1 else 'sets'}")


@click.command("policy")
@click.argument("job_id")
@click.argument("change", nargs=-1, metavar="[set FIELD=VALUE...]")
@click.option(
    "--file", type=click.File("rb"), help="Lay the policies in this file upon the job's (YAML, TOML, JSON)."
)
@click.option("--unset", multiple=True, metavar="FIELD", help="Take a field away: stop.at; may be repeated.")
@json_option
def policy_command(
    job_id: str, change: tuple[str, ...], file: IO[bytes] | None, unset: tuple[str, ...], as_json: bool
) -> None:
    """Show a job's policies, or change them while it is under way: policy ID set stop.after=3h extend.max_cost=5.

    A worker takes the change in at once, and lays it upon the policies that the job has then. What FIELD=VALUE and
    --unset say goes before what --file says.
    """
    if not change and file is None and not unset:
        _show(client.get_job(job_id), as_json)
        return
    if change and change[0] != "set":
        raise click.UsageError("write: policy ID set FIELD=VALUE...")
    part: Any = {} if file is None else _of_file(read_document_of(file))
    for written in change[1:]:
        part = composed(part, assigned(written))
    for field in unset:
        part = composed(part, at_field(field, None))
    if not part:
        raise click.UsageError("say what to change: set FIELD=VALUE..., --file or --unset")
    found = change_view(job_id, client.get_job(job_id).update_policies(part))
    if as_json:
        print_json(found)
        return
    if found["changed"]:
        now = dict(leaves(found["policies"]))
        click.echo(f"{job_id}  change asked for")
        print_fields((field, _shown(now.get(field, "default"))) for field in found["changed"])
    for note in found["notes"]:
        click.echo(f"note: {note}")


def _of_file(document: Any) -> Mapping[str, Any]:
    try:
        found = as_object(document)
    except ValueError:
        found = None
    # What is wrong with it is told by the part itself.
    return found if isinstance(found, Mapping) else as_part(document)


def _is_one(document: Any) -> bool:
    if not isinstance(document, Mapping):
        return isinstance(document, list)
    return bool(document) and all(name in (*KINDS, "version") for name in document)


def _without_short_forms(document: Any) -> Any:
    try:
        return merged({}, as_object(document))
    except ValueError:
        return document


def _show(handle: client.JobHandle, as_json: bool) -> None:
    seen = handle.policies()
    if as_json:
        print_json(seen)
        return
    changes = seen["changes"]
    origin = None
    if seen["set"] is not None:
        changed = any(change["changed"] for change in changes)
        origin = f"{seen['set']} (changed since it was enqueued)" if changed else seen["set"]
    print_fields([("job", seen["id"]), ("state", seen["state"]), ("set", origin)])
    _print_policies(seen["policies"])
    for change in changes:
        what = ", ".join(change["changed"]) if change["changed"] else f"refused: {change['refused']}"
        click.echo(f"{change['at']}  {change['by']}  {what}")


def _print_sets(sets: Mapping[str, Mapping[str, Any]]) -> None:
    for name, policies in sets.items():
        click.echo(f"{name}:")
        _print_policies(policies, "  ")


def _print_policies(policies: Mapping[str, Any], indent: str = "") -> None:
    fields = [(indent + field, _shown(value)) for field, value in leaves(policies)]
    print_fields(fields or [(indent + "all", "as by default")])


def _shown(value: Any) -> str:
    if value == {}:
        return "as by default"
    if isinstance(value, list):
        return ", ".join(_shown(item) for item in value)
    if isinstance(value, Mapping):
        return " ".join(f"{name}={_shown(item)}" for name, item in value.items())
    return str(value)
