"""``jaxgan sample RUN``."""

import dataclasses
import re
from pathlib import Path
from typing import Annotated

import numpy as np
import tyro

from jaxgan import pictures, runs, zoo
from jaxgan.files import whole
from jaxgan.steps import GAN
from jaxgan.validation import InputError, require

MOST = 1_000_000
"""The most images that are drawn at once."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Flags:
    """Draws images from a trained GAN: one for each seed, always the same.

    A GAN with classes draws the label of each seed too, unless labels are asked for.

    Attributes:
        run: the folder that `jaxgan train` made.
        seeds: the seeds, such as 7 or 0-63 or 1,5,10-12.
        labels: the classes to draw, such as 3 or 0-9: every seed for each of them, in a row of its own.
        out: FILE.png for a grid, FILE.npy for f32[N, H, W, C]; by default RUN/seeds-SEEDS.png or
            RUN/labels-LABELS-seeds-SEEDS.png.
    """

    run: Annotated[Path, tyro.conf.Positional]
    seeds: str = "0-63"
    labels: Annotated[str | None, tyro.conf.arg(aliases=("--label",))] = None
    out: Path | None = None


def run(arguments: list[str]) -> int:
    """Draws images."""
    flags = tyro.cli(Flags, args=arguments, prog="jaxgan sample")
    seeds = parse_seeds(flags.seeds)
    opened = runs.open_run(flags.run)
    gan = opened.model.build(opened.settings.model)
    if not isinstance(gan, GAN):
        raise InputError(f"{flags.run} is a run of {opened.model.name}, which draws no images of its own")
    name, labels, columns = f"seeds-{flags.seeds}.png", None, None
    if flags.labels is not None:
        wanted = parse_labels(flags.labels, opened)
        columns = len(seeds) if len(wanted) > 1 else None
        seeds, labels = np.tile(seeds, len(wanted)), np.repeat(wanted, len(seeds))
        require(len(seeds) <= MOST, "--seeds times --labels", len(seeds), f"at most {MOST:,} images")
        name = f"labels-{flags.labels}-{name}"
    out = flags.out or opened.folder.path / name
    require(out.suffix in (".png", ".npy"), "--out", str(out), "a file that ends in .png or .npy")
    if not out.parent.is_dir():
        raise InputError(f"--out {out}: the folder {out.parent} does not exist")
    step, state = runs.restore(opened, print)
    images = runs.draw(gan, state, seeds, labels)
    with pictures.writing(out):
        if out.suffix == ".npy":
            with whole(out) as partial, partial.open("wb") as file:
                np.save(file, images)
        else:
            pictures.save_grid(out, images, opened.settings.model.value_range, columns=columns)
    print(f"drew {len(images)} images from step {step}: {out}")
    return 0


def parse_seeds(text: str) -> np.ndarray:
    """Reads numbers and ranges of them.

    Returns:
        uint32[N].

    Raises:
        InputError: it is something else.

    >>> parse_seeds("7,0-2").tolist()
    [7, 0, 1, 2]
    """
    allowed = (
        f"numbers below 2**32 and ranges of them, such as 7 or 0-63 or 1,5,10-12, at most {MOST:,} of them"
    )
    return _numbers("--seeds", text, allowed, 2**32).astype(np.uint32)


def parse_labels(text: str, run: runs.Run) -> np.ndarray:
    """Reads the labels of classes that a run can draw.

    Returns:
        int32[N].

    Raises:
        InputError: it is something else, or the run's model has no classes.
    """
    classes = zoo.num_classes(run.settings.model)
    if classes is None:
        raise InputError(
            f"--labels is {text!r}; {run.folder.path} is a run of {run.model.name} without classes; "
            "train one with --model.num-classes"
        )
    allowed = f"numbers below {classes} and ranges of them, such as 0 or 0-{classes - 1}"
    return _numbers("--labels", text, allowed, classes).astype(np.int32)


def _numbers(name: str, text: str, allowed: str, end: int) -> np.ndarray:
    parts = [re.fullmatch(r"(\d{1,10})(?:-(\d{1,10}))?", part) for part in text.split(",")]
    pairs = [(int(part[1]), int(part[2] or part[1])) for part in parts if part is not None]
    total = sum(last - first + 1 for first, last in pairs)
    fine = all(parts) and all(first <= last < end for first, last in pairs) and total <= MOST
    require(fine, name, text, allowed)
    return np.concatenate([np.arange(first, last + 1) for first, last in pairs])
