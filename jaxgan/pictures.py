"""Pictures of images and of numbers: grids, curves and tables, as PNG files."""

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from jaxgan.files import whole
from jaxgan.validation import InputError, require

if TYPE_CHECKING:
    from matplotlib.figure import Figure

BACKGROUND = 255
READABLE_SIDE = 560
"""Grids narrower than this are enlarged by whole factors, so that small images can be read."""


def to_uint8(images: np.ndarray, value_range: tuple[float, float]) -> np.ndarray:
    """Scales images to 0..255, rounds, and cuts off what lies outside.

    Args:
        images: f[...], values in the range.
        value_range: (low, high), the values of black and white.

    Returns:
        uint8[...], of the same shape.

    >>> to_uint8(np.array([-1.0, 0.0, 1.0, 9.0]), (-1.0, 1.0)).tolist()
    [0, 128, 255, 255]
    """
    low, high = value_range
    scaled = (np.asarray(images, np.float64) - low) * (255 / (high - low))
    return np.clip(np.floor(scaled + 0.5), 0, 255).astype(np.uint8)


def grid(images: np.ndarray, *, columns: int | None = None, gap: int = 1) -> np.ndarray:
    """Lays images out in rows, on white.

    Args:
        images: uint8[N, H, W, C], N >= 1.
        columns: images in a row; by default as many as make the grid nearly square.
        gap: pixels between images and around them, >= 0.

    Returns:
        uint8[H', W', C].

    Raises:
        InputError: not a batch of images, or no image.

    >>> grid(np.zeros((6, 4, 4, 1), np.uint8)).shape
    (11, 16, 1)
    """
    require(images.ndim == 4 and len(images) > 0, "the shape of the images", images.shape, "[N, H, W, C]")
    count, height, width, channels = images.shape
    columns = columns or math.ceil(math.sqrt(count * height / width))
    rows = math.ceil(count / columns)
    shape = (rows * (height + gap) + gap, columns * (width + gap) + gap, channels)
    pixels = np.full(shape, BACKGROUND, np.uint8)
    for number, image in enumerate(images):
        top, left = (
            gap + place * side
            for place, side in zip(divmod(number, columns), (height + gap, width + gap), strict=True)
        )
        pixels[top : top + height, left : left + width] = image
    return pixels


