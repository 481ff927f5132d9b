r"""The maps of a convolution as products of Fourier coefficients.

With stride 1, and along one side, a pixel x_m meets the tap k_p in the output y_i where m = i + d p - a. All
three are sums over characters of the cyclic group of L places,

.. math:: [m = i + d p - a] = \frac{1}{L} \sum_{f=0}^{L-1} \omega^{f (i + d p - a - m)},
          \qquad \omega = e^{2 \pi i / L}

wherever L is larger than every \|i + d p - a - m\|: a wrapped place would have to be that far off. The
coefficients of real arrays come in conjugate pairs, and the real part of a product of three complex numbers
is a sum of three real products. So the whole trilinear form is

.. math:: T(x, k, y) = \sum_{r=1}^{R} \langle (A x)_r \, (B k)_r, (C y)_r \rangle

with constant real matrices A, B, C over places and a product over channels for each r. R is about 3/2 of
the places, where the direct sum takes a product for each place and tap. The transforms are matrix products
themselves, so this pays where the images are small and the channels many.

Every coefficient is a sum over a whole image. So rounding errors are those of its largest values, also in
windows that do not see them, and where one pixel is not finite, no output of its image is.

Source: Winograd, "Arithmetic complexity of computations", 1980; Mathieu et al., arXiv:1312.5851.
"""

import functools
import math
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np

from jaxgan.ops.geometry import Geometry
from jaxgan.typing import Array

LARGEST_RANK = 1024
"""The largest R for which the matrices are written into a program: some megabytes each."""


class Decomposition(NamedTuple):
    """The constant matrices, f64.

    Attributes:
        x: A, [R, H * W].
        kernel: B, [R, P * Q].
        y: C, [R, h * w].
    """

    x: np.ndarray
    kernel: np.ndarray
    y: np.ndarray


def saving(geometry: Geometry, count: int, channels: int, features: int) -> float:
    """Tells how many times fewer multiplications this takes than the direct sum; 0 where it is not possible.

    Args:
        geometry: sides, strides, padding, dilation and groups.
        count: the number of images.
        channels: of an image.
        features: the channels of an output.

    >>> geometry = Geometry(image=(7, 7), window=(4, 4), pads=((1, 2), (1, 2)))
    >>> round(saving(geometry, 128, 256, 128), 1)
    3.8
    """
    if geometry.strides != (1, 1) or geometry.groups > 1 or rank(geometry) > LARGEST_RANK:
        return 0.0
    pixels, taps, places = (math.prod(sides) for sides in (geometry.image, geometry.window, geometry.output))
    direct = count * places * taps * channels * features
    transforms = count * (pixels * channels + places * features) + taps * channels * features
    return direct / (rank(geometry) * (count * channels * features + transforms))


def rank(geometry: Geometry) -> int:
    """Gives R, the number of real products for each pair of channels.

    >>> rank(Geometry(image=(7, 7), window=(4, 4), pads=((1, 2), (1, 2))))
    121
    """
    lengths = _lengths(geometry)
    real = math.prod(2 - length % 2 for length in lengths)
    return real + 3 * (math.prod(lengths) - real) // 2


def output(geometry: Geometry, x: Array, kernel: Array) -> Array:
    """Maps f[N, H, W, C] and f[P, Q, C, O] to f[N, h, w, O]."""
    found = decompose(geometry)
    products = _transform(found.x, x) @ _transform_kernel(found.kernel, kernel)
    return _gather(found.y, products, geometry.output)


def image(geometry: Geometry, y: Array, kernel: Array) -> Array:
    """Maps f[N, h, w, O] and f[P, Q, C, O] to f[N, H, W, C]."""
    found = decompose(geometry)
    products = _transform(found.y, y) @ _transform_kernel(found.kernel, kernel.swapaxes(2, 3))
    return _gather(found.x, products, geometry.image)


