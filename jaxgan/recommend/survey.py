"""What data are like: how many images, of which size in the source, with labels or without."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from jaxgan import data
from jaxgan.data import idx, images, npz, photographs, tfds
from jaxgan.recommend.rules import Data
from jaxgan.validation import InputError

LOOKED_AT = 64
"""The images whose size decides, where they differ: the median of the first."""
SPLITS = ("train", "test", "val")


def survey(spec: str, data_dir: Path | None = None) -> Data:
    """Reads data and says what they are like.

    Args:
        spec: the images, as `jaxgan.data.load` takes them.
        data_dir: where the prepared data sets of tfds lie.

    Raises:
        InputError: they cannot be read.

    >>> survey("digits")
    Data(spec='digits', images=1438, image_size=(8, 8), channels=1, num_classes=10, domains=None)
    """
    height, width, channels = 8, 8, 1
    try:
        height, width, channels = own_shape(spec, data_dir)
    except _NotFoundError:  # then `load` says what is wrong with it
        pass
    except OSError as error:
        raise InputError(f"{spec} cannot be read: {error.strerror or error}") from None
    size = (height, width)
    found = data.load(spec, image_size=size, channels=channels, data_dir=data_dir)
    domains = None
    if found.domains is not None:
        domains = "paired" if found.paired else "any"
    return Data(spec, len(found), size, channels, found.num_classes, domains)


class _NotFoundError(Exception):
    """There is nothing whose size could be looked at."""


def own_shape(spec: str, data_dir: Path | None = None) -> tuple[int, int, int]:
    """Finds the height, the width and the channels, 1 or 3, that images have in their source.

    Where they differ it is the median of the first `LOOKED_AT`, and they have colours if one of these has.

    >>> own_shape("digits"), own_shape("stacked:digits")
    ((8, 8, 1), (8, 8, 3))
    """
    kind, _, place = spec.partition(":")
    if spec == "digits":
        return 8, 8, 1
    if spec == photographs.SPEC:
        return max(photographs.SIDES), max(photographs.SIDES), 3
    if kind == "stacked":
        return (*own_shape(place, data_dir)[:2], 3)
    if kind == "domains":
        first = place.partition(",")[0]
        known = first == "digits" or ":" in first
        return own_shape(first if known else f"folder:{first}", data_dir)
    if kind in ("edges", "textured", "swapped"):
        return own_shape(place, data_dir)
    if kind in ("folder", "pairs"):
        return _of_files(Path(place).expanduser(), halved=kind == "pairs")
    if kind == "idx":
        return (*idx.image_size(Path(place).expanduser()), 1)
    if kind == "npz":
        return _median([npz.image_shape(Path(place).expanduser())])
    if kind == "tfds":
        return _median(tfds.image_shapes(place, data_dir, LOOKED_AT))
    raise _NotFoundError


def _of_files(folder: Path, *, halved: bool) -> tuple[int, int, int]:
    """Looks at the heads of image files; those of pairs in the folder itself hold two side by side."""
    paths = sorted(path for path in folder.rglob("*") if path.suffix.lower() in images.SUFFIXES)
    if not paths:
        raise _NotFoundError
    chosen = paths[:: max(1, len(paths) // LOOKED_AT)][:LOOKED_AT]
    shapes = []
    with images.quiet_about_size():
        for path in chosen:
            height, width, channels = images.picture_shape(path)
            side_by_side = halved and path.parent in (folder, *(folder / name for name in SPLITS))
            shapes.append((height, width // 2 if side_by_side else width, channels))
    return _median(shapes)


def _median(shapes: Iterable[tuple[Any, ...]]) -> tuple[int, int, int]:
    """The median size, and 3 channels if any image has more than one."""
    found = list(shapes)
    height, width = (int(np.median([shape[axis] for shape in found])) for axis in (0, 1))
    has_colors = any(len(shape) > 2 and shape[2] > 1 for shape in found)
    return height, width, 3 if has_colors else 1
