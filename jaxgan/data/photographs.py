"""The embedded photographs, two of 427 x 640 pixels from scikit-learn: whole, or as crops in two domains."""

import functools

import numpy as np

from jaxgan.data.dataset import Arrays, Dataset, Shape
from jaxgan.data.domains import join
from jaxgan.data.images import fit, proportional, to_picture

NAMES = ("china.jpg", "flower.jpg")
SPEC = "photographs"
STRIPS = {"china.jpg": slice(224, 352), "flower.jpg": slice(320, 448)}
"""The columns that test crops come from, and no other: a side of the pavilion, and one of the flower."""
TRIES = 4
"""The places of which a crop is cut at the liveliest, since a sky has little style."""
SIDES = (64, 128)
"""The longer side of a crop, in pixels of the photograph: from, to."""
COUNTS = {"train": 4_000, "test": 200}


def load(name: str, *, longest: int) -> np.ndarray:
    """Loads a photograph: uint8[H, W, 3].

    Args:
        name: one of `NAMES`: a pavilion above a lake, and an orange flower.
        longest: what its longer side, the width, becomes.

    >>> load("china.jpg", longest=64).shape
    (43, 64, 3)
    """
    pixels = _read(name)
    return fit(to_picture(pixels), proportional(pixels.shape[:2], longest), 3, crop=False)


def load_crops(split: str, shape: Shape) -> Dataset:
    """Makes two domains without pairs, contents and styles: 4,000 training crops of each, and 200 for tests.

    A crop is cut out of either photograph, its longer side 64 to 128 pixels, where it is liveliest of four
    places. Its channels are exchanged and it is mirrored at random, so that there are more kinds of them. Its
    number decides all of that. Crops for tests come from a strip of each photograph that training does not
    see.

    Args:
        split: ``"train"`` or ``"test"``.
        shape: what they are brought to.

    >>> crops = load_crops("test", Shape(image_size=(32, 32), channels=3))
    >>> crops.read(np.arange(2))["target"].shape
    (2, 32, 32, 3)
    """
    contents, styles = (_domain(split, shape, number) for number in (0, 1))
    return join(SPEC, contents, styles)


def _domain(split: str, shape: Shape, number: int) -> Dataset:
    is_test = split == "test"

    def read(indices: np.ndarray) -> Arrays:
        crops = [
            _crop(np.random.default_rng([number, is_test, index]), is_test, shape.image_size)
            for index in indices
        ]
        fitted = [fit(to_picture(crop), shape.image_size, shape.channels, crop=False) for crop in crops]
        return {"image": np.stack(fitted)}

    return Dataset(
        spec=SPEC,
        split=split,
        image_shape=shape.image_shape,
        classes=None,
        count=COUNTS[split],
        reader=read,
    )


def _crop(random: np.random.Generator, is_test: bool, size: tuple[int, int]) -> np.ndarray:
    """Cuts a part of such proportions out of a photograph: uint8[h, w, 3]."""
    name = NAMES[random.integers(len(NAMES))]
    parts, strip = _read(name), STRIPS[name]
    sides = [slice(None, strip.start), slice(strip.stop, None)]
    height, width = proportional(size, int(random.integers(SIDES[0], SIDES[1] + 1)))
    found = []
    for _ in range(TRIES):
        part = parts[:, strip if is_test else sides[random.integers(2)]]
        top, left = (
            random.integers(whole - side + 1)
            for whole, side in zip(part.shape[:2], (height, width), strict=True)
        )
        found.append(part[top : top + height, left : left + width])
    chosen = max(found, key=lambda crop: crop.std((0, 1)).sum())
    return np.ascontiguousarray(chosen[:, :: random.choice((1, -1)), random.permutation(3)])


@functools.cache
def _read(name: str) -> np.ndarray:
    from sklearn.datasets import load_sample_image

    pixels: np.ndarray = load_sample_image(name)
    return pixels
