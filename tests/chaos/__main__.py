"""`python -m tests.chaos`: everything is killed at random while jobs run; then the books are compared.

Progress goes to stderr. The last line of stdout is one JSON object with the figures; exit code 1 if any of those
that must be 0 is not. Nothing is left behind, neither processes nor files.
"""

import argparse
import json
import os
import shutil
import signal
import sys
import tempfile
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from decimal import Decimal
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

from dispatcher import client
from dispatcher.domain.errors import DispatcherError
from dispatcher.domain.job import Job
from dispatcher.ops.clock import monotonic, parse_clock
from tests.chaos.field import WORKERS, Field, field
from tests.chaos.mix import credit, fault_plan, requests
from tests.chaos.producers import Crowd
from tests.chaos.verdict import BAD, Verdict, judge
from tests.chaos.wrecker import Wrecker

STOP_TOLERANCE = 45.0
"""Real seconds within which an operator's stop must have ended a job, whatever is killed meanwhile. A worker that dies
with the job costs a lease (10 s), a message that is lost a grace (10 s): that may happen twice in a row."""

_RESERVE = 4.0
"""Real seconds that are kept for the verdict and the end of the processes."""


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos")
    parser.add_argument("--jobs", type=int, default=500)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=240.0, help="all of it takes at most so long")
    parser.add_argument(
        "--wreck", type=float, help="real seconds of kills; half of all the time unless given"
    )
    parser.add_argument("--keep", type=Path, help="copy logs and records into this folder")
    given = parser.parse_args(arguments)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _end)
    with _folder(given.keep) as directory:
        figures = _run(directory, given.jobs, given.seed, given.seconds, given.wreck)
    print(json.dumps(figures), flush=True)  # noqa: T201 - the command's answer
    return 1 if any(float(figures[name]) for name in BAD) else 0


def _end(number: int, _frame: FrameType | None) -> NoReturn:
    """End once, and undisturbed: a second Ctrl-C must not keep processes from being ended."""
    for again in (signal.SIGINT, signal.SIGTERM):
        signal.signal(again, signal.SIG_IGN)
    sys.exit(128 + number)


@contextmanager
def _folder(keep: Path | None) -> Iterator[Path]:
    directory = Path(tempfile.mkdtemp(prefix="chaos-"))
    try:
        yield directory
    finally:
        if keep is not None:
            shutil.copytree(directory, keep, dirs_exist_ok=True)
        shutil.rmtree(directory, ignore_errors=True)


def _run(directory: Path, jobs: int, seed: int, seconds: float, wreck: float | None) -> dict[str, Any]:
    began = monotonic()
    wanted = requests(jobs, seed)
    # 240 seconds are 160 minutes of the network's time; a shorter run gets as many, as far as that can be handled.
    speed = min(40.0 * 240.0 / seconds, 160.0)
    credits_usd = {account: credit(wanted, account) for account in ("default", "poor")}
    with field(directory, speed=speed, seed=seed, credits_usd=credits_usd, faults=fault_plan()) as place:
        os.environ.update(place.env)
        wrecker = Wrecker(place, seed, every=(1.5, 4.0) if seconds >= 120 else (0.6, 1.6))
        wrecker.wait_ready()
        _say(began, f"ready, speed {speed:g}, credit {credits_usd}")
        now = parse_clock(place.env["DISPATCHER_CLOCK"]).now
        until = began + seconds / 2 if wreck is None else monotonic() + wreck
        crowd = Crowd(wanted, place.store.url, now, within=(until - monotonic()) / 2)
        with closing(crowd):
            crowd.start()
            _wreck(wrecker, until, began)
            seen = place.ledger()
            place.heal()
            struck = sum(seen["faults"].values())
            _say(began, f"settling; {struck} faults so far in {seen['calls_total']} calls")
            records = _settle(crowd, wrecker, jobs, began, began + seconds - _RESERVE)
        ledger = place.ledger()
        found = judge(
            [item.request_id for item in wanted],
            crowd.accepted,
            records,
            ledger,
            crowd.stops,
            tolerance=STOP_TOLERANCE * speed,
        )
        held = sum((Decimal(client.balance(name)["held_usd"]) for name in credits_usd), Decimal(0))
        _tell(found, crowd, records, ledger, wrecker, place)
        _write(directory, records, ledger)
        return _figures(found, jobs, held, wrecker, sum(ledger["faults"].values()), monotonic() - began)


