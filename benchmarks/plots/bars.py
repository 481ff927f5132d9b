"""Bars: the median time of every contender, with whiskers from the 10th to the 90th percentile."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from .. import grouping, units
from ..grouping import OURS, Entry
from ..records import Row
from . import style

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SHOWN = ("ok", "out_of_memory", "error")
"""What has a bar, or words in its place; what was skipped has none."""

NAME_WIDTH, TITLE_WIDTH = 38, 56
"""Letters in a line of a bar's name, and of a panel's title."""


class Bar(NamedTuple):
    """One bar: its name, its row, and the median that its ratio is of, or None."""

    name: str
    row: Row
    base: float | None


class Panel(NamedTuple):
    """Bars that are compared with one another."""

    title: str
    bars: list[Bar]


def draw(path: Path, title: str, entries: Sequence[Entry], colors: style.Colors) -> bool:
    """Draws the bars of the rows of one report, a panel for each case if there are several contenders.

    Returns:
        Whether there was anything to draw; if not, there is no file.
    """
    entries = [entry for entry in entries if _is_shown(entry.row)]
    if not any(entry.row.median for entry in entries):
        return False
    differing, same = grouping.divide(entries)
    panels = _panels(entries, differing)
    columns = 1 if len(panels) <= 2 else 2 if len(panels) <= 8 else 3
    lines = [panels[start : start + columns] for start in range(0, len(panels), columns)]
    heights = [0.85 + 0.33 * max(len(panel.bars) for panel in line) for line in lines]
    width = 8.5 if columns == 1 else 5.4 * columns
    notes = [style.note(entries, same), _legend(panels)]
    made = style.figure(width, sum(heights) + 0.2, title, notes)
    grid = made.add_gridspec(len(lines), columns, height_ratios=heights)
    for row, line in enumerate(lines):
        most = max(len(panel.bars) for panel in line)
        for column, panel in enumerate(line):
            axes = made.add_subplot(grid[row, column])
            _draw_panel(axes, panel, colors, room=1.4 if columns == 1 else 1.5)
            axes.set_ylim(most - 0.45, -0.55)
    style.save(made, path)
    return True


def _is_shown(row: Row) -> bool:
    return row.status in SHOWN and (row.status != "ok" or row.median is not None)


def _panels(entries: Sequence[Entry], differing: Sequence[str]) -> list[Panel]:
    names = [name for name in differing if name != "report"]
    groups = grouping.by_case(entries)
    if all(len(group) == 1 for group in groups):
        return [Panel("", [Bar(grouping.title(entry, names), entry.row, None) for [entry] in groups])]
    panels = []
    for group in groups:
        reference = grouping.reference(group)
        base = reference.median if reference else None
        bars = [Bar(entry.row.case.contender, entry.row, base) for entry in group]
        panels.append(Panel(grouping.title(group[0], names), bars))
    return panels


def _legend(panels: Sequence[Panel]) -> str:
    """Explains the whiskers, and the numbers in brackets where there are any."""
    bases = [bar for panel in panels for bar in panel.bars if bar.base is not None]
    whose = "jaxgan's" if any(bar.row.case.contender == OURS for bar in bases) else "the fastest's"
    ratios = f"; in brackets: times {whose}" if bases else ""
    return f"bars: median; whiskers: 10th to 90th percentile{ratios}"


def _draw_panel(axes: "Axes", panel: Panel, colors: style.Colors, *, room: float) -> None:
    """Draws a panel; ``room`` is the width for bars and words, in lengths of the longest bar."""
    ends = [(bar.row.quantile(0.9) or 0.0) * 1e3 for bar in panel.bars]
    limit = room * max(ends) or 1.0
    for place, (bar, end) in enumerate(zip(panel.bars, ends, strict=True)):
        row = bar.row
        if row.median is not None:
            low, middle, high = (1e3 * (row.quantile(share) or 0.0) for share in (0.1, 0.5, 0.9))
            axes.barh(place, middle, height=0.68, color=colors[row.case.contender])
            spread = [[middle - low], [high - middle]]
            axes.errorbar(middle, place, xerr=spread, color=style.INK, linewidth=1.1, capsize=2.5)
        ours = row.case.contender == OURS and bar.base is not None
        weight = "bold" if ours else "normal"
        color = style.INK if row.median else style.FAINT
        axes.text(end + limit * 0.012, place, _words(bar), va="center", size=9, weight=weight, color=color)
    names = [style.wrap(bar.name, NAME_WIDTH) for bar in panel.bars]
    axes.set_yticks(range(len(panel.bars)), names, parse_math=False)
    axes.set_xlim(0, limit)
    axes.set_xlabel("ms", size=9, color=style.FAINT, loc="right", labelpad=1)
    axes.set_title(
        style.wrap(panel.title, TITLE_WIDTH), size=10, loc="left", color=style.INK, parse_math=False
    )
    style.frame(axes, grid="x")
    axes.tick_params(axis="y", length=0)
    for label, bar in zip(axes.get_yticklabels(), panel.bars, strict=True):
        label.set_fontweight("bold" if bar.row.case.contender == OURS and bar.base is not None else "normal")


def _words(bar: Bar) -> str:
    median, rate = bar.row.median, bar.row.images_per_second
    if median is None:
        return bar.row.status.replace("_", " ")
    more = f"{units.number(rate)} images/s" if rate else ""
    if bar.base is not None:
        more = f"{units.ratio(median / bar.base)}×"
    return f"{units.milliseconds(median)} ms" + (f"  ({more})" if more else "")
