"""Pooling: one value for each window of an image."""

import math

import jax
import jax.numpy as jnp
import numpy as np

from jaxgan.ops.geometry import Padding, Pair, as_padding, as_pair, require_images
from jaxgan.ops.winners import max_of_windows
from jaxgan.typing import Array

LARGEST_WINDOW = 16
"""Up to how many taps of a window are compared one by one."""


def max_pool2d(
    x: Array, *, window: Pair = 2, stride: Pair | None = None, padding: Padding = "VALID"
) -> Array:
    r"""Takes the largest value of each window; padding never wins.

    .. math:: y_{n,i,j,c} = \max_{p,q} x_{n,\, s i + p,\, s j + q,\, c}

    Args:
        x: f[N, H, W, C], the images.
        window: the window's side, >= 1, one number or one a side.
        stride: the step s between windows; the window's side by default.
        padding: ``"SAME"``, ``"VALID"`` or ``((top, bottom), (left, right))``.

    Returns:
        f[N, H', W', C]. The gradient goes to one largest value of each window.

    Raises:
        ValueError: a shape, window, stride or padding that does not fit.

    >>> max_pool2d(jnp.arange(16.0).reshape(1, 4, 4, 1))[0, :, :, 0].tolist()
    [[5.0, 7.0], [13.0, 15.0]]

    Source: Scherer et al., "Evaluation of pooling operations", 2010.
    """
    sides, strides, pads = _windows(x, window, stride, padding)
    if sides == strides and pads == "VALID" and math.prod(sides) <= LARGEST_WINDOW:
        return max_of_windows(x, (sides[1], sides[2]))
    return jax.lax.reduce_window(x, -jnp.inf, jax.lax.max, sides, strides, pads)


def avg_pool2d(
    x: Array, *, window: Pair = 2, stride: Pair | None = None, padding: Padding = "VALID"
) -> Array:
    r"""Takes the mean of each window, over the pixels of the image only: padding does not count.

    .. math:: y_{n,i,j,c} = \frac{1}{|W_{ij}|} \sum_{(p,q) \in W_{ij}} x_{n,\, s i + p,\, s j + q,\, c}

    Args:
        x: f[N, H, W, C], the images.
        window: the window's side, >= 1, one number or one a side.
        stride: the step s between windows; the window's side by default.
        padding: ``"SAME"``, ``"VALID"`` or ``((top, bottom), (left, right))``.

    Returns:
        f[N, H', W', C].

    Raises:
        ValueError: a shape, window, stride or padding that does not fit.

    >>> avg_pool2d(jnp.arange(16.0).reshape(1, 4, 4, 1))[0, :, :, 0].tolist()
    [[2.5, 4.5], [10.5, 12.5]]

    Source: LeCun et al., "Gradient-based learning applied to document recognition", 1998.
    """
    sides, strides, pads = _windows(x, window, stride, padding)
    total = jax.lax.reduce_window(x, 0.0, jax.lax.add, sides, strides, pads)
    if pads == "VALID":
        return total / math.prod(sides)
    ones = jnp.ones((1, *x.shape[1:3], 1), x.dtype)
    return total / jax.lax.reduce_window(ones, 0.0, jax.lax.add, sides, strides, pads)


def adaptive_avg_pool2d(x: Array, *, size: Pair) -> Array:
    r"""Takes means over as many windows as are asked for, which overlap where the sides do not divide.

    .. math:: y_{n,i,j,c} = \text{mean of } x_{n,p,q,c}, \quad
              \lfloor i H / H' \rfloor \le p < \lceil (i + 1) H / H' \rceil

    and so for q. It is a product with a matrix for each side. The windows are those of PyTorch.

    Args:
        x: f[N, H, W, C], the images.
        size: the number of windows, (H', W'), each >= 1.

    Returns:
        f[N, H', W', C].

    Raises:
        ValueError: a shape or size that does not fit.

    >>> adaptive_avg_pool2d(jnp.arange(3.0).reshape(1, 1, 3, 1), size=(1, 2)).ravel().tolist()
    [0.5, 1.5]
    """
    require_images(x.shape)
    rows, columns = (
        jnp.asarray(_shares(side, count), x.dtype)
        for side, count in zip(x.shape[1:3], as_pair("size", size), strict=True)
    )
    return jnp.einsum("ih,nhwc,jw->nijc", rows, x, columns)


def _shares(side: int, count: int) -> np.ndarray:
    """What each of so many windows takes of each pixel along a side: [count, side]."""
    starts = np.arange(count) * side // count
    ends = -(-np.arange(1, count + 1) * side // count)
    places = np.arange(side)
    inside = (places >= starts[:, None]) & (places < ends[:, None])
    return inside / inside.sum(1, keepdims=True)


def _windows(
    x: Array, window: Pair, stride: Pair | None, padding: Padding
) -> tuple[tuple[int, ...], tuple[int, ...], str | tuple[tuple[int, int], ...]]:
    require_images(x.shape)
    side = as_pair("window", window)
    step = side if stride is None else as_pair("stride", stride)
    pads = as_padding(padding)
    if not isinstance(pads, str):
        if any(not 0 <= pad < side[axis] for axis in (0, 1) for pad in pads[axis]):
            raise ValueError(f"padding is {padding!r}; each must be >= 0 and below the window {side}")
        return (1, *side, 1), (1, *step, 1), ((0, 0), *pads, (0, 0))
    return (1, *side, 1), (1, *step, 1), pads
