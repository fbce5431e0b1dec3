"""The command that explains one job: why it is where it is, what comes next, what it costs."""

from collections.abc import Iterable, Iterator
from typing import Any

import click

from dispatcher import client
from dispatcher.cli.dead import trouble_fields
from dispatcher.cli.jobs import at_most_ever
from dispatcher.cli.output import json_option, print_fields, print_json, print_table

_SHOWN = 5
"""Of what was tried, the newest that people are shown; --json has more."""


@click.command("explain")
@click.argument("job_id")
@click.option("--all", "all_rules", is_flag=True, help="Also the rules that do not apply.")
@json_option
def explain_command(job_id: str, all_rules: bool, as_json: bool) -> None:
    """Explain where a job is and why, what happens next, under which policy, and what it costs if nothing changes.

    Asked of the rules themselves each time. Nothing is changed.
    """
    told = client.get_job(job_id).explain()
    if as_json:
        print_json(told)
        return
    _now(told)
    _outlooks(told)
    _agenda(told, all_rules=all_rules)
    _tried(told)


def _now(told: dict[str, Any]) -> None:
    why = f": {told['detail']}" if told["detail"] else ""
    attempt = told["tried"]["attempt"]
    click.echo(f"{told['id']} is {told['state']} ({told['reason']}) since {told['since']}{why}")
    if attempt > 1:
        click.echo(f"This is attempt {attempt}.")
    for number, sentence in enumerate(told["waits_for"]):
        click.echo(f"{'  waits: ' if number == 0 else '         '}{sentence}")
    for sentence in told["held_back"]:
        click.echo(f"  held back: {sentence}")
    click.echo()
    step, cost = told["next"], told["cost"]
    print_fields(
        [
            ("now", told["now"]),
            ("next", f"{step['at']}, {step['in']}: {step['action']} (rule {step['rule']})" if step else None),
            ("under", step["under"] if step else None),
            ("remark", step["remark"] if step else None),
            *trouble_fields(told),
            *_costs(told),
            (
                "earlier attempts",
                f"${cost['earlier_attempts_usd']}, counted in these" if attempt > 1 else None,
            ),
        ]
    )


def _costs(told: dict[str, Any]) -> list[tuple[str, Any]]:
    cost = told["cost"]
    if cost["settled_usd"] is not None:
        return [("cost", f"${cost['settled_usd']}, settled")]
    return [
        ("cost so far", f"${cost['so_far_usd']}"),
        ("at most now", f"${cost['committed_usd']}  (if every dispatcher process died now)"),
        ("at most ever", at_most_ever(told)),
    ]


def _outlooks(told: dict[str, Any]) -> None:
    for each in told["outlooks"]:
        most = " at most" if each["cost_is_at_most"] else ""
        cost = "" if each["cost_usd"] is None else f", costs{most} ${each['cost_usd']}"
        click.echo(f"\nIf {each['assumes']}: {_end(each)}{cost}")
        rows = [
            (step["at"], step["event"].replace("_", " "), step["detail"], step["policy"] or step["rule"])
            for step in each["steps"]
        ]
        if each["steps_left_out"]:
            rows.insert(-1, ("...", f"{each['steps_left_out']} more", "", ""))
        if rows:
            print_table(["at", "what", "", "under"], rows)


def _end(each: dict[str, Any]) -> str:
    if each["unknown"]:
        return f"what then comes is not known: {each['unknown']}"
    if each["ends_at"] is None:
        return "it does not end by itself"
    if each["state"] is None:
        return f"over at {each['ends_at']}"
    return f"{each['state']} ({each['reason']}) at {each['ends_at']}"


def _agenda(told: dict[str, Any], *, all_rules: bool) -> None:
    if told["next"] is None:
        return
    click.echo("\nThe rules in their order; the first whose time has come goes, else the earliest (>):")
    rows = [
        (
            ">" if entry["wins"] else "",
            entry["rule"],
            (entry["at"] or "at once") if entry["applies"] else "-",
            (entry["action"] or "") if entry["applies"] else entry["says"],
            entry["under"],
        )
        for entry in told["agenda"]
        if entry["applies"] or all_rules
    ]
    print_table(["", "rule", "when", "what", "under"], rows)


def _tried(told: dict[str, Any]) -> None:
    tried = told["tried"]
    lines = list(_lines(tried))
    if not lines:
        return
    click.echo("\nSo far:")
    for line in lines:
        click.echo(f"  {line}")


def _lines(tried: dict[str, Any]) -> Iterator[str]:
    if tried["calls"]:
        answered = tried["answered"]
        yield "calls: " + ", ".join(
            f"{count} {name} ({answered.get(name, 0)} answered)" for name, count in tried["calls"].items()
        )
    for each in tried["attempts"][-_SHOWN:]:
        code = "" if each["exit_code"] is None else f", exit code {each['exit_code']}"
        yield (
            f"attempt {each['number']} on {each['market']} ended {each['ended_at']}: {each['state']} "
            f"({each['reason']}{code}), ${each['cost_usd']} {each['detail']}".rstrip()
        )
    yield from _newest("calls in trouble", tried["troubled_calls"], _call)
    yield from _newest("waits", tried["waits"], _wait)
    yield from _newest("asked and noted", tried["noted"], _note)
    if not tried["log_is_whole"]:
        yield "the log is long: waits and looks are left out of its later part"
    if tried["unreadable_entries"]:
        yield f"{tried['unreadable_entries']} entries of the log cannot be read"


def _newest(title: str, told: list[dict[str, Any]], line: Any) -> Iterable[str]:
    if not told:
        return ()
    more = f" (the last {_SHOWN} of {len(told)})" if len(told) > _SHOWN else ""
    return (f"{title}{more}:", *(f"  {line(each)}" for each in told[-_SHOWN:]))


def _call(call: dict[str, Any]) -> str:
    tries = f"{call['tries_without_answer']} tries without an answer" if call["tries_without_answer"] else ""
    held = f"held back {call['held_back']} times" if call["held_back"] else ""
    said = ", ".join(part for part in (tries, held, call["outcome"]) if part)
    error = f": {call['error']}" if call["error"] else ""
    return f"{call['at']}  {call['operation']} {call['ordinal']}: {said}{error}"


def _wait(wait: dict[str, Any]) -> str:
    times = f", tried {wait['times']} times, last {wait['last']}" if wait["times"] > 1 else ""
    return f"{wait['since']}  {wait['reason']}{times}: {wait['detail']}"


def _note(noted: dict[str, Any]) -> str:
    under = noted["by"] if noted["policy"] is None else noted["policy"]
    by = f" by {under}" if under else ""
    return f"{noted['at']}  {noted['kind'].replace('_', ' ')}{by}: {noted['detail']}"
