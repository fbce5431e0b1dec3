"""How the demo is told: one live screen on a terminal, a line for each change elsewhere."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol, Self

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from dispatcher.demo.receipt import Receipt
from dispatcher.demo.rows import Changes, Row
from dispatcher.demo.scenario import SPEED
from dispatcher.domain.money import format_usd

_COLOURS: Final = {
    "running": "cyan",
    "queued": "cyan",
    "stopping": "yellow",
    "completed": "green",
    "stopped": "yellow",
    "failed": "red",
    "rejected": "magenta",
}
_WIDE: Final = 120
"""Columns from which on there is room to say what each request shows."""

_HAPPENINGS: Final = 8
"""Lines for what happened last, where the terminal is high enough."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All that is shown at one moment. `balances`: a line for each account."""

    rows: Sequence[Row] = ()
    balances: Sequence[str] = ()


class Screen(Protocol):
    """Where the demo is told while it runs. A context manager; nothing of a live screen is left behind its end."""

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None: ...

    def say(self, text: str) -> None:
        """Something happened."""
        ...

    def show(self, snapshot: Snapshot) -> None: ...


class LiveScreen:
    """Redraws one picture."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._snapshot = Snapshot()
        self._changes = Changes()
        self._happened: deque[str] = deque(maxlen=_HAPPENINGS)
        self._live = Live(console=console, auto_refresh=False, transient=True)

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def say(self, text: str) -> None:
        self._happened.append(text)
        self._draw()

    def show(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot
        self._happened.extend(self._changes.since(snapshot.rows))
        self._draw()

    def _draw(self) -> None:
        self._live.update(self._picture(), refresh=True)

    def _picture(self) -> Group:
        rows, balances = self._snapshot.rows, self._snapshot.balances
        wide = self._console.width >= _WIDE
        parts: list[Table | Text] = [Text()]
        if rows:
            parts.append(_jobs(rows, wide=wide))
            parts += [Text(line) for line in ("", *balances, "")]
        # Heading, caption and blank lines; where it is narrow, some texts take two lines.
        room = self._console.height - len(rows) - len(balances) - (7 if wide else 11)
        happened = list(self._happened)[-max(room, 1) :]
        parts += [Text(line, style="dim", no_wrap=True, overflow="ellipsis") for line in happened]
        return Group(*parts)


class PlainLines:
    """A line for whatever is said, and for each change of a job's state or reason."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._changes = Changes()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def say(self, text: str) -> None:
        tell(self._console, text)

    def show(self, snapshot: Snapshot) -> None:
        for line in self._changes.since(snapshot.rows):
            self.say(line)


def tell(console: Console, text: str | Text) -> None:
    """Text as it is; broken between words on a terminal, and not at all elsewhere."""
    console.print(text, markup=False, highlight=False, soft_wrap=not console.is_terminal)


def _jobs(rows: Sequence[Row], *, wide: bool) -> Table:
    table = Table(
        box=None,
        pad_edge=False,
        header_style="bold",
        caption=f"times are the network's: {SPEED:.0f} seconds there are 1 here; "
        "at most: if every process here died now",
        caption_justify="left",
        caption_style="dim",
    )
    table.add_column("job", no_wrap=True)
    if wide:
        table.add_column("shows", no_wrap=True, style="dim", width=23)
    table.add_column("state", width=26 if wide else 19, overflow="fold")
    table.add_column("next, in", width=24 if wide else 17)
    for heading in ("ext.", "so far $", "at most $"):
        table.add_column(heading, justify="right", no_wrap=True)
    for row in rows:
        state = Text(row.where, style=_COLOURS.get(row.state, ""))
        shows, follow_ups = ([row.shows], row.next) if wide else ([], row.next.partition(",")[0])
        table.add_row(row.name, *shows, state, follow_ups, row.extends, row.so_far, row.at_most)
    return table


def print_receipt(console: Console, receipt: Receipt) -> None:
    """The table of what each job cost, the books, and whether they agree."""
    table = Table(title="Receipt", title_justify="left", box=None, pad_edge=False, header_style="bold")
    for heading in ("job", "shows", "ended as"):
        table.add_column(heading)
    for heading in ("ran for", "ext.", "cost $"):
        table.add_column(heading, justify="right", no_wrap=True)
    for line in receipt.lines:
        ended = Text(line.state, style=_COLOURS.get(line.state, "")).append(
            f" ({line.reason})", style="default"
        )
        ran, extends = line.ran_for or "-", str(line.extends or "-")
        table.add_row(line.name, line.shows, ended, ran, extends, format_usd(line.cost))
    table.add_section()
    table.add_row("sum", "", "", "", str(receipt.extends), Text(format_usd(receipt.cost), style="bold"))
    console.print()
    console.print(table)
    for text in _reports(receipt):
        tell(console, text)


def _reports(receipt: Receipt) -> list[Text]:
    books, network = receipt.books, receipt.network
    said = [Text(f"{line.name} {words}") for line in receipt.lines for words in line.said]
    told = [
        f"Balance: ${format_usd(books.at_start)} at the start + ${format_usd(books.added)} that arrived "
        f"- ${format_usd(books.after)} at the end = ${format_usd(books.spent)} spent; "
        f"${format_usd(books.held)} is still held.",
        f"Network: {network.posts} posts and {network.extends} extensions. It lost {network.lost_answers} answers, "
        f"which were asked for again; {network.duplicate_posts + network.duplicate_extends} were made twice.",
    ]
    if problems := receipt.problems():
        verdict = [Text(f"Wrong: {problem}.", style="bold red") for problem in problems]
    else:
        agreed = "It adds up: the balance fell by what the jobs cost, and every job ended as it should."
        verdict = [Text(agreed, style="bold green")]
    return [Text(), *said, Text(), *map(Text, told), Text(), *verdict]
