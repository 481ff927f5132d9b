"""Inception Score: how sure and how varied a classifier's answers are (Salimans et al., 2016)."""

from typing import Any, NamedTuple

import numpy as np

from jaxgan.metrics.checks import as_numbers, as_rows, require_samples
from jaxgan.validation import InputError, require

SPLITS = 10
SEED = 2020


class State(NamedTuple):
    """What is known of the samples so far; it grows with their number by five bytes each.

    Attributes:
        split: int32[N], the split to which the sample of each place belongs.
        seen: bool[N], the places that have come.
        sums: f64[S, K], the sum of the probabilities of each split.
        negentropy: f64[S], the sum of sum_k p_k log p_k of each split.
    """

    split: np.ndarray
    seen: np.ndarray
    sums: np.ndarray
    negentropy: np.ndarray


class InceptionScore(NamedTuple):
    """The mean and the standard deviation of the score over the splits."""

    mean: float
    std: float


def init(count: int, num_classes: int, *, splits: int = SPLITS, seed: int = SEED) -> State:
    """Divides the places of the samples into splits.

    The splits are those of torch-fidelity 0.4 with an equal seed: equal stretches of one permutation by
    `numpy.random.RandomState`.

    Args:
        count: the samples N that will come, >= splits.
        num_classes: the classes K, >= 1.
        splits: the splits S, >= 1.
        seed: decides the splits.

    Raises:
        InputError: a number is too small.

    >>> init(20, 3, splits=5).sums.shape
    (5, 3)
    """
    require(splits >= 1, "splits", splits, ">= 1")
    require(num_classes >= 1, "num_classes", num_classes, ">= 1")
    require(count >= splits, "the count of samples", count, f"at least {splits}, the number of splits")
    order = np.random.RandomState(seed).permutation(count)
    split = np.empty(count, np.int32)
    for number in range(splits):
        split[order[number * count // splits : (number + 1) * count // splits]] = number
    return State(split, np.zeros(count, bool), np.zeros((splits, num_classes)), np.zeros(splits))


def update(state: State, logits: Any, places: Any) -> State:
    """Adds samples.

    Args:
        state: the state so far.
        logits: f[B, K], B >= 0.
        places: int[B], each in 0..N-1, and none twice.

    Raises:
        InputError: the logits are of another rank or dimension or not finite, or a place does not fit.

    >>> update(init(2, 2, splits=1), [[0.0, 0.0]], [1]).sums.tolist()
    [[0.5, 0.5]]
    """
    rows = as_rows("logits", logits, state.sums.shape[1]).astype(np.float64)
    where = as_numbers("places", places, len(state.split), len(rows))
    rows -= rows.max(axis=1, keepdims=True)
    rows -= np.log(np.exp(rows).sum(axis=1, keepdims=True))
    chances = np.exp(rows)
    seen, sums, negentropy = np.zeros_like(state.seen), np.zeros_like(state.sums), np.zeros(len(state.sums))
    seen[where] = True
    if seen.sum() < len(where):
        raise InputError(f"places name {len(where) - seen.sum()} samples twice; each may come once")
    np.add.at(sums, state.split[where], chances)
    np.add.at(negentropy, state.split[where], (chances * rows).sum(axis=1))
    return merge(state, State(state.split, seen, sums, negentropy))


def merge(a: State, b: State) -> State:
    """Joins the states of two parts of the samples.

    Raises:
        InputError: they were not made by equal `init`, or the same sample is in both.

    >>> empty = init(2, 2, splits=1)
    >>> merge(update(empty, [[0.0, 0.0]], [1]), update(empty, [[0.0, 0.0]], [0])).seen.tolist()
    [True, True]
    """
    if a.sums.shape != b.sums.shape or not np.array_equal(a.split, b.split):
        raise InputError(
            "the samples of the two states are divided differently; count and seed must be equal"
        )
    both = int((a.seen & b.seen).sum())
    require(both == 0, "the count of samples that come twice", both, "0")
    return State(a.split, a.seen | b.seen, a.sums + b.sums, a.negentropy + b.negentropy)


def compute(state: State) -> InceptionScore:
    r"""Works out the score of each split, and their mean and (population) standard deviation.

    .. math:: \exp \frac{1}{N} \sum_{i,k} p_{ik} \log \frac{p_{ik}}{q_k}, q_k = \frac{1}{N} \sum_i p_{ik}

    Raises:
        InputError: some samples have not come yet.

    >>> compute(update(init(2, 2, splits=1), [[0.0, 0.0], [0.0, 0.0]], [0, 1]))
    InceptionScore(mean=1.0, std=0.0)

    Source: Salimans et al., "Improved techniques for training GANs", 2016, arXiv:1606.03498.
    """
    require_samples("samples that have come", int(state.seen.sum()), len(state.seen))
    counts = np.bincount(state.split, minlength=len(state.sums))
    mean = state.sums / counts[:, np.newaxis]
    likely = np.where(mean > 0, mean, 1)  # a class without any chance adds nothing
    scores = np.exp(state.negentropy / counts - (mean * np.log(likely)).sum(axis=1))
    return InceptionScore(float(scores.mean()), float(scores.std()))


def from_logits(logits: Any, *, splits: int = SPLITS, seed: int = SEED) -> InceptionScore:
    """Works out the score of a set of logits; `init` and `compute` say how.

    Args:
        logits: f[N, K], N >= splits.
        splits: the splits, >= 1.
        seed: decides the splits.

    Raises:
        InputError: there are too few, or they are not finite or of another rank.

    >>> round(from_logits(np.eye(4) * 100, splits=1).mean, 6)
    4.0
    """
    rows = as_rows("logits", logits)
    state = init(len(rows), rows.shape[1], splits=splits, seed=seed)
    return compute(update(state, rows, np.arange(len(rows))))
