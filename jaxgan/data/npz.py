"""NumPy archives of images, in the three ways that public data sets name their arrays."""

import zipfile
import zlib
from pathlib import Path

import numpy as np

from jaxgan.data.dataset import Dataset, Shape, check_labels, in_memory, is_held_out
from jaxgan.validation import InputError

NAMES = {
    "train": (("x_train", "y_train"), ("train_images", "train_labels")),
    "test": (("x_test", "y_test"), ("test_images", "test_labels")),
}
UNDIVIDED = (("images", "labels"), ("image", "label"))
MOST_CLASSES = 65_536
ALLOWED = "x_train/y_train/x_test/y_test, train_images/train_labels/test_images/test_labels, or images/labels"


def load(place: Path, split: str, shape: Shape) -> Dataset:
    """Loads images [N, H, W] or [N, H, W, C], uint8 or floats in [0, 1] or [-1, 1], perhaps with labels."""
    spec = f"npz:{place}"
    arrays = _read(place, split)
    names = next((pair for pair in (*NAMES[split], *UNDIVIDED) if pair[0] in arrays), None)
    if names is None:
        raise InputError(
            f"{spec} holds {', '.join(arrays) or 'no arrays'}; the {split} images must be in {ALLOWED}"
        )
    pixels = to_bytes(arrays[names[0]], f"{spec}: {names[0]}")
    labels = arrays.get(names[1])
    if labels is not None:
        labels = _check_labels(labels, len(pixels), f"{spec}: {names[1]}")
    classes = None
    if labels is not None:
        known = next((y for _, y in (*NAMES["train"], *UNDIVIDED) if y in arrays), names[1])
        most = int(_check_labels(arrays[known], len(arrays[known]), f"{spec}: {known}").max(initial=0))
        check_labels(f"{spec}: {names[1]}", labels, min(most + 1, MOST_CLASSES))
        classes = [str(k) for k in range(most + 1)]
    if names in UNDIVIDED:
        chosen = is_held_out(len(pixels)) == (split == "test")
        pixels, labels = pixels[chosen], None if labels is None else labels[chosen]
    return in_memory(spec, split, shape, pixels, labels, classes)


def image_shape(place: Path) -> tuple[int, ...]:
    """Finds the shape of one image of an archive: (H, W) or (H, W, C).

    Raises:
        InputError: it holds no images.
    """
    arrays = _read(place, "train")
    found = [arrays[name] for name, _ in (*NAMES["train"], *UNDIVIDED) if name in arrays]
    if not found or found[0].ndim not in (3, 4):
        raise InputError(f"npz:{place} holds no training images; they must be in {ALLOWED}")
    return found[0].shape[1:]


def _read(place: Path, split: str) -> dict[str, np.ndarray]:
    wanted = {name for pairs in (NAMES[split], UNDIVIDED) for pair in pairs for name in pair}
    wanted |= {labels for _, labels in NAMES["train"]}
    try:
        with place.open("rb") as file, zipfile.ZipFile(file):
            archive = np.load(file, allow_pickle=False)
            arrays = {name: archive[name] for name in archive.files if name in wanted}
            return {name: array for name, array in arrays.items() if isinstance(array, np.ndarray)}
    except (
        ValueError,
        zipfile.BadZipFile,
        zlib.error,
        EOFError,
        KeyError,
        MemoryError,
        RuntimeError,
    ) as error:
        raise InputError(f"npz:{place} is no archive of plain arrays, or a damaged one: {error}") from None
    except OSError as error:
        raise InputError(f"npz:{place} cannot be read: {error.strerror or error}") from None


def to_bytes(pixels: np.ndarray, name: str) -> np.ndarray:
    """Turns images into bytes.

    Raises:
        InputError: numbers that are not finite or outside the known ranges, or another shape.
    """
    is_grey, is_deep = pixels.ndim == 3, pixels.ndim == 4 and pixels.shape[3] in (1, 3, 4)
    if not (is_grey or is_deep) or 0 in pixels.shape[1:]:
        raise InputError(
            f"{name} has shape {pixels.shape}; it must be [N, H, W] or [N, H, W, C] with C of 1, 3 or 4"
        )
    if pixels.dtype == np.uint8:
        return pixels
    if pixels.dtype.kind not in "fiu":
        raise InputError(f"{name} holds {pixels.dtype}; it must hold whole numbers or floats")
    bad = ~np.isfinite(pixels)
    if bad.any():
        count = bad.reshape(len(pixels), -1).any(1).sum()
        raise InputError(
            f"{name} holds {bad.sum()} values that are NaN or infinite, in {count} of its images"
        )
    low, high = float(pixels.min(initial=0)), float(pixels.max(initial=0))
    if pixels.dtype.kind == "f" and low >= -1 and high <= 1:
        scaled = pixels * 255.0 if low >= 0 else (pixels + 1) * 127.5
        return np.round(scaled).astype(np.uint8)
    if low >= 0 and high <= 255:
        return np.round(pixels).astype(np.uint8)
    raise InputError(
        f"{name} has values from {low:g} to {high:g}; they must be in [0, 1], [-1, 1] or [0, 255]"
    )


def _check_labels(labels: np.ndarray, count: int, name: str) -> np.ndarray:
    flat = labels[:, 0] if labels.ndim == 2 and labels.shape[1] == 1 else labels
    if flat.shape != (count,) or flat.dtype.kind not in "iu":
        found = f"{labels.dtype}{list(labels.shape)}"
        raise InputError(f"{name} is {found}; it must be one whole number for each of {count} images")
    return flat
