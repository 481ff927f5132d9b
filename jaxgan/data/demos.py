"""Two domains made of the images of any source, so that translators can learn without a download."""

import dataclasses
from collections.abc import Callable

import numpy as np

from jaxgan.data.dataset import Arrays, Dataset
from jaxgan.data.domains import join, require_images

SMOOTHING = 0.7
"""The deviation of the Gaussian before the slopes are taken, in pixels."""
STRENGTH = 0.25
"""How steep an edge is at least, as a share of the steepest of its image."""
PERIOD = 6
"""Pixels from one stripe of the texture to the next."""
SHADE = 90
"""How much darker the stripes are than white."""


def edges(spec: str, images: Dataset) -> Dataset:
    """Makes pairs: the edges of an image, white on black, and the image.

    Raises:
        InputError: the images have two domains already.

    >>> from jaxgan.data import load
    >>> pairs = load("edges:digits", image_size=(32, 32), channels=1)
    >>> sorted(set(pairs.read(np.arange(1))["image"].ravel().tolist())), pairs.paired
    ([0, 255], True)
    """
    require_images(spec, images)
    drawn = _changed(images, "edges", lambda pixels, _: find_edges(pixels))
    return join(spec, drawn, images, paired=True)


def textured(spec: str, images: Dataset) -> Dataset:
    """Makes two domains without pairs: images as they are, and others inverted, on a striped ground.

    Those with even numbers are in A, those with odd ones in B, so that no image is in both. The stripes run
    diagonally, and begin somewhere else in each image.

    Raises:
        InputError: the images have two domains already.

    >>> from jaxgan.data import load
    >>> both = load("textured:digits", image_size=(32, 32), channels=1)
    >>> [len(domain) for domain in both.domains]
    [719, 719]
    """
    require_images(spec, images)
    plain, others = (_every_other(images, start) for start in (0, 1))
    return join(spec, plain, _changed(others, "textured", invert))


def find_edges(images: np.ndarray) -> np.ndarray:
    """Draws the edges of images: where they are steepest across an edge, and steep enough.

    Args:
        images: uint8[N, H, W, C].

    Returns:
        uint8[N, H, W, C], 255 on edges and 0 elsewhere, the same in each channel.

    Source: Canny, "A computational approach to edge detection", 1986, with one threshold.
    """
    from scipy import ndimage

    grey = images.mean(-1, dtype=np.float32)
    smooth = ndimage.gaussian_filter(grey, (0, SMOOTHING, SMOOTHING), mode="nearest")
    down, right = (
        ndimage.correlate1d(
            ndimage.correlate1d(smooth, [-1.0, 0.0, 1.0], axis, mode="nearest"),
            [1.0, 2.0, 1.0],
            3 - axis,
            mode="nearest",
        )
        for axis in (1, 2)
    )
    steepness = np.hypot(down, right)
    padded = np.pad(steepness, ((0, 0), (1, 1), (1, 1)))
    octant = np.round(np.arctan2(down, right) / (np.pi / 4)).astype(int) % 4
    number, rows, columns = np.ogrid[tuple(map(slice, grey.shape))]
    y, x = np.array([0, 1, 1, 1])[octant], np.array([1, 1, 0, -1])[octant]  # the neighbour across the edge
    before = padded[number, rows + 1 - y, columns + 1 - x]
    after = padded[number, rows + 1 + y, columns + 1 + x]
    steep = steepness >= STRENGTH * steepness.max((1, 2), keepdims=True)
    found = (steepness >= before) & (steepness > after) & steep & (steepness > 0)
    return np.repeat(np.where(found, 255, 0).astype(np.uint8)[..., np.newaxis], images.shape[-1], axis=-1)


def invert(images: np.ndarray, numbers: np.ndarray) -> np.ndarray:
    """Inverts images and darkens their white ground by diagonal stripes.

    Args:
        images: uint8[N, H, W, C].
        numbers: int[N], that of each image, which decides where its stripes begin.

    Returns:
        uint8[N, H, W, C].
    """
    height, width = images.shape[1:3]
    first = np.array([np.random.default_rng(number).integers(PERIOD) for number in numbers])
    places = np.arange(height)[:, np.newaxis] + np.arange(width)
    dark = (places + first[:, np.newaxis, np.newaxis]) % PERIOD < PERIOD // 2
    inverted = 255 - images.astype(np.int32)
    return (inverted * (255 - SHADE * dark[..., np.newaxis]) // 255).astype(np.uint8)


def _every_other(images: Dataset, start: int) -> Dataset:
    """Every second image, from a number on; of one image, that one."""
    places = np.arange(start, len(images), 2) if len(images) > 1 else np.zeros(1, int)
    return dataclasses.replace(
        images, count=len(places), base=None, reader=lambda indices: images.read(places[indices])
    )


def _changed(images: Dataset, name: str, change: Callable[[np.ndarray, np.ndarray], np.ndarray]) -> Dataset:
    def read(indices: np.ndarray) -> Arrays:
        arrays = images.read(indices)
        return {**arrays, "image": change(arrays["image"], indices)}

    return dataclasses.replace(images, spec=f"{name}:{images.spec}", base=None, reader=read)
