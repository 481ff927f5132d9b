"""Prepared TensorFlow data sets, read without TensorFlow and without a network."""

import re
import warnings
from pathlib import Path
from typing import Any

import numpy as np

from jaxgan.data import images
from jaxgan.data.dataset import Dataset, Shape, check_labels
from jaxgan.validation import InputError, require

SPLITS = {"train": ("train",), "test": ("test", "validation")}


def load(name: str, split: str, shape: Shape, data_dir: Path | None) -> Dataset:
    """Loads a split of a data set that lies prepared, in the array_record format, in the data folder."""
    spec = f"tfds:{name}"
    require(re.fullmatch(r"\w+(:[\w.\-]+)?", name) is not None, "data", spec, "tfds:NAME or tfds:NAME:CONFIG")
    builder = _find(name, data_dir)
    own = next((found for found in SPLITS[split] if found in builder.info.splits), None)
    if own is None:
        raise InputError(f"{spec} has the splits {', '.join(builder.info.splits)}; a {split} split is needed")
    features = dict(builder.info.features.items())
    if "image" not in features:
        raise InputError(f"{spec} has {', '.join(features)}; a feature named image is needed")
    try:
        source = builder.as_data_source(split=own)
    except Exception as error:  # array_record, missing shards, another file format
        raise InputError(f"{spec} in {builder.data_dir} cannot be read: {_first_line(error)}") from None
    classes = _classes(features.get("label"))
    return Dataset(
        spec=spec,
        split=split,
        image_shape=shape.image_shape,
        classes=classes,
        count=len(source),
        reader=lambda indices: _read(source, indices, shape, classes, spec),
    )


def image_shapes(name: str, data_dir: Path | None, count: int) -> list[tuple[int, ...]]:
    """Finds the shapes of the first images of a data set, (H, W, C) each.

    Raises:
        InputError: they cannot be read.
    """
    builder = _find(name, data_dir)
    declared = getattr(builder.info.features.get("image"), "shape", None)
    if declared is not None and None not in declared:
        return [declared]
    source = builder.as_data_source(split=next(iter(builder.info.splits)))
    return [record["image"].shape for record in source.__getitems__(list(range(min(count, len(source)))))]


def _classes(feature: Any) -> tuple[str, ...] | None:
    names = getattr(feature, "names", None)
    return tuple(names) if names else None


def _read(
    source: Any, indices: np.ndarray, shape: Shape, classes: tuple[str, ...] | None, spec: str
) -> dict[str, np.ndarray]:
    try:
        records = source.__getitems__([int(index) for index in indices])
    except Exception as error:  # a damaged record
        raise InputError(f"{spec} cannot be read: {_first_line(error)}") from None
    pixels = [record["image"] for record in records]
    batch = {"image": images.fit_all(pixels, shape.image_size, shape.channels, crop=shape.crop)}
    if classes is not None:
        batch["label"] = np.array([record["label"] for record in records], np.int32)
        check_labels(spec, batch["label"], len(classes))
    return batch


def _find(name: str, data_dir: Path | None) -> Any:
    """Finds the newest prepared version."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import tensorflow_datasets as tfds

        folder = Path(data_dir or tfds.core.constants.DATA_DIR).expanduser()
        place = folder.joinpath(*name.split(":"))
        prepared = sorted(place.glob("**/dataset_info.json"), key=lambda path: _version(path.parent.name))
        if not prepared:
            raise InputError(_how_to_prepare(name, place, folder))
        configs = sorted({str(path.parent.parent.relative_to(place)) for path in prepared})
        if len(configs) > 1:
            known = ", ".join(f"tfds:{name}:{config}" for config in configs)
            raise InputError(f"tfds:{name} is prepared in several ways; choose one: {known}")
        try:
            return tfds.builder_from_directory(prepared[-1].parent)
        except Exception as error:
            raise InputError(f"{prepared[-1].parent} cannot be read: {_first_line(error)}") from None


def _version(name: str) -> tuple[int, ...]:
    return tuple(int(part) for part in name.split(".") if part.isdecimal())


def _how_to_prepare(name: str, place: Path, folder: Path) -> str:
    call = f"tfds.data_source('{name.replace(':', '/')}', data_dir='{folder}')"
    return (
        f"tfds:{name} is not prepared: there is nothing in {place}. On a machine with a network, after "
        f"`pip install tensorflow tensorflow-datasets`, run "
        f'python -c "import tensorflow_datasets as tfds; {call}", copy that folder here, and give --data-dir'
    )


def _first_line(error: Exception) -> str:
    return (str(error).strip().partition("\n")[0] or type(error).__name__)[:300]
