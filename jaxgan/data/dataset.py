"""A data set: so many images of one shape, perhaps with labels, read by their numbers."""

import dataclasses
from collections.abc import Callable, Sequence

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
        reader: ``int[n] -> {"image": uint8[n, H, W, C], "label": int32[n]}``.
    """

    spec: str
    split: str
    image_shape: tuple[int, int, int]
    classes: tuple[str, ...] | None
    count: int
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
            ``image`` uint8[n, H, W, C] and, with labels, ``label`` int32[n] in [0, K).
        """
        return self.reader(np.asarray(indices))


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


def require_labels(dataset: Dataset, num_classes: int) -> None:
    """Refuses data that a classifier of so many classes cannot learn from.

    Raises:
        InputError: there are no labels, or another number of classes.
    """
    if dataset.classes is None:
        raise InputError(f"{dataset.spec} has no labels; a classifier needs images with labels")
    if len(dataset.classes) != num_classes:
        raise InputError(
            f"{dataset.spec} has {len(dataset.classes)} classes and the model {num_classes}; "
            f"give --model.num-classes {len(dataset.classes)}"
        )