def save_grid(
    path: Path, images: np.ndarray, value_range: tuple[float, float], *, columns: int | None = None
) -> None:
    """Writes a grid of images as a PNG file, enlarged by a whole factor where it would be tiny.

    Args:
        path: the file.
        images: f[N, H, W, C].
        value_range: (low, high), the values of black and white.
        columns: images in a row; by default as many as make the grid nearly square.
    """
    pixels = grid(to_uint8(images, value_range), columns=columns)
    factor = max(1, READABLE_SIDE // max(pixels.shape[:2]))
    _write(path, pixels.repeat(factor, 0).repeat(factor, 1))


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Says of a file that a user named for a picture that it cannot be written.

    Raises:
        InputError: it cannot.
    """
    try:
        yield
    except OSError as error:
        raise InputError(f"--out {path} cannot be written: {error.strerror or error}") from None


def save_image(path: Path, image: np.ndarray, value_range: tuple[float, float]) -> None:
    """Writes one image as a PNG file, pixel for pixel.

    Args:
        path: the file.
        image: f[H, W, C].
        value_range: (low, high), the values of black and white.
    """
    _write(path, to_uint8(image, value_range))


def _write(path: Path, pixels: np.ndarray) -> None:
    from PIL import Image

    picture = Image.fromarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels)
    with whole(path) as partial:
        picture.save(partial, format="PNG")


def save_curves(path: Path, lines: Sequence[Mapping[str, Any]], title: str) -> None:
    """Draws the metrics of a run over its steps: the losses above, the shares (accuracies) below.

    Args:
        path: the PNG file.
        lines: the lines of ``metrics.jsonl``: ``step`` and named numbers.
        title: what stands above the plot.
    """
    from matplotlib.figure import Figure

    steps = [line["step"] for line in lines]
    names = list(lines[0]) if lines else []
    groups = [[name for name in names if name.endswith(ending)] for ending in ("loss", "accuracy")]
    groups = [group for group in groups if group]
    figure = Figure(figsize=(8, 2.8 * max(1, len(groups)) + 0.4), layout="constrained")
    figure.suptitle(title, parse_math=False)
    for place, group in enumerate(groups, start=1):
        axes = figure.add_subplot(len(groups), 1, place)
        for color, name in enumerate(group):
            values = np.array([line.get(name, np.nan) for line in lines], float)
            axes.plot(steps, values, color=f"C{color}", alpha=0.3, linewidth=0.8)
            axes.plot(steps, _smooth(values), color=f"C{color}", label=name.replace("_", " "))
        axes.set_xlabel("step")
        axes.set_ylabel(group[0].rsplit("_", 1)[-1])
        axes.grid(alpha=0.3)
        axes.legend(loc="best")
    _save(figure, path)


def save_scores(path: Path, lines: Sequence[Mapping[str, Any]], title: str) -> None:
    """Draws the scores of a run over its steps, each in a plot of its own.

    They are those of the protocol by which the run was scored most often; without any, there is no file.

    Args:
        path: the PNG file.
        lines: the lines of ``scores.jsonl``.
        title: what stands above the plot.
    """
    protocols = [line["protocol"] for line in lines if line["scores"]]
    if not protocols:
        return
    alike = {line["step"]: line["scores"] for line in lines if line["protocol"] == _commonest(protocols)}
    steps = sorted(alike)
    names = [name for name in alike[steps[-1]] if "_std" not in name]
    figure, panels = _panels(title, len(names), most=2, size=(4.5, 2.4), more=0.4)
    for name, axes in zip(names, panels, strict=True):
        axes.plot(steps, [alike[step].get(name, np.nan) for step in steps], marker="o", markersize=3)
        axes.set_title(name.replace("_", " "), fontsize=10, parse_math=False)
        axes.set_xlabel("step")
        axes.grid(alpha=0.3)
    _save(figure, path)


def save_sweep(path: Path, members: Sequence[Mapping[str, Any]], title: str) -> None:
    """Draws the scores of a sweep's members against what varies among them, each score in a plot of its own.

    Along the axis lies the first setting that is no seed; lines join the means over the seeds, one for each
    combination of the other settings, as its legend says. A cross at the top stands for a member that
    diverged. Without scores, there is no file.

    Args:
        path: the PNG file.
        members: for each ``values`` (its settings by name), ``scores`` (by name) and ``diverged`` (or None).
        title: what stands above the plot.
    """
    scored = [member["scores"] for member in members if member["scores"]]
    names = [
        name for name in dict.fromkeys(name for scores in scored for name in scores) if "_std" not in name
    ]
    if not names:
        return
    figure, panels = _panels(title, len(names), most=3, size=(3.6, 2.7), more=0.8)
    for name, axes in zip(names, panels, strict=True):
        _draw_score(axes, members, name)
    handles, labels = figure.axes[0].get_legend_handles_labels()
    if handles:
        figure.legend(handles, labels, loc="outside lower center", ncols=min(4, len(handles)))
    _save(figure, path)


def _panels(
    title: str, count: int, *, most: int, size: tuple[float, float], more: float
) -> tuple[Any, list[Any]]:
    """Makes a figure of so many plots, at most so many side by side, and ``more`` inches of height."""
    from matplotlib.figure import Figure

    columns = min(most, count)
    rows = math.ceil(count / columns)
    figure = Figure(figsize=(size[0] * columns, size[1] * rows + more), layout="constrained")
    figure.suptitle(title, parse_math=False)
    return figure, [figure.add_subplot(rows, columns, place) for place in range(1, count + 1)]


def _draw_score(axes: Any, members: Sequence[Mapping[str, Any]], name: str) -> None:
    options = list(members[0]["values"])
    along = next((option for option in options if option != "seed"), "seed")
    others = [option for option in options if option not in (along, "seed")]
    mean = ["mean over the seeds"] if "seed" in options else []
    lines: dict[str, dict[float, list[float]]] = {}
    for member in members:
        words = [f"{_words(option)} {member['values'][option]:g}" for option in others]
        label = ", ".join(words + mean)
        points = lines.setdefault(label, {}).setdefault(member["values"][along], [])
        if name in member["scores"]:
            points.append(member["scores"][name])
    for color, (label, line) in enumerate(lines.items()):
        places = [place for place, values in sorted(line.items()) for _ in values]
        values = [value for _, found in sorted(line.items()) for value in found]
        axes.plot(places, values, "o", color=f"C{color}", markersize=4, alpha=0.6)
        if along != "seed":
            means = {place: np.mean(found) for place, found in sorted(line.items()) if found}
            axes.plot(list(means), list(means.values()), color=f"C{color}", label=label or None)
    lost = sorted({member["values"][along] for member in members if member["diverged"]})
    if lost:
        high = axes.get_xaxis_transform()
        axes.plot(lost, [0.96] * len(lost), "x", color="red", transform=high, label="diverged")
    _label_settings(axes, sorted({member["values"][along] for member in members}), _words(along))
    axes.set_title(_words(name), fontsize=10, parse_math=False)
    axes.grid(alpha=0.3)


def _label_settings(axes: Any, values: Sequence[float], name: str) -> None:
    if values[0] > 0 and values[-1] >= 8 * values[0]:
        axes.set_xscale("log")
    if len(values) <= 6:
        axes.set_xticks(values, [f"{value:g}" for value in values])
        axes.minorticks_off()
    axes.set_xlabel(name, parse_math=False)


def _words(name: str) -> str:
    return name.removeprefix("model.").replace("_", " ").replace("-", " ")


def _commonest(protocols: list[Any]) -> Any:
    return max(protocols[::-1], key=protocols.count)  # the newest one of several


def _smooth(values: np.ndarray) -> np.ndarray:
    """Averages each value with its neighbours, over a fiftieth of the curve; those that are missing aside."""
    reach = len(values) // 100
    known = np.isfinite(values)
    sums, counts = (np.cumsum(np.concatenate([[0.0], each])) for each in (np.where(known, values, 0), known))
    places = np.arange(len(values))
    first, last = np.maximum(places - reach, 0), np.minimum(places + reach + 1, len(values))
    count = counts[last] - counts[first]
    return np.where(count, (sums[last] - sums[first]) / np.maximum(count, 1), np.nan)


def save_confusion(path: Path, matrix: np.ndarray, classes: Sequence[str]) -> None:
    """Draws a confusion matrix: a row for each true class, coloured by its shares.

    Args:
        path: the PNG file.
        matrix: int[K, K], true class by predicted class.
        classes: the K names.
    """
    from matplotlib.figure import Figure

    count = len(classes)
    shares = matrix / np.maximum(matrix.sum(1, keepdims=True), 1)
    side = max(4.5, 0.55 * count + 2)
    figure = Figure(figsize=(side, side), layout="constrained")
    axes = figure.add_subplot()
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    ticks = np.arange(count)
    axes.set_xticks(ticks, classes, rotation=45, ha="right", parse_math=False)
    axes.set_yticks(ticks, classes, parse_math=False)
    axes.set_xlabel("predicted")
    axes.set_ylabel("true")
    axes.set_title("Test images by true and predicted class")
    for row, column in np.argwhere(matrix > 0) if count <= 30 else ():
        color = "white" if shares[row, column] > 0.5 else "black"
        axes.text(column, row, str(matrix[row, column]), ha="center", va="center", color=color, fontsize=8)
    _save(figure, path)


def _save(figure: "Figure", path: Path) -> None:
    with whole(path) as partial:
        figure.savefig(partial, format="png", dpi=110)
