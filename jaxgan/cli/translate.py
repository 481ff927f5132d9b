"""``jaxgan translate RUN IMAGE ... --out DIR``."""

import dataclasses
from pathlib import Path
from typing import Annotated

import numpy as np
import tyro

from jaxgan import pictures, runs, translation
from jaxgan.data import images, to_range
from jaxgan.settings import Settings
from jaxgan.steps import Translator
from jaxgan.validation import InputError, require


@dataclasses.dataclass(frozen=True, kw_only=True)
class Flags:
    """Translates image files by a trained pix2pix or CycleGAN, each into a PNG file of the same name.

    Attributes:
        run: the folder that `jaxgan train` made.
        images: the files; they are brought to the size of the model, as the training images were.
        out: the folder to write into, which is made where it does not exist. Files in it that have the name
            of a translation are replaced, but never one that is translated.
        direction: a-to-b, or b-to-a for a model that translates both ways.
    """

    run: Annotated[Path, tyro.conf.Positional]
    images: Annotated[tuple[Path, ...], tyro.conf.Positional]
    out: Annotated[Path, tyro.conf.arg(metavar="DIR")]
    direction: str = "a-to-b"


def run(arguments: list[str]) -> int:
    """Translates images."""
    flags = tyro.cli(Flags, args=arguments, prog="jaxgan translate")
    opened = runs.open_run(flags.run)
    translator = opened.model.build(opened.settings.model)
    if not isinstance(translator, Translator):
        raise InputError(f"{flags.run} is a run of {opened.model.name}, which does not translate images")
    known = [direction.replace("_", "-") for direction in translator.directions]
    require(flags.direction in known, "--direction", flags.direction, " or ".join(known))
    targets = _targets(flags)
    sources = _read(flags.images, opened.settings)
    step, state = runs.restore(opened, print)
    made = translation.translate(translator, state, sources, direction=flags.direction.replace("-", "_"))
    with pictures.writing(flags.out):
        flags.out.mkdir(parents=True, exist_ok=True)
        for target, image in zip(targets, made, strict=True):
            pictures.save_image(target, image, opened.settings.model.value_range)
    print(f"translated {len(made)} images {flags.direction} by step {step}: {flags.out}")
    return 0


def _targets(flags: Flags) -> list[Path]:
    """Names the files to write, one for each image.

    Raises:
        InputError: two of them have one name, or one would replace an image, or there are no images.
    """
    require(len(flags.images) > 0, "the number of images", 0, ">= 1")
    sources = {path.absolute() for path in flags.images}
    targets: dict[Path, Path] = {}
    for path in flags.images:
        target = flags.out / f"{path.stem}.png"
        if target in targets:
            raise InputError(f"{targets[target]} and {path} would both become {target}; translate them apart")
        if target.absolute() in sources:
            raise InputError(f"--out {flags.out}: {target} would be replaced by its own translation")
        targets[target] = path
    return list(targets)


def _read(paths: tuple[Path, ...], settings: Settings) -> np.ndarray:
    """Reads images as a run reads those that it learns from: f32[N, H, W, C]."""
    size, channels = settings.model.image_size, settings.model.channels
    pixels = images.read_files(paths, size, channels, crop=settings.crop)
    return to_range(pixels, settings.model.value_range)
