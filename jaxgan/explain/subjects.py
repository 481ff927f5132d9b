"""The images that are looked at: files, test images, or what a GAN draws."""

from typing import NamedTuple

import numpy as np

from jaxgan import data, runs, zoo
from jaxgan.data.images import read_files
from jaxgan.explain.request import Request
from jaxgan.settings import read_data
from jaxgan.steps import GAN
from jaxgan.typing import PyTree


class Subjects(NamedTuple):
    """Images with what is known of them.

    Attributes:
        images: f32[N, H, W, C], in the model's range.
        titles: the N titles.
        labels: int32[N], of the classes; -1 where unknown.
        classes: the names of the classes; numbers where they have none.
    """

    images: np.ndarray
    titles: tuple[str, ...]
    labels: np.ndarray
    classes: tuple[str, ...]

    def joined(self, other: "Subjects") -> "Subjects":
        """Puts others behind these."""
        return self._replace(
            images=np.concatenate([self.images, other.images]),
            titles=self.titles + other.titles,
            labels=np.concatenate([self.labels, other.labels]),
        )


def from_files(run: runs.Run, request: Request) -> Subjects | None:
    """Reads the files that were named, if any, in the shape that the model takes.

    Raises:
        InputError: one of them cannot be used.
    """
    if not request.images:
        return None
    settings = run.settings
    config = settings.model
    pixels = read_files(request.images, config.image_size, config.channels, crop=settings.crop)
    label = -1 if request.label is None or not _is_told(run) else request.label
    return Subjects(
        data.to_range(pixels, config.value_range),
        tuple(path.name for path in request.images),
        np.full(len(pixels), label, np.int32),
        _named(run),
    )


def from_data(run: runs.Run, count: int, *, named: str = "test", takes: str = "image") -> Subjects:
    """Takes so many of the run's test images, at even distances, so that all classes are met.

    Args:
        run: the run.
        count: how many; all, if there are fewer.
        named: what stands before their numbers.
        takes: which of two domains: ``"image"`` or ``"target"``.

    Raises:
        InputError: the data cannot be read.
    """
    images = read_data(run.settings, "test")
    places = np.unique(np.linspace(0, len(images) - 1, count).round().astype(int))
    found = images.read(places)
    labels = found.get("label", np.full(len(places), -1, np.int32))
    titles = tuple(f"{named} {place}" for place in places)
    pixels = data.to_range(found[takes], run.settings.model.value_range)
    return Subjects(pixels, titles, labels, images.classes or _named(run))


def from_generator(run: runs.Run, state: PyTree, seeds: np.ndarray, label: int | None) -> Subjects:
    """Draws an image for each seed, as `jaxgan sample` does.

    Args:
        run: the run of a GAN.
        state: its state.
        seeds: uint32[N].
        label: the class of all; where there are classes, by default the first ones in turn.
    """
    gan = run.model.build(run.settings.model)
    assert isinstance(gan, GAN)
    classes = zoo.num_classes(run.settings.model)
    labels = None if classes is None else label_of(len(seeds), classes, label)
    images = runs.draw(gan, state, seeds, labels)
    known = np.full(len(seeds), -1, np.int32) if labels is None else labels
    return Subjects(images, tuple(f"drawn, seed {seed}" for seed in seeds), known, _named(run))


def label_of(count: int, classes: int, label: int | None) -> np.ndarray:
    """Gives so many images their labels int32[N]: one for all, or the classes in turn.

    >>> label_of(4, 3, None).tolist(), label_of(2, 3, 1).tolist()
    ([0, 1, 2, 0], [1, 1])
    """
    return (np.arange(count) % classes if label is None else np.full(count, label)).astype(np.int32)


def _named(run: runs.Run) -> tuple[str, ...]:
    """Gives the classes the names that they had in training; numbers where they had none."""
    count = zoo.num_classes(run.settings.model) or 0
    names = run.folder.read_config().get("class_names") or []
    return tuple(map(str, names if len(names) == count else range(count)))


def _is_told(run: runs.Run) -> bool:
    """Whether its networks are told labels."""
    return run.model.folder == "gans" and zoo.num_classes(run.settings.model) is not None
