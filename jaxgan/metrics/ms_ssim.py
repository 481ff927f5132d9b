"""Multi-scale structural similarity, and how alike the samples of a generator are by it."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxgan.metrics import moments
from jaxgan.metrics.checks import require_samples
from jaxgan.metrics.moments import Moments, merge
from jaxgan.typing import Array
from jaxgan.validation import InputError, require

__all__ = ["WEIGHTS", "Diversity", "compute", "fitting_scales", "init", "merge", "ms_ssim", "pairs", "update"]

WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
"""The weights of the scales, from the finest, as the paper found them."""
WINDOW = 11
SIGMA = 1.5


class Diversity(NamedTuple):
    """The mean and the standard deviation of the similarity of pairs: the lower, the more diverse."""

    mean: float
    std: float


def fitting_scales(height: int, width: int) -> int:
    """Tells at how many scales, of at most five, the window fits into images of this size.

    Raises:
        InputError: it does not fit at all.

    >>> [fitting_scales(side, side) for side in (28, 32, 64, 128, 256)]
    [2, 2, 3, 4, 5]
    """
    side = min(height, width)
    require(side >= WINDOW, "the smaller side of the images", side, f"at least {WINDOW}")
    return min(len(WEIGHTS), (side // WINDOW).bit_length())


def ms_ssim(
    first: Array, second: Array, *, value_range: tuple[float, float], scales: int | None = None
) -> Array:
    r"""Compares pictures by luminance, contrast and structure at several scales.

    .. math:: l_M^{w_M} \prod_{j=1}^{M} (c s)_j^{w_j}

    Each factor is the mean over the picture, worked out for each channel; the channels are averaged last. A
    factor below 0, which has no root, counts as 0. From one scale to the next, windows of 2x2 are averaged,
    and an odd row or column is left out. Where the pictures are too small for the five scales of the paper
    (below 176 pixels), as many as fit are taken (`fitting_scales` tells) and their weights are scaled to a
    sum of 1; such a number is not to be compared with one of five scales.

    Args:
        first: f[N, H, W, C], H and W >= 11.
        second: f[N, H, W, C].
        value_range: (low, high), the values of black and white.
        scales: how many; as many as fit, at most five, by default.

    Returns:
        f32[N], in [0, 1]; 1 for equal pictures.

    Raises:
        InputError: the shapes differ, or the pictures are too small for the scales.

    >>> picture = jnp.arange(256.0).reshape(1, 16, 16, 1)
    >>> float(ms_ssim(picture, picture, value_range=(0, 255))[0])
    1.0

    Source: Wang et al., "Multi-scale structural similarity for image quality assessment", 2003.
    """
    if first.ndim != 4 or first.shape != second.shape:
        found = f"{first.shape} and {second.shape}"
        raise InputError(f"the pictures have the shapes {found}; both must be (N, H, W, C) and equal")
    low, high = value_range
    require(low < high, "value_range", value_range, "(low, high) with low < high")
    fitting = fitting_scales(*first.shape[1:3])
    scales = fitting if scales is None else scales
    require(1 <= scales <= fitting, "scales", scales, f"in 1..{fitting} for {first.shape[1:3]} pixels")
    weights = np.asarray(WEIGHTS[:scales]) / sum(WEIGHTS[:scales])
    both = tuple((pictures - low) / (high - low) for pictures in (first, second))
    result = jnp.ones((first.shape[0], first.shape[3]), both[0].dtype)
    for scale, weight in enumerate(weights):
        whole, contrast = _similarity(*both)
        result *= jnp.maximum(whole if scale == scales - 1 else contrast, 0) ** float(weight)
        both = tuple(_halve(pictures) for pictures in both)
    return result.mean(axis=1).astype(jnp.float32)


def pairs(count: int, number: int, *, seed: int = 0) -> np.ndarray:
    """Draws random pairs of different samples, for the diversity of a generator.

    Args:
        count: the samples, >= 2.
        number: the pairs, >= 1.
        seed: decides them.

    Returns:
        int64[number, 2], each in 0..count-1.

    Raises:
        InputError: there are too few samples or pairs.

    >>> pairs(2, 3).sum(axis=1).tolist()
    [1, 1, 1]
    """
    require_samples("samples", count, 2)
    require_samples("pairs", number)
    draw = np.random.default_rng(seed)
    first = draw.integers(count, size=number)
    return np.stack([first, (first + 1 + draw.integers(count - 1, size=number)) % count], axis=1)


def init() -> Moments:
    """Makes the state of no pairs.

    >>> init().samples.item()
    0
    """
    return moments.init(1)


def update(state: Moments, values: Any) -> Moments:
    """Adds pairs.

    Args:
        state: the pairs so far.
        values: f[N], the similarity of each pair.

    Raises:
        InputError: the similarities have another rank or are not finite.

    >>> update(init(), [0.25, 0.75]).mean.tolist()
    [0.5]
    """
    rows = np.asarray(values)
    require(rows.ndim == 1, "the rank of the similarities", rows.ndim, "1")
    return moments.update(state, rows[:, np.newaxis])


def compute(state: Moments) -> Diversity:
    """Averages the similarity of the pairs; compare it with that of real images, class by class.

    Returns:
        The mean and the (population) standard deviation.

    Raises:
        InputError: there are no pairs.

    >>> compute(update(init(), [0.25, 0.75]))
    Diversity(mean=0.5, std=0.25)

    Source: Odena et al., "Conditional image synthesis with auxiliary classifier GANs", 2017,
    arXiv:1610.09585.
    """
    require_samples("pairs", int(state.samples))
    return Diversity(float(state.mean[0]), float(np.sqrt(state.scatter[0, 0] / state.samples)))


def _similarity(x: Array, y: Array) -> tuple[Array, Array]:
    """Averages, for each picture and channel, the similarity f[N, C] and its contrast and structure alone."""
    mean_x, mean_y, square_x, square_y, product = (_blur(a) for a in (x, y, x * x, y * y, x * y))
    steady_luminance, steady_contrast = 0.01**2, 0.03**2  # the constants of the paper for values in [0, 1]
    covariance = product - mean_x * mean_y
    variances = (square_x - mean_x**2) + (square_y - mean_y**2)
    contrast = (2 * covariance + steady_contrast) / (variances + steady_contrast)
    luminance = (2 * mean_x * mean_y + steady_luminance) / (mean_x**2 + mean_y**2 + steady_luminance)
    return (luminance * contrast).mean(axis=(1, 2)), contrast.mean(axis=(1, 2))


def _blur(x: Array) -> Array:
    """Weights each window with a Gaussian: f[N, H, W, C] to f[N, H - 10, W - 10, C]."""
    down, across = (jnp.asarray(_bands(side), x.dtype) for side in x.shape[1:3])
    return jnp.einsum("ih,nhwc,jw->nijc", down, x, across, precision=jax.lax.Precision.HIGHEST)


def _bands(side: int) -> np.ndarray:
    """Makes the matrix f64[side - 10, side] whose rows hold the Gaussian, each one place further."""
    distance = np.arange(WINDOW) - WINDOW // 2
    window = np.exp(-(distance**2) / (2 * SIGMA**2))
    rows = np.zeros((side - WINDOW + 1, side))
    for start, row in enumerate(rows):
        row[start : start + WINDOW] = window / window.sum()
    return rows


def _halve(x: Array) -> Array:
    count, height, width, channels = x.shape
    even = x[:, : height // 2 * 2, : width // 2 * 2]
    return even.reshape(count, height // 2, 2, width // 2, 2, channels).mean(axis=(2, 4))
