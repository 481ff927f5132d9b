"""Kernel distance between two sets of features (Bińkowski et al., 2018)."""

from typing import Any, NamedTuple

import numpy as np

from jaxgan.metrics.checks import as_rows, require_same_size
from jaxgan.metrics.features import Features, init, merge, ordered, update
from jaxgan.validation import require

__all__ = ["SEED", "SUBSETS", "SUBSET_SIZE", "Kid", "compute", "from_features", "init", "merge", "update"]

SUBSETS = 100
SUBSET_SIZE = 1000
SEED = 2020


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


def _discrepancy(x: np.ndarray, y: np.ndarray) -> float:
    """Estimates the squared maximum mean discrepancy of f64[m, D] and f64[m, D] without bias."""
    count = len(x)
    within = sum(_sum_of_kernel(rows, rows) - _sum_of_diagonal(rows) for rows in (x, y))
    return float(within / (count * (count - 1)) - 2 * _sum_of_kernel(x, y) / count**2)


def _sum_of_kernel(x: np.ndarray, y: np.ndarray) -> float:
    base = x @ y.T
    base /= x.shape[1]
    base += 1
    return float(np.vdot(base * base, base))  # NumPy's third power is thirty times as slow


def _sum_of_diagonal(x: np.ndarray) -> float:
    return float(((np.einsum("nd,nd->n", x, x) / x.shape[1] + 1) ** 3).sum())
