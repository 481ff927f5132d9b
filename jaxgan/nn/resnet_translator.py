"""The residual network from image to image of Johnson et al.: halved, changed by residual blocks, doubled."""

import flax.linen as linen

from jaxgan import ops
from jaxgan.nn.layers import Conv2D, ConvTranspose2D, InstanceNorm
from jaxgan.typing import Array

KERNEL_INIT = linen.initializers.normal(0.02)


class ResNetTranslator(linen.Module):
    """Changes images by residual blocks on a map that is smaller than they are.

    A convolution of 7x7, halvings of 3x3 that double the channels, blocks of two convolutions of 3x3 that add
    to their map, doublings, and a convolution of 7x7. Borders are mirrored; all but the last convolution are
    followed by instance normalisation, which ends a block before it adds.

    Attributes:
        channels: the channels of what it makes.
        features: the channels after the first convolution, >= 1.
        halvings: how often the map is halved, >= 0.
        blocks: the residual blocks, >= 1.

    >>> import jax
    >>> import jax.numpy as jnp
    >>> network = ResNetTranslator(channels=3, features=2, halvings=1, blocks=1)
    >>> network.init_with_output(jax.random.key(0), jnp.ones((1, 8, 12, 1)), train=False)[0].shape
    (1, 8, 12, 3)

    Source: Johnson et al., arXiv:1603.08155; Zhu et al., arXiv:1703.10593, section 7.2.
    """

    channels: int
    features: int = 64
    halvings: int = 2
    blocks: int = 9

    @linen.compact
    def __call__(self, images: Array, *, train: bool) -> Array:
        """Maps f[N, H, W, C], sides multiples of 2 ** halvings, to f[N, H, W, channels] in [-1, 1]."""
        del train

        def convolve(x: Array, features: int, window: int) -> Array:
            layer = Conv2D(features, window, padding="REFLECT", use_bias=False, kernel_init=KERNEL_INIT)
            return InstanceNorm()(layer(x))

        x = ops.relu(convolve(images, self.features, 7))
        for stage in range(1, self.halvings + 1):
            layer = Conv2D(self.features * 2**stage, 3, 2, use_bias=False, kernel_init=KERNEL_INIT)
            x = ops.relu(InstanceNorm()(layer(x)))
        for _ in range(self.blocks):
            y = ops.relu(convolve(x, x.shape[-1], 3))
            x = x + convolve(y, x.shape[-1], 3)
        for stage in reversed(range(self.halvings)):
            enlarge = ConvTranspose2D(self.features * 2**stage, 3, 2, use_bias=False, kernel_init=KERNEL_INIT)
            x = ops.relu(InstanceNorm()(enlarge(x)))
        return ops.tanh(Conv2D(self.channels, 7, padding="REFLECT", kernel_init=KERNEL_INIT)(x))
