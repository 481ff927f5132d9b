"""Pooling: one value for each window of an image."""

import functools
import itertools
import math

import jax
import jax.numpy as jnp

from jaxgan.ops.geometry import Padding, Pair, as_padding, as_pair, require_images
from jaxgan.typing import Array

LARGEST_TILE = 16
"""The taps of a window up to which they are compared one by one."""


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
    if sides == strides and pads == "VALID" and math.prod(sides) <= LARGEST_TILE:
        return _max_of_tiles(x, (sides[1], sides[2]))
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


@functools.partial(jax.custom_jvp, nondiff_argnums=(1,))
def _max_of_tiles(x: Array, sides: tuple[int, int]) -> Array:
    """Takes the maximum of windows that do not overlap; its derivative is elementwise, without a scatter."""
    return _winners(_tiles(x, sides))[0]


@_max_of_tiles.defjvp
def _(sides: tuple[int, int], primals: tuple[Array], tangents: tuple[Array]) -> tuple[Array, Array]:
    best, place = _winners(_tiles(primals[0], sides))
    places = jnp.arange(math.prod(sides), dtype=place.dtype).reshape(1, 1, sides[0], 1, sides[1], 1)
    won = jnp.expand_dims(place, (2, 4)) == places
    return best, jnp.where(won, _tiles(tangents[0], sides), 0).sum((2, 4))


def _tiles(x: Array, sides: tuple[int, int]) -> Array:
    """Divides f[N, H, W, C] into windows, f[N, H', P, W', Q, C]; what is left over at the end is cut."""
    rows, columns = (length // side for length, side in zip(x.shape[1:3], sides, strict=True))
    whole = x[:, : rows * sides[0], : columns * sides[1]]
    return whole.reshape(x.shape[0], rows, sides[0], columns, sides[1], x.shape[3])


def _winners(tiles: Array) -> tuple[Array, Array]:
    """Gives the largest value of each window, f[N, H', W', C], and its place in the window, int8."""
    best = tiles[:, :, 0, :, 0]
    place = jnp.zeros_like(best, dtype=jnp.int8)
    taps = itertools.product(range(tiles.shape[2]), range(tiles.shape[4]))
    for number, (row, column) in enumerate(taps):
        value = tiles[:, :, row, :, column]
        place = jnp.where(value > best, jnp.int8(number), place)
        best = jnp.maximum(best, value)
    return best, place


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
