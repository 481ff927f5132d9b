"""How the three maps of a convolution are computed: the forms, and the one table that chooses among them.

Every form gives the same result but for rounding (see `jaxgan.ops.fourier` and `jaxgan.ops.winograd` for
theirs). Which one is fast depends on the compiler. GPU and TPU want the plain form of `jax.lax`. XLA on CPU
has fast paths for canonical convolutions (NHWC images, HWIO kernels, nothing spread or reversed) and for
matrix products, and naive loops for much of what differentiation makes of the plain form: inside ``scan``,
``while`` and ``cond`` that takes 10 to 180 times as long as outside, where the forms below take about as long
as there. Where channels are many, products of Fourier coefficients (of small images) or of tiles need fewer
multiplications.
``python -m benchmarks ops`` measures them.
"""

import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from jaxgan import batch_axis
from jaxgan.ops import fourier, winograd
from jaxgan.ops.geometry import Geometry
from jaxgan.typing import Array

_CANONICAL = ("NHWC", "HWIO", "NHWC")


Form = Callable[[Geometry, Array, Array], Array]
_SAVING = {"fourier": fourier, "winograd": winograd}
"""The forms that take fewer multiplications than the direct sum, and say how many times fewer."""


def result_shape(
    wanted: str, geometry: Geometry, left: tuple[int, ...], right: tuple[int, ...]
) -> tuple[int, ...]:
    """Gives the shape of a result from the shapes of its operands."""
    if wanted == "output":
        return (left[0], *geometry.output, right[3])
    if wanted == "image":
        return (left[0], *geometry.image, right[2] * geometry.groups)
    return (*geometry.window, left[3] // geometry.groups, right[3])


def fits(wanted: str, form: str, geometry: Geometry) -> bool:
    """Tells whether a form is made for a geometry; ``"lax"`` is for all of them.

    >>> geometry = Geometry(image=(4, 4), window=(2, 2), strides=(2, 2))
    >>> [form for form in FORMS["image"] if fits("image", form, geometry)]
    ['lax', 'product']
    """
    if geometry.groups > 1:
        return form in ("lax", "blocks")
    if form == "blocks":
        return False
    if form == "winograd":
        return winograd.fits(geometry)
    if form == "fourier" or (wanted, form) == ("image", "canonical"):
        return geometry.strides == (1, 1)
    return form != "product" or geometry.dilations == (1, 1)


def _sizes(wanted: str, left: tuple[int, ...], right: tuple[int, ...]) -> tuple[int, int, int]:
    """Gives the numbers of images, of channels of an image, and of channels of an output."""
    count, channels = left[0], left[3] if wanted != "image" else right[2]
    return count, channels, right[3]


def compute(
    platform: str | None, wanted: str, geometry: Geometry, left: Array, right: Array, *, members: bool
) -> Array:
    """Computes a map in the form that suits the platform; members run one after the other on CPU."""
    shapes = left.shape[members:], right.shape[members:]
    form = FORMS[wanted][choose(platform, wanted, geometry, *shapes, dtype=left.dtype)]
    if not members:
        return form(geometry, left, right)
    if platform == "cpu" and 0 < len(left) <= FEW_MEMBERS:
        return jnp.stack([form(geometry, left[member], right[member]) for member in range(len(left))])
    if platform == "cpu":
        return jax.lax.map(lambda pair: form(geometry, *pair), (left, right))
    return jax.vmap(lambda left, right: form(geometry, left, right))(left, right)


def choose(
    platform: str | None,
    wanted: str,
    geometry: Geometry,
    left: tuple[int, ...],
    right: tuple[int, ...],
    *,
    dtype: Any,
) -> str:
    """Names the form in `FORMS` for a platform, a map, and the shapes and dtype of its operands.

    >>> geometry = Geometry(image=(14, 14), window=(4, 4), strides=(2, 2), pads=((1, 1), (1, 1)))
    >>> shapes = (8, 7, 7, 128), (4, 4, 64, 128)
    >>> [choose(platform, "image", geometry, *shapes, dtype="float32") for platform in ("cpu", None)]
    ['product', 'lax']
    """
    if platform != "cpu" or 0 in (*left, *right, *geometry.output, *geometry.image):
        return "lax"
    if geometry.groups > 1:
        return "blocks" if geometry.groups <= FEW_GROUPS[wanted] else "lax"
    precise = jnp.issubdtype(dtype, jnp.inexact) and jnp.dtype(dtype).itemsize >= 4  # no half, no integers
    savings = {name: each.saving(geometry, *_sizes(wanted, left, right)) for name, each in _SAVING.items()}
    paying = [name for name, saving in savings.items() if precise and saving >= PAYS[name]]
    if paying:
        return max(paying, key=savings.__getitem__)
    if wanted != "image" and left[3] <= FEW_CHANNELS and math.prod(geometry.window) * left[3] <= MOST_TAPS:
        return "patches"
    if wanted != "image":
        return "lax" if wanted == "output" else "canonical"
    if geometry.dilations == (1, 1) and (geometry.strides != (1, 1) or right[2] <= FEW_CHANNELS):
        return "product"
    return "canonical" if geometry.strides == (1, 1) else "lax"


def _output_lax(geometry: Geometry, x: Array, kernel: Array) -> Array:
    return jax.lax.conv_general_dilated(
        x,
        kernel,
        window_strides=geometry.strides,
        padding=geometry.pads,
        rhs_dilation=geometry.dilations,
        dimension_numbers=_CANONICAL,
        feature_group_count=geometry.groups,
    )


def _image_lax(geometry: Geometry, y: Array, kernel: Array) -> Array:
    x = _zeros(result_shape("image", geometry, y.shape, kernel.shape), y)
    (result,) = jax.linear_transpose(lambda x: _output_lax(geometry, x, kernel), x)(y)
    return result


def _kernel_lax(geometry: Geometry, x: Array, y: Array) -> Array:
    kernel = _zeros(result_shape("kernel", geometry, x.shape, y.shape), y)
    (result,) = jax.linear_transpose(lambda kernel: _output_lax(geometry, x, kernel), kernel)(y)
    return result


def _zeros(shape: tuple[int, ...], like: Array) -> Array:
    """Zeros that vary over the same mapped axes as an array: else a transpose would sum over those axes."""
    zeros, _ = batch_axis.align(jnp.zeros(shape, like.dtype), like)
    return zeros


def _image_canonical(geometry: Geometry, y: Array, kernel: Array) -> Array:
    """For stride 1: a convolution with the kernel turned by 180 degrees."""
    return _output_lax(geometry.transposed, y, kernel[::-1, ::-1].swapaxes(2, 3))


def _image_product(geometry: Geometry, y: Array, kernel: Array) -> Array:
    """Every pixel times every tap in one matrix product, then overlapping tiles are added."""
    count, height, width, _ = y.shape
    (rows, columns), channels = geometry.strides, kernel.shape[2]
    kernel = _divisible(kernel, geometry.strides)
    tall, wide = kernel.shape[0] // rows, kernel.shape[1] // columns  # tiles of one phase each
    taps = kernel.reshape(tall, rows, wide, columns, channels, -1).transpose(5, 0, 2, 1, 3, 4)
    tiles = y.reshape(-1, y.shape[3]) @ taps.reshape(y.shape[3], -1)
    tiles = tiles.reshape(count, height, width, tall, wide, rows * columns * channels)
    total = sum(
        jnp.pad(tiles[:, :, :, u, v], ((0, 0), (u, tall - 1 - u), (v, wide - 1 - v), (0, 0)))
        for u in range(tall)
        for v in range(wide)
    )
    height, width = height + tall - 1, width + wide - 1
    total = jnp.asarray(total).reshape(count, height, width, rows, columns, channels)
    image = total.transpose(0, 1, 3, 2, 4, 5).reshape(count, height * rows, width * columns, channels)
    return jax.lax.optimization_barrier(_cut(image, geometry))


def _divisible(kernel: Array, strides: tuple[int, int]) -> Array:
    """Adds taps of zero until the strides divide the sides of a kernel."""
    return jnp.pad(
        kernel, ((0, -kernel.shape[0] % strides[0]), (0, -kernel.shape[1] % strides[1]), (0, 0), (0, 0))
    )


def _cut(image: Array, geometry: Geometry) -> Array:
    """Takes away the padding of an image, and adds rows that no window reached."""
    cuts = []
    for axis in (0, 1):
        before = geometry.pads[axis][0]
        cuts.append((-before, geometry.image[axis] + before - image.shape[axis + 1], 0))
    return jax.lax.pad(image, jnp.zeros((), image.dtype), ((0, 0, 0), *cuts, (0, 0, 0)))


def _kernel_canonical(geometry: Geometry, x: Array, y: Array) -> Array:
    """A convolution of x by y as its kernel: channels stand for the batch, and the batch is contracted."""
    pads = []
    for axis in (0, 1):
        before = geometry.pads[axis][0]
        extent = (y.shape[axis + 1] - 1) * geometry.strides[axis] + 1
        pads.append((before, geometry.reach(axis) + extent - geometry.image[axis] - before))
    x, y = jax.lax.optimization_barrier((x, y))
    kernel = jax.lax.conv_general_dilated(
        x.transpose(3, 1, 2, 0),
        y.transpose(1, 2, 0, 3),
        window_strides=geometry.dilations,
        padding=pads,
        rhs_dilation=geometry.strides,
        dimension_numbers=_CANONICAL,
    )
    return kernel.transpose(1, 2, 0, 3)


def _output_patches(geometry: Geometry, x: Array, kernel: Array) -> Array:
    """For few channels: the patches under the kernel, written out, in one matrix product with the kernel."""
    y = _patches(geometry, x) @ kernel.reshape(-1, kernel.shape[3])
    return y.reshape(x.shape[0], *geometry.output, kernel.shape[3])


def _kernel_patches(geometry: Geometry, x: Array, y: Array) -> Array:
    """For few channels: the same patches in one matrix product with the output."""
    kernel = _patches(geometry, x).T @ y.reshape(-1, y.shape[3])
    return kernel.reshape(*geometry.window, x.shape[3], y.shape[3])


def _patches(geometry: Geometry, x: Array) -> Array:
    """Writes out the window of each output: f[N * h * w, P * Q * C]."""
    margins = ((0, 0, 0), *((before, after, 0) for before, after in geometry.pads), (0, 0, 0))
    x = jax.lax.pad(x, jnp.zeros((), x.dtype), margins)
    taps = [x[:, rows, columns] for rows in _tap_slices(geometry, 0) for columns in _tap_slices(geometry, 1)]
    return jnp.stack(taps, axis=3).reshape(-1, len(taps) * x.shape[3])


def _tap_slices(geometry: Geometry, axis: int) -> list[slice]:
    """Where each tap of the kernel lies on the padded image, over all windows."""
    extent = (geometry.output[axis] - 1) * geometry.strides[axis] + 1
    starts = [tap * geometry.dilations[axis] for tap in range(geometry.window[axis])]
    return [slice(start, start + extent, geometry.strides[axis]) for start in starts]


def _with_blocks(geometry: Geometry, image: Array, kernel: Array, wanted: str) -> Array:
    """For groups: one convolution with a kernel that has zeros between them."""
    groups = geometry.groups
    parts = kernel.reshape(*kernel.shape[:3], groups, -1)
    apart = jnp.eye(groups, dtype=kernel.dtype).reshape(1, 1, groups, 1, groups, 1)
    whole = (parts[:, :, jnp.newaxis] * apart).reshape(*kernel.shape[:2], -1, kernel.shape[3])
    return compute("cpu", wanted, geometry._replace(groups=1), image, whole, members=False)


def _output_blocks(geometry: Geometry, x: Array, kernel: Array) -> Array:
    return _with_blocks(geometry, x, kernel, "output")


def _image_blocks(geometry: Geometry, y: Array, kernel: Array) -> Array:
    return _with_blocks(geometry, y, kernel, "image")


def _kernel_blocks(geometry: Geometry, x: Array, y: Array) -> Array:
    """For groups: the kernel of one convolution, of which only the groups' own parts are kept."""
    groups = geometry.groups
    whole = compute("cpu", "kernel", geometry._replace(groups=1), x, y, members=False)
    parts = whole.reshape(*geometry.window, groups, -1, groups, y.shape[3] // groups)
    own = jnp.stack([parts[:, :, group, :, group] for group in range(groups)], axis=3)
    return own.reshape(*geometry.window, -1, y.shape[3])


FORMS: dict[str, dict[str, Form]] = {
    "output": {
        "lax": _output_lax,
        "patches": _output_patches,
        "fourier": fourier.output,
        "winograd": winograd.output,
        "blocks": _output_blocks,
    },
    "image": {
        "lax": _image_lax,
        "canonical": _image_canonical,
        "product": _image_product,
        "fourier": fourier.image,
        "winograd": winograd.image,
        "blocks": _image_blocks,
    },
    "kernel": {
        "lax": _kernel_lax,
        "canonical": _kernel_canonical,
        "patches": _kernel_patches,
        "fourier": fourier.kernel,
        "winograd": winograd.kernel,
        "blocks": _kernel_blocks,
    },
}
"""For each map the forms that compute it, by name."""

FEW_CHANNELS = 4
"""Up to how many channels of an image the form "patches" is the fastest on CPU, or "product" where the image
is wanted and strides are 1; measured."""

MOST_TAPS = 64
"""Up to how many numbers under a window, of all its channels, "patches" may write out."""

FEW_GROUPS = {"output": 4, "image": 64, "kernel": 64}
"""Up to how many groups of channels the form "blocks" is faster on CPU than groups themselves; measured."""

FEW_MEMBERS = 8
"""Up to how many members are written out on CPU, one after the other; more of them run in a loop."""

PAYS = {"fourier": 2.0, "winograd": 2.5}
"""From which saving of multiplications on a form that saves some is the fastest on CPU; measured."""
