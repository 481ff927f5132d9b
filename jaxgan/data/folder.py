"""Folders of image files: one folder for each class, or all in one."""

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from jaxgan.data import images
from jaxgan.data.dataset import Dataset, Shape, in_memory, is_held_out
from jaxgan.validation import InputError

SPLITS = {"train": ("train",), "test": ("test", "val")}
MEMORY = 1 << 30
"""Images that take more bytes than this are read from their files whenever they are needed."""


def load(place: Path, split: str, shape: Shape) -> Dataset:
    """Loads the images below a folder.

    ``PATH/train`` and ``PATH/test`` (or ``val``) are the splits where they exist; otherwise every fifth
    image of each class is a test image. Files that are no images by their names are passed over.
    """
    spec = f"folder:{place}"
    if not place.is_dir():
        raise InputError(f"{spec} is not a folder")
    paths, labels, classes = _choose(place, split)
    if not paths:
        allowed = ", ".join(sorted(images.SUFFIXES))
        raise InputError(f"{spec} holds no {split} images; it must hold files that end in {allowed}")
    with images.quiet_about_size(), ThreadPoolExecutor() as pool:
        if len(paths) * int(np.prod(shape.image_shape)) <= MEMORY:
            pixels = list(pool.map(lambda path: _read(path, shape), paths))
            return in_memory(spec, split, shape, np.stack(pixels), labels, classes)
        list(pool.map(images.check_file, paths))
    return Dataset(
        spec=spec,
        split=split,
        image_shape=shape.image_shape,
        classes=classes,
        count=len(paths),
        reader=lambda indices: _read_some(indices, paths, labels, shape),
    )


def _read(path: Path, shape: Shape) -> np.ndarray:
    return images.read_file(path, shape.image_size, shape.channels, crop=shape.crop)


def _read_some(
    indices: np.ndarray, paths: list[Path], labels: np.ndarray | None, shape: Shape
) -> dict[str, np.ndarray]:
    batch = {"image": np.stack([_read(paths[index], shape) for index in indices])}
    return batch if labels is None else {**batch, "label": labels[indices].astype(np.int32)}


def _choose(place: Path, split: str) -> tuple[list[Path], np.ndarray | None, tuple[str, ...] | None]:
    """Lists the images of a split, with their labels and classes."""
    everything = _groups(place)
    divided = bool(everything) and everything.keys() <= {name for names in SPLITS.values() for name in names}
    if divided:
        own = next((name for name in SPLITS[split] if name in everything), None)
        groups = _groups(place / own) if own else {}
        reference = _groups(place / "train") if "train" in everything else groups
    else:
        groups = reference = everything
    classes = tuple(name for name in reference if name)
    paths: list[Path] = []
    labels: list[int] = []
    for name, files in groups.items():
        if not divided:
            held_out = is_held_out(len(files))
            files = [path for path, test in zip(files, held_out, strict=True) if test == (split == "test")]
        if name not in reference:
            raise InputError(f"folder:{place}: the class {name!r} has test images and no train images")
        paths += files
        labels += [classes.index(name) if name else 0] * len(files)
    return (paths, np.array(labels), classes) if classes else (paths, None, None)


def _groups(folder: Path) -> dict[str, list[Path]]:
    """Sorts the images below a folder by class; those directly in it are of none, named ``""``."""
    flat = list_images(folder.iterdir())
    folders = sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))
    groups = {path.name: files for path in folders if (files := list_images(path.rglob("*")))}
    if flat and groups:
        raise InputError(
            f"{folder} holds both images, such as {flat[0].name}, and folders of images, such as "
            f"{next(iter(groups))}; it must hold one or the other"
        )
    return {"": flat} if flat else groups


def list_images(paths: Iterable[Path]) -> list[Path]:
    """Picks those that are images by their names, in order."""
    return sorted(
        path
        for path in paths
        if path.suffix.lower() in images.SUFFIXES and not path.name.startswith(".") and path.is_file()
    )
