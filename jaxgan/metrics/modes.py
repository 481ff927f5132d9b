"""Modes: which classes a generator reaches, and how evenly (Srivastava et al., 2017)."""

from typing import Any, NamedTuple

import numpy as np

from jaxgan.metrics.checks import as_numbers, require_same_size, require_samples
from jaxgan.validation import require


class Modes(NamedTuple):
    """How many classes have a sample, and the divergence from an even spread over all, in nats."""

    modes: int
    kl: float


def init(num_classes: int) -> np.ndarray:
    """Makes the counts of no samples.

    Args:
        num_classes: the classes K, >= 1.

    Returns:
        int64[K].

    Raises:
        InputError: there are no classes.

    >>> init(3).tolist()
    [0, 0, 0]
    """
    require(num_classes >= 1, "num_classes", num_classes, ">= 1")
    return np.zeros(num_classes, np.int64)


def update(state: np.ndarray, labels: Any) -> np.ndarray:
    """Counts samples.

    Args:
        state: int64[K], the counts so far.
        labels: int[N], the class of each sample as a classifier sees it.

    Raises:
        InputError: a label is not a class.

    >>> update(init(3), [2, 2, 0]).tolist()
    [1, 0, 2]
    """
    return state + np.bincount(as_numbers("labels", labels, len(state)), minlength=len(state))


def merge(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Joins the counts of two parts of the samples.

    Raises:
        InputError: the classes differ.

    >>> merge(update(init(2), [0]), update(init(2), [1])).tolist()
    [1, 1]
    """
    require_same_size(len(a), len(b))
    return a + b


def compute(state: np.ndarray) -> Modes:
    r"""Counts the classes that have a sample and compares their shares with even ones.

    .. math:: \mathrm{KL} = \sum_k p_k \log (K p_k)

    Raises:
        InputError: there are no samples.

    >>> compute(np.array([5, 5]))
    Modes(modes=2, kl=0.0)

    Source: Srivastava et al., "VEEGAN", 2017, arXiv:1705.07761.
    """
    require_samples("samples", state.sum())
    shares = state[state > 0] / state.sum()
    return Modes(len(shares), max(float((shares * np.log(len(state) * shares)).sum()), 0.0))


def from_labels(labels: Any, num_classes: int) -> Modes:
    """Works out the modes of a set of labels; `compute` says how.

    >>> from_labels([0, 0, 0], 2).modes
    1
    """
    return compute(update(init(num_classes), labels))
