"""Kernel distance between two sets of features (Bińkowski et al., 2018)."""

from typing import Any, NamedTuple

import numpy as np

from jaxgan.metrics.checks import as_rows, require_same_size, require_samples
from jaxgan.metrics.features import Features, init, merge, ordered, update
from jaxgan.validation import require

__all__ = [
    "SEED",
    "SUBSETS",
    "SUBSET_SIZE",
    "Kid",
    "compute",
    "from_features",
    "influence",
    "init",
    "merge",
    "update",
]

SUBSETS = 100
SUBSET_SIZE = 1000
SEED = 2020
BLOCK = 1024
"""Samples whose kernels with all others are worked out at a time."""


class Kid(NamedTuple):
    """The mean and the standard deviation of the distance over the subsets."""

    mean: float
    std: float


def compute(
    real: Features,
    fake: Features,
    *,
    subsets: int = SUBSETS,
    subset_size: int = SUBSET_SIZE,
    seed: int = SEED,
) -> Kid:
    """Works out the distance of two sets that were gathered; `from_features` says how.

    >>> real = update(init(1), [[0.0], [1.0]], [0, 1])
    >>> compute(real, real, subsets=1, subset_size=2).mean
    -3.5
    """
    return from_features(ordered(real), ordered(fake), subsets=subsets, subset_size=subset_size, seed=seed)


def from_features(
    real: Any, fake: Any, *, subsets: int = SUBSETS, subset_size: int = SUBSET_SIZE, seed: int = SEED
) -> Kid:
    r"""Averages the unbiased squared maximum mean discrepancy over random subsets.

    .. math:: \frac{\sum_{i \ne j} k(x_i, x_j) + \sum_{i \ne j} k(y_i, y_j)}{m (m - 1)}
        - \frac{2 \sum_{i, j} k(x_i, y_j)}{m^2}, \quad k(x, y) = (x^T y / D + 1)^3

    The subsets are those of torch-fidelity 0.4 with an equal seed (one `numpy.random.RandomState`; for each
    subset it chooses first from `fake`, torch-fidelity's first input, then from `real`, without replacement),
    so that equal features give its number up to rounding. The unbiased estimate may be below 0.

    Args:
        real: f[N, D], N >= subset_size.
        fake: f[M, D], M >= subset_size.
        subsets: how many subsets, >= 1.
        subset_size: the samples m of each, >= 2.
        seed: decides the subsets.

    Returns:
        The mean and the (population) standard deviation over the subsets.

    Raises:
        InputError: a set is too small, not finite or of another rank, or the dimensions differ.

    >>> from_features([[0.0], [1.0]], [[1.0], [0.0]], subsets=3, subset_size=2)
    Kid(mean=-3.5, std=0.0)

    Source: Bińkowski et al., "Demystifying MMD GANs", 2018, arXiv:1801.01401.
    """
    real, fake = as_rows("real features", real), as_rows("fake features", fake)
    require_same_size(real.shape[1], fake.shape[1])
    require(subsets >= 1, "subsets", subsets, ">= 1")
    require(subset_size >= 2, "subset_size", subset_size, ">= 2")
    for name, rows in (("real samples", real), ("fake samples", fake)):
        need = f"at least {subset_size}, the size of a subset"
        require(len(rows) >= subset_size, f"the count of {name}", len(rows), need)
    draw = np.random.RandomState(seed)
    found = np.empty(subsets)
    for number in range(subsets):
        second = fake[draw.choice(len(fake), subset_size, replace=False)]
        first = real[draw.choice(len(real), subset_size, replace=False)]
        found[number] = _discrepancy(first.astype(np.float64), second.astype(np.float64))
    return Kid(float(found.mean()), float(found.std()))


def influence(real: Any, fake: Any) -> np.ndarray:
    r"""Works out how much each fake sample moves the distance, to first order.

    .. math:: h(y) = 2 \left( \frac{1}{M - 1} \sum_{y' \ne y} k(y, y') - \frac{1}{N} \sum_x k(x, y) \right)

    If the fake samples are drawn anew, the distance varies as the mean of these values does: what an interval
    for it needs.

    Args:
        real: f[N, D], N >= 1.
        fake: f[M, D], M >= 2.

    Returns:
        f64[M].

    Raises:
        InputError: a set is too small, not finite or of another rank, or the dimensions differ.

    >>> influence([[0.0]], [[0.0], [1.0]]).tolist()
    [0.0, 0.0]
    """
    real, fake = as_rows("real features", real), as_rows("fake features", fake)
    require_same_size(real.shape[1], fake.shape[1])
    require_samples("real samples", len(real), 1)
    require_samples("fake samples", len(fake), 2)
    x, y = real.astype(np.float64), fake.astype(np.float64)
    found = np.empty(len(y))
    for start in range(0, len(y), BLOCK):
        rows = slice(start, min(start + BLOCK, len(y)))
        within, between = (_root_of_kernel(y[rows], other) for other in (y, x))
        own = within[np.arange(len(within)), np.arange(rows.start, rows.stop)]
        near = np.einsum("nm,nm,nm->n", within, within, within) - own**3
        far = np.einsum("nm,nm,nm->n", between, between, between)
        found[rows] = 2 * (near / (len(y) - 1) - far / len(x))
    return found


def _discrepancy(x: np.ndarray, y: np.ndarray) -> float:
    """Estimates the squared maximum mean discrepancy of f64[m, D] and f64[m, D] without bias."""
    count = len(x)
    within = sum(_sum_of_kernel(rows, rows) - _sum_of_diagonal(rows) for rows in (x, y))
    return float(within / (count * (count - 1)) - 2 * _sum_of_kernel(x, y) / count**2)


def _sum_of_kernel(x: np.ndarray, y: np.ndarray) -> float:
    base = _root_of_kernel(x, y)
    return float(np.vdot(base * base, base))  # NumPy's third power is thirty times as slow


def _root_of_kernel(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    base: np.ndarray = x @ y.T
    base /= x.shape[1]
    base += 1
    return base


def _sum_of_diagonal(x: np.ndarray) -> float:
    return float(((np.einsum("nd,nd->n", x, x) / x.shape[1] + 1) ** 3).sum())
