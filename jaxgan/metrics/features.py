"""Features kept with their places, for the metrics whose mathematics needs every sample."""

from typing import Any, NamedTuple

import numpy as np

from jaxgan.metrics.checks import as_numbers, as_rows, require_same_size
from jaxgan.validation import InputError, require


class Features(NamedTuple):
    """The samples so far, in the chunks in which they came: an update copies none of those before.

    Attributes:
        size: int64[], the dimension D.
        places: int64[N] for each chunk, where its samples stand in the whole set.
        values: f32[N, D] for each chunk.
    """

    size: np.ndarray
    places: tuple[np.ndarray, ...]
    values: tuple[np.ndarray, ...]


def init(size: int) -> Features:
    """Makes a set without samples.

    Args:
        size: the dimension D, >= 1.

    Raises:
        InputError: the dimension is below 1.

    >>> ordered(init(3)).shape
    (0, 3)
    """
    require(size >= 1, "the dimension of features", size, ">= 1")
    return Features(np.asarray(size, np.int64), (), ())


def update(state: Features, values: Any, places: Any) -> Features:
    """Adds samples.

    Args:
        state: the samples so far.
        values: f[N, D], N >= 0; kept as float32.
        places: int[N], >= 0, where they stand in the whole set: with them, the order in which the parts
            arrive does not matter.

    Raises:
        InputError: the values are of another rank or dimension or not finite, or the places do not fit.

    >>> ordered(update(init(1), [[7.0], [8.0]], [1, 0])).tolist()
    [[8.0], [7.0]]
    """
    rows = as_rows("features", values, int(state.size)).astype(np.float32, copy=False)
    where = as_numbers("places", places, np.iinfo(np.int64).max, len(rows))
    return Features(state.size, (*state.places, where), (*state.values, rows))


def merge(a: Features, b: Features) -> Features:
    """Joins two sets of samples.

    Raises:
        InputError: the dimensions differ.

    >>> ordered(merge(update(init(1), [[7.0]], [1]), update(init(1), [[8.0]], [0]))).tolist()
    [[8.0], [7.0]]
    """
    require_same_size(int(a.size), int(b.size))
    return Features(a.size, a.places + b.places, a.values + b.values)


def ordered(state: Features) -> np.ndarray:
    """Gives the samples by their places.

    Returns:
        f32[N, D].

    Raises:
        InputError: two samples have the same place.

    >>> ordered(update(init(1), [[7.0], [8.0]], [5, 5]))
    Traceback (most recent call last):
    ...
    jaxgan.validation.InputError: place 5 holds 2 samples; each place may hold one
    """
    places = np.concatenate([np.zeros(0, np.int64), *state.places])
    order = np.argsort(places, kind="stable")
    found, counts = np.unique(places, return_counts=True)
    if len(found) < len(places):
        worst = int(np.argmax(counts > 1))
        raise InputError(f"place {found[worst]} holds {counts[worst]} samples; each place may hold one")
    return np.concatenate([np.zeros((0, int(state.size)), np.float32), *state.values])[order]
