"""Precision, recall, density and coverage: two sets of features compared by balls around their samples."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from jaxgan.metrics.checks import as_rows, require_same_size
from jaxgan.metrics.features import Features, init, merge, ordered, update
from jaxgan.validation import require

__all__ = [
    "DENSITY_NEIGHBORS",
    "NEIGHBORS",
    "Balls",
    "Memberships",
    "PrecisionRecall",
    "balls",
    "compute",
    "from_features",
    "init",
    "memberships",
    "merge",
    "update",
]

NEIGHBORS = 3
DENSITY_NEIGHBORS = 5
BLOCK = 1024
"""Samples on either side whose distances are worked out at a time: 50 MB with 2,048 features."""


class PrecisionRecall(NamedTuple):
    """The four scores; density alone may be above 1."""

    precision: float
    recall: float
    density: float
    coverage: float


class Memberships(NamedTuple):
    """What each sample adds to the four scores, which are the means of these.

    Attributes:
        precision: bool[M], the fake samples in a ball of a real one.
        recall: bool[N], the real samples in a ball of a fake one.
        density: f64[M], in how many balls of real samples each fake one lies, over `density_neighbors`.
        coverage: bool[N], the real samples with a fake one in their ball.
    """

    precision: np.ndarray
    recall: np.ndarray
    density: np.ndarray
    coverage: np.ndarray


def compute(
    real: Features,
    fake: Features,
    *,
    neighbors: int = NEIGHBORS,
    density_neighbors: int = DENSITY_NEIGHBORS,
) -> PrecisionRecall:
    """Works out the scores of two sets that were gathered; `memberships` says how.

    >>> real = update(init(1), [[0.0], [1.0]], [0, 1])
    >>> compute(real, real, neighbors=1, density_neighbors=1)
    PrecisionRecall(precision=1.0, recall=1.0, density=2.0, coverage=1.0)
    """
    return from_features(
        ordered(real), ordered(fake), neighbors=neighbors, density_neighbors=density_neighbors
    )


def from_features(
    real: Any, fake: Any, *, neighbors: int = NEIGHBORS, density_neighbors: int = DENSITY_NEIGHBORS
) -> PrecisionRecall:
    """Works out the scores of two sets of features; `memberships` says how.

    >>> from_features([[0.0], [1.0]], [[9.0], [8.0]], neighbors=1, density_neighbors=1)
    PrecisionRecall(precision=0.0, recall=0.0, density=0.0, coverage=0.0)
    """
    each = memberships(real, fake, neighbors=neighbors, density_neighbors=density_neighbors)
    return PrecisionRecall(*(float(part.mean()) for part in each))


def memberships(
    real: Any, fake: Any, *, neighbors: int = NEIGHBORS, density_neighbors: int = DENSITY_NEIGHBORS
) -> Memberships:
    """Finds which samples lie in which balls.

    The ball of a sample reaches to its k-th neighbour in its own set, itself not counted, and is closed: a
    sample at that distance is in it (so it is in the reference code of precision and recall; that of density
    and coverage has open balls, which differ only at ties). Distances are worked out in float64 from centred
    features, block by block, so that the memory does not grow with the number of samples.

    Args:
        real: f[N, D], N > neighbors and density_neighbors.
        fake: f[M, D], M > neighbors.
        neighbors: the k of precision and recall, >= 1.
        density_neighbors: the k of density and coverage, >= 1.

    Returns:
        What each sample adds to each score.

    Raises:
        InputError: a set is too small, not finite or of another rank, or the dimensions differ.

    >>> memberships([[0.0], [1.0]], [[0.5], [9.0]], neighbors=1, density_neighbors=1).precision.tolist()
    [True, False]

    Source: Kynkäänniemi et al., "Improved precision and recall metric for assessing generative models", 2019,
    arXiv:1904.06991; Naeem et al., "Reliable fidelity and diversity metrics for generative models", 2020,
    arXiv:2002.09797.
    """
    real, fake = as_rows("real features", real), as_rows("fake features", fake)
    require_same_size(real.shape[1], fake.shape[1])
    require(neighbors >= 1, "neighbors", neighbors, ">= 1")
    require(density_neighbors >= 1, "density_neighbors", density_neighbors, ">= 1")
    most = max(neighbors, density_neighbors)
    for name, rows, least in (("real samples", real, most), ("fake samples", fake, neighbors)):
        need = f"at least {least + 1}, one more than the neighbours"
        require(len(rows) > least, f"the count of {name}", len(rows), need)
    real_radii = _radii(real, [neighbors, density_neighbors])
    fake_radii = _radii(fake, [neighbors])
    precision, recall = np.zeros(len(fake), bool), np.zeros(len(real), bool)
    density, coverage = np.zeros(len(fake)), np.zeros(len(real), bool)
    center = real.mean(axis=0, dtype=np.float64)
    for i, first in _blocks(real, center):
        for j, second in _blocks(fake, center):
            distances = _squared_distances(first, second)
            precision[j] |= (distances <= real_radii[0, i, np.newaxis]).any(axis=0)
            recall[i] |= (distances <= fake_radii[0, np.newaxis, j]).any(axis=1)
            inside = distances <= real_radii[1, i, np.newaxis]
            density[j] += inside.sum(axis=0)
            coverage[i] |= inside.any(axis=1)
    return Memberships(precision, recall, density / density_neighbors, coverage)


class Balls(NamedTuple):
    """Which fake samples lie by which real ones, in bits along the second axis (`numpy.packbits`).

    Attributes:
        recall: bits[N, M], whether the real sample is in the ball of the fake one.
        coverage: bits[N, M], whether the fake sample is in the ball of the real one.
    """

    recall: np.ndarray
    coverage: np.ndarray


def balls(
    real: Any, fake: Any, *, neighbors: int = NEIGHBORS, density_neighbors: int = DENSITY_NEIGHBORS
) -> Balls:
    """Finds, for each pair of samples, whether one lies in the other's ball; see `memberships`.

    With it, recall and coverage can be worked out for any part of the fake samples: a real sample counts
    where any of them has its bit. It takes N M / 4 bytes.

    >>> found = balls([[0.0], [1.0]], [[0.5], [9.0]], neighbors=1, density_neighbors=1)
    >>> np.unpackbits(found.coverage, axis=1)[:, :2].tolist()
    [[1, 0], [1, 0]]
    """
    real, fake = as_rows("real features", real), as_rows("fake features", fake)
    require_same_size(real.shape[1], fake.shape[1])
    real_radii, fake_radii = _radii(real, [density_neighbors])[0], _radii(fake, [neighbors])[0]
    center = real.mean(axis=0, dtype=np.float64)
    width = -(-len(fake) // 8)
    found = Balls(*(np.zeros((len(real), width), np.uint8) for _ in range(2)))
    for i, first in _blocks(real, center):
        for j, second in _blocks(fake, center):  # whose length is a multiple of 8, but for the last
            distances = _squared_distances(first, second)
            columns = slice(j.start // 8, -(-j.stop // 8))
            found.recall[i, columns] = np.packbits(distances <= fake_radii[np.newaxis, j], axis=1)
            found.coverage[i, columns] = np.packbits(distances <= real_radii[i, np.newaxis], axis=1)
    return found


def _radii(rows: np.ndarray, neighbors: list[int]) -> np.ndarray:
    """Finds the squared distances f64[len(neighbors), N] from each sample to its k-th neighbours."""
    most = max(neighbors)
    nearest = np.full((len(rows), most), np.inf)
    center = rows.mean(axis=0, dtype=np.float64)
    for i, first in _blocks(rows, center):
        for j, second in _blocks(rows, center, i.start):  # each pair of blocks once, for both its sides
            distances = _squared_distances(first, second)
            if i == j:
                np.fill_diagonal(distances, np.inf)
            nearest[i] = _smallest(nearest[i], distances, most)
            if i != j:
                nearest[j] = _smallest(nearest[j], np.ascontiguousarray(distances.T), most)
    nearest.sort(axis=1)
    return nearest[:, [number - 1 for number in neighbors]].T


def _smallest(known: np.ndarray, found: np.ndarray, count: int) -> np.ndarray:
    """Keeps the smallest values of each row of f64[N, count] and f64[N, M]."""
    if found.shape[1] > count:
        found = np.partition(found, count - 1, axis=1)[:, :count]
    return np.partition(np.concatenate([known, found], axis=1), count - 1, axis=1)[:, :count]


def _blocks(rows: np.ndarray, center: np.ndarray, start: int = 0) -> Iterator[tuple[slice, np.ndarray]]:
    """Gives the rows block by block as float64 less a centre, each with its places."""
    for first in range(start, len(rows), BLOCK):
        places = slice(first, min(first + BLOCK, len(rows)))
        yield places, rows[places] - center


def _squared_distances(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Works out f64[N, M] from f64[N, D] and f64[M, D]."""
    distances = x @ y.T
    distances *= -2
    distances += np.einsum("nd,nd->n", x, x)[:, np.newaxis]
    distances += np.einsum("nd,nd->n", y, y)
    return np.maximum(distances, 0, out=distances)
