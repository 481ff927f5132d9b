r"""The maximum over windows that do not overlap, and its derivative, as primitives.

Each window has one winner m, the first of its largest values. Forward in mode, the tangent of the maximum is
that of the winner; in reverse, the cotangent goes to the winner:

.. math:: \dot{y}_i = \dot{x}_{m(i)}, \qquad \bar{x}_{m(i)} = \bar{y}_i, \quad \bar{x} = 0 \text{ elsewhere}

Each is the transpose of the other, and neither moves with x. XLA on CPU makes a scatter of what is an
elementwise map, and takes many times as long; GPU and TPU get the operations of `jax.lax`.
"""

import functools
import itertools
import math
from typing import Any

import jax
import jax.numpy as jnp
from jax.extend.core import Primitive
from jax.interpreters import ad, batching, mlir, xla

from jaxgan import batch_axis
from jaxgan.typing import Array

Sides = tuple[int, int]


def max_of_windows(x: Array, sides: Sides) -> Array:
    """Takes the largest value of each window, f[N, H, W, C] to f[N, H // P, W // Q, C].

    >>> max_of_windows(jnp.arange(6.0).reshape(1, 2, 3, 1), (2, 2)).tolist()
    [[[[4.0]]]]
    """
    return max_p.bind(x, sides=sides)


max_p = Primitive("jaxgan_max")
"""Maps x to the values of its winners."""

winners_p = Primitive("jaxgan_winners")
"""Maps (x, values): to the values at the winners of x; or, ``back``, to x's shape with the values there."""


def _abstract(x: Any, values: Any = None, *, sides: Sides, back: bool = False) -> Any:
    rows, columns = x.shape[1] // sides[0], x.shape[2] // sides[1]
    shape = x.shape if back else (x.shape[0], rows, columns, x.shape[3])
    return (x if values is None else values).update(shape=shape, weak_type=False)


def _tangent(tangent: Array, x: Array, **params: Any) -> Array:
    """The derivative of either primitive by what is picked; which place wins does not move."""
    return winners_p.bind(*batch_axis.align(x, tangent), **{"back": False, **params})


def _transpose(cotangent: Array, x: Array, _values: Any, *, sides: Sides, back: bool) -> tuple[None, Array]:
    return None, winners_p.bind(x, cotangent, sides=sides, back=not back)


def _batch(primitive: Primitive, operands: Any, axes: Any, **params: Any) -> tuple[Array, int]:
    """Folds a mapped axis into that of the images."""
    size = next(x.shape[axis] for x, axis in zip(operands, axes, strict=True) if axis is not None)
    moved = [
        jnp.broadcast_to(x, (size, *x.shape)) if axis is None else jnp.moveaxis(x, axis, 0)
        for x, axis in zip(operands, axes, strict=True)
    ]
    count = moved[0].shape[1]
    result = primitive.bind(*(x.reshape(size * count, *x.shape[2:]) for x in moved), **params)
    return result.reshape(size, count, *result.shape[1:]), 0


def _max_lax(x: Array, *, sides: Sides) -> Array:
    window = (1, *sides, 1)
    return jax.lax.reduce_window(x, -jnp.inf, jax.lax.max, window, window, "VALID")


def _winners_lax(x: Array, values: Array, *, sides: Sides, back: bool) -> Array:
    pool = functools.partial(_max_lax, sides=sides)
    if back:
        return jax.vjp(pool, x)[1](values)[0]
    return jax.jvp(pool, (x,), (values,))[1]


def _max_elementwise(x: Array, *, sides: Sides) -> Array:
    return _best(_divide(x, sides))[0]


def _winners_elementwise(x: Array, values: Array, *, sides: Sides, back: bool) -> Array:
    place = jnp.expand_dims(_best(_divide(x, sides))[1], (2, 4))
    won = place == jnp.arange(math.prod(sides), dtype=place.dtype).reshape(1, 1, sides[0], 1, sides[1], 1)
    if not back:
        return jnp.where(won, _divide(values, sides), 0).sum((2, 4))
    spread = jnp.where(won, jnp.expand_dims(values, (2, 4)), 0)
    whole = spread.reshape(x.shape[0], values.shape[1] * sides[0], values.shape[2] * sides[1], x.shape[3])
    left_over = [(0, length - covered) for length, covered in zip(x.shape, whole.shape, strict=True)]
    return jnp.pad(whole, left_over)


def _divide(x: Array, sides: Sides) -> Array:
    """Divides f[N, H, W, C] into windows, f[N, H', P, W', Q, C]; what is left over at the end is cut."""
    rows, columns = (length // side for length, side in zip(x.shape[1:3], sides, strict=True))
    whole = x[:, : rows * sides[0], : columns * sides[1]]
    return whole.reshape(x.shape[0], rows, sides[0], columns, sides[1], x.shape[3])


def _best(windows: Array) -> tuple[Array, Array]:
    """Gives the largest value of each window, f[N, H', W', C], and its place in the window, int8."""
    best = windows[:, :, 0, :, 0]
    place = jnp.zeros_like(best, dtype=jnp.int8)
    taps = itertools.product(range(windows.shape[2]), range(windows.shape[4]))
    for number, (row, column) in enumerate(taps):
        value = windows[:, :, row, :, column]
        place = jnp.where(value > best, jnp.int8(number), place)
        best = jnp.maximum(best, value)
    return best, place


ad.defjvp(max_p, _tangent)
ad.defjvp(winners_p, None, lambda tangent, x, _, **params: _tangent(tangent, x, **params))
ad.primitive_transposes[winners_p] = _transpose
for _primitive, _plain, _fast in (
    (max_p, _max_lax, _max_elementwise),
    (winners_p, _winners_lax, _winners_elementwise),
):
    _primitive.def_impl(functools.partial(xla.apply_primitive, _primitive))
    _primitive.def_abstract_eval(_abstract)
    batching.primitive_batchers[_primitive] = functools.partial(_batch, _primitive)
    mlir.register_lowering(_primitive, mlir.lower_fun(_plain, multiple_results=False))
    mlir.register_lowering(_primitive, mlir.lower_fun(_fast, multiple_results=False), platform="cpu")
