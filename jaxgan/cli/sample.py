"""``jaxgan sample RUN``."""

import dataclasses
import re
from pathlib import Path
from typing import Annotated

import numpy as np
import tyro

from jaxgan import pictures, runs
from jaxgan.files import whole
from jaxgan.steps import GAN
from jaxgan.validation import InputError, require


@dataclasses.dataclass(frozen=True, kw_only=True)
class Flags:
    """Draws images from a trained GAN: one for each seed, always the same.

    Attributes:
        run: the folder that `jaxgan train` made.
        seeds: the seeds, such as 7 or 0-63 or 1,5,10-12.
        out: FILE.png for a grid, FILE.npy for f32[N, H, W, C]; RUN/seeds-SEEDS.png by default.
    """

    run: Annotated[Path, tyro.conf.Positional]
    seeds: str = "0-63"
    out: Path | None = None


def run(arguments: list[str]) -> int:
    """Draws images."""
    flags = tyro.cli(Flags, args=arguments, prog="jaxgan sample")
    seeds = parse_seeds(flags.seeds)
    opened = runs.open_run(flags.run)
    out = flags.out or opened.folder.path / f"seeds-{flags.seeds}.png"
    require(out.suffix in (".png", ".npy"), "--out", str(out), "a file that ends in .png or .npy")
    if not out.parent.is_dir():
        raise InputError(f"--out {out}: the folder {out.parent} does not exist")
    gan = opened.model.build(opened.settings.model)
    if not isinstance(gan, GAN):
        raise InputError(f"{flags.run} is a run of {opened.model.name}, which draws no images")
    step, state = runs.restore(opened, print)
    images = runs.draw(gan, state, seeds)
    try:
        if out.suffix == ".npy":
            with whole(out) as partial, partial.open("wb") as file:
                np.save(file, images)
        else:
            pictures.save_grid(out, images, opened.settings.model.value_range)
    except OSError as error:
        raise InputError(f"--out {out} cannot be written: {error.strerror}") from None
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
        "numbers below 2**32 and ranges of them, such as 7 or 0-63 or 1,5,10-12, at most 1,000,000 of them"
    )
    parts = [re.fullmatch(r"(\d{1,10})(?:-(\d{1,10}))?", part) for part in text.split(",")]
    pairs = [(int(part[1]), int(part[2] or part[1])) for part in parts if part is not None]
    total = sum(last - first + 1 for first, last in pairs)
    fine = all(parts) and all(first <= last < 2**32 for first, last in pairs) and total <= 1_000_000
    require(fine, "--seeds", text, allowed)
    return np.concatenate([np.arange(first, last + 1, dtype=np.uint32) for first, last in pairs])
