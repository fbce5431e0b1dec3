"""Options and lines about what a job comes after, what it takes, and whom it calls."""

import re
from collections.abc import Mapping
from typing import Any, Final

import click

_TAKE: Final = re.compile(r"(?P<place>.+?)=(?P<job>[^=:]+):(?P<field>.+)")


def take_of(_: click.Context, __: click.Parameter, values: tuple[str, ...]) -> dict[str, dict[str, str]]:
    """`PLACE=ID:FIELD`; a place may have an equals sign in quotes, an id and a field have none."""
    takes = {}
    for value in values:
        found = _TAKE.fullmatch(value)
        if found is None:
            raise click.BadParameter(f"{value!r}: write place=id:field")
        takes[found["place"]] = {**_named(found["job"], "job"), "field": found["field"]}
    return takes


def ties_of(options: Mapping[str, Any]) -> dict[str, Any]:
    """Options as fields of a request. What does not look like a job's id is taken for a request's."""
    if options["callback_queue"] is not None and options["callback"] is None:
        raise click.UsageError("--callback-queue goes with --callback")
    after = [_named(each, "id") for each in options["after"]]
    after += [{**_named(each, "id"), "on": "any"} for each in options["after_any"]]
    ties: dict[str, Any] = {"after": after} if after else {}
    if options["take"]:
        ties["take"] = options["take"]
    if options["callback"] is not None:
        queue = {} if options["callback_queue"] is None else {"queue": options["callback_queue"]}
        ties["callback"] = {"task": options["callback"], **queue}
    return ties


def tie_fields(seen: dict[str, Any]) -> list[tuple[str, Any]]:
    """Lines of `show`."""
    called = seen["callback"]
    after = [each["id"] + (" (however it ends)" if each["on"] == "any" else "") for each in seen["after"]]
    takes = [f"{place} = {each['field']} of {each['job']}" for place, each in seen["take"].items()]
    return [
        ("after", ", ".join(after)),
        ("takes", ", ".join(takes)),
        ("dependents", ", ".join(seen["dependents"])),
        ("callback", None if called is None else f"{called['task']} ({called['state']})"),
    ]


def _named(name: str, field: str) -> dict[str, str]:
    return {field if name.startswith("job_") else "request_id": name}
