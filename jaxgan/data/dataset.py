"""A data set: so many images of one shape, perhaps with labels, read by their numbers."""

import dataclasses
import functools
import hashlib
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from jaxgan.data import images
from jaxgan.validation import InputError

Arrays = dict[str, np.ndarray]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Shape:
    """The shape that images are brought to.

    Attributes:
        image_size: (height, width), >= 1.
        channels: 1 (grey) or 3 (RGB).
        crop: cut images to the shape's proportions instead of stretching them.
    """

    image_size: tuple[int, int]
    channels: int
    crop: bool = False

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """(H, W, C)."""
        return (*self.image_size, self.channels)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Dataset:
    """The images of one split.

    Attributes:
        spec: what was asked for, such as ``"digits"``.
        split: ``"train"`` or ``"test"``.
        image_shape: (H, W, C).
        classes: the names of the K classes, or None without labels.
        count: the number of images.
        base: the data set whose images are the channels of these, for stacks.
        domains: the data sets A and B whose images are the ``image`` and the ``target`` of these, for
            translation.
        paired: whether the image and the target of one number belong together.
        reader: ``int[n] -> {"image": uint8[n, H, W, C], "label": int32[n]}``, or with ``"target"`` uint8[n,
            H, W, C].
    """

    spec: str
    split: str
    image_shape: tuple[int, int, int]
    classes: tuple[str, ...] | None
    count: int
    base: "Dataset | None" = dataclasses.field(default=None, repr=False)
    domains: "tuple[Dataset, Dataset] | None" = dataclasses.field(default=None, repr=False)
    paired: bool = dataclasses.field(default=False, repr=False)
    reader: Callable[[np.ndarray], Arrays] = dataclasses.field(repr=False)

    def __len__(self) -> int:
        return self.count

    @property
    def num_classes(self) -> int:
        """The number of classes; 0 without labels."""
        return len(self.classes or ())

    def read(self, indices: np.ndarray) -> Arrays:
        """Reads images by their numbers.

        Args:
            indices: int[n], in [0, count).

        Returns:
            ``image`` uint8[n, H, W, C] and, with labels, ``label`` int32[n] in [0, K); of two domains, also
            ``target`` uint8[n, H, W, C], and no labels.
        """
        return self.reader(np.asarray(indices))

    @functools.cached_property
    def sha256(self) -> str:
        """The name of the content; see `digest`. It is worked out once, since that reads every image."""
        return digest(self)


def digest(dataset: Dataset) -> str:
    """Names the content of a data set: the SHA-256 of its pixels and labels, as hexadecimal digits.

    It is the same wherever the images lie, and another one for other images, another size or another order.
    Stacks are named by what they are stacks of.

    >>> from jaxgan.data import load
    >>> len(digest(load("digits", image_size=(8, 8), channels=1)))
    64
    """
    if dataset.base is not None:
        parts = f"stacks {dataset.split} {dataset.count} {dataset.base.sha256}"
        return hashlib.sha256(parts.encode()).hexdigest()
    found = hashlib.sha256(repr((dataset.count, dataset.image_shape, dataset.classes)).encode())
    for arrays in in_chunks(dataset):
        for name in sorted(arrays):
            found.update(np.ascontiguousarray(arrays[name]).data)
    return found.hexdigest()


def in_chunks(
    dataset: Dataset, order: np.ndarray | None = None, *, chunk_size: int = 1024
) -> Iterator[Arrays]:
    """Reads images a chunk at a time.

    Args:
        dataset: the images.
        order: int[n], their numbers; all of them in order by default.
        chunk_size: how many at once; the last chunk may be smaller.

    Yields:
        What `Dataset.read` gives.
    """
    order = np.arange(len(dataset)) if order is None else order
    for start in range(0, len(order), chunk_size):
        yield dataset.read(order[start : start + chunk_size])


def in_memory(
    spec: str,
    split: str,
    shape: Shape,
    pixels: Sequence[np.ndarray] | np.ndarray,
    labels: np.ndarray | None,
    classes: Sequence[str] | None,
) -> Dataset:
    """Makes a data set of arrays: uint8 images [h, w] or [h, w, c], and labels int[N].

    Raises:
        InputError: a label outside the classes, or no images.
    """
    if len(pixels) == 0:
        raise InputError(f"{spec} {split} holds no images")
    fitted = images.fit_all(pixels, shape.image_size, shape.channels, crop=shape.crop)
    arrays = {"image": fitted}
    if labels is not None and classes is not None:
        check_labels(f"{spec} {split}", labels, len(classes))
        arrays["label"] = np.asarray(labels, np.int32)
    return Dataset(
        spec=spec,
        split=split,
        image_shape=shape.image_shape,
        classes=tuple(classes) if "label" in arrays and classes is not None else None,
        count=len(fitted),
        reader=lambda indices: {name: values[indices] for name, values in arrays.items()},
    )


def check_labels(name: str, labels: np.ndarray, classes: int) -> None:
    """Refuses labels that name no class.

    Raises:
        InputError: the first such label, with its place.
    """
    outside = np.flatnonzero((labels < 0) | (labels >= classes))
    if len(outside):
        first = outside[0]
        raise InputError(
            f"{name}: the label of image {first} is {labels[first]}; labels must be in [0, {classes})"
        )


def is_held_out(count: int) -> np.ndarray:
    """Marks every fifth of so many images as a test image: bool[count]."""
    return np.arange(count) % 5 == 4


def require_labels(dataset: Dataset, num_classes: int | None) -> None:
    """Refuses data that a model of so many classes cannot learn from; None stands for one without classes.

    Raises:
        InputError: there are no labels, or another number of classes.
    """
    if num_classes is None:
        return
    if dataset.classes is None:
        raise InputError(f"{dataset.spec} has no labels; a model with classes needs images with labels")
    if len(dataset.classes) != num_classes:
        raise InputError(
            f"{dataset.spec} has {len(dataset.classes)} classes and the model {num_classes}; "
            f"give --model.num-classes {len(dataset.classes)}"
        )


def require_domains(dataset: Dataset, wanted: str | None) -> None:
    """Refuses data of one domain for a model that learns from two, and of two for any other.

    Args:
        dataset: the images.
        wanted: ``"paired"`` for a model that learns from pairs, ``"any"`` for one that needs no pairs, None
            for one that learns from images of one domain.

    Raises:
        InputError: they do not suit the model.
    """
    if wanted is None and dataset.domains is not None:
        raise InputError(f"{dataset.spec} has images of two domains; this model learns from those of one")
    if wanted is not None and dataset.domains is None:
        raise InputError(
            f"{dataset.spec} has images of one domain; this model learns from two: give pairs:FOLDER"
            + ("" if wanted == "paired" else " or domains:A,B")
        )
    if wanted == "paired" and not dataset.paired:
        raise InputError(
            f"{dataset.spec} has no pairs; this model learns from pairs: give pairs:FOLDER or edges:SPEC, or "
            "train cyclegan"
        )
