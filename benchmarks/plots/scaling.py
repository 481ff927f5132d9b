"""Scaling: the efficiency over the number of devices, beside the ideal."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import grouping
from ..grouping import Entry
from . import style

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FIGURE = "efficiency"
KIND = "scaling"
"""The option of a case that says ``"weak"`` or ``"strong"``."""
MARKERS = "osD^vP"
LINES = ("-", "--", ":", "-.")


def draw(path: Path, title: str, entries: Sequence[Entry], colors: style.Colors) -> bool:
    """Draws the rows of one report that have an efficiency, a panel for each kind of scaling.

    Returns:
        Whether there was anything to draw, on more than one number of devices; if not, there is no file.
    """
    entries = [entry for entry in entries if entry.row.figures.get(FIGURE) is not None]
    if len({entry.row.case.devices for entry in entries}) < 2:
        return False
    kinds: dict[str, list[Entry]] = {}
    for entry in entries:
        kinds.setdefault(_kind(entry), []).append(entry)
    _, same = grouping.divide(entries)
    same.pop(KIND, None)
    made = style.figure(max(7.0, 5.2 * len(kinds)), 4.0, title, [style.note(entries, same)])
    top = max(1.0, *(entry.row.figures[FIGURE] or 0.0 for entry in entries))
    for place, (kind, chosen) in enumerate(kinds.items(), start=1):
        axes = made.add_subplot(1, len(kinds), place)
        _draw_panel(axes, chosen, colors)
        heading = f"{kind} scaling".strip().capitalize()
        axes.set_title(heading, size=10, loc="left", color=style.INK, parse_math=False)
        axes.set_ylim(0, 112 * top)
    style.save(made, path)
    return True


def _kind(entry: Entry) -> str:
    return str(entry.row.case.options.get(KIND, ""))


def _draw_panel(axes: "Axes", entries: Sequence[Entry], colors: style.Colors) -> None:
    series = _series(entries)
    counts = sorted({entry.row.case.devices for entry in entries})
    axes.axhline(100, color=style.FAINT, linewidth=1, linestyle=(0, (4, 3)))
    seen: dict[str, int] = {}
    for name, points in series.items():
        contender = points[0].row.case.contender
        number = seen[contender] = seen.get(contender, -1) + 1
        devices = [entry.row.case.devices for entry in points]
        shares = [100 * (entry.row.figures[FIGURE] or 0.0) for entry in points]
        axes.plot(
            devices,
            shares,
            color=colors[contender],
            marker=MARKERS[number % len(MARKERS)],
            linestyle=LINES[number % len(LINES)],
            label=name,
        )
        for count, share in zip(devices, shares, strict=True) if len(series) == 1 else ():
            place: dict[str, Any] = {
                "xytext": (0, -14),
                "textcoords": "offset points",
                "ha": "center",
                "size": 9,
            }
            axes.annotate(f"{share:.0f} %", (count, share), color=style.INK, **place)
    axes.set_xscale("log", base=2)
    axes.set_xticks(counts, [str(count) for count in counts])
    axes.minorticks_off()
    axes.margins(x=0.08)
    axes.set_xlabel("devices", size=9, color=style.FAINT)
    axes.set_ylabel("efficiency, %", size=9, color=style.FAINT)
    style.frame(axes, grid="both")
    legend = axes.legend(loc="lower left", frameon=False, fontsize=9)
    for text in legend.get_texts():
        text.set_parse_math(False)


def _series(entries: Sequence[Entry]) -> dict[str, list[Entry]]:
    """Puts the cases that differ in nothing but the number of devices together, by name and in order.

    In weak scaling the batch grows with the devices, so that its share of one device tells cases apart.
    """
    normal = []
    for entry in entries:
        case = entry.row.case
        is_weak = _kind(entry) == "weak"
        batch_size = max(1, case.batch_size // case.devices) if is_weak else case.batch_size
        case = dataclasses.replace(case, devices=1, batch_size=batch_size)
        normal.append(dataclasses.replace(entry, row=dataclasses.replace(entry.row, case=case)))
    differing, _ = grouping.divide(normal)
    names = [name for name in differing if name != "report"]
    several = len({entry.row.case.contender for entry in entries}) > 1
    found: dict[str, list[Entry]] = {}
    for entry, alike in zip(entries, normal, strict=True):
        prefix = f"{entry.row.case.contender}: " if several else ""
        found.setdefault(prefix + grouping.title(alike, names), []).append(entry)
    return {name: sorted(points, key=lambda entry: entry.row.case.devices) for name, points in found.items()}
