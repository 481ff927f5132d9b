"""The blocks of the Inception network, with the normalisations folded into kernels and biases.

They compute what Szegedy et al. draw, in an order that is faster: the convolutions with 1x1 windows that read
the same images run as one with more channels, and where the mean over a window stands before such a
convolution it is taken after it, of fewer channels. Both are linear, one over pixels and one over channels.

Source: Szegedy et al., arXiv:1512.00567. Names are those of the published weights.
"""

import itertools
from collections.abc import Mapping

import flax.linen as linen
import jax
import jax.numpy as jnp

from jaxgan import ops
from jaxgan.typing import Array


class Filters(linen.Module):
    """The parameters of a layer: a ``kernel`` f32[*window, C, features] and a ``bias`` f32[features].

    >>> layer = Filters(8, (3, 3))
    >>> kernel, bias = layer.init_with_output(jax.random.key(0), 4, method="filters")[0]
    >>> kernel.shape, bias.shape
    ((3, 3, 4, 8), (8,))
    """

    features: int
    window: tuple[int, ...]

    @linen.compact
    def filters(self, channels: int) -> tuple[Array, Array]:
        """Gives the kernel and the bias for images of so many channels."""
        shape = (*self.window, channels, self.features)
        kernel = self.param("kernel", linen.initializers.he_normal(), shape, jnp.float32)
        return kernel, self.param("bias", linen.initializers.zeros_init(), shape[-1:], jnp.float32)


class Convolution(Filters):
    """A convolution with its bias, rectified."""

    stride: int = 1
    padding: str = "SAME"

    def __call__(self, x: Array) -> Array:
        """Maps f32[N, H, W, C] to f32[N, H', W', features]."""
        kernel, bias = self.filters(x.shape[-1])
        return _rectify(_convolve(x, kernel, self.stride, self.padding), bias)


class Largest(linen.Module):
    """The maximum over 3x3 pixels, two apart, without padding."""

    def __call__(self, x: Array) -> Array:
        """Maps f32[N, H, W, C] to about half the height and width."""
        return ops.max_pool2d(x, window=3, stride=2)


def chain(x: Array, *layers: Convolution) -> Array:
    """Applies one after the other."""
    for layer in layers:
        x = layer(x)
    return x


def pointwise(x: Array, features: Mapping[str, int], *, averaged: str = "") -> list[Array]:
    """Applies convolutions with 1x1 windows to the same images, all at once.

    Args:
        x: f32[N, H, W, C].
        features: the names of the layers and their numbers of channels.
        averaged: which of them is to see means over 3x3 pixels.

    Returns:
        For each of them f32[N, H, W, features], rectified.
    """
    kernels, biases = zip(
        *(Filters(count, (1, 1), name=name).filters(x.shape[-1]) for name, count in features.items()),
        strict=True,
    )
    y = _convolve(x, jnp.concatenate(kernels, axis=-1), 1, "VALID")
    ends = itertools.accumulate(features.values())
    parts = zip(features, biases, jnp.split(y, list(ends)[:-1], axis=-1), strict=True)
    return [_rectify(_mean(part) if name == averaged else part, bias) for name, bias, part in parts]


def _convolve(x: Array, kernel: Array, stride: int, padding: str) -> Array:
    """Convolves as precisely as `jax.default_matmul_precision` says, which `ops.conv2d` does not ask.

    Accelerators round to fewer bits by default, which a score would show.
    """
    return jax.lax.conv_general_dilated(
        x, kernel, (stride, stride), padding, dimension_numbers=("NHWC", "HWIO", "NHWC")
    )


def _mean(x: Array) -> Array:
    """Takes the mean over the 3x3 pixels around each, as far as they are there."""
    return ops.avg_pool2d(x, window=3, stride=1, padding="SAME")


def _rectify(x: Array, bias: Array) -> Array:
    return ops.relu(x + bias.reshape(1, 1, 1, -1))


def _join(*parts: Array) -> Array:
    return jnp.concatenate(parts, axis=-1)