def kernel(geometry: Geometry, x: Array, y: Array) -> Array:
    """Maps f[N, H, W, C] and f[N, h, w, O] to f[P, Q, C, O]."""
    found = decompose(geometry)
    products = jnp.einsum("rnc,rno->rco", _transform(found.x, x), _transform(found.y, y))
    shape = (*geometry.window, *products.shape[1:])
    return (_matrix(found.kernel.T, products) @ products.reshape(len(products), -1)).reshape(shape)


@functools.lru_cache
def decompose(geometry: Geometry) -> Decomposition:
    """Computes the matrices A, B and C of a geometry with stride 1.

    >>> geometry = Geometry(image=(3, 3), window=(2, 2))
    >>> form = np.einsum("rm,rp,ri->mpi", *decompose(geometry)).round(12)
    >>> int(form.sum()), float(form[4, 0, 3])  # the 4 taps of 4 windows; k_00 meets x_11 in y_11
    (16, 1.0)
    """
    lengths = _lengths(geometry)
    taps = [
        np.arange(side) * dilation - pads[0]
        for side, dilation, pads in zip(geometry.window, geometry.dilations, geometry.pads, strict=True)
    ]
    x = _characters(lengths, [-np.arange(side) for side in geometry.image])
    kernel = _characters(lengths, taps)
    y = _characters(lengths, [np.arange(side) for side in geometry.output])
    numbers = np.arange(len(x)).reshape(lengths)
    conjugates = np.roll(numbers[::-1, ::-1], 1, axis=(0, 1)).ravel()
    real = np.flatnonzero(conjugates == numbers.ravel())
    pairs = np.flatnonzero(conjugates > numbers.ravel())  # one of each pair stands for both
    a, b, c = x[pairs], kernel[pairs], 2 * y[pairs] / len(x)
    return Decomposition(
        np.concatenate([x[real].real, a.real, a.imag, a.real + a.imag]),
        np.concatenate([kernel[real].real, b.real, b.imag, b.real + b.imag]),
        np.concatenate([y[real].real / len(x), c.real + c.imag, c.imag - c.real, -c.imag]),
    )


def _lengths(geometry: Geometry) -> tuple[int, int]:
    """Gives L for each side: larger than i + d p - a - m and its opposite ever are."""
    height, width = (
        1
        + max(
            geometry.output[axis] - 1 + geometry.reach(axis) - geometry.pads[axis][0],
            geometry.image[axis] - 1 + geometry.pads[axis][0],
        )
        for axis in (0, 1)
    )
    return height, width


def _characters(lengths: tuple[int, int], places: list[np.ndarray]) -> np.ndarray:
    """Evaluates every character of the group at places: complex [L1 * L2, the number of places]."""
    tall, wide = (
        np.exp(2j * np.pi * np.outer(np.arange(length), place) / length)
        for length, place in zip(lengths, places, strict=True)
    )
    return np.kron(tall, wide)


def _matrix(values: np.ndarray, like: Array) -> Array:
    return jnp.asarray(values, like.dtype)


def _transform(matrix: np.ndarray, images: Array) -> Array:
    """Maps f[N, H, W, C] to f[R, N, C]."""
    count, height, width, channels = images.shape
    places = images.reshape(count, height * width, channels).swapaxes(0, 1)
    coefficients = _matrix(matrix, images) @ places.reshape(height * width, -1)
    return coefficients.reshape(-1, count, channels)


def _transform_kernel(matrix: np.ndarray, kernel: Array) -> Array:
    """Maps f[P, Q, C, O] to f[R, C, O]."""
    taps = kernel.reshape(-1, kernel.shape[2] * kernel.shape[3])
    return (_matrix(matrix, kernel) @ taps).reshape(-1, *kernel.shape[2:])


def _gather(matrix: np.ndarray, products: Array, sides: tuple[int, int]) -> Array:
    """Maps f[R, N, C] back to f[N, H, W, C]."""
    rank, count, channels = products.shape
    places = _matrix(matrix.T, products) @ products.reshape(rank, -1)
    return places.reshape(-1, count, channels).swapaxes(0, 1).reshape(count, *sides, channels)
