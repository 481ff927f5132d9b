"""Residual blocks of the GANs whose networks keep, double or halve a map from block to block."""

from typing import Literal

import flax.linen as linen
import jax.numpy as jnp

from jaxgan import ops
from jaxgan.nn.conditioning import normalize
from jaxgan.nn.layers import Conv2D
from jaxgan.nn.spectral import spectral
from jaxgan.typing import Array

Resample = Literal["none", "up", "down"]
KERNEL_INIT = linen.initializers.he_normal()


def double(x: Array) -> Array:
    """Doubles the height and width of f[N, H, W, C]: each pixel becomes four.

    >>> double(jnp.array([1.0, 2.0]).reshape(1, 1, 2, 1)).ravel().tolist()
    [1.0, 1.0, 2.0, 2.0, 1.0, 1.0, 2.0, 2.0]
    """
    count, height, width, channels = x.shape
    repeated = jnp.broadcast_to(x[:, :, None, :, None, :], (count, height, 2, width, 2, channels))
    return repeated.reshape(count, 2 * height, 2 * width, channels)


def halve(x: Array) -> Array:
    """Halves the height and width of f[N, H, W, C]: the mean of four pixels becomes one.

    >>> halve(jnp.arange(4.0).reshape(1, 2, 2, 1)).item()
    1.5
    """
    return ops.avg_pool2d(x, window=2)


class ResidualBlock(linen.Module):
    r"""Adds two convolutions of the rectified, and perhaps normalised, maps to the maps themselves.

    .. math:: y = r(x) + k_2 * a(u(k_1 * a(x)))

    with activations a, the doubling u before the second convolution or the halving after it, and a shortcut
    r, which has a 1x1 convolution where it changes the number of channels or the size. The shortcut's
    convolution stands where the map is smallest, which changes nothing, as both are linear.

    Attributes:
        features: the channels of y.
        resample: ``"none"``, ``"up"`` or ``"down"``.
        batch_norm: whether each activation normalises first.
        num_classes: K, where that is by class; None where not.
        spectral_norm: whether kernels are spectrally normalised.
        image: whether x is an image, which no activation should cut before the first convolution.

    >>> import jax
    >>> block = ResidualBlock(8, resample="down")
    >>> block.init_with_output(jax.random.key(0), jnp.ones((1, 6, 6, 3)), train=False)[0].shape
    (1, 3, 3, 8)

    Source: Gulrajani et al., arXiv:1704.00028, appendix C; He et al., arXiv:1603.05027, for the order.
    """

    features: int
    resample: Resample = "none"
    batch_norm: bool = False
    num_classes: int | None = None
    spectral_norm: bool = False
    image: bool = False

    @linen.compact
    def __call__(self, x: Array, *labels: Array, train: bool) -> Array:
        """Maps f[N, H, W, C], and labels int32[N] if there are classes, to f[N, H', W', features]."""

        def activate(x: Array) -> Array:
            if self.batch_norm:
                x = normalize(x, *labels, num_classes=self.num_classes, train=train)
            return ops.relu(x)

        def convolve(x: Array, window: int, name: str) -> Array:
            bias = not self.batch_norm  # which would take it away again
            layer = Conv2D(self.features, window, use_bias=bias, kernel_init=KERNEL_INIT, name=name)
            return spectral(layer, train=train, when=self.spectral_norm)(x)

        y = convolve(x if self.image else activate(x), 3, "first")
        y = activate(double(y) if self.resample == "up" else y)
        y = convolve(y, 3, "second")
        if self.resample == "down":
            x, y = halve(x), halve(y)
        if self.resample != "none" or x.shape[-1] != self.features:
            x = convolve(x, 1, "shortcut")
        return (double(x) if self.resample == "up" else x) + y
