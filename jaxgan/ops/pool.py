"""Pooling: one value for each window of an image."""

import math

import jax
import jax.numpy as jnp

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
    ones = jnp.ones((1, *x.shape[1:3], 1), x.dtype)
    return total / jax.lax.reduce_window(ones, 0.0, jax.lax.add, sides, strides, pads)


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
