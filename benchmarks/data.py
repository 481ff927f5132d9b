"""``data``: how many images a second each data source gives, through the path that training uses.

A sample is the time that `jaxgan.data.batches` takes to give one batch to a caller that does nothing else,
so that its reading ahead hides nothing. The digits are real; the other sources are made of noise in a
temporary folder, 28x28 and grey like MNIST. Where the images are held in memory after loading, the time to
load them is a figure of its own.
"""

import dataclasses
import math
import struct
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated

import numpy as np
import tyro
from PIL import Image

from jaxgan import data
from jaxgan.data.batches import READ_AHEAD
from jaxgan.validation import InputError, require

from . import machine, screen
from .records import Case, Row, Scalar

COUNT = 2_000
"""Images in each source that is made."""
SIDE = 28
CLASSES = 10
VALUE_RANGE = (-1.0, 1.0)
AUGMENT = data.Augment(rotation=10, shift=0.1, scale=0.1, shear=5, flip=True)
"""Every change that there is."""
FEWEST, MOST = 5, 500
"""Batches that are timed, however long they take, or short."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Flags:
    """Measures the images per second of every data source, as they are and with augmentation.

    Attributes:
        data: further sources: digits, idx:FOLDER, folder:PATH, npz:FILE or tfds:NAME[:CONFIG].
        data_dir: where the prepared data sets of tfds lie; tfds's own place by default.
        batch_size: the images of a batch.
        seconds: how long to measure each source at most, as it is and with augmentation.
        image_size: the height and width that images are resized to.
        channels: 1 for grey, 3 for RGB.
        out: the file to write.
    """

    data: tuple[str, ...] = ()
    data_dir: Path | None = None
    batch_size: int = 128
    seconds: float = 2.0
    image_size: int = SIDE
    channels: int = 1
    out: Annotated[Path, tyro.conf.arg(metavar="FILE.json")] = Path("benchmark-data.json")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Source:
    """A data set, loaded.

    Attributes:
        name: what tables call it.
        images: the data set.
        seconds: what loading it took.
    """

    name: str
    images: data.Dataset
    seconds: float


def run(arguments: list[str]) -> int:
    """Measures the sources."""
    flags = tyro.cli(Flags, args=arguments, prog="benchmarks data")
    require(flags.batch_size >= 1, "batch_size", flags.batch_size, ">= 1")
    is_time = flags.seconds > 0 and math.isfinite(flags.seconds)
    require(is_time, "seconds", flags.seconds, "a finite number > 0")
    sources = load_sources(
        flags.data, image_size=flags.image_size, channels=flags.channels, data_dir=flags.data_dir
    )
    host = machine.describe(measure_roof=False, flags="default")
    with screen.progress(2 * len(sources)) as say:
        rows = measure_sources(sources, batch_size=flags.batch_size, seconds=flags.seconds, say=say)
    return screen.finish(["data", *arguments], host, rows, flags.out)


def load_sources(
    specs: Sequence[str], *, image_size: int, channels: int, data_dir: Path | None = None
) -> list[Source]:
    """Loads the sources that are named, first, then those that need nothing but jaxgan.

    Args:
        specs: sources as `jaxgan.data.load` takes them.
        image_size: the height and width of the images.
        channels: 1 or 3.
        data_dir: where the prepared data sets of tfds lie.

    Raises:
        InputError: a source is named twice or cannot be used.
    """

    def load(name: str, spec: str) -> Source:
        start = time.perf_counter()
        images = data.load(spec, image_size=(image_size, image_size), channels=channels, data_dir=data_dir)
        return Source(name=name, images=images, seconds=time.perf_counter() - start)

    load("digits", "digits")  # imports what reads data, so that no source's time counts it
    named = [load(spec, spec) for spec in dict.fromkeys(specs) if spec != "digits"]
    with tempfile.TemporaryDirectory(prefix="jaxgan-benchmark-") as folder:
        made = make_sources(Path(folder))
        return [load("digits", "digits"), *(load(name, spec) for name, spec in made.items()), *named]


def make_sources(folder: Path) -> dict[str, str]:
    """Writes noise as IDX files, as PNG files in a folder for each class, and as a NumPy archive.

    Returns:
        The source of each by its kind.
    """
    generator = np.random.default_rng(0)
    pixels = generator.integers(0, 256, (COUNT, SIDE, SIDE)).astype(np.uint8)
    labels = (np.arange(COUNT) % CLASSES).astype(np.uint8)
    (folder / "idx").mkdir()
    for name, magic, array in (("images-idx3", 2051, pixels), ("labels-idx1", 2049, labels)):
        head = struct.pack(f">{array.ndim + 1}I", magic, *array.shape)
        (folder / "idx" / f"train-{name}-ubyte").write_bytes(head + array.tobytes())
    for number in range(CLASSES):
        (folder / "png" / "train" / str(number)).mkdir(parents=True)
    for number, image in enumerate(pixels):
        Image.fromarray(image).save(folder / "png" / "train" / str(labels[number]) / f"{number}.png")
    np.savez(folder / "images.npz", x_train=pixels, y_train=labels)
    return {
        "idx": f"idx:{folder / 'idx'}",
        "folder": f"folder:{folder / 'png'}",
        "npz": f"npz:{folder / 'images.npz'}",
    }


def measure_sources(
    sources: Sequence[Source], *, batch_size: int, seconds: float, say: Callable[[str], None]
) -> list[Row]:
    """Times the batches of each source, as they are and with augmentation.

    Args:
        sources: the sources.
        batch_size: the images of a batch.
        seconds: how long to measure each.
        say: told of each before it begins.
    """
    rows = []
    for source in sources:
        for augment in (data.Augment(), AUGMENT):
            say(f"{source.name}{' with augmentation' if augment.enabled else ''}")
            rows.append(measure_source(source, batch_size=batch_size, seconds=seconds, augment=augment))
    return rows


def measure_source(source: Source, *, batch_size: int, seconds: float, augment: data.Augment) -> Row:
    """Times the batches of one source.

    Args:
        source: the source.
        batch_size: the images of a batch; with more than the source has, the row's status is ``"skipped"``.
        seconds: how long to measure.
        augment: how the images are changed.
    """
    shape = source.images.image_shape
    options: dict[str, Scalar] = {"augment": True} if augment.enabled else {}
    options |= {} if shape == (SIDE, SIDE, 1) else {"image": "x".join(map(str, shape))}
    case = Case(
        suite="data",
        contender="jaxgan",
        work=source.name,
        batch_size=batch_size,
        parallel="none",
        options=options,
    )
    try:
        stream = data.batches(
            source.images, batch_size=batch_size, seed=0, value_range=VALUE_RANGE, augment=augment
        )
    except InputError as error:
        return Row(case=case, status="skipped", message=str(error))
    samples = time_batches(lambda: next(stream), seconds)
    rate = len(source.images) / source.seconds
    figures: dict[str, float | None] = {"load_seconds": source.seconds, "load_images_per_second": rate}
    return Row(case=case, samples=[samples], images=batch_size, figures=figures)


def time_batches(give: Callable[[], object], seconds: float) -> list[float]:
    """Times calls for so long, after those that take what was read ahead."""
    for _ in range(READ_AHEAD + 1):
        give()
    samples: list[float] = []
    began = time.perf_counter()
    while len(samples) < FEWEST or (len(samples) < MOST and time.perf_counter() - began < seconds):
        start = time.perf_counter()
        give()
        samples.append(time.perf_counter() - start)
    return samples
