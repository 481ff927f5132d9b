"""IDX files, the format of MNIST, EMNIST and Fashion-MNIST, gzipped or not."""

import gzip
import re
import struct
import zlib
from pathlib import Path

import numpy as np

from jaxgan.data.dataset import Dataset, Shape, in_memory
from jaxgan.validation import InputError

IMAGES, LABELS = 2051, 2049
FASHION = (
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)
SPLITS = {"train": ("train",), "test": ("t10k", "test")}
NAME = re.compile(
    r"(?:(?P<prefix>.+)-)?(?P<split>train|t10k|test)-(?P<what>images|labels)[-.]idx[13]-ubyte(?:\.gz)?"
)


def load(place: Path, split: str, shape: Shape) -> Dataset:
    """Loads the images of a folder of IDX files; ``FOLDER/PREFIX`` chooses among several sets in it."""
    folder, prefix = (place, None) if place.is_dir() else (place.parent, place.name)
    files = _find(folder, prefix, place)
    spec = f"idx:{place}"
    if (split, "images") not in files:
        found = ", ".join(sorted(path.name for path in files.values()))
        names = " or ".join(f"{name}-images-idx3-ubyte[.gz]" for name in SPLITS[split])
        raise InputError(f"{spec} has no {names}; it has {found}")
    pixels = read_images(files[split, "images"])
    is_emnist = "emnist" in files[split, "images"].name
    if is_emnist:  # its images are stored by columns
        pixels = pixels.swapaxes(1, 2)
    labels = {name: read_labels(path) for (name, what), path in files.items() if what == "labels"}
    if split not in labels:
        return in_memory(spec, split, shape, pixels, None, None)
    if len(labels[split]) != len(pixels):
        raise InputError(
            f"{files[split, 'labels']} has {len(labels[split])} labels for the {len(pixels)} images "
            f"of {files[split, 'images'].name}"
        )
    first = 1 if "emnist-letters" in files[split, "images"].name else 0  # letters are counted from 1
    reference = labels.get("train", labels[split])
    is_fashion = "fashion" in "/".join(place.absolute().parts[-2:]).lower()
    classes = FASHION if is_fashion else [str(k) for k in range(first, int(reference.max()) + 1)]
    return in_memory(spec, split, shape, pixels, labels[split].astype(np.int64) - first, classes)


def image_size(place: Path) -> tuple[int, int]:
    """Finds the (height, width) of the images of such a folder.

    Raises:
        InputError: there are none.
    """
    folder, prefix = (place, None) if place.is_dir() else (place.parent, place.name)
    files = _find(folder, prefix, place)
    _, height, width = read_images(next(path for (_, what), path in files.items() if what == "images")).shape
    return height, width


def _find(folder: Path, prefix: str | None, place: Path) -> dict[tuple[str, str], Path]:
    """Finds the files of one set: (split, "images" or "labels") to path."""
    try:
        names = sorted(path.name for path in folder.iterdir())
    except OSError as error:
        raise InputError(f"idx:{place} cannot be read: {error.strerror}") from None
    matches = [match for name in names if (match := NAME.fullmatch(name))]
    prefixes = sorted({match["prefix"] or "" for match in matches})
    if prefix is None and len(prefixes) > 1:
        listed = ", ".join(filter(None, prefixes))
        raise InputError(
            f"idx:{place} holds several data sets: {listed}; choose one, as in idx:{place}/{prefixes[-1]}"
        )
    files: dict[tuple[str, str], Path] = {}
    for match in matches:
        if prefix is None or match["prefix"] == prefix:
            split = "train" if match["split"] == "train" else "test"
            files.setdefault((split, match["what"]), folder / match.string)
    if not files:
        what = (
            "holds no IDX files" if prefix is None else "is neither a folder nor the beginning of IDX files"
        )
        known = "train-images-idx3-ubyte or t10k-labels-idx1-ubyte.gz"
        raise InputError(f"idx:{place} {what}; looked for names such as {known}")
    return files


def read_images(path: Path) -> np.ndarray:
    """Reads uint8[N, H, W].

    Raises:
        InputError: the file is of another kind, cut short, or too long.
    """
    return _read(path, IMAGES, 3)


def read_labels(path: Path) -> np.ndarray:
    """Reads uint8[N].

    Raises:
        InputError: the file is of another kind, cut short, or too long.
    """
    return _read(path, LABELS, 1)


def _read(path: Path, magic: int, dimensions: int) -> np.ndarray:
    head = 4 + 4 * dimensions
    data = _read_bytes(path)
    if len(data) < head:
        raise InputError(f"{path} has {len(data)} bytes; the head of an IDX file alone has {head}")
    found, *sizes = struct.unpack(f">{dimensions + 1}I", data[:head])
    if found != magic:
        raise InputError(f"{path} begins with the magic number {found}; it must be {magic}")
    if 0 in sizes:
        raise InputError(f"{path} holds nothing: its head says {' x '.join(map(str, sizes))}")
    needed = head + int(np.prod(sizes, dtype=object))
    if len(data) != needed:
        shape = " x ".join(map(str, sizes))
        raise InputError(f"{path} has {len(data)} bytes; its head says {shape}, which needs {needed}")
    return np.frombuffer(data, np.uint8, offset=head).reshape(sizes)


def _read_bytes(path: Path) -> bytes:
    try:
        data = path.read_bytes()
        return gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise InputError(f"{path} is a damaged gzip file: {error}") from None
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from None
