"""Stacks: three random grey images of a labelled set as the channels of one, so that its modes are known."""

import numpy as np

from jaxgan.data.dataset import Arrays, Dataset
from jaxgan.validation import InputError

COUNTS = {"train": 240_000, "test": 40_000}
"""The stacks of each split; which images they hold is decided by the split alone."""
SEEDS = {"train": 0, "test": 1}
MOST_CLASSES = 40


def stack(base: Dataset) -> Dataset:
    """Makes the stacks of a labelled grey set of K classes: RGB images of K^3 classes.

    The class of a stack is that of its three channels read as digits of base K: with handwritten digits, the
    thousand numbers 000 to 999. A generator that draws only some of them has lost modes.

    Args:
        base: grey images with labels.

    Returns:
        240,000 train or 40,000 test stacks, ``image`` uint8[n, H, W, 3] and ``label`` int32[n] in [0, K^3).

    Raises:
        InputError: there are no labels, or more than 40 classes.

    Source: Metz et al., Unrolled generative adversarial networks, arXiv:1611.02163; the number of stacks is
    a departure, since the literature uses several.

    >>> from jaxgan.data import load
    >>> stacks = load("stacked:digits", image_size=(8, 8), channels=3)
    >>> stacks.num_classes, stacks.classes[42], stacks.read(np.arange(2))["image"].shape
    (1000, '042', (2, 8, 8, 3))
    """
    spec = f"stacked:{base.spec}"
    if base.classes is None:
        raise InputError(f"{spec} needs images with labels; {base.spec} has none")
    if base.num_classes > MOST_CLASSES:
        raise InputError(f"{spec}: {base.spec} has {base.num_classes} classes; at most {MOST_CLASSES} stack")
    count = COUNTS[base.split]
    chosen = np.random.default_rng(SEEDS[base.split]).integers(len(base), size=(count, 3))

    def read(indices: np.ndarray) -> Arrays:
        members = base.read(chosen[indices].ravel())
        pixels = members["image"][..., 0].reshape(-1, 3, *base.image_shape[:2])
        labels = members["label"].reshape(-1, 3)
        return {"image": np.moveaxis(pixels, 1, -1), "label": join(labels, base.num_classes)}

    return Dataset(
        spec=spec,
        split=base.split,
        image_shape=(*base.image_shape[:2], 3),
        classes=_names(base.classes),
        count=count,
        base=base,
        reader=read,
    )


def join(labels: np.ndarray, num_classes: int) -> np.ndarray:
    """Reads three labels as one number of base K.

    Args:
        labels: int[n, 3], each in [0, K).
        num_classes: K.

    Returns:
        int32[n], in [0, K^3).

    >>> join(np.array([[0, 4, 2]]), 10).tolist()
    [42]
    """
    joined: np.ndarray = (labels @ np.array([num_classes**2, num_classes, 1])).astype(np.int32)
    return joined


def _names(classes: tuple[str, ...]) -> tuple[str, ...]:
    between = "" if all(len(name) == 1 for name in classes) else "/"
    return tuple(between.join((a, b, c)) for a in classes for b in classes for c in classes)
