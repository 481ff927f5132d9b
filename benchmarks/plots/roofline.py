"""The roofline: how near each row comes to what its device could do for so many FLOPs a byte."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from .. import grouping, units
from ..grouping import OURS, Entry
from ..records import Roof
from . import style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.figure import Figure

FIGURE = "bytes"
FIGURE_SPACE = "\u2007"


class Point(NamedTuple):
    """One row: what it does, whose code it is, FLOPs per byte, and GFLOP/s of one device."""

    work: str
    contender: str
    intensity: float
    speed: float


def draw(path: Path, title: str, entries: Sequence[Entry], colors: style.Colors) -> bool:
    """Draws the rows of one report whose FLOPs, bytes and time are known, below both roofs.

    Returns:
        Whether there were any, and both roofs; if not, there is no file.
    """
    entries = [entry for entry in entries if entry.row.flops_per_second and entry.row.figures.get(FIGURE)]
    roof = entries[0].machine.roof if entries else Roof()
    if not (roof.flops_per_second and roof.bytes_per_second):
        return False
    differing, same = grouping.divide(entries)
    names = [name for name in differing if name != "report"]
    points = [_point(entry, grouping.title(entry, names)) for entry in entries]
    works = list(dict.fromkeys(point.work for point in points))
    made = style.figure(10.5, max(5.0, 0.19 * len(works) + 1.2), title, [style.note(entries, same)])
    axes = made.add_subplot()
    _draw_roofs(axes, roof, points)
    for point in sorted(points, key=lambda point: point.contender == OURS):  # jaxgan's above the others
        color, number = colors[point.contender], works.index(point.work) + 1
        axes.scatter(
            point.intensity, point.speed, s=150, color=color, edgecolor="white", linewidth=0.8, zorder=3
        )
        place: dict[str, Any] = {
            "ha": "center",
            "va": "center_baseline",
            "size": 7,
            "color": "white",
            "weight": "bold",
        }
        axes.text(point.intensity, point.speed, str(number), zorder=4, **place)
    axes.set_xlabel("FLOPs per byte", size=9, color=style.FAINT)
    axes.set_ylabel("GFLOP/s of one device", size=9, color=style.FAINT)
    style.frame(axes, grid="both")
    _draw_keys(made, works, {point.contender: colors[point.contender] for point in points})
    style.save(made, path)
    return True


def _point(entry: Entry, work: str) -> Point:
    row = entry.row
    intensity = (row.flops or 0.0) / (row.figures[FIGURE] or math.inf)
    speed = (row.flops_per_second or 0.0) / 1e9 / row.case.devices
    return Point(work, row.case.contender, intensity, speed)


def _draw_roofs(axes: "Axes", roof: Roof, points: Sequence[Point]) -> None:
    top, slope = (roof.flops_per_second or 0.0) / 1e9, (roof.bytes_per_second or 0.0) / 1e9
    ridge = top / slope
    left = min(ridge / 4, *(point.intensity / 2 for point in points))
    right = max(ridge * 4, *(point.intensity * 2 for point in points))
    low = min(left * slope, *(point.speed / 2 for point in points))
    high = max(top * 1.6, *(point.speed * 1.4 for point in points))
    axes.set(xscale="log", yscale="log", xlim=(left, right), ylim=(low, high))
    _mark(axes.xaxis, left, right)
    _mark(axes.yaxis, low, high)
    axes.plot([left, ridge, right], [left * slope, top, top], color=style.INK, linewidth=1.4)
    arithmetic = units.figure("flops_per_second", roof.flops_per_second)
    memory = units.figure("bytes_per_second", roof.bytes_per_second)
    place: dict[str, Any] = {"size": 9, "color": style.INK, "zorder": 5}
    words = f"{arithmetic}\n({roof.flops_source})"
    outside: dict[str, Any] = {"xytext": (5, 0), "textcoords": "offset points", "annotation_clip": False}
    axes.annotate(words, (right, top), va="center", **outside, **place)
    axes.text(
        left * 1.05,
        left * 1.05 * slope * 1.06,
        f"{memory} ({roof.bytes_source})",
        va="bottom",
        rotation=math.degrees(math.atan(slope)),
        rotation_mode="anchor",
        transform_rotates_text=True,
        **place,
    )


def _mark(axis: "Axis", low: float, high: float) -> None:
    """Puts plain numbers at the ticks of a logarithmic axis."""
    from matplotlib.ticker import LogLocator, NullLocator

    axis.set_major_locator(LogLocator(subs=(1, 2, 5) if high / low < 1e3 else (1,), numticks=20))
    axis.set_major_formatter("{x:,.9g}")
    axis.set_minor_locator(NullLocator())


def _draw_keys(made: "Figure", works: Sequence[str], colors: style.Colors) -> None:
    """Explains the colors and the numbers, beside the plot."""
    from matplotlib.lines import Line2D

    handles = [
        Line2D([], [], marker="o", linestyle="", markersize=9, color=color) for color in colors.values()
    ]
    handles += [Line2D([], [], linestyle="")] * (1 + len(works))
    numbers = [str(number).rjust(2, FIGURE_SPACE) for number in range(1, len(works) + 1)]
    lines = [f"{number}  {work}" for number, work in zip(numbers, works, strict=True)]
    names = [*colors, "", *lines]
    legend = made.legend(handles, names, loc="outside right upper", frameon=False, fontsize=8)
    for text in legend.get_texts():
        text.set_parse_math(False)
