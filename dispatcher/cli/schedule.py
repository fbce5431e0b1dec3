"""Commands about jobs that come again and again: schedule."""

from typing import IO, Any

import click

from dispatcher import client
from dispatcher.cli.jobs import enqueue_command
from dispatcher.cli.output import json_option, print_fields, print_json, print_table
from dispatcher.cli.requests import read_document_of, request_of

_NOT_SCHEDULED = {"file", "wait", "wait_timeout", "as_json"}
_EACH_ITS_OWN: dict[str, Any] = {"request_id": None, "after": (), "after_any": (), "take": ()}
_SAID = ("cron", "every", "tz", "overlap", "misfire", "up_to", "misfire_grace", "jitter", "budget")


@click.group("schedule")
def schedule_group() -> None:
    """Jobs that come again and again. Beat and a worker have to run; any number of each is safe."""


@schedule_group.command("add")
@click.argument("name")
@click.argument("file", type=click.File("rb"))
@click.option("--cron", help="Minute, hour, day of month, month, day of week: '0 2 * * *'.")
@click.option("--every", help="Or an interval: 1h.")
@click.option("--tz", help="The time zone of --cron: Europe/Amsterdam; default: UTC.")
@click.option(
    "--overlap",
    type=click.Choice(["skip", "queue", "replace"]),
    help="While the job before is not over: leave this one out (default), queue it, or stop that one.",
)
@click.option(
    "--misfire",
    type=click.Choice(["skip", "once", "all"]),
    help="After an outage: leave out what was missed, run once for all (default), or run all.",
)
@click.option("--up-to", type=click.IntRange(1, 100), help="With --misfire all: the latest so many.")
@click.option("--misfire-grace", help="Later than this is missed; default: 1m.")
@click.option("--jitter", help="Begin each later by a part of this.")
@click.option("--budget", help="What its jobs may spend: 5/day.")
@click.option("--paused", is_flag=True, default=None, help="Enqueue nothing until it is resumed.")
@click.option("--replace", is_flag=True, help="Change the schedule of this name; its history stays.")
@json_option
def add_command(
    name: str, file: IO[bytes], paused: bool | None, replace: bool, as_json: bool, **options: Any
) -> None:
    """Enqueue FILE again and again; FILE and the options that are not about time are those of `enqueue`."""
    said = {field: options.pop(field) for field in _SAID}
    given = {field: value for field, value in {**said, "paused": paused}.items() if value is not None}
    request = request_of(read_document_of(file), {**options, **_EACH_ITS_OWN})
    seen = client.add_schedule({"name": name, **given, "request": request}, replace=replace)
    if as_json:
        print_json(seen)
    else:
        click.echo(f"{name}  {seen['when']}, {_next(seen)}")


for _option in enqueue_command.params:
    if _option.name not in _NOT_SCHEDULED and _option.name not in _EACH_ITS_OWN:
        add_command.params.append(_option)


@schedule_group.command("list")
@json_option
def list_command(as_json: bool) -> None:
    """List schedules, and say whether anybody looks after them."""
    seen = client.list_schedules()
    if as_json:
        print_json(seen)
        return
    rows = [
        (
            each["name"],
            each.get("when"),
            each["state"],
            each.get("next_at"),
            _last(each.get("last")),
            len(each.get("live_jobs", ())),
            each.get("why") or each.get("error"),
        )
        for each in seen["schedules"]
    ]
    print_table(["schedule", "when", "state", "next", "last", "live jobs", "why"], rows)
    if seen["warning"]:
        click.echo(f"warning: {seen['warning']}", err=True)


