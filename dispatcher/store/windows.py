"""For whom and in which windows spending is counted: bounds and orders that every ledger keeps alike."""

from typing import Final

from dispatcher.domain.budget import Window

SCOPES_AT_MOST = 100_000
"""Scopes that are counted in one window; labels may have as many values as there are jobs. Beyond it only those with
a budget are."""

FORGOTTEN_AT_ONCE: Final = 10
"""Old windows that are forgotten when a new one begins."""

ASKED: Final = (Window.TOTAL, Window.MONTH, Window.DAY)
"""The order in which budgets are asked: what ends last is named first, since it keeps a job waiting longest."""

COUNTED: Final = (Window.DAY, Window.MONTH)
"""Windows in which every scope is counted, whether a budget is set or not."""


def window_key(window: Window, name: str) -> str:
    """`day:2026-11-22`."""
    return f"{window}:{name}"
