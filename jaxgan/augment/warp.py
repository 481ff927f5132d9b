"""Moving the points of images by affine maps, and reading the new pixels by linear interpolation."""

import functools
import operator

import jax
import jax.numpy as jnp

from jaxgan.augment.common import working_dtype
from jaxgan.ops.geometry import require_images
from jaxgan.typing import Array
from jaxgan.validation import require

LARGEST_BY_PRODUCTS = 64 * 64
"""Up to how many pixels an image is read by matrix products, on devices other than a CPU.

The products take H W (H W C) multiplications an image, which soon is too many.
"""


def warp(images: Array, inverse: Array, *, fill: float | None = None) -> Array:
    r"""Moves the points of each image about its centre, by an affine map of its own.

    .. math:: y(q) = \sum_p \Lambda(u_1 - p_1) \, \Lambda(u_2 - p_2) \, x(p), \qquad
              u = A (q - c) + b + c, \quad \Lambda(t) = \max(0, 1 - |t|)

    with :math:`c` the centre, (H - 1) / 2 and (W - 1) / 2. It is linear in the images, and its gradient the
    adjoint of that.

    One formula, two forms, which agree but for rounding. On a CPU the four neighbours of each point are
    gathered: on two cores this took 1.2 ms for 128 images 28x28x1 (3.8 with the gradient) and 1.1 (4.3) for
    64 images 32x32x3. Two products with the hat functions took 8.9 (23) and 11 (24); one product with a dense
    matrix for each image 160 (190) and 150 (280); three shears, which blur thrice and are rotations only,
    3.6 (5.4) and 3.0 (14). Elsewhere small images are read by the two products, because gathers are slow on
    a TPU and their gradients are summed in no fixed order on a GPU; that choice has not been measured. Large
    images are gathered everywhere.

    Args:
        images: f[N, H, W, C].
        inverse: f[N, 2, 3], A and b: where, in (row, column) from the centre, a new pixel comes from.
        fill: the value beyond the borders; by default images are mirrored there, without repeating the
            border's pixels.

    Returns:
        f[N, H, W, C], of the images' dtype.

    Raises:
        ValueError: a shape that does not fit.

    >>> jax.eval_shape(warp, jnp.zeros((2, 4, 6, 1)), jnp.zeros((2, 2, 3))).shape
    (2, 4, 6, 1)
    """
    require_images(images.shape, "images")
    expected = (len(images), 2, 3)
    require(inverse.shape == expected, "the shape of the maps", inverse.shape, f"{expected}")
    if 0 in images.shape:
        return images
    dtype = working_dtype(images)
    rows, columns = _sources(inverse.astype(dtype), *images.shape[1:3])
    if fill is None:
        rows, columns = (
            _mirror(places, side) for places, side in zip((rows, columns), images.shape[1:3], strict=True)
        )
    read = _by_gathering
    if images.shape[1] * images.shape[2] <= LARGEST_BY_PRODUCTS:
        read = functools.partial(jax.lax.platform_dependent, cpu=_by_gathering, default=_by_products)
    moved = read(images.astype(dtype), rows, columns)
    if fill is not None:
        covered = _covered(rows, images.shape[1]) * _covered(columns, images.shape[2])
        moved += fill * (1 - covered)[..., None]
    return moved.astype(images.dtype)


def compose(*maps: Array) -> Array:
    """Multiplies matrices, example by example.

    Sums are written out, because a matrix product may round its operands: whole numbers compose exactly.

    Args:
        *maps: f[N, D, D] each; the last is the first to act.

    Returns:
        f[N, D, D].

    >>> turn = jnp.array([[[0.0, -1.0], [1.0, 0.0]]])
    >>> compose(turn, turn, turn, turn)[0].tolist()
    [[1.0, 0.0], [0.0, 1.0]]
    """
    return functools.reduce(lambda left, right: (left[:, :, :, None] * right[:, None, :, :]).sum(2), maps)


def _sources(inverse: Array, height: int, width: int) -> tuple[Array, Array]:
    """Finds where each new pixel comes from: rows and columns, f[N, H, W] each."""
    rows, columns = ((jnp.arange(side, dtype=inverse.dtype) - (side - 1) / 2) for side in (height, width))
    maps = inverse[:, :, :, None, None]
    places = maps[:, :, 0] * rows[None, None, :, None] + maps[:, :, 1] * columns[None, None, None, :]
    places += maps[:, :, 2]
    return places[:, 0] + (height - 1) / 2, places[:, 1] + (width - 1) / 2


def _mirror(places: Array, side: int) -> Array:
    """Folds places into [0, side - 1]; exact where they are whole numbers."""
    if side == 1:
        return jnp.zeros_like(places)
    last = side - 1
    return last - jnp.abs(jnp.mod(places, 2 * last) - last)


def _covered(places: Array, side: int) -> Array:
    """Sums the hat functions of all pixels: 1 within the image, 0 from one pixel beyond it."""
    beyond = jnp.maximum(-places, places - (side - 1))
    return 1 - jnp.clip(beyond, 0, 1)


def _by_products(images: Array, rows: Array, columns: Array) -> Array:
    count, height, width, channels = images.shape
    exact = jax.lax.Precision.HIGHEST  # lower ones would round the pixels
    lines = images.reshape(count, height, width * channels)
    picked = jnp.einsum("nph,nhk->npk", _hats(rows, height), lines, precision=exact)
    picked = picked.reshape(count, height * width, width, channels)
    read = jnp.einsum("npwc,npw->npc", picked, _hats(columns, width), precision=exact)
    return read.reshape(images.shape)


def _hats(places: Array, side: int) -> Array:
    """Gives f[N, H W, side], how much of each old row or column a new pixel takes."""
    distances = places.reshape(len(places), -1, 1) - jnp.arange(side, dtype=places.dtype)[None, None, :]
    return jnp.maximum(0, 1 - jnp.abs(distances))


def _by_gathering(images: Array, rows: Array, columns: Array) -> Array:
    count, height, width, channels = images.shape
    flat = images.reshape(count, height * width, channels)

    def read(row: tuple[Array, Array], column: tuple[Array, Array]) -> Array:
        places = (row[0] * width + column[0]).reshape(count, -1, 1)
        pixels = jnp.take_along_axis(flat, places, axis=1, mode="promise_in_bounds")
        return pixels.reshape(images.shape) * (row[1] * column[1])[..., None]

    corners = [
        read(row, column) for row in _neighbours(rows, height) for column in _neighbours(columns, width)
    ]
    return functools.reduce(operator.add, corners)


def _neighbours(places: Array, side: int) -> list[tuple[Array, Array]]:
    """Gives the pixels before and after each place, and how much it takes of each: none beyond a border."""
    places = jnp.clip(places, -1, side)
    before = jnp.floor(places)
    taken = []
    for pixel in (before, before + 1):
        inside = (pixel >= 0) & (pixel < side)
        share = jnp.where(inside, 1 - jnp.abs(places - pixel), 0)
        taken.append((jnp.clip(pixel, 0, side - 1).astype(jnp.int32), share))
    return taken
