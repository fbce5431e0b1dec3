"""Requests as the command line takes them: a file, and options that go before it."""

import re
from collections.abc import Mapping
from typing import IO, Any

import click

from dispatcher.cli.ties import ties_of
from dispatcher.domain.errors import InvalidRequest
from dispatcher.domain.policies.written import as_object, composed, merged
from dispatcher.settings.documents import parse_document, read_stream

_FIELD = re.compile(r"[a-z_]+(?:\.[a-z_]+)*")


def read_document_of(file: IO[bytes]) -> Any:
    """What the file that click opened holds, in the format that its name says. Raises `InvalidRequest`."""
    return read_stream(file, str(getattr(file, "name", "-")))


def assignments_of(_: click.Context, __: click.Parameter, values: tuple[str, ...]) -> dict[str, Any]:
    """`extend.by=30m` and so on, as a part of policies; of several, later ones go before earlier ones."""
    part: dict[str, Any] = {}
    for value in values:
        part = composed(part, assigned(value))
    return part


def assigned(written: str) -> dict[str, Any]:
    """`stop.after=3h` as a part of policies. A value is text; null, or a list or object in YAML's short form."""
    field, separator, text = written.partition("=")
    if not separator or not _FIELD.fullmatch(field):
        raise click.BadParameter(f"{written[:80]!r}: write FIELD=VALUE, as in extend.by=30m")
    value: Any = text.strip()
    if not value:
        raise click.BadParameter(f"{field}: has no value; null takes the field away")
    if value in ("null", "~"):
        value = None
    elif value[0] in "[{":
        try:
            value = parse_document(value, "value.yaml")
        except InvalidRequest as e:
            raise click.BadParameter(f"{field}: {e.faults[0].message}") from e
    return at_field(field, value)


def at_field(field: str, value: Any) -> dict[str, Any]:
    """The part of policies that says `value` of the dotted `field`, and nothing else."""
    for name in reversed(field.split(".")):
        value = {name: value}
    found: dict[str, Any] = value
    return found


def request_of(document: Any, options: Mapping[str, Any]) -> dict[str, Any]:
    """A definition, or a whole request, with the options laid upon it; unread: the request itself names all the
    faults at once."""
    whole = isinstance(document, Mapping) and "definition" in document and "ops" not in document
    asked: dict[str, Any] = dict(document) if whole else {"definition": document}
    names = ("market", "timeout", "policy", "request_id", "priority", "account", "node")
    asked |= _given({name: options[name] for name in names})
    if options["labels"]:
        told = asked.get("labels")
        asked["labels"] = {**(told if isinstance(told, Mapping) else {}), **options["labels"]}
    if options["allow_secrets"]:
        told = asked.get("allow_secrets")
        asked["allow_secrets"] = [*(told if isinstance(told, list) else ()), *options["allow_secrets"]]
    return asked | _ties(asked, options) | _policies(asked, options)


def _ties(asked: Mapping[str, Any], options: Mapping[str, Any]) -> dict[str, Any]:
    """What options say about other jobs, beside what the file says."""
    ties = ties_of(options)
    if "after" in ties and isinstance(told := asked.get("after"), list):
        ties["after"] = [*told, *ties["after"]]
    if "take" in ties and isinstance(told := asked.get("take"), Mapping):
        ties["take"] = {**told, **ties["take"]}
    return ties


def _policies(asked: Mapping[str, Any], options: Mapping[str, Any]) -> dict[str, Any]:
    written = asked.get("policies", {})
    try:
        written = as_object(written)
    except ValueError:
        return {}  # as it stands: the request tells what is wrong with it
    if not isinstance(written, Mapping):
        return {}
    part = composed(composed(written, _options_part(asked, written, options)), options["overrides"])
    # Null takes away what a set says. Without a set it takes away what the file says, and is done with.
    return {"policies": merged({}, part) if asked.get("policy") is None else part}


def _options_part(
    asked: Mapping[str, Any], written: Mapping[str, Any], options: Mapping[str, Any]
) -> dict[str, Any]:
    extend = {
        "by": options["extend_by"],
        "margin": options["extend_margin"],
        "max_times": options["max_extends"],
    }
    stop = {
        "after": options["stop_after"],
        "at": options["stop_at"],
        "max_cost": options["max_cost"],
        "queued_longer_than": options["queued_at_most"],
    }
    extends = options["extend_by"] is not None or isinstance(written.get("extend"), Mapping)
    if options["max_runtime"] is not None and not extends and asked.get("policy") is not None:
        raise click.UsageError(
            "--max-runtime is not clear with --policy: say --set extend.max_runtime=... or --stop-after ..."
        )
    if extends or options["stop_after"] is not None:
        extend["max_runtime"] = options["max_runtime"]
    elif options["max_runtime"] is not None:
        stop["after"] = options["max_runtime"]
    part: dict[str, Any] = {"stop": _given(stop), "extend": _given(extend)}
    if options["quantum"] is not None:
        part["quantum"] = {"step": options["quantum"]}
    if options["poll_every"] is not None:
        part["poll"] = {"every": options["poll_every"]}
    if options["fail_when_short"]:
        part["credit"] = {"when_short": "fail"}
    return {kind: fields for kind, fields in part.items() if fields}


def _given(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}
