"""Resizing images as two matrix products, one for the rows and one for the columns."""

import functools
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from jaxgan.ops.geometry import Pair, as_pair, require_images
from jaxgan.typing import Array

SUPPORT = 2
"""How many pixels to either side the bicubic kernel reaches."""


def resize_legacy(images: Array, size: Pair) -> Array:
    r"""Resizes as TensorFlow 1 did: between the two nearest pixels, from the corner, without antialiasing.

    .. math:: y_i = (1 - t) \, x_{\lfloor s \rfloor} + t \, x_{\min(\lfloor s \rfloor + 1, H - 1)},
              \qquad s = i \, H / h, \quad t = s - \lfloor s \rfloor

    along either side. Published values of the Fréchet distance were computed so.

    Args:
        images: f32[N, H, W, C] or of integers.
        size: the new height and width, >= 1, or one number for both.

    Returns:
        f32[N, h, w, C].

    Raises:
        ValueError: a shape or size that does not fit.

    >>> resize_legacy(jnp.array([0.0, 3.0]).reshape(1, 1, 2, 1), (1, 4)).ravel().tolist()
    [0.0, 1.5, 3.0, 3.0]

    Source: ``tf.image.resize_bilinear`` of TensorFlow 1; Parmar et al., arXiv:2104.11222, on what it does.
    """
    return _resize(images, size, _bilinear)


def resize_clean(images: Array, size: Pair) -> Array:
    r"""Resizes as Pillow does: bicubic, and antialiased where it shrinks; then clips to [0, 255].

    .. math:: y_i = \sum_j \frac{k((j - c_i) / f)}{\sum_l k((l - c_i) / f)} \, x_j,
              \qquad c_i = (i + 1/2) \, H / h - 1/2, \quad f = \max(1, H / h)

    along either side, with Keys's kernel k for a = -1/2.

    Args:
        images: f32[N, H, W, C] or of integers, with values from 0 to 255.
        size: the new height and width, >= 1, or one number for both.

    Returns:
        f32[N, h, w, C] in [0, 255], not rounded.

    Raises:
        ValueError: a shape or size that does not fit.

    >>> resize_clean(jnp.array([0.0, 100.0, 200.0]).reshape(1, 3, 1, 1), 1).item()
    100.0

    Source: Keys, "Cubic convolution interpolation for digital image processing", 1981; Parmar et al.,
    arXiv:2104.11222.
    """
    return jnp.clip(_resize(images, size, _bicubic), 0, 255)


def _resize(images: Array, size: Pair, weights: Callable[[int, int], np.ndarray]) -> Array:
    require_images(images.shape, "images")
    if 0 in images.shape[1:3]:
        raise ValueError(f"images has shape {images.shape}; there must be pixels in it")
    y = jnp.asarray(images, jnp.float32)
    for spec, old, new in zip(
        ("oh,nhwc->nowc", "ow,nhwc->nhoc"), images.shape[1:3], as_pair("size", size), strict=True
    ):
        if old != new:
            y = jnp.einsum(spec, jnp.asarray(weights(old, new)), y, precision=jax.lax.Precision.HIGHEST)
    return y


@functools.lru_cache
def _bilinear(old: int, new: int) -> np.ndarray:
    """Gives f32[new, old], what each old pixel adds to a new one; places are rounded as the source has it."""
    places = np.arange(new, dtype=np.float32) * np.float32(old / new)
    below = np.minimum(places.astype(int), old - 1)
    above, shares = np.minimum(below + 1, old - 1), places - below
    matrix = np.zeros((new, old), np.float32)
    np.add.at(matrix, (np.arange(new), below), 1 - shares)
    np.add.at(matrix, (np.arange(new), above), shares)
    return matrix


@functools.lru_cache
def _bicubic(old: int, new: int) -> np.ndarray:
    """Gives f32[new, old]; which pixels count is rounded as the source has it."""
    spread = max(1.0, old / new)
    centers = (np.arange(new)[:, None] + 0.5) * (old / new)
    reach = SUPPORT * spread
    pixels = np.arange(old)
    inside = (pixels >= np.floor(centers - reach + 0.5)) & (pixels < np.floor(centers + reach + 0.5))
    matrix = np.where(inside, _keys((pixels + 0.5 - centers) / spread), 0)
    return (matrix / matrix.sum(1, keepdims=True)).astype(np.float32)


def _keys(x: np.ndarray) -> np.ndarray:
    """Evaluates the cubic kernel for a = -1/2, which is 0 beyond a distance of 2."""
    x, a = np.abs(x), -0.5
    near = (a + 2) * x**3 - (a + 3) * x**2 + 1
    far = a * (x**3 - 5 * x**2 + 8 * x - 4)
    return np.where(x < 1, near, np.where(x < 2, far, 0))
