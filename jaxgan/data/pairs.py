"""Folders of pairs: pictures side by side in one file, or two folders of pictures with the same names."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from jaxgan.data import images
from jaxgan.data.dataset import Arrays, Dataset, Shape, is_held_out
from jaxgan.data.domains import join
from jaxgan.data.folder import MEMORY, SPLITS, list_images
from jaxgan.validation import InputError

if TYPE_CHECKING:
    from PIL import Image

Pair = tuple[Path, Path | None]
"""The files of a pair; one file alone has both pictures side by side."""


def load(place: Path, split: str, shape: Shape) -> Dataset:
    """Loads pairs of images.

    In the folder, or in ``train`` and in ``test`` (or ``val``) below it, there are either pictures, each with
    A in its left half and B in its right one, or two folders of pictures, of which the first by name is A.
    There the pictures of a pair have the same name, ending aside, and the same size. Where the folder is not
    divided, every fifth pair is a test pair.

    Raises:
        InputError: it is no such folder, or a picture is missing, damaged, or of another size than its pair.
    """
    spec = f"pairs:{place}"
    if not place.is_dir():
        raise InputError(f"{spec} is not a folder")
    found = _choose(place, split)
    if not found:
        allowed = ", ".join(sorted(images.SUFFIXES))
        raise InputError(f"{spec} holds no {split} pairs; it must hold files that end in {allowed}")
    with images.quiet_about_size(), ThreadPoolExecutor() as pool:
        if 2 * len(found) * int(np.prod(shape.image_shape)) <= MEMORY:
            pixels = np.stack(list(pool.map(lambda pair: _read(pair, shape), found)))
            return _of(spec, split, shape, len(found), lambda indices: pixels[indices])
        list(pool.map(_check, found))
    return _of(
        spec, split, shape, len(found), lambda indices: np.stack([_read(found[i], shape) for i in indices])
    )


def _of(spec: str, split: str, shape: Shape, count: int, read: Callable[[np.ndarray], np.ndarray]) -> Dataset:
    """Makes the data set of what reads pairs: int[n] -> uint8[n, 2, H, W, C]."""

    def domain(number: int) -> Dataset:
        def read_one(indices: np.ndarray) -> Arrays:
            return {"image": read(indices)[:, number]}

        name = f"{spec} {'ab'[number]}"
        return Dataset(
            spec=name, split=split, image_shape=shape.image_shape, classes=None, count=count, reader=read_one
        )

    return join(spec, domain(0), domain(1), paired=True)


def _choose(place: Path, split: str) -> list[Pair]:
    """Lists the pairs of a split."""
    names = {name for own in SPLITS.values() for name in own}
    if any((place / name).is_dir() for name in names):
        own = next((place / name for name in SPLITS[split] if (place / name).is_dir()), None)
        return [] if own is None else _list(own)
    found = _list(place)
    return [
        pair for pair, test in zip(found, is_held_out(len(found)), strict=True) if test == (split == "test")
    ]


def _list(folder: Path) -> list[Pair]:
    flat = list_images(folder.iterdir())
    below = sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))
    if flat and not below:
        return [(path, None) for path in flat]
    if flat or len(below) != 2:
        names = ", ".join(path.name for path in below) or "none"
        raise InputError(
            f"{folder} holds {len(flat)} images and these folders: {names}; it must hold images, each of two "
            "side by side, or two folders of images"
        )
    first, second = ({_name(path, own): path for path in list_images(own.rglob("*"))} for own in below)
    if alone := sorted(first.keys() ^ second.keys()):
        own, other = below if alone[0] in first else reversed(below)
        counts = f"{len(first)} images in {below[0].name} and {len(second)} in {below[1].name}"
        raise InputError(
            f"{folder}: {counts} do not match: {alone[0]} is in {own.name} and not in {other.name}"
        )
    return [(first[name], second[name]) for name in sorted(first)]


def _name(path: Path, folder: Path) -> str:
    return str(path.relative_to(folder).with_suffix(""))


def _read(pair: Pair, shape: Shape) -> np.ndarray:
    """Reads a pair: uint8[2, H, W, C]."""
    first, second = pair
    if second is None:
        return images.read_with(
            first, lambda picture: np.stack([_fit(half, shape) for half in _halves(first, picture)])
        )
    sizes, pixels = [], []
    for path in (first, second):
        size, found = images.read_with(path, lambda picture: (picture.size, _fit(picture, shape)))
        sizes.append(size)
        pixels.append(found)
    _require_alike(pair, sizes)
    return np.stack(pixels)


def _check(pair: Pair) -> None:
    """Reads the heads of the files of a pair."""
    for path in pair:
        if path is not None:
            images.check_file(path)


def _fit(picture: "Image.Image", shape: Shape) -> np.ndarray:
    return images.fit(picture, shape.image_size, shape.channels, crop=shape.crop)


def _halves(path: Path, picture: "Image.Image") -> "list[Image.Image]":
    width, height = picture.size
    if width % 2:
        raise InputError(f"{path} is {width} pixels wide; two pictures side by side make an even width")
    return [picture.crop((left, 0, left + width // 2, height)) for left in (0, width // 2)]


def _require_alike(pair: Pair, sizes: list[tuple[int, int]]) -> None:
    if sizes[0] != sizes[1]:
        first, second = (
            f"{path} is {width} x {height}" for path, (width, height) in zip(pair, sizes, strict=True)
        )
        raise InputError(f"{first} and {second}; the pictures of a pair must have the same size")
