"""Batches: an endless, shuffled stream that can be taken up where it was left, and one pass in order."""

import functools
from collections.abc import Iterator
from typing import Any

import numpy as np

from jaxgan.data.augment import Augment
from jaxgan.data.dataset import Arrays, Dataset, in_chunks
from jaxgan.validation import require

ENDLESS = 2**48
"""More batches than anybody takes."""
PIXELS = ("image", "target")
"""The arrays of a batch that are images; those of a pair are changed alike."""
READ_AHEAD = 4
"""Batches that are prepared before they are asked for."""


def to_range(pixels: np.ndarray, value_range: tuple[float, float]) -> np.ndarray:
    """Scales bytes to the values that a model wants.

    Args:
        pixels: uint8[...].
        value_range: (low, high), the values of 0 and 255.

    Returns:
        f32[...].

    >>> to_range(np.array([0, 255], np.uint8), (-1.0, 1.0)).tolist()
    [-1.0, 1.0]
    """
    return _table(*value_range).take(pixels, mode="clip")  # which is faster, and a byte is never outside


@functools.lru_cache
def _table(low: float, high: float) -> np.ndarray:
    return np.linspace(low, high, 256).astype(np.float32)


class Batches:
    """An endless stream of batches, from `batches`."""

    def __init__(self, iterator: Any):
        self._iterator = iterator

    def __iter__(self) -> Iterator[Arrays]:
        return self

    def __next__(self) -> Arrays:
        """Gives the next batch: ``image`` f32[n, H, W, C], and ``label`` int32[n] or ``target``."""
        batch: Arrays = next(self._iterator)
        return batch

    def state(self) -> dict[str, Any]:
        """Gives the place after the last batch, as JSON can hold it."""
        state: dict[str, Any] = self._iterator.get_state()
        return state

    def restore(self, state: dict[str, Any]) -> None:
        """Goes back to such a place: the same batches follow."""
        self._iterator.set_state(state)


def batches(
    dataset: Dataset,
    *,
    batch_size: int,
    seed: int,
    value_range: tuple[float, float],
    augment: Augment = Augment(),  # noqa: B008  # it is frozen
    process_index: int = 0,
    process_count: int = 1,
) -> Batches:
    """Makes an endless stream of shuffled batches, decided by the seed alone.

    Every image comes once in each pass over the data, and each pass has an order of its own. A batch may
    end one pass and begin the next, so that none is smaller.

    Args:
        dataset: the images.
        batch_size: the images of a batch, over all processes, >= 1.
        seed: the seed of the order and of the changes.
        value_range: (low, high), the values of black and white.
        augment: how the images are changed; not at all by default.
        process_index: which equal part of each batch to give.
        process_count: how many parts there are.

    Raises:
        InputError: the batch is empty, larger than the data, or cannot be divided.

    >>> from jaxgan.data import load
    >>> digits = load("digits", image_size=(8, 8), channels=1)
    >>> next(batches(digits, batch_size=4, seed=0, value_range=(0, 1)))["image"].shape
    (4, 8, 8, 1)
    """
    import grain

    require(batch_size >= 1, "batch_size", batch_size, ">= 1")
    known = f"at most {len(dataset)}, the number of images in {dataset.spec} {dataset.split}"
    require(batch_size <= len(dataset), "batch_size", batch_size, known)
    parts = f"a multiple of {process_count}, the number of processes"
    require(batch_size % process_count == 0, "batch_size", batch_size, parts)
    share = batch_size // process_count
    own = slice(process_index * share, (process_index + 1) * share)

    @functools.lru_cache(maxsize=2)  # a batch may lie in two passes
    def order(number: int) -> np.ndarray:
        return np.random.default_rng([seed, number]).permutation(len(dataset))

    def read(number: int) -> Arrays:
        places = number * batch_size + np.arange(batch_size)[own]
        passes, places = np.divmod(places, len(dataset))
        indices = np.where(passes == passes[0], order(int(passes[0]))[places], order(int(passes[-1]))[places])
        return read_scaled(dataset, indices, value_range)

    def change(arrays: Arrays, generator: np.random.Generator) -> Arrays:
        seeds = generator.integers(2**63, size=batch_size)[own]  # one for each image, whatever the division

        def change_all(images: np.ndarray) -> np.ndarray:
            changed = [
                augment.apply(image[np.newaxis], np.random.default_rng(image_seed), fill=value_range[0])[0]
                for image, image_seed in zip(images, seeds, strict=True)
            ]
            return np.stack(changed)

        return {name: change_all(found) if name in PIXELS else found for name, found in arrays.items()}

    stream = grain.MapDataset.range(ENDLESS).seed(seed).map(read)
    if augment.enabled:
        stream = stream.random_map(change)
    options = grain.ReadOptions(num_threads=1, prefetch_buffer_size=READ_AHEAD)
    return Batches(iter(stream.to_iter_dataset(options)))


def in_order(dataset: Dataset, *, batch_size: int, value_range: tuple[float, float]) -> Iterator[Arrays]:
    """Gives every image once, in order; the last batch may be smaller.

    Args:
        dataset: the images.
        batch_size: the images of a batch, >= 1.
        value_range: (low, high), the values of black and white.

    Yields:
        ``image`` f32[n, H, W, C] and, with labels, ``label`` int32[n]; of two domains, also ``target``
        f32[n, H, W, C].
    """
    for arrays in in_chunks(dataset, chunk_size=batch_size):
        yield _scaled(arrays, value_range)


def read_scaled(dataset: Dataset, indices: np.ndarray, value_range: tuple[float, float]) -> Arrays:
    """Reads images by their numbers int[n], as a batch of these."""
    return _scaled(dataset.read(indices), value_range)


def _scaled(arrays: Arrays, value_range: tuple[float, float]) -> Arrays:
    return {name: to_range(found, value_range) if name in PIXELS else found for name, found in arrays.items()}