@schedule_group.command("show")
@click.argument("name")
@json_option
def show_command(name: str, as_json: bool) -> None:
    """Show a schedule, and what became of its last occurrences."""
    seen = client.get_schedule(name)
    if as_json:
        print_json(seen)
        return
    request = seen["request"]
    counted = ("enqueued", "skipped", "missed", "refused")
    print_fields(
        [
            ("schedule", f"{seen['name']}  (from {_FROM[seen['source']]})"),
            ("when", seen["when"]),
            ("state", seen["state"]),
            ("why", seen["why"]),
            ("next", seen["next_at"]),
            ("begins", seen["begins_at"] if seen["begins_at"] != seen["next_at"] else None),
            ("overlap", seen["overlap"]),
            ("misfire", f"{seen['misfire']}  (missed is what is more than {seen['misfire_grace']} late)"),
            ("jitter", seen["jitter"]),
            ("budget", seen.get("budget")),
            ("market", request["market"]),
            ("time-out", request["timeout"]),
            ("fingerprint", seen["fingerprint"]),
            ("live jobs", ", ".join(seen["live_jobs"])),
            ("so far", ", ".join(f"{seen[name]} {name}" for name in counted)),
        ]
    )
    if seen["history"]:
        click.echo()
        rows = [
            (entry["at"], _what(entry), entry["job"], entry["end"] or entry["why"])
            for entry in seen["history"]
        ]
        print_table(["occurrence", "what", "job", ""], rows)


@schedule_group.command("next")
@click.argument("name")
@click.option("-n", "--count", type=click.IntRange(1, 1000), default=10, show_default=True)
@json_option
def next_command(name: str, count: int, as_json: bool) -> None:
    """Show the next occurrences in the schedule's own time and in UTC, and what the clocks do to them."""
    seen = client.next_occurrences(name, count)
    if as_json:
        print_json(seen)
        return
    print_table(
        ["local", "UTC", "begins", "note"],
        [(each["local"], each["at"], each["begins_at"], each["note"]) for each in seen],
    )


@schedule_group.command("pause")
@click.argument("name")
@json_option
def pause_command(name: str, as_json: bool) -> None:
    """Enqueue nothing more of a schedule; its jobs go on."""
    _changed(client.pause_schedule(name), as_json)


@schedule_group.command("resume")
@click.argument("name")
@json_option
def resume_command(name: str, as_json: bool) -> None:
    """Go on with a schedule that was paused, or that halted, from now on."""
    _changed(client.resume_schedule(name), as_json)


@schedule_group.command("run-now")
@click.argument("name")
@json_option
def run_now_command(name: str, as_json: bool) -> None:
    """Enqueue a schedule's job now, beside its occurrences."""
    handle = client.run_schedule_now(name)
    if as_json:
        print_json({"id": handle.id, "schedule": name, **handle.view()})
    else:
        click.echo(f"{handle.id}  enqueued")


@schedule_group.command("remove")
@click.argument("name")
@json_option
def remove_command(name: str, as_json: bool) -> None:
    """Forget a schedule; its jobs go on."""
    client.remove_schedule(name)
    if as_json:
        print_json({"name": name, "removed": True})
    else:
        click.echo(f"{name}  removed; jobs that it enqueued go on: `dispatcher jobs --label schedule={name}`")


@schedule_group.command("sync")
@json_option
def sync_command(as_json: bool) -> None:
    """Keep in step with DISPATCHER_SCHEDULES_FILE at once, as every tick does."""
    done = client.sync_schedules()
    if as_json:
        print_json(done)
        return
    for what in ("added", "changed", "removed"):
        for name in done[what]:
            click.echo(f"{name}  {what}")
    for name, why in done["refused"].items():
        click.echo(f"{name}  refused: {why}", err=True)
    if not any(done.values()):
        click.echo("nothing to do")


@schedule_group.command("check")
@click.argument("path", type=click.Path(dir_okay=False))
@json_option
def check_command(path: str, as_json: bool) -> None:
    """Check a file with schedules (YAML, TOML, JSON). Nothing is stored."""
    seen = client.check_schedules(path)
    if as_json:
        print_json(seen)
    else:
        print_table(["schedule", "when"], [(each["name"], each["when"]) for each in seen])


_FROM = {"store": "whoever added it", "settings": "the settings' file"}


def _changed(seen: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print_json(seen)
    else:
        click.echo(f"{seen['name']}  {seen['state']}, {_next(seen)}")


def _next(seen: dict[str, Any]) -> str:
    return f"next at {seen['next_at']}" if seen["next_at"] else "no occurrence until it is resumed"


def _what(entry: dict[str, Any]) -> str:
    by_hand = " by hand" if entry["by_hand"] else ""
    count = f" ({entry['count']})" if entry["count"] > 1 else ""
    return f"{entry['what']}{by_hand}{count}"


def _last(entry: dict[str, Any] | None) -> str:
    if entry is None:
        return ""
    return f"{entry['at']} {_what(entry)}"
