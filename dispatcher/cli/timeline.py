"""A plan as a picture: the timeline of one job as SVG, to be looked at or put into a ticket."""

from collections.abc import Iterator
from decimal import Decimal
from itertools import pairwise
from typing import Final
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from dispatcher.domain.duration import format_duration
from dispatcher.domain.forecast import Forecast, Step
from dispatcher.domain.money import format_usd
from dispatcher.domain.planned import Planned

_WIDTH: Final = 960
_LEFT, _RIGHT = 30, 30
_AXIS: Final = 120
_INK, _FAINT, _PAID, _USED, _END = "#1f2937", "#9ca3af", "#bfdbfe", "#2563eb", "#dc2626"
_WARNING: Final = "#b45309"


def timeline_svg(planned: Planned, title: str) -> str:
    """The expected life of the job. Without one (the job cannot run) the conflicts alone are written."""
    lines = [f"{item.severity}: {item.path}: {item.message}" for item in planned.conflicts]
    height = (_AXIS + 130 if planned.expected else 60) + 18 * len(lines)
    svg = Element(
        "svg",
        xmlns="http://www.w3.org/2000/svg",
        viewBox=f"0 0 {_WIDTH} {height}",
        width=str(_WIDTH),
        height=str(height),
    )
    style = {"font-family": "system-ui, sans-serif", "font-size": "12", "fill": _INK}
    SubElement(svg, "rect", width="100%", height="100%", fill="#ffffff")
    page = SubElement(svg, "g", style)
    _text(page, _LEFT, 26, title, **{"font-size": "16", "font-weight": "600"})
    y = 46
    if planned.expected is not None:
        _summary(page, planned, planned.expected)
        _life(page, planned.expected, planned.now)
        y = _AXIS + 120
    for number, line in enumerate(lines):
        _text(page, _LEFT, y + 18 * number, line, fill=_END if line.startswith("error") else _WARNING)
    indent(svg)
    return tostring(svg, encoding="unicode") + "\n"


def _summary(page: Element, planned: Planned, told: Forecast) -> None:
    most = "without limit" if planned.at_most is None else f"${format_usd(planned.at_most)}"
    unattended = told.unattended if planned.unattended is None else planned.unattended
    end = f"{told.state.value} ({told.reason.value})" if told.complete else "not ended by any policy"
    words = (
        f"{end}, ${format_usd(told.cost)}; at most {most}; unattended at most "
        f"${format_usd(unattended)}; "
        f"{told.extends} extensions, {sum(told.calls.values())} calls"
    )
    _text(page, _LEFT, 46, words)


def _life(page: Element, told: Forecast, start: float) -> None:
    lasts = max(told.steps[-1].at - start, 1.0)

    def x(at: float) -> float:
        return round(_LEFT + (at - start) / lasts * (_WIDTH - _LEFT - _RIGHT), 1)

    most = max((step.committed for step in told.steps), default=None) or 1

    def y(amount: Decimal) -> float:
        return round(_AXIS - float(amount / most) * 44, 1)

    for one, following in pairwise(told.steps):
        left, right = x(one.at), x(following.at)
        paid = {"x": str(left), "y": str(y(one.committed)), "height": str(_AXIS - y(one.committed))}
        SubElement(page, "rect", {**paid, "width": str(max(round(right - left, 1), 0.5)), "fill": _PAID})
        corners = [(left, _AXIS), (left, y(one.so_far)), (right, y(following.so_far)), (right, _AXIS)]
        SubElement(page, "polygon", points=" ".join(f"{a},{b}" for a, b in corners), fill=_USED)
    axis = {"x1": str(_LEFT), "x2": str(_WIDTH - _RIGHT), "y1": str(_AXIS), "y2": str(_AXIS)}
    SubElement(page, "line", {**axis, "stroke": _INK})
    for at, label in _ticks(lasts):
        _text(page, x(start + at), _AXIS + 16, label, fill=_FAINT, **{"text-anchor": "middle"})
    marks = [step for step in told.steps if step.event not in ("enqueued", "credit_held", "observed")]
    last, row = -1000.0, 0
    for step in marks:
        place = x(step.at)
        row = (row + 1) % 4 if place - last < 90 else 0
        last = place
        _mark(page, place, row, step)
    _text(
        page,
        _LEFT,
        _AXIS + 104,
        "blue: used; light: reserved, and spent even if every process dies",
        fill=_FAINT,
    )


def _mark(page: Element, place: float, row: int, step: Step) -> None:
    y = _AXIS + 36 + 14 * row
    line = {"x1": str(place), "x2": str(place), "y1": str(_AXIS), "y2": str(y - 10), "stroke": _FAINT}
    SubElement(page, "line", line)
    warns = step.event in ("warned", "extends_ended", "attempt_ended", "moved")
    colour = _END if step.event in ("stop_ordered", "ended") else _WARNING if warns else _INK
    anchor = "end" if place > _WIDTH - 150 else "start"
    mark = _text(page, place, y, step.event.replace("_", " "), fill=colour, **{"text-anchor": anchor})
    SubElement(mark, "title").text = f"{step.detail} (rule {step.rule})"


def _ticks(lasts: float) -> Iterator[tuple[float, str]]:
    """At most nine round times."""
    for every in (10, 30, 60, 300, 600, 1800, 3600, 10_800, 21_600, 86_400, 604_800):
        if lasts / every <= 9:
            break
    for number in range(int(lasts // every) + 1):
        yield number * every, format_duration(number * every)


def _text(page: Element, x: float, y: float, words: str, **more: str) -> Element:
    element = SubElement(page, "text", {"x": str(x), "y": str(y), **more})
    element.text = words
    return element
