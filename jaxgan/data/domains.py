"""Two domains: images A and B for translation, with pairs or without."""

import dataclasses
from collections.abc import Sequence

import numpy as np

from jaxgan.data.dataset import Arrays, Dataset
from jaxgan.validation import InputError

ORDER_SEED = 0
"""Decides which image of B is read beside which of A, where there are no pairs."""


def join(spec: str, first: Dataset, second: Dataset, *, paired: bool = False) -> Dataset:
    """Puts two data sets of one split side by side, as ``image`` and ``target``.

    Without pairs there are as many examples as the larger domain has images: those of the smaller one come
    several times in a pass, and the images of B stand in a random order that the seed of this file decides.

    Args:
        spec: the name of both together.
        first: domain A.
        second: domain B, of the same shape; with pairs of the same length.
        paired: whether images of one number belong together.

    Raises:
        InputError: one of them has two domains itself.

    >>> from jaxgan.data import load
    >>> both = load("domains:digits,digits", image_size=(8, 8), channels=1)
    >>> len(both), sorted(both.read(np.arange(2))), both.paired
    (1438, ['image', 'target'], False)
    """
    for domain in (first, second):
        require_images(spec, domain)
    count = max(len(first), len(second))
    order = np.arange(count) if paired else np.random.default_rng(ORDER_SEED).permutation(count)

    def read(indices: np.ndarray) -> Arrays:
        a, b = first.read(indices % len(first)), second.read(order[indices] % len(second))
        return {"image": a["image"], "target": b["image"]}

    return Dataset(
        spec=spec,
        split=first.split,
        image_shape=first.image_shape,
        classes=None,
        count=count,
        domains=(first, second),
        paired=paired,
        reader=read,
    )


def require_images(spec: str, images: Dataset) -> None:
    """Refuses what has two domains where images of one are wanted.

    Raises:
        InputError: it has two.
    """
    if images.domains is not None:
        raise InputError(f"{spec}: {images.spec} has images of two domains already; give those of one")


def swap(spec: str, both: Dataset) -> Dataset:
    """Exchanges the domains A and B.

    Raises:
        InputError: there is only one.
    """
    if both.domains is None:
        raise InputError(f"{spec}: {both.spec} has images of one domain; there is nothing to swap")

    def read(indices: np.ndarray) -> Arrays:
        arrays = both.read(indices)
        return {"image": arrays["target"], "target": arrays["image"]}

    return dataclasses.replace(both, spec=spec, domains=both.domains[::-1], reader=read)


def split(place: str, readers: Sequence[str]) -> tuple[str, str]:
    """Reads the names of two domains, each a folder or the name of a source.

    Args:
        place: what stands after ``domains:``.
        readers: what may stand before the colon in the name of a source.

    Raises:
        InputError: there is not one comma, with something on each side.

    >>> split("horses,idx:zebras", ["idx"])
    ('folder:horses', 'idx:zebras')
    """
    parts = place.split(",")
    if len(parts) != 2 or not all(parts):
        raise InputError(f"data is 'domains:{place}'; it must be domains:A,B with one comma between the two")
    first, second = (
        part if part == "digits" or part.partition(":")[0] in readers else f"folder:{part}" for part in parts
    )
    return first, second


def union(both: Dataset) -> Dataset:
    """Puts the images of two domains into one data set, whose classes say of which domain an image is.

    Args:
        both: two domains. Where both have the same K classes, these come into it too.

    Returns:
        A data set of 2 K classes, those of A first; of two where there are not the same.

    >>> from jaxgan.data import load
    >>> union(load("textured:digits", image_size=(8, 8), channels=1)).classes[9:11]
    ('a 9', 'b 0')
    """
    if both.domains is None:
        raise InputError(f"{both.spec} has images of one domain")
    first, second = both.domains
    classes = first.classes if first.classes == second.classes else None
    names = tuple(f"{domain} {name}".strip() for domain in "ab" for name in classes or ("",))

    def read(indices: np.ndarray) -> Arrays:
        a = _read_one(first, indices, classes)
        b = _read_one(second, indices - len(first), classes)
        own = indices < len(first)
        pixels = np.where(own[:, np.newaxis, np.newaxis, np.newaxis], a["image"], b["image"])
        labels = np.where(own, a["label"], b["label"] + len(names) // 2)
        return {"image": pixels, "label": labels.astype(np.int32)}

    return Dataset(
        spec=both.spec,
        split=both.split,
        image_shape=both.image_shape,
        classes=names,
        count=len(first) + len(second),
        reader=read,
    )


def _read_one(images: Dataset, indices: np.ndarray, classes: tuple[str, ...] | None) -> Arrays:
    """Reads images of one domain; a number outside it gives any of them."""
    arrays = images.read(np.clip(indices, 0, len(images) - 1))
    labels = arrays["label"] if classes else np.zeros(len(indices), np.int32)
    return {"image": arrays["image"], "label": labels}
