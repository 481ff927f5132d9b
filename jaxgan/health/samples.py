"""Collapse: how different samples are from one another, and how they spread over classes."""

import itertools
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from jaxgan.health.records import Finding, Health, finding

SIDE = 8
"""Images are averaged down to at most this height and width before they are compared."""
FEWEST = 16
"""Images from which their spread can be told."""


class Spread(NamedTuple):
    """How different generated images are from one another, relative to real ones.

    Attributes:
        step: the step at which they were drawn.
        distance: their mean pairwise distance over that of the real images.
        nearest: the median distance to the most similar other one, over that of the real images.
    """

    step: int
    distance: float
    nearest: float

    @property
    def score(self) -> float:
        """About 1 for a good generator; 0 if all images, or always a few of them, are the same."""
        return min(self.distance, 3 * self.nearest)


class Shares(NamedTuple):
    """How evenly a classifier sees generated images spread over the classes.

    Attributes:
        step: the step at which they were scored.
        classes: the number of even classes that would have the entropy of the images' classes.
        real: the same of the real images.
    """

    step: int
    classes: float
    real: float


def spread(step: int, images: np.ndarray, real: np.ndarray) -> Spread | None:
    """Measures how different generated images are from one another, in blurred pixels.

    Pixels, since they are there in every run; blurred, so that noise does not pass for variety.

    Args:
        step: when the images were drawn.
        images: f[N, H, W, C].
        real: f[M, H, W, C], real images.

    Returns:
        The spread, of as many images as there are of either kind; None if they are fewer than `FEWEST`, or
        the real ones are all the same.

    >>> real = np.eye(16).reshape(16, 4, 4, 1)
    >>> spread(7, real / 2, real)
    Spread(step=7, distance=0.5, nearest=0.5)
    """
    count = min(len(images), len(real))
    if count < FEWEST:
        return None
    (distance, nearest), (real_distance, real_nearest) = (_distances(each[:count]) for each in (images, real))
    if not real_nearest:
        return None
    return Spread(step, distance / real_distance, nearest / real_nearest)


def _distances(images: np.ndarray) -> tuple[float, float]:
    """The mean pairwise distance, and the median one to the nearest other image."""
    height, width = images.shape[1:3]
    factor = -(-max(height, width) // SIDE)
    factor = min(factor, height, width)
    rows, columns = height // factor, width // factor
    cut = np.asarray(images[:, : rows * factor, : columns * factor], np.float64)
    pooled = cut.reshape(len(cut), rows, factor, columns, factor, -1).mean((2, 4)).reshape(len(cut), -1)
    squares = np.square(pooled).sum(1)
    distances = np.sqrt(np.maximum(squares[:, np.newaxis] + squares - 2 * pooled @ pooled.T, 0))
    others = distances[~np.eye(len(cut), dtype=bool)].reshape(len(cut), -1)
    return float(others.mean()), float(np.median(others.min(1)))


def shares(step: int, scores: Mapping[str, float], counts: np.ndarray) -> Shares | None:
    """Reads from scores how many classes the samples fall on.

    Args:
        step: that of the scores.
        scores: by their names; ``kl`` or ``kl_...`` is the divergence from even shares.
        counts: int[K], real images of each class.

    Returns:
        The shares; None without that score, or without real images.

    >>> shares(7, {"kl_cnn": np.log(5)}, np.full(10, 3))
    Shares(step=7, classes=2.0, real=10.0)
    """
    found = [value for name, value in scores.items() if name == "kl" or name.startswith("kl_")]
    if not found or not counts.sum():
        return None
    real = counts[counts > 0] / counts.sum()
    classes = len(counts) * np.exp(-found[0])
    return Shares(step, round(float(classes), 3), round(float(np.exp(-(real * np.log(real)).sum())), 3))


def examine_spreads(spreads: Sequence[Spread], health: Health) -> Finding | None:
    """Looks for collapse in the spreads of samples drawn so far, at least 100 steps apart."""
    scores = [each.score for each in spreads]
    low = health.spread
    once = any(min(pair) >= 2 * low for pair in itertools.pairwise(scores))
    fell = once and max(scores[-3:]) <= low
    newest = scores[-10:]
    never = len(newest) == 10 and max(newest) <= low and sum(newest[5:]) <= 1.2 * sum(newest[:5])
    if not fell and not never:
        return None
    last = spreads[-1]
    numbers = {"distance": last.distance, "nearest": last.nearest, "best": max(scores)}
    what = (
        f"the samples differ from one another {last.distance:.2g} times as much as real images do, and from "
        f"the most similar one {last.nearest:.2g} times" + (f", after {max(scores):.2g}" if fell else "")
    )
    return finding("collapse", last.step, what, numbers)


def examine_shares(found: Sequence[Shares], health: Health) -> Finding | None:
    """Looks for collapse in the classes of the samples scored so far."""
    if len(found) < 2 or found[-1].step < 1_000:
        return None
    before, last = found[-2:]
    most = health.shares * last.real
    if before.classes > most or last.classes > min(most, 1.1 * before.classes):
        return None
    what = (
        f"the samples fall on as few classes as {last.classes:.2g} even ones; real images on {last.real:.2g}"
    )
    return finding("collapse", last.step, what, last._asdict())
