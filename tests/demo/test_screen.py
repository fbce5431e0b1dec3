"""How the demo is told, on terminals of different sizes and elsewhere."""

from dataclasses import replace
from decimal import Decimal
from io import StringIO

import pytest
from rich.console import Console

from dispatcher.demo.receipt import Books
from dispatcher.demo.rows import Row
from dispatcher.demo.screen import LiveScreen, PlainLines, Snapshot, print_receipt
from tests.demo.made import GOOD

ROWS = [
    Row("whisper", "extended twice", "running", "", "poll 1m36s, extend 9m19s", "1", "0.054", "0.080"),
    Row(
        "sd-batch",
        "waits for credit",
        "enqueued",
        "awaiting_credit",
        "check credit 3m56s",
        "",
        "0.000",
        "0.000",
    ),
    *[Row(f"job-{number}", "completes", "completed", so_far="0.003", at_most="0.003") for number in range(7)],
]
SNAPSHOT = Snapshot(ROWS, ["account default  $4.9 available", "account poor     $0.02 available"])


def console(width: int, height: int = 50, *, terminal: bool = True) -> Console:
    return Console(
        file=StringIO(),
        width=width,
        height=height,
        force_terminal=terminal,
        color_system=None,
        legacy_windows=False,
    )


def written(on: Console) -> str:
    assert isinstance(on.file, StringIO)
    return on.file.getvalue()


@pytest.mark.parametrize(("width", "height"), [(120, 34), (200, 50), (80, 24)])
def test_the_live_screen_fits_and_shows_the_essentials(width: int, height: int) -> None:
    on = console(width, height)
    with LiveScreen(on) as screen:
        screen.say("the operator stops comfyui")
        screen.show(SNAPSHOT)
        picture = written(on).rpartition("job ")[2]
    lines = picture.splitlines()
    assert len(lines) < height
    assert all(len(line) <= width for line in lines)
    for text in ("whisper", "running", "poll 1m36s", "0.054", "0.080", "account poor", "job-6", "1 here"):
        assert text in picture
    wide = width >= 120
    assert ("extend 9m19s" in picture) is wide
    assert ("waits for credit" in picture) is wide


def test_elsewhere_only_changes_are_told() -> None:
    on = console(40, terminal=False)
    with PlainLines(on) as screen:
        screen.say("starting [workers] and beat, and more than fits into forty columns")
        screen.show(SNAPSHOT)
        screen.show(SNAPSHOT)
        screen.show(replace(SNAPSHOT, rows=[replace(ROWS[0], extends="2")]))
    lines = written(on).splitlines()
    assert lines[0] == "starting [workers] and beat, and more than fits into forty columns"
    assert lines[1:3] == [
        "whisper        running, extended once",
        "sd-batch       enqueued (awaiting_credit)",
    ]
    assert lines[-1] == "whisper        running, extended twice"
    assert len(lines) == 1 + len(ROWS) + 1


def test_the_receipt_names_the_sums() -> None:
    on = console(120, terminal=False)
    print_receipt(on, GOOD)
    text = written(on)
    assert "0.381" in text
    assert "$5.000 at the start + $0.250 that arrived - $4.869 at the end = $0.381 spent" in text
    assert "It adds up" in text
    assert "Wrong" not in text


def test_the_receipt_does_not_hide_what_is_wrong() -> None:
    on = console(120, terminal=False)
    print_receipt(on, replace(GOOD, books=Books(Decimal(5), Decimal(0), Decimal(4), Decimal(0))))
    assert "Wrong: the balance fell by $1.000, but the jobs cost $0.381." in written(on)
    assert "It adds up" not in written(on)
