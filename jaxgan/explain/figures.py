"""Figures with titles and colour bars: images and maps in rows and columns, and strips of channels."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np

from jaxgan.files import whole

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Kind = Literal["image", "heat", "signed", "overlay"]
DPI = 110
PANEL = 1.5
"""The side of a panel in inches."""
IMAGE = 0.16
"""The height of an image above or below strips, as a share of their width."""
COLORS = {"heat": "inferno", "overlay": "turbo", "signed": "RdBu_r"}


class Column(NamedTuple):
    """One column of panels.

    Attributes:
        title: what stands above it.
        kind: ``"image"`` for f[N, H, W, C] in [0, 1]; ``"heat"`` for f[N, h, w] in [0, 1]; ``"signed"`` for
            f[N, h, w] in [-1, 1]; ``"overlay"`` for heat that is laid over the images below.
        values: the panels.
        captions: what stands under each; nothing by default.
        below: f[N, H, W, C] in [0, 1], for an overlay.
    """

    title: str
    kind: Kind
    values: np.ndarray
    captions: Sequence[str] = ()
    below: np.ndarray | None = None


class Strip(NamedTuple):
    """Maps side by side, with one colour bar.

    Attributes:
        title: what stands above.
        maps: f[K, h, w]; or f[1, H, W, C] in [0, 1], an image.
        columns: the maps in a row.
        signed: whether zero is the middle of the colours.
    """

    title: str
    maps: np.ndarray
    columns: int
    signed: bool = False


def save_panels(
    path: Path, title: str, columns: Sequence[Column], *, rows: Sequence[str] = (), note: str = ""
) -> None:
    """Draws columns of panels side by side, a colour bar under each that has colours.

    Args:
        path: the PNG file.
        title: what stands above the figure.
        columns: the columns; shorter ones end earlier.
        rows: what stands to the left of each row; nothing by default.
        note: what stands at the bottom.
    """
    from matplotlib.figure import Figure

    count = max(len(column.values) for column in columns)
    tall = PANEL * (1.1 if any(column.captions for column in columns) else 1)
    wide = len(columns) * PANEL + (1.2 if rows else 0)
    colored = any(column.kind != "image" for column in columns)
    size = (max(wide, 4.5), count * tall + (0.9 if colored else 0.3) + 0.35 * (2 + note.count("\n")))
    figure = Figure(figsize=size, layout="constrained")
    figure.suptitle(title, parse_math=False, fontsize=11)
    heights = [1.0] * count + [0.09] * colored
    grid = figure.subplots(len(heights), len(columns), squeeze=False, height_ratios=heights)
    for axes, column in zip(grid.T, columns, strict=True):
        drawn = _draw_column(axes[:count], column)
        if drawn is not None:
            bar = figure.colorbar(drawn, cax=axes[count], orientation="horizontal")
            bar.ax.tick_params(labelsize=8)
            if bar.solids is not None:
                bar.solids.set_alpha(1)
        elif colored:
            axes[count].set_axis_off()
    for axes, words in zip(grid[:, 0], rows, strict=False):
        axes.set_ylabel(words, rotation=0, ha="right", va="center", fontsize=9, labelpad=6, parse_math=False)
    if note:
        figure.supxlabel(note, fontsize=9, parse_math=False)
    _save(figure, path)


def _draw_column(axes: Sequence[Any], column: Column) -> Any:
    """Draws the panels of a column; gives one of those with colours, for the bar, or None."""
    drawn = None
    axes[0].set_title(column.title, fontsize=10, parse_math=False)
    for number, place in enumerate(axes):
        place.set(xticks=[], yticks=[])
        if number >= len(column.values):
            place.set_axis_off()
            continue
        values = column.values[number]
        if column.kind == "image":
            _show_image(place, values)
        elif column.kind == "overlay" and column.below is not None:
            _show_image(place, column.below[number].mean(-1, keepdims=True))
            height, width = column.below.shape[1:3]
            extent = (-0.5, width - 0.5, height - 0.5, -0.5)
            look = {"extent": extent, "alpha": 0.55, "interpolation": "bilinear"}
            drawn = place.imshow(values, cmap=COLORS["overlay"], vmin=0, vmax=1, **look)
        else:
            low = -1 if column.kind == "signed" else 0
            drawn = place.imshow(values, cmap=COLORS[column.kind], vmin=low, vmax=1)
        if column.captions:
            place.set_xlabel(column.captions[number], fontsize=8, parse_math=False)
    return drawn


def save_strips(path: Path, title: str, strips: Sequence[Strip], *, note: str = "") -> None:
    """Draws strips of maps one under the other.

    Args:
        path: the PNG file.
        title: what stands above the figure.
        strips: the strips.
        note: what stands at the bottom.
    """
    from matplotlib.figure import Figure

    shares = [_rows(strip) / strip.columns * strip.maps.shape[1] / strip.maps.shape[2] for strip in strips]
    wide = 8.0
    most = [IMAGE if strip.columns == 1 else 1.2 for strip in strips]
    tall = [wide * share + 0.35 for share in np.minimum(shares, most)]
    figure = Figure(figsize=(wide + 0.6, sum(tall) + 0.9), layout="constrained")
    figure.suptitle(title, parse_math=False, fontsize=11)
    grid = figure.subplots(len(strips), 1, squeeze=False, height_ratios=tall)
    for axes, strip in zip(grid[:, 0], strips, strict=True):
        axes.set_title(strip.title, fontsize=9, loc="left", parse_math=False)
        axes.set(xticks=[], yticks=[])
        if strip.maps.ndim == 4:
            _show_image(axes, strip.maps[0])
            axes.set_anchor("W")
            continue
        most = np.abs(strip.maps).max()
        look = {"vmin": -most, "vmax": most} if strip.signed else {}
        color = COLORS["signed"] if strip.signed else "viridis"
        drawn = axes.imshow(mosaic(strip.maps, strip.columns), cmap=color, interpolation="nearest", **look)
        axes.set_frame_on(False)
        bar = figure.colorbar(drawn, ax=axes, fraction=0.03, pad=0.01, aspect=12)
        bar.ax.tick_params(labelsize=8)
    if note:
        figure.supxlabel(note, fontsize=9, parse_math=False)
    _save(figure, path)


def mosaic(maps: np.ndarray, columns: int) -> np.ndarray:
    """Lays maps out in rows, with gaps that are not numbers.

    Args:
        maps: f[K, h, w].
        columns: maps in a row.

    Returns:
        f[H, W].

    >>> mosaic(np.arange(3.0).reshape(3, 1, 1), 2)
    array([[ 0., nan,  1.],
           [nan, nan, nan],
           [ 2., nan, nan]])
    """
    count, height, width = maps.shape
    gap = max(1, width // 14)
    laid = np.full((math.ceil(count / columns) * (height + gap) - gap, columns * (width + gap) - gap), np.nan)
    for number, values in enumerate(maps):
        row, column = divmod(number, columns)
        laid[row * (height + gap) :, column * (width + gap) :][:height, :width] = values
    return laid


def _rows(strip: Strip) -> int:
    return math.ceil(len(strip.maps) / strip.columns)


def _show_image(axes: Any, image: np.ndarray) -> None:
    shown = image[..., 0] if image.shape[-1] == 1 else image
    axes.imshow(np.clip(shown, 0, 1), cmap="gray", vmin=0, vmax=1)


def _save(figure: "Figure", path: Path) -> None:
    with whole(path) as partial:
        figure.savefig(partial, format="png", dpi=DPI)
