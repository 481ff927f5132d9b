"""Perceptual path length: how far a picture moves when its latent moves a little (Karras et al., 2019)."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np

from jaxgan.metrics import features
from jaxgan.metrics.checks import require_samples
from jaxgan.metrics.features import Features, merge
from jaxgan.typing import Array
from jaxgan.validation import InputError, require

__all__ = ["EPSILON", "PathLength", "compute", "init", "lengths", "merge", "update"]

EPSILON = 1e-4
PARALLEL = 1e-4
"""The sine below which two latents are joined by a straight line: its arc is not to be told from it."""


class PathLength(NamedTuple):
    """The mean and the standard deviation of the lengths between the percentiles."""

    mean: float
    std: float


def lengths(
    generate: Callable[[Array], Array],
    embed: Callable[[Array], Array],
    start: Array,
    end: Array,
    t: Array,
    *,
    epsilon: float = EPSILON,
    space: str = "z",
) -> Array:
    r"""Measures how far the features move for a small step between two latents.

    .. math:: \frac{1}{\epsilon^2} | e(g(l(a, b; t))) - e(g(l(a, b; t + \epsilon))) |^2

    The interpolation l is straight in w and follows the arc in z (whose lengths it interpolates too). The
    pictures go from `generate` to `embed` as floats: a step of 1e-4 changes a pixel by less than 1/255, so
    that bytes would show either no change or one that is many times too large.

    Args:
        generate: latents f[N, Z] to pictures, without randomness of its own.
        embed: these pictures to features f[N, ...].
        start: f[N, Z], the latents a.
        end: f[N, Z], the latents b.
        t: f[N] in [0, 1], where to measure.
        epsilon: the step, > 0.
        space: ``"z"`` or ``"w"``.

    Returns:
        f32[N], the squared lengths.

    Raises:
        InputError: the shapes do not fit, or the step or space is not one of these.

    >>> a, b = jnp.zeros((1, 2)), jnp.ones((1, 2))
    >>> length = lengths(lambda w: 3 * w, lambda x: x, a, b, jnp.zeros(1), space="w")
    >>> round(float(length[0]), 2)
    18.0

    Source: Karras et al., "A style-based generator architecture for GANs", 2019, arXiv:1812.04948,
    section 4.1.
    """
    require(space in ("z", "w"), "space", space, "'z' or 'w'")
    require(epsilon > 0, "epsilon", epsilon, "> 0")
    if start.ndim != 2 or end.shape != start.shape or t.shape != start.shape[:1]:
        found = f"{start.shape}, {end.shape} and {t.shape}"
        raise InputError(f"start, end and t have the shapes {found}; they must be (N, Z), (N, Z) and (N,)")
    between = _arc if space == "z" else _line
    first = embed(generate(between(start, end, t[:, jnp.newaxis])))
    second = embed(generate(between(start, end, t[:, jnp.newaxis] + epsilon)))
    moved = (second - first).reshape(len(start), -1)
    return (jnp.square(moved).sum(axis=1) / epsilon**2).astype(jnp.float32)


def init() -> Features:
    """Makes a set without lengths.

    >>> init().size.item()
    1
    """
    return features.init(1)


def update(state: Features, values: Any, places: Any) -> Features:
    """Adds lengths.

    Args:
        state: the lengths so far.
        values: f[N], of `lengths`.
        places: int[N], where they stand in the whole set.

    Raises:
        InputError: the lengths have another rank or are not finite, or the places do not fit.

    >>> len(update(init(), [1.0, 2.0], [0, 1]).values)
    1
    """
    rows = np.asarray(values)
    require(rows.ndim == 1, "the rank of the lengths", rows.ndim, "1")
    return features.update(state, rows[:, np.newaxis], places)


def compute(state: Features, *, low: float = 1, high: float = 99) -> PathLength:
    """Averages the lengths between two percentiles, both of which count.

    A percentile between two lengths is taken for the lower one at the low end and for the higher one at the
    high end, as in the reference code.

    Args:
        state: the lengths.
        low: the percentile, in [0, 100], below which lengths are dropped.
        high: the percentile, in [low, 100], above which lengths are dropped.

    Returns:
        Their mean and (population) standard deviation.

    Raises:
        InputError: there are no lengths, two have the same place, or the percentiles do not fit.

    >>> compute(update(init(), [1.0, 3.0], [0, 1]))
    PathLength(mean=2.0, std=1.0)
    """
    require(0 <= low <= high <= 100, "the percentiles", (low, high), "in order and in [0, 100]")
    found = features.ordered(state)[:, 0].astype(np.float64)
    require_samples("lengths", len(found))
    least, most = np.percentile(found, low, method="lower"), np.percentile(found, high, method="higher")
    kept = found[(found >= least) & (found <= most)]
    return PathLength(float(kept.mean()), float(kept.std()))


def _line(a: Array, b: Array, t: Array) -> Array:
    return a + t * (b - a)


def _arc(a: Array, b: Array, t: Array) -> Array:
    """Follows the arc from a to b: between their directions at an even pace."""
    first, second = (x / jnp.linalg.norm(x, axis=1, keepdims=True) for x in (a, b))
    apart = jnp.linalg.norm(first - second, axis=1, keepdims=True)
    angle = 2 * jnp.arctan2(apart, jnp.linalg.norm(first + second, axis=1, keepdims=True))
    sine = jnp.sin(angle)
    straight = sine < PARALLEL
    sine = jnp.where(straight, 1.0, sine)
    arc = (jnp.sin((1 - t) * angle) * a + jnp.sin(t * angle) * b) / sine
    return jnp.where(straight, _line(a, b, t), arc)
