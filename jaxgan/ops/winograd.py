r"""The maps of a convolution with windows of 3x3 as products over overlapping tiles.

Four outputs y_i = \sum_p k_p x_{i+p} along one side see six pixels. They take six products instead of twelve,

.. math:: y = A^T \left[ (G k) \odot (B^T x) \right]

with constant matrices, as the polynomial that they are the coefficients of is known by its values at 0, 1,
-1, 2, -2 and infinity. Along both sides that is 36 products for a tile of 4x4 outputs, where the direct sum
takes 144, and each is a product over channels: for all tiles together 36 products of matrices. The other two
maps of `jaxgan.ops.trilinear` come from the same three matrices.

Rounding errors are those of the numbers that meet in one tile, some ten times those of the direct sum, and
where one pixel is not finite, no output of its tiles is.

Source: Winograd, "Arithmetic complexity of computations", 1980; Lavin and Gray, arXiv:1509.09308.
"""

import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxgan.ops.geometry import Geometry
from jaxgan.typing import Array

WINDOW = 3
TILE = 4
"""The outputs of a tile, along one side."""
SEEN = TILE + WINDOW - 1
"""The pixels that they see."""


class _Matrices(NamedTuple):
    """What the sides of a tile are multiplied with, f64: for both sides at once, Kronecker products."""

    x: np.ndarray
    kernel: np.ndarray
    y: np.ndarray


_SIDE = _Matrices(
    np.array(
        [
            [4, 0, -5, 0, 1, 0],
            [0, -4, -4, 1, 1, 0],
            [0, 4, -4, -1, 1, 0],
            [0, -2, -1, 2, 1, 0],
            [0, 2, -1, -2, 1, 0],
            [0, 4, 0, -5, 0, 1],
        ]
    ),
    np.array([[6, 0, 0], [-4, -4, -4], [-4, 4, -4], [1, 2, 4], [1, -2, 4], [0, 0, 24]]) / 24,
    np.array([[1, 0, 0, 0], [1, 1, 1, 1], [1, -1, 1, -1], [1, 2, 4, 8], [1, -2, 4, -8], [0, 0, 0, 1]]),
)
"""B^T, [6, 6], G, [6, 3], and A, [6, 4]."""
_TILES = _Matrices(*(np.kron(matrix, matrix) for matrix in _SIDE))
RANK = SEEN**2
"""The products of a tile, for each pair of channels."""


def fits(geometry: Geometry) -> bool:
    """Tells whether the window is one of 3x3 that moves by 1, over all channels.

    >>> fits(Geometry(image=(8, 8), window=(3, 3))), fits(Geometry(image=(8, 8), window=(4, 4)))
    (True, False)
    """
    plain = geometry.strides == geometry.dilations == (1, 1) and geometry.groups == 1
    return plain and geometry.window == (WINDOW, WINDOW)


def saving(geometry: Geometry, count: int, channels: int, features: int) -> float:
    """Tells how many times fewer multiplications this takes than the direct sum; 0 where it is not possible.

    Args:
        geometry: sides, strides, padding, dilation and groups.
        count: the number of images.
        channels: of an image.
        features: the channels of an output.

    >>> round(saving(Geometry(image=(64, 96), window=(3, 3), pads=((1, 1), (1, 1))), 1, 256, 256), 1)
    3.3
    """
    if not fits(geometry):
        return 0.0
    direct = count * math.prod(geometry.output) * WINDOW**2 * channels * features
    tiles = count * math.prod(_tiles(geometry))
    transforms = tiles * (SEEN**2 * channels + TILE**2 * features) + WINDOW**2 * channels * features
    return direct / (RANK * (tiles * channels * features + transforms))


def output(geometry: Geometry, x: Array, kernel: Array) -> Array:
    """Maps f[N, H, W, C] and f[3, 3, C, O] to f[N, h, w, O]."""
    taps = kernel.reshape(WINDOW**2, -1)
    products = _transform(_TILES.x, _windows(geometry, x)) @ _product(_TILES.kernel, taps).reshape(
        RANK, *kernel.shape[2:]
    )
    (tall, wide), (height, width), features = _tiles(geometry), geometry.output, kernel.shape[3]
    y = _product(_TILES.y.T, products.reshape(RANK, -1))
    y = y.reshape(TILE, TILE, x.shape[0], tall, wide, features).transpose(2, 3, 0, 4, 1, 5)
    return y.reshape(x.shape[0], tall * TILE, wide * TILE, features)[:, :height, :width]


def image(geometry: Geometry, y: Array, kernel: Array) -> Array:
    """Maps f[N, h, w, O] and f[3, 3, C, O] to f[N, H, W, C]."""
    return output(geometry.transposed, y, kernel[::-1, ::-1].swapaxes(2, 3))


def kernel(geometry: Geometry, x: Array, y: Array) -> Array:
    """Maps f[N, H, W, C] and f[N, h, w, O] to f[3, 3, C, O]."""
    seen = _transform(_TILES.x, _windows(geometry, x))
    made = _transform(_TILES.y, _windows(geometry, y, overlap=False))
    products = jnp.einsum("rtc,rto->rco", seen, made)
    taps = _product(_TILES.kernel.T, products.reshape(RANK, -1))
    return taps.reshape(WINDOW, WINDOW, *products.shape[1:])


def _tiles(geometry: Geometry) -> tuple[int, int]:
    """The number of tiles along each side."""
    height, width = geometry.output
    return -(-height // TILE), -(-width // TILE)


def _windows(geometry: Geometry, images: Array, *, overlap: bool = True) -> Array:
    """Cuts x into what the tiles see, or y into the tiles: f[places, N * tiles, C]."""
    side, margins = (SEEN if overlap else TILE), []
    for axis, tiles in enumerate(_tiles(geometry)):
        before = geometry.pads[axis][0] if overlap else 0
        after = TILE * (tiles - 1) + side - before - images.shape[axis + 1]
        margins.append((before, after, 0))
    images = jax.lax.pad(images, jnp.zeros((), images.dtype), ((0, 0, 0), *margins, (0, 0, 0)))
    count, height, width, channels = images.shape
    tall, wide = _tiles(geometry)
    down, right = np.mgrid[:side, :side].reshape(2, -1)
    image, row, column = np.mgrid[:count, :tall, :wide].reshape(3, -1)
    first = (image * height + TILE * row) * width + TILE * column
    # added in the program, which would otherwise hold every place
    places = jnp.int32(down * width + right)[:, np.newaxis] + jnp.int32(first)[np.newaxis]
    return images.reshape(-1, channels).at[places].get(mode="promise_in_bounds")


def _transform(matrix: np.ndarray, windows: Array) -> Array:
    """Maps f[places, N * tiles, C] to f[R, N * tiles, C]."""
    return _product(matrix, windows.reshape(len(windows), -1)).reshape(-1, *windows.shape[1:])


def _product(matrix: np.ndarray, right: Array) -> Array:
    return jnp.asarray(matrix, right.dtype) @ right