class Block35(linen.Module):
    """Maps f32[N, 35, 35, C] to f32[N, 35, 35, 224 + pool_features]: windows of 1, 5 and twice 3."""

    pool_features: int

    @linen.compact
    def __call__(self, x: Array) -> Array:
        """Applies the block."""
        features = {
            "branch1x1": 64,
            "branch5x5_1": 48,
            "branch3x3dbl_1": 64,
            "branch_pool": self.pool_features,
        }
        single, five, double, pooled = pointwise(x, features, averaged="branch_pool")
        five = Convolution(64, (5, 5), name="branch5x5_2")(five)
        double = chain(
            double,
            Convolution(96, (3, 3), name="branch3x3dbl_2"),
            Convolution(96, (3, 3), name="branch3x3dbl_3"),
        )
        return _join(single, five, double, pooled)


class Halving35(linen.Module):
    """Maps f32[N, 35, 35, C] to f32[N, 17, 17, 480 + C]."""

    @linen.compact
    def __call__(self, x: Array) -> Array:
        """Applies the block."""
        single = Convolution(384, (3, 3), 2, "VALID", name="branch3x3")(x)
        double = chain(
            x,
            Convolution(64, (1, 1), name="branch3x3dbl_1"),
            Convolution(96, (3, 3), name="branch3x3dbl_2"),
            Convolution(96, (3, 3), 2, "VALID", name="branch3x3dbl_3"),
        )
        return _join(single, double, Largest()(x))


class Block17(linen.Module):
    """Maps f32[N, 17, 17, C] to f32[N, 17, 17, 768]: windows of 1, and of 7 along one side at a time."""

    inner: int

    @linen.compact
    def __call__(self, x: Array) -> Array:
        """Applies the block."""
        inner, row, column = self.inner, (1, 7), (7, 1)
        features = {"branch1x1": 192, "branch7x7_1": inner, "branch7x7dbl_1": inner, "branch_pool": 192}
        single, seven, double, pooled = pointwise(x, features, averaged="branch_pool")
        seven = chain(
            seven, Convolution(inner, row, name="branch7x7_2"), Convolution(192, column, name="branch7x7_3")
        )
        double = chain(
            double,
            Convolution(inner, column, name="branch7x7dbl_2"),
            Convolution(inner, row, name="branch7x7dbl_3"),
            Convolution(inner, column, name="branch7x7dbl_4"),
            Convolution(192, row, name="branch7x7dbl_5"),
        )
        return _join(single, seven, double, pooled)


class Halving17(linen.Module):
    """Maps f32[N, 17, 17, C] to f32[N, 8, 8, 512 + C]."""

    @linen.compact
    def __call__(self, x: Array) -> Array:
        """Applies the block."""
        three, seven = pointwise(x, {"branch3x3_1": 192, "branch7x7x3_1": 192})
        three = Convolution(320, (3, 3), 2, "VALID", name="branch3x3_2")(three)
        seven = chain(
            seven,
            Convolution(192, (1, 7), name="branch7x7x3_2"),
            Convolution(192, (7, 1), name="branch7x7x3_3"),
            Convolution(192, (3, 3), 2, "VALID", name="branch7x7x3_4"),
        )
        return _join(three, seven, Largest()(x))


class Block8(linen.Module):
    """Maps f32[N, 8, 8, C] to f32[N, 8, 8, 2048]; the last one takes a maximum where others take a mean."""

    last: bool

    @linen.compact
    def __call__(self, x: Array) -> Array:
        """Applies the block."""
        features = {"branch1x1": 320, "branch3x3_1": 384, "branch3x3dbl_1": 448}
        if self.last:
            single, three, double = pointwise(x, features)
            largest = ops.max_pool2d(x, window=3, stride=1, padding="SAME")
            pooled = Convolution(192, (1, 1), name="branch_pool")(largest)
        else:
            features["branch_pool"] = 192
            single, three, double, pooled = pointwise(x, features, averaged="branch_pool")
        double = Convolution(384, (3, 3), name="branch3x3dbl_2")(double)
        return _join(single, _cross(three, "branch3x3_2"), _cross(double, "branch3x3dbl_3"), pooled)


def _cross(x: Array, name: str) -> Array:
    """Applies windows of 3 along either side, next to each other."""
    return _join(Convolution(384, (1, 3), name=f"{name}a")(x), Convolution(384, (3, 1), name=f"{name}b")(x))
