r"""The convolution as one trilinear form, so that its derivatives of every order stay among three maps.

.. math:: T(x, k, y) = \sum_{n,i,j,p,q,c,o}
          x_{n,\, s i + d p - a,\, s j + d q - a,\, c} \; k_{p,q,c,o} \; y_{n,i,j,o}

Its derivative by one of the three arguments is a bilinear map of the other two: by y the convolution
("output"), by x the transposed convolution ("image"), by k the gradient of the kernel ("kernel"). The
transpose of any of these maps is another of them. So one primitive with these three values of ``wanted`` is
closed under differentiation in reverse and in forward mode, and `jaxgan.ops.forms` alone decides, for each
kind of device, how the three are computed: in a gradient, in a gradient of a gradient, and inside a loop.
"""

import functools
from typing import Any, Literal, NamedTuple

import jax.numpy as jnp
from jax.extend.core import Primitive
from jax.interpreters import ad, batching, mlir, xla

from jaxgan import batch_axis
from jaxgan.ops import forms
from jaxgan.ops.geometry import Geometry
from jaxgan.typing import Array

Wanted = Literal["output", "image", "kernel"]


def convolve(wanted: Wanted, geometry: Geometry, left: Array, right: Array) -> Array:
    """Evaluates one of the three maps.

    Args:
        wanted: ``"output"`` of (x, k), ``"image"`` of (y, k) or ``"kernel"`` of (x, y).
        geometry: sides, strides, padding, dilation and groups.
        left: f[N, H, W, C] x or f[N, h, w, O] y.
        right: f[P, Q, C / groups, O] k or f[N, h, w, O] y, of the same dtype.

    >>> import jax.numpy as jnp
    >>> geometry = Geometry(image=(4, 4), window=(2, 2), strides=(2, 2), pads=((0, 0), (0, 0)))
    >>> convolve("image", geometry, jnp.ones((1, 2, 2, 3)), jnp.ones((2, 2, 5, 3))).shape
    (1, 4, 4, 5)
    """
    if left.dtype != right.dtype:
        raise ValueError(
            f"the dtypes of an image and a kernel must agree; they are {left.dtype} and {right.dtype}"
        )
    left, right = batch_axis.align(left, right)
    return convolve_p.bind(left, right, wanted=wanted, geometry=geometry, members=False)


convolve_p = Primitive("jaxgan_convolve")
"""The primitive; its parameters are ``wanted``, ``geometry``, and ``members``: whether both operands have one
more axis, the first, along which each member has its own."""


class _Axes(NamedTuple):
    """An axis of an operand that the other operand lacks, and its place in the result."""

    operand: int
    result: int


_FREE = {
    "output": (_Axes(0, 0), _Axes(3, 3)),  # x's N, k's O
    "image": (_Axes(0, 0), _Axes(2, 3)),  # y's N, k's C
    "kernel": (_Axes(3, 2), _Axes(3, 3)),  # x's C, y's O
}


def _abstract(left: Any, right: Any, *, wanted: Wanted, geometry: Geometry, members: bool) -> Any:
    shape = forms.result_shape(wanted, geometry, left.shape[members:], right.shape[members:])
    return left.update(shape=(*left.shape[:members], *shape), weak_type=False)


def _transpose_left(cotangent: Array, _left: Any, right: Array, *, wanted: Wanted, **params: Any) -> Array:
    """The derivative of a map by its left operand, x or y, applied to the cotangent of its result."""
    if wanted == "kernel":  # of (x, y)
        return convolve_p.bind(right, cotangent, wanted="image", **params)
    return convolve_p.bind(cotangent, right, wanted="image" if wanted == "output" else "output", **params)


def _transpose_right(cotangent: Array, left: Array, _right: Any, *, wanted: Wanted, **params: Any) -> Array:
    """The same by its right operand, k or y."""
    if wanted == "kernel":
        return convolve_p.bind(left, cotangent, wanted="output", **params)
    pair = (left, cotangent) if wanted == "output" else (cotangent, left)
    return convolve_p.bind(*pair, wanted="kernel", **params)


def _batch(
    operands: tuple[Array, Array], axes: tuple[int | None, int | None], *, wanted: Wanted, **params: Any
) -> tuple[Array, int]:
    """Maps over an axis: folded into one that is there already, or as members, each with its own kernel."""
    mapped = [side for side in (0, 1) if axes[side] is not None]
    if len(mapped) == 1:
        free = _FREE[wanted][mapped[0]]
        if params["geometry"].groups == 1 or free.operand == 0:
            return _fold(operands, mapped[0], axes[mapped[0]] or 0, free, wanted=wanted, **params)
    size = operands[mapped[0]].shape[axes[mapped[0]] or 0]
    return _spread(operands, axes, size, wanted=wanted, **params)


def _fold(
    operands: tuple[Array, Array], side: int, axis: int, free: _Axes, *, members: bool, **params: Any
) -> tuple[Array, int]:
    """One operand is mapped: more images in one batch, or more channels in one kernel."""
    folded = list(operands)
    place = free.operand + members
    moved = jnp.moveaxis(operands[side], axis, place)
    size = moved.shape[place]
    folded[side] = moved.reshape(*moved.shape[:place], -1, *moved.shape[place + 2 :])
    result = convolve_p.bind(*folded, members=members, **params)
    place = free.result + members
    return result.reshape(*result.shape[:place], size, -1, *result.shape[place + 1 :]), place


def _spread(
    operands: tuple[Array, Array],
    axes: tuple[int | None, int | None],
    size: int,
    *,
    members: bool,
    **params: Any,
) -> tuple[Array, int]:
    """Both are mapped: members, together with those that there are already."""
    left, right = (
        jnp.broadcast_to(operand, (size, *operand.shape)) if axis is None else jnp.moveaxis(operand, axis, 0)
        for operand, axis in zip(operands, axes, strict=True)
    )
    if not members:
        return convolve_p.bind(left, right, members=True, **params), 0
    count = left.shape[1]
    left, right = (operand.reshape(size * count, *operand.shape[2:]) for operand in (left, right))
    result = convolve_p.bind(left, right, members=True, **params)
    return result.reshape(size, count, *result.shape[1:]), 0


def _lowering(platform: str | None) -> Any:
    def compute(left: Array, right: Array, *, wanted: Wanted, geometry: Geometry, members: bool) -> Array:
        return forms.compute(platform, wanted, geometry, left, right, members=members)

    return mlir.lower_fun(compute, multiple_results=False)


convolve_p.def_impl(functools.partial(xla.apply_primitive, convolve_p))
convolve_p.def_abstract_eval(_abstract)
ad.defbilinear(convolve_p, _transpose_left, _transpose_right)
batching.primitive_batchers[convolve_p] = _batch
mlir.register_lowering(convolve_p, _lowering(None))
mlir.register_lowering(convolve_p, _lowering("cpu"), platform="cpu")