def _wreck(wrecker: Wrecker, until: float, began: float) -> None:
    stop = threading.Event()
    wrecker.rampage(until, stop)
    _say(began, f"done wrecking: {dict(wrecker.done)}")


def _settle(crowd: Crowd, wrecker: Wrecker, jobs: int, began: float, until: float) -> dict[str, Job]:
    """Wait until every job is over, or the time is; every record by its id."""
    pause, records = threading.Event(), {}
    while monotonic() < until:
        wrecker.supervise()
        try:
            records = _records(jobs)
        except DispatcherError as e:
            _say(began, f"cannot look: {e}")
        states = Counter(job.state.value for job in records.values())
        _say(began, f"{len(crowd.accepted)} accepted; {dict(states)}")
        if crowd.is_heard() and all(job.state.is_final for job in records.values()):
            break
        pause.wait(1)
    else:
        _say(began, "the time is up")
    return _records(jobs)


def _records(jobs: int) -> dict[str, Job]:
    """Every job in the store, also those that should not be there."""
    parts = client._parts()
    return {job.id: job for job in parts.store.list_jobs(states=(), limit=jobs * 2, offset=0)}


def _figures(
    found: Verdict, jobs: int, held: Decimal, wrecker: Wrecker, faults: int, seconds: float
) -> dict[str, Any]:
    return {
        "jobs": jobs,
        "ended": found.ended,
        "lost": found.lost,
        "duplicate_posts": found.duplicate_posts,
        "duplicate_extends": found.duplicate_extends,
        "ran_after_stop": found.ran_after_stop,
        "overspend_usd": float(found.overspend_usd),
        "holds_left_usd": float(held),
        "kills": sum(wrecker.done.values()),
        "faults": faults,
        "seconds": round(seconds, 1),
    }


def _tell(
    found: Verdict,
    crowd: Crowd,
    records: dict[str, Job],
    ledger: dict[str, Any],
    wrecker: Wrecker,
    place: Field,
) -> None:
    from dispatcher.celery import app  # it reads the settings when it is imported

    ends = Counter(f"{job.spec.labels.get('kind')}: {job.state} {job.reason}" for job in records.values())
    lines = [f"{count:5} {end}" for end, count in sorted(ends.items())]
    lines += [f"calls: {ledger['calls_total']}, faults: {ledger['faults']}, attacks: {dict(wrecker.done)}"]
    lines += [f"slowest operator's stop: {found.latest_stop / place.speed:.1f} s"]
    lines += [f"workers that answer: {len(app.control.ping(timeout=1.0))} of {len(WORKERS)}"]
    lines += [f"ended by themselves: {', '.join(wrecker.ended_by_themselves) or 'none'}"]
    lines += [f"remark: {remark}" for remark in found.remarks]
    lines += [f"WRONG: {sentence}" for sentence in found.sentences + crowd.errors]
    sys.stderr.write("\n".join(lines) + "\n")


def _write(directory: Path, records: dict[str, Job], ledger: dict[str, Any]) -> None:
    """What the verdict was reached from, for `--keep`."""
    (directory / "ledger.json").write_text(json.dumps(ledger, indent=1), encoding="utf-8")
    lines = [record.model_dump_json() + "\n" for record in records.values()]
    (directory / "records.jsonl").write_text("".join(lines), encoding="utf-8")


def _say(began: float, text: str) -> None:
    sys.stderr.write(f"{monotonic() - began:6.1f}s {text}\n")


if __name__ == "__main__":
    sys.exit(main())
