"""Mean and scatter of features, gathered batch by batch and joined in any order."""

from typing import Any, NamedTuple

import numpy as np

from jaxgan.metrics.checks import as_rows, require_same_size, require_samples
from jaxgan.validation import require

COVARIANCE = "N-1"
"""What the scatter is divided by: one less than the samples, as the first code for FID has it."""
BLOCK = 2048
"""Rows that are made float64 at a time."""


class Moments(NamedTuple):
    """What is known of the samples so far.

    Attributes:
        samples: int64[], how many.
        mean: f64[D].
        scatter: f64[D, D], the sum of the outer products of the samples less their mean.
    """

    samples: np.ndarray
    mean: np.ndarray
    scatter: np.ndarray


def init(size: int) -> Moments:
    """Makes the moments of no samples.

    Args:
        size: the dimension D, >= 1.

    Raises:
        InputError: the dimension is below 1.

    >>> init(3).mean.shape
    (3,)
    """
    require(size >= 1, "the dimension of features", size, ">= 1")
    return Moments(np.zeros((), np.int64), np.zeros(size), np.zeros((size, size)))


def update(state: Moments, features: Any) -> Moments:
    """Adds samples.

    Each batch is centred on its own mean, in float64, before anything is squared, so that float32 features
    whose mean is large beside their spread lose nothing.

    Args:
        state: the moments so far.
        features: f[N, D], N >= 0.

    Raises:
        InputError: the features are of another rank or dimension, or not finite.

    >>> update(init(1), [[1.0], [3.0]]).mean.tolist()
    [2.0]
    """
    rows = as_rows("features", features, len(state.mean))
    if not len(rows):
        return state
    mean = _mean(rows)
    samples = state.samples + len(rows)
    shift = mean - state.mean
    apart = shift * np.sqrt(state.samples * (len(rows) / samples))  # as one more row: what `merge` adds
    scatter = state.scatter
    for start in range(0, len(rows), BLOCK):
        block = rows[start : start + BLOCK] - mean
        if not start:
            block = np.vstack([block, apart])
        product = block.T @ block
        product += scatter  # in place: no third matrix
        scatter = product
    return Moments(np.asarray(samples), state.mean + shift * (len(rows) / samples), scatter)


def merge(a: Moments, b: Moments) -> Moments:
    r"""Joins the moments of two sets of samples.

    .. math:: M = M_a + M_b + \frac{n_a n_b}{n_a + n_b} \delta \delta^T, \quad \delta = \mu_b - \mu_a

    Raises:
        InputError: the dimensions differ.

    >>> merge(update(init(1), [[1.0]]), update(init(1), [[3.0]])).scatter.tolist()
    [[2.0]]

    Source: Chan et al., "Updating formulae and a pairwise algorithm for computing sample variances", 1979.
    """
    require_same_size(len(a.mean), len(b.mean))
    if not a.samples or not b.samples:
        return a if a.samples else b
    count = a.samples + b.samples
    shift = b.mean - a.mean
    mean = a.mean + shift * (b.samples / count)
    scatter = a.scatter + b.scatter
    scatter += np.outer(shift, shift * (a.samples * (b.samples / count)))
    return Moments(np.asarray(count), mean, scatter)


def covariance(state: Moments) -> np.ndarray:
    """Gives the sample covariance, divided by N - 1.

    Returns:
        f64[D, D].

    Raises:
        InputError: there are fewer than two samples.

    >>> covariance(update(init(1), [[1.0], [3.0]])).tolist()
    [[2.0]]
    """
    require_samples("samples", int(state.samples), 2)
    return state.scatter / (state.samples - 1)


def _mean(rows: np.ndarray) -> np.ndarray:
    """Averages in two rounds: the second takes away what the first rounded."""
    first = rows.mean(axis=0, dtype=np.float64)
    return first + sum(
        (rows[start : start + BLOCK] - first).sum(axis=0) for start in range(0, len(rows), BLOCK)
    ) / len(rows)
