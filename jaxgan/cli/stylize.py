"""``jaxgan stylize CONTENT STYLE ...``, step by step, or in one pass with ``--run RUN``."""

import dataclasses
import time
from pathlib import Path
from typing import Annotated

import numpy as np
import tyro

from jaxgan import pictures, progress, runs, stylizing
from jaxgan.data import images, photographs
from jaxgan.files import check_writable
from jaxgan.steps import Stylist
from jaxgan.stylizing import Settings, Style
from jaxgan.validation import InputError, require

STEP_BY_STEP = {f"--{field.name.replace('_', '-')}" for field in dataclasses.fields(Settings)}
STEP_BY_STEP = (STEP_BY_STEP - {"--colors"}) | {"--masks", "--snapshots"}
"""The options that have no meaning in one pass."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Flags:
    """Makes the content of one picture in the style of others.

    A picture is changed step by step; or, with --run, it is drawn in one pass by a trained adain, which takes
    of the options only these: out, demo, size, style-size, shares, strength and colors (free by default).

    Attributes:
        files: the content, then one style or several.
        run: the folder that `jaxgan train adain` made, which draws the picture in one pass.
        out: the PNG file of the result.
        strength: with --run: how far it goes from the content to the styles, in [0, 1].
        demo: make the pavilion in the style of the flower, two photographs that scikit-learn ships.
        size: the longer side of the result, in pixels.
        style_size: the longer side to which styles are brought; that of the result by default.
        shares: how much each style counts, such as 2,1; all alike by default.
        masks: for each style an image, white where it is wanted, with commas between them.
        snapshots: keep the picture every so many steps, as OUT-STEP.png.
    """

    files: Annotated[tuple[Path, ...], tyro.conf.Positional, tyro.conf.arg(metavar="CONTENT STYLE ...")] = ()
    settings: Annotated[Settings, tyro.conf.arg(name="")] = Settings()
    run: Path | None = None
    strength: float = 1.0
    out: Path = Path("stylized.png")
    demo: bool = False
    size: int = 384
    style_size: int | None = None
    shares: str | None = None
    masks: str | None = None
    snapshots: int | None = None

    def __post_init__(self) -> None:
        if self.demo == bool(self.files):
            raise InputError("what to draw: give either CONTENT and STYLE files or --demo")
        require(self.demo or len(self.files) > 1, "the number of pictures", len(self.files), "at least 2")
        require(self.out.suffix == ".png", "--out", str(self.out), "a file that ends in .png")
        require(0 <= self.strength <= 1, "--strength", self.strength, "in [0, 1]")
        for name in ("size", "style_size", "snapshots"):
            value = getattr(self, name)
            require(value is None or value >= 1, f"--{name.replace('_', '-')}", value, ">= 1")


def run(arguments: list[str]) -> int:
    """Makes a picture."""
    flags = tyro.cli(Flags, args=arguments, prog="jaxgan stylize", config=(tyro.conf.FlagCreatePairsOff,))
    if not flags.out.parent.is_dir():
        raise InputError(f"--out {flags.out}: the folder {flags.out.parent} does not exist")
    with pictures.writing(flags.out):
        check_writable(flags.out)
    given = {part.partition("=")[0].replace("_", "-") for part in arguments if part.startswith("--")}
    if flags.run is not None:
        return _draw(flags, flags.run, given)
    if "--strength" in given:
        raise InputError("--strength: only with --run, the folder of a trained stylist")
    return _change(flags)


def _draw(flags: Flags, folder: Path, given: set[str]) -> int:
    """Draws the picture in one pass."""
    if refused := sorted(given & STEP_BY_STEP):
        raise InputError(f"{', '.join(refused)}: not with --run, which draws in one pass")
    opened = runs.open_run(folder)
    stylist = opened.model.build(opened.settings.model)
    if not isinstance(stylist, Stylist):
        raise InputError(f"{folder} is a run of {opened.model.name}, which draws in no style of others")
    content, styles = _read(flags)
    step, state = runs.restore(opened, print)
    started = time.perf_counter()
    whose = flags.settings.colors if "--colors" in given else "free"
    made = stylizing.in_one_pass(stylist, state, content, styles, strength=flags.strength, whose=whose)
    seconds = time.perf_counter() - started
    _write(flags.out, made)
    height, width = made.shape[:2]
    print(f"{height} x {width} pixels by step {step} of {opened.model.name}, {seconds:.1f} s: {flags.out}")
    return 0


def _change(flags: Flags) -> int:
    """Changes the picture step by step."""
    content, styles = _read(flags)
    print(f"seen by {stylizing.describe(flags.settings)}")
    started, kept = time.perf_counter(), 0
    with progress.display(flags.settings.steps * flags.settings.sizes) as shown:
        for made in stylizing.stylize(content, styles, flags.settings):
            shown.update(made.step, None, made.losses)
            if flags.snapshots and made.step // flags.snapshots > kept:
                kept = made.step // flags.snapshots
                _write(flags.out.with_name(f"{flags.out.stem}-{made.step}.png"), made.picture)
    _write(flags.out, made.picture)
    height, width = made.picture.shape[:2]
    seconds = time.perf_counter() - started
    print(f"{height} x {width} pixels after {made.step} steps and {seconds:.0f} s: {flags.out}")
    return 0


def _read(flags: Flags) -> tuple[np.ndarray, list[Style]]:
    """Reads the pictures, in [0, 1]."""
    sizes = (flags.size, flags.style_size or flags.size)
    if flags.demo:
        content, *found = (
            photographs.load(name, longest=size) for name, size in zip(photographs.NAMES, sizes, strict=True)
        )
    else:
        content = images.read_picture(flags.files[0], 3, longest=sizes[0])
        found = [images.read_picture(path, 3, longest=sizes[1]) for path in flags.files[1:]]
    weights, masks = _shares(flags.shares, len(found)), _masks(flags.masks, len(found), content)
    styles = [
        Style(_unit(picture), weight, mask)
        for picture, weight, mask in zip(found, weights, masks, strict=True)
    ]
    return _unit(content), styles


def _unit(pixels: np.ndarray) -> np.ndarray:
    return pixels.astype(np.float32) / 255


def _shares(text: str | None, count: int) -> list[float]:
    if text is None:
        return [1.0] * count
    try:
        found = [float(part) for part in text.split(",")]
    except ValueError:
        found = []
    require(len(found) == count, "--shares", text, f"as many numbers as styles ({count}), such as 2,1")
    return found


def _masks(text: str | None, count: int, content: np.ndarray) -> list[np.ndarray | None]:
    if text is None:
        return [None] * count
    paths = [Path(part) for part in text.split(",")]
    require(len(paths) == count, "--masks", text, f"as many files as styles ({count})")
    size = content.shape[:2]
    return [_unit(images.read_file(path, size, 1, crop=False)[:, :, 0]) for path in paths]


def _write(path: Path, picture: np.ndarray) -> None:
    with pictures.writing(path):
        pictures.save_image(path, picture, (0.0, 1.0))
