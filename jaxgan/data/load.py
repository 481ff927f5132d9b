"""`load`: from the name of a data set to its images."""

import dataclasses
from pathlib import Path

from jaxgan.data import demos, digits, domains, folder, idx, npz, pairs, photographs, tfds
from jaxgan.data.dataset import Dataset, Shape
from jaxgan.data.stacked import stack
from jaxgan.validation import InputError, require

FORMS = (
    "digits, idx:FOLDER, folder:PATH, npz:FILE, tfds:NAME[:CONFIG], stacked:SPEC, or, for translators, "
    "pairs:FOLDER, domains:A,B, edges:SPEC, textured:SPEC, swapped:SPEC, photographs"
)
OF_ONE = {"edges": demos.edges, "textured": demos.textured, "swapped": domains.swap}
"""What makes two domains of the images of another source."""
READERS = ("idx", "folder", "npz", "tfds", "stacked")
"""What stands before the colon in the name of images of one domain."""


def load(
    spec: str,
    split: str = "train",
    *,
    image_size: tuple[int, int],
    channels: int,
    crop: bool = False,
    data_dir: str | Path | None = None,
) -> Dataset:
    """Loads the images of one split, brought to one shape.

    Args:
        spec: ``digits`` (1,797 handwritten digits, part of scikit-learn), ``idx:FOLDER`` (MNIST, EMNIST or
            Fashion-MNIST files), ``folder:PATH`` (images, perhaps in a folder for each class), ``npz:FILE``
            (NumPy arrays), ``tfds:NAME[:CONFIG]`` (a prepared TensorFlow data set), or ``stacked:SPEC``
            (three images of a labelled set as the channels of one, see `jaxgan.data.stacked`). For
            translators: ``pairs:FOLDER`` (see `jaxgan.data.pairs`), ``domains:A,B`` (two folders or two of
            the others, without pairs), ``edges:SPEC`` and ``textured:SPEC`` (made of the images of any of
            them, see `jaxgan.data.demos`), ``swapped:SPEC``, which exchanges A and B, and ``photographs``
            (crops of two photographs that are part of scikit-learn, see `jaxgan.data.photographs`).
        split: ``"train"`` or ``"test"``. Where a source has no test images of its own, every fifth image
            is one; a source that is divided itself must have the split.
        image_size: (H, W), the size that images are resized to.
        channels: 1 for grey, 3 for RGB.
        crop: cut images to the proportions of that size first, instead of stretching them.
        data_dir: where the prepared data sets of tfds lie; tfds's own place by default.

    Raises:
        InputError: the source is unknown, missing, empty or damaged.

    >>> load("digits", image_size=(8, 8), channels=1)
    Dataset(spec='digits', split='train', image_shape=(8, 8, 1), classes=('0', ..., '9'), count=1438)
    """
    require(split in ("train", "test"), "split", split, "'train' or 'test'")
    require(channels in (1, 3), "channels", channels, "1 or 3")
    shape = Shape(image_size=image_size, channels=channels, crop=crop)
    require(min(image_size) >= 1, "image_size", image_size, "at least 1 on each side")
    try:
        return _load(spec, split, shape, data_dir)
    except OSError as error:
        raise InputError(f"{spec} cannot be read: {error.strerror or error}") from None


def _load(spec: str, split: str, shape: Shape, data_dir: str | Path | None) -> Dataset:
    kind, _, place = spec.partition(":")
    if kind == "digits" and not place:
        return digits.load(split, shape)
    if spec == photographs.SPEC:
        return photographs.load_crops(split, shape)
    if kind == "stacked" and place and not place.startswith("stacked"):
        return _stacked(place, split, shape, data_dir)
    if kind == "domains" and place:
        names = domains.split(place, READERS)
        first, second = (_load(name, split, shape, data_dir) for name in names)
        return domains.join(spec, first, second)
    if kind in OF_ONE and place:
        return OF_ONE[kind](spec, _load(place, split, shape, data_dir))
    if not place or kind not in ("idx", "folder", "npz", "pairs", "tfds"):
        raise InputError(f"data is {spec!r}; it must be one of {FORMS}, where SPEC is one of the others")
    if kind == "tfds":
        return tfds.load(place, split, shape, None if data_dir is None else _path(data_dir))
    read = {"idx": idx.load, "folder": folder.load, "npz": npz.load, "pairs": pairs.load}[kind]
    return read(_path(place), split, shape)


def _stacked(place: str, split: str, shape: Shape, data_dir: str | Path | None) -> Dataset:
    if shape.channels != 3:
        raise InputError(f"stacked:{place} makes images of 3 channels, not 1; give --model.channels 3")
    return stack(_load(place, split, dataclasses.replace(shape, channels=1), data_dir))


def _path(place: str | Path) -> Path:
    try:
        return Path(place).expanduser()
    except RuntimeError as error:  # a home of nobody
        raise InputError(f"{place} cannot be found: {error}") from None
