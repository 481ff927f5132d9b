"""The layers of the convolutional networks."""

import flax.linen as nn
import jax.numpy as jnp

from jaxgan import batch_axis, ops
from jaxgan.ops.geometry import Padding, Pair, as_pair
from jaxgan.typing import Array

Initializer = nn.initializers.Initializer
GLOROT = nn.initializers.glorot_uniform()


def _add_bias(module: nn.Module, y: Array) -> Array:
    bias = module.param("bias", nn.initializers.zeros_init(), (y.shape[-1],), jnp.float32)
    return y + bias.astype(y.dtype).reshape((1,) * (y.ndim - 1) + bias.shape)


class Conv2D(nn.Module):
    """Convolution with parameters ``kernel`` f32[P, Q, C / groups, features] and ``bias`` f32[features].

    >>> import jax
    >>> layer = Conv2D(features=8, window=3)
    >>> y, variables = layer.init_with_output(jax.random.key(0), jnp.ones((1, 6, 6, 1)))
    >>> y.shape, variables["params"]["kernel"].shape
    ((1, 6, 6, 8), (3, 3, 1, 8))

    See `jaxgan.ops.conv2d` for the equation and the options. Beyond those, ``padding="REFLECT"`` mirrors the
    image at its borders, by half the window, whose sides must be odd; the map is then as large as the image,
    divided by the stride.
    """

    features: int
    window: Pair
    stride: Pair = 1
    padding: Padding = "SAME"
    groups: int = 1
    use_bias: bool = True
    kernel_init: Initializer = GLOROT

    @nn.compact
    def __call__(self, x: Array) -> Array:
        """Maps f[N, H, W, C] to f[N, H', W', features]."""
        shape = (*as_pair("window", self.window), x.shape[-1] // self.groups, self.features)
        kernel = self.param("kernel", self.kernel_init, shape, jnp.float32)
        kernel, padding = kernel.astype(x.dtype), self.padding
        if padding == "REFLECT":
            sides = [(side // 2, side // 2) for side in shape[:2]]
            x, padding = jnp.pad(x, ((0, 0), *sides, (0, 0)), mode="reflect"), "VALID"
        y = ops.conv2d(x, kernel, stride=self.stride, padding=padding, groups=self.groups)
        return _add_bias(self, y) if self.use_bias else y


class ConvTranspose2D(nn.Module):
    """Transposed convolution with a ``kernel`` f32[P, Q, C, features] and a ``bias`` f32[features].

    >>> import jax
    >>> layer = ConvTranspose2D(features=8, window=4, stride=2)
    >>> layer.init_with_output(jax.random.key(0), jnp.ones((1, 7, 7, 1)))[0].shape
    (1, 14, 14, 8)

    See `jaxgan.ops.conv2d_transpose` for the equation and the options.
    """

    features: int
    window: Pair
    stride: Pair = 1
    padding: Padding = "SAME"
    use_bias: bool = True
    kernel_init: Initializer = GLOROT

    @nn.compact
    def __call__(self, x: Array) -> Array:
        """Maps f[N, H, W, C] to f[N, H', W', features]."""
        shape = (*as_pair("window", self.window), x.shape[-1], self.features)
        kernel = self.param("kernel", self.kernel_init, shape, jnp.float32)
        y = ops.conv2d_transpose(x, kernel.astype(x.dtype), stride=self.stride, padding=self.padding)
        return _add_bias(self, y) if self.use_bias else y


class Dense(nn.Module):
    """Fully connected layer with a ``kernel`` f32[C, features] and a ``bias`` f32[features].

    >>> import jax
    >>> Dense(features=3).init_with_output(jax.random.key(0), jnp.ones((2, 5)))[0].shape
    (2, 3)
    """

    features: int
    use_bias: bool = True
    kernel_init: Initializer = GLOROT

    @nn.compact
    def __call__(self, x: Array) -> Array:
        """Maps f[..., C] to f[..., features]."""
        shape = (x.shape[-1], self.features)
        kernel = self.param("kernel", self.kernel_init, shape, jnp.float32)
        y = ops.dense(x, kernel.astype(x.dtype))
        return _add_bias(self, y) if self.use_bias else y


def running_moments(module: nn.Module, x: Array, *, momentum: float, train: bool) -> tuple[Array, Array]:
    """Finds the moments that a layer normalises by, and in training moves its running averages towards them.

    Args:
        module: the layer; its collection ``batch_stats`` holds the averages, ``mean`` and ``variance``.
        x: f[..., C].
        momentum: the decay of the averages.
        train: whether the moments are those of the batch.

    Returns:
        The mean f32[C] and the variance f32[C].
    """
    shape = x.shape[-1:]
    running = {
        "mean": module.variable("batch_stats", "mean", jnp.zeros, shape, jnp.float32),
        "variance": module.variable("batch_stats", "variance", jnp.ones, shape, jnp.float32),
    }
    moments = running["mean"].value, running["variance"].value
    if train:
        moments = ops.batch_moments(x.astype(jnp.float32))
    if train and not module.is_initializing():
        for average, moment in zip(running.values(), moments, strict=True):
            average.value = momentum * average.value + (1 - momentum) * moment
    return moments


class BatchNorm(nn.Module):
    r"""Batch normalisation with running averages in the collection ``batch_stats``.

    In training the moments of the batch are used, and the running averages move towards them:

    .. math:: \bar{\mu} \leftarrow m \, \bar{\mu} + (1 - m) \, \mu

    Otherwise the running averages are used. The moments are those of the whole batch, however it is
    divided over devices. The running variance is the biased one, as in Keras.

    >>> import jax
    >>> layer = BatchNorm()
    >>> x = jnp.array([[1.0], [3.0]])
    >>> variables = layer.init(jax.random.key(0), x, train=False)
    >>> y, updated = layer.apply(variables, x, train=True, mutable=["batch_stats"])
    >>> round(updated["batch_stats"]["mean"].item(), 3)
    0.02

    Source: Ioffe and Szegedy, arXiv:1502.03167.
    """

    momentum: float = 0.99
    epsilon: float = 1e-3
    scale_init: Initializer = nn.initializers.ones_init()

    @nn.compact
    def __call__(self, x: Array, *, train: bool) -> Array:
        """Maps f[..., C] to f[..., C]."""
        shape = x.shape[-1:]
        scale = self.param("scale", self.scale_init, shape, jnp.float32)
        bias = self.param("bias", nn.initializers.zeros_init(), shape, jnp.float32)
        moments = running_moments(self, x, momentum=self.momentum, train=train)
        y = ops.batch_norm(x.astype(jnp.float32), *moments, scale, bias, epsilon=self.epsilon)
        return y.astype(x.dtype)


class Identity(nn.Module):
    """Gives what it is given, under the name of the layer: so other modules see it, and may change it.

    It names what a function makes inside a network, an activation say; see `jaxgan.interpret`.

    >>> Identity(name="relu1").apply({}, jnp.ones(2)).tolist()
    [1.0, 1.0]
    """

    def __call__(self, x: Array) -> Array:
        """Maps f[...] to itself."""
        return x


class InstanceNorm(nn.Module):
    """Normalisation of each channel of each image by itself, with a ``scale`` and a ``bias`` f32[C].

    It is the same in training and outside, and no example of a batch knows of another.

    >>> import jax
    >>> x = jnp.array([1.0, 3.0]).reshape(1, 1, 2, 1)
    >>> y, _ = InstanceNorm().init_with_output(jax.random.key(0), x)
    >>> y.round(3).ravel().tolist()
    [-1.0, 1.0]

    See `jaxgan.ops.instance_norm` for the equation. Source: Ulyanov et al., arXiv:1607.08022.
    """

    epsilon: float = 1e-5

    @nn.compact
    def __call__(self, x: Array) -> Array:
        """Maps f[N, H, W, C] to f[N, H, W, C]."""
        shape = x.shape[-1:]
        scale = self.param("scale", nn.initializers.ones_init(), shape, jnp.float32)
        bias = self.param("bias", nn.initializers.zeros_init(), shape, jnp.float32)
        y = ops.instance_norm(x.astype(jnp.float32), scale, bias, epsilon=self.epsilon)
        return y.astype(x.dtype)


class Dropout(nn.Module):
    """Dropout in training; the map itself otherwise.

    Each example draws from a key of its own (see `jaxgan.batch_axis`), taken from the random stream
    ``dropout``, so that the result does not depend on how the batch is divided over devices.

    >>> Dropout(rate=0.5).apply({}, jnp.ones((2, 3)), train=False).tolist()
    [[1.0, 1.0, 1.0], [1.0, 1.0, 1.0]]

    See `jaxgan.ops.dropout` for the equation.
    """

    rate: float

    @nn.compact
    def __call__(self, x: Array, *, train: bool) -> Array:
        """Maps f[N, ...] to f[N, ...]."""
        if not train or self.rate == 0:
            return x
        keys = batch_axis.example_keys(self.make_rng("dropout"), x.shape[0])
        return ops.dropout(x, keys, rate=self.rate)
