"""Scores: what each way of training reached, a bar for the mean and a dot for each seed."""

import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from .. import grouping, trained, units
from ..grouping import Entry
from . import style

if TYPE_CHECKING:
    from matplotlib.axes import Axes

NAME_WIDTH = 38


class Score(NamedTuple):
    """What is drawn of a suite: the name of the score, what it is, and whether more of it is better."""

    name: str
    words: str
    more: bool


SCORES = {
    "quality": Score("fid", "Fréchet distance to the real images, less is better", more=False),
    "stacked": Score("modes", "modes of 1,000, more is better", more=True),
}
"""The score of each suite that has one."""


def draw(path: Path, title: str, entries: Sequence[Entry], colors: style.Colors) -> bool:
    """Draws the scores of the rows of one report, the best way of training first.

    Returns:
        Whether there was anything to draw; if not, there is no file.
    """
    score = SCORES[entries[0].row.case.suite]
    values: dict[tuple[str, str], list[float]] = {}
    scored = [entry for entry in entries if trained.score(entry.row, score.name) is not None]
    for entry in scored:
        case = entry.row.case
        found = values.setdefault((case.contender, str(case.options["variant"])), [])
        found.append(trained.score(entry.row, score.name) or 0.0)
    if not values:
        return False
    ordered = dict(sorted(values.items(), key=lambda pair: statistics.fmean(pair[1]), reverse=score.more))
    _, same = grouping.divide(scored)
    note = [style.note(scored, same), f"{score.words}; bars: mean; dots: seeds"]
    made = style.figure(8.5, 0.85 + 0.3 * len(ordered), title, note)
    _draw(made.add_subplot(), ordered, colors)
    style.save(made, path)
    return True


def _draw(axes: "Axes", values: dict[tuple[str, str], list[float]], colors: style.Colors) -> None:
    limit = 1.15 * max(max(each) for each in values.values()) or 1.0
    for place, ((contender, _), each) in enumerate(values.items()):
        mean = statistics.fmean(each)
        axes.barh(place, mean, height=0.68, color=colors[contender], alpha=0.75)
        axes.plot(each, [place] * len(each), "o", color=style.INK, markersize=3.5)
        end = max(mean, *each) + limit * 0.015
        axes.text(end, place, units.number(mean), va="center", size=9, color=style.INK)
    names = [style.wrap(variant, NAME_WIDTH) for _, variant in values]
    axes.set_yticks(range(len(values)), names, parse_math=False)
    axes.set_ylim(len(values) - 0.45, -0.55)
    axes.set_xlim(0, limit)
    style.frame(axes, grid="x")
    axes.tick_params(axis="y", length=0)
