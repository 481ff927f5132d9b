"""What all plots share: a color for each contender, the frame, the words at the top, and the file."""

import textwrap
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jaxgan.files import whole

from .. import grouping
from ..grouping import OURS, Entry

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

OUR_COLOR = "#d9480f"
COLORS = ("#4c78a8", "#76b7b2", "#8f7ab0", "#59a14f", "#b8a13a", "#9c755f", "#8c8c8c", "#7fb3d5", "#c27ba0")
NOTE_WIDTH = 0.07
"""Inches of a letter in the notes."""
INK, FAINT = "#303030", "#7a7a7a"
Colors = dict[str, str]


def colors(contenders: Iterable[str]) -> Colors:
    """Gives jaxgan the color that stands out, and every other contender one of its own.

    >>> colors(["torch", "jaxgan", "flax"])["jaxgan"] == OUR_COLOR
    True
    """
    others = sorted(set(contenders) - {OURS})
    found = {name: COLORS[place % len(COLORS)] for place, name in enumerate(others)}
    return {OURS: OUR_COLOR, **found}


def figure(width: float, height: float, title: str, notes: Sequence[str]) -> "Figure":
    """Makes an empty figure with a title and lines of notes at its top left; sizes are in inches."""
    from matplotlib.figure import Figure

    lines = [line for note in notes for line in textwrap.wrap(note, int(width / NOTE_WIDTH))]
    head = 0.55 + 0.2 * len(lines)
    whole_height = height + head
    made = Figure(figsize=(width, whole_height))
    made.set_layout_engine("constrained", rect=(0, 0, 1, height / whole_height))
    left = 0.12 / width
    place: dict[str, Any] = {"va": "top", "parse_math": False}
    made.text(left, 1 - 0.1 / whole_height, title, size=13, weight="bold", color=INK, **place)
    for number, line in enumerate(lines):
        made.text(left, 1 - (0.4 + 0.2 * number) / whole_height, line, size=9, color=FAINT, **place)
    return made


def wrap(words: str, width: int) -> str:
    r"""Breaks words into two lines at most, and leaves out the middle of what is longer.

    >>> wrap("dcgan, batch 128, float32", 17)
    'dcgan, batch 128,\nfloat32'
    """
    lines = textwrap.wrap(words, width)
    if len(lines) <= 2:
        return "\n".join(lines)
    return f"{words[: width - 1].rstrip()}…\n…{words[1 - width :].lstrip()}"


def frame(axes: "Axes", *, grid: str) -> None:
    """Takes away the lines that say nothing, and draws a faint grid along an axis."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color("#b0b0b0")
    axes.tick_params(which="both", color="#b0b0b0", labelcolor=INK, labelsize=9)
    axes.grid(axis=grid, color="#e4e4e4", linewidth=0.8)  # type: ignore[arg-type]
    axes.set_axisbelow(True)


def note(entries: Sequence[Entry], same: Mapping[str, str]) -> str:
    """Says what all cases share, and where they were measured."""
    machine = entries[0].machine
    jax = machine.versions.get("jax")
    words = [grouping.describe(same), grouping.device(machine), f"jax {jax}" if jax else ""]
    return "  ·  ".join(filter(None, words))


def save(made: "Figure", path: Path) -> None:
    """Writes a figure as a PNG file, whole or not at all."""
    with whole(path) as partial:
        made.savefig(partial, format="png", dpi=130)
