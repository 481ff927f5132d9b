"""Fréchet distance between two sets of features, each taken for a Gaussian (Heusel et al., 2017)."""

import warnings
from typing import Any, NamedTuple

import numpy as np

from jaxgan.metrics.checks import as_rows, require_same_size, require_samples
from jaxgan.metrics.moments import Moments, covariance, init, merge, update

__all__ = [
    "FewSamplesWarning",
    "Moments",
    "Prepared",
    "compute",
    "from_features",
    "init",
    "merge",
    "prepare",
    "update",
]


class FewSamplesWarning(UserWarning):
    """A set has no more samples than dimensions: its covariance is singular, and FID is biased upwards."""


class Prepared(NamedTuple):
    """One set, made ready to be compared with many.

    Attributes:
        samples: int64[], how many.
        mean: f64[D].
        trace: f64[], the trace of the covariance.
        factor: f64[D, R], a matrix A with A A^T the covariance.
    """

    samples: np.ndarray
    mean: np.ndarray
    trace: np.ndarray
    factor: np.ndarray


def from_features(real: Any, fake: Any) -> float:
    """Works out the distance of two sets of features; `compute` says how.

    Args:
        real: f[N, D], N >= 2.
        fake: f[M, D], M >= 2.

    Returns:
        The distance, >= 0.

    Raises:
        InputError: a set is too small, not finite or of another rank, or the dimensions differ.

    >>> from_features([[0.0], [2.0]], [[1.0], [3.0]])
    1.0
    """
    real, fake = as_rows("real features", real), as_rows("fake features", fake)
    require_same_size(real.shape[1], fake.shape[1])
    return compute(update(init(real.shape[1]), real), update(init(fake.shape[1]), fake))


def prepare(real: Moments) -> Prepared:
    """Factors the covariance of one set, so that each comparison with it is cheaper.

    Args:
        real: the moments of at least two samples.

    Raises:
        InputError: there are fewer than two samples.

    >>> real = prepare(update(init(1), [[0.0], [2.0]]))
    >>> [compute(real, update(init(1), [[x], [x + 2.0]])) for x in (0.0, 1.0, 3.0)]
    [0.0, 1.0, 9.0]
    """
    require_samples("samples", int(real.samples), 2)
    matrix = covariance(real)
    return Prepared(real.samples, real.mean, np.trace(matrix), _factor(matrix, int(real.samples)))


def compute(real: Moments | Prepared, fake: Moments) -> float:
    r"""Works out the Fréchet distance of two Gaussians with these means and covariances.

    .. math:: |\mu_r - \mu_f|^2 + \mathrm{tr}(\Sigma_r) + \mathrm{tr}(\Sigma_f)
        - 2\, \mathrm{tr} (\Sigma_r^{1/2} \Sigma_f \Sigma_r^{1/2})^{1/2}

    With A A^T one of the covariances, the last term is the sum of the roots of the eigenvalues of A^T times
    the other times A: a symmetric matrix, so the number is real by construction, also where a covariance is
    singular. The covariances are divided by N - 1 (`moments.COVARIANCE`).

    Args:
        real: one set, or what `prepare` made of it.
        fake: the other.

    Returns:
        The distance, >= 0; 0 for equal sets.

    Raises:
        InputError: a set has fewer than two samples, or the dimensions differ.

    Warns:
        FewSamplesWarning: a set has no more samples than dimensions.

    >>> same = update(init(1), [[0.0], [2.0]])
    >>> compute(same, same)
    0.0

    Source: Heusel et al., "GANs trained by a two time-scale update rule", 2017, arXiv:1706.08500.
    """
    require_same_size(len(real.mean), len(fake.mean))
    for name, count in (("real samples", int(real.samples)), ("fake samples", int(fake.samples))):
        require_samples(name, count, 2)
        if count <= len(real.mean):
            warnings.warn(_few(name, count, len(real.mean)), FewSamplesWarning, stacklevel=2)
    if not isinstance(real, Prepared):
        if (
            fake.samples < real.samples
        ):  # the distance is symmetric, and the smaller set has the smaller factor
            real, fake = fake, real
        real = prepare(real)
    other = covariance(fake)
    values = np.linalg.eigvalsh(real.factor.T @ other @ real.factor)
    overlap = np.sqrt(np.maximum(values, 0)).sum()
    shift = real.mean - fake.mean
    return max(float(shift @ shift + real.trace + np.trace(other) - 2 * overlap), 0.0)


def _factor(matrix: np.ndarray, count: int) -> np.ndarray:
    """Finds A with A A^T the covariance: by Cholesky at full rank, else without the null space."""
    if count > len(matrix):
        try:
            return np.linalg.cholesky(matrix)  # six times as fast as the eigenvectors
        except np.linalg.LinAlgError:
            pass
    values, vectors = np.linalg.eigh(matrix)
    kept = values > values[-1] * len(values) * np.finfo(np.float64).eps
    return vectors[:, kept] * np.sqrt(values[kept])


def _few(name: str, count: int, size: int) -> str:
    problem = "the covariance is singular and the distance is biased upwards"
    return f"{count} {name} for {size} dimensions: {problem}; take more than {size}"
