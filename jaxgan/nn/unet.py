"""U-Net: a network from image to image whose halves share their maps at every size."""

import flax.linen as linen
import jax.numpy as jnp

from jaxgan import ops
from jaxgan.nn.layers import Conv2D, ConvTranspose2D, Dropout, InstanceNorm
from jaxgan.typing import Array

KERNEL_INIT = linen.initializers.normal(0.02)
SLOPE = 0.2


class UNet(linen.Module):
    """Halves an image so often, doubles it again, and at each size sees what the halving saw.

    The way down has convolutions of 4x4 with stride 2, the way up transposed ones. Instance normalisation
    follows all but the first, the innermost (whose map may be a single pixel) and the last.

    Attributes:
        channels: the channels of what it makes.
        depth: how often the map is halved, >= 1.
        features: the channels after the first halving, >= 1; each later one doubles them.
        max_features: the limit of the channels, >= 1.
        dropout: the rate of dropout, in [0, 1): the only noise there is.
        dropout_stages: after how many of the doublings, from the smallest map on, there is dropout, >= 0.

    >>> import jax
    >>> network = UNet(channels=3, depth=2, features=4)
    >>> network.init_with_output(jax.random.key(0), jnp.ones((1, 8, 12, 1)), train=False)[0].shape
    (1, 8, 12, 3)

    Source: Ronneberger et al., arXiv:1505.04597; Isola et al., arXiv:1611.07004, section 6.1.1.
    """

    channels: int
    depth: int = 8
    features: int = 64
    max_features: int = 512
    dropout: float = 0.5
    dropout_stages: int = 3

    def width(self, stage: int) -> int:
        """The channels after ``stage`` + 1 halvings."""
        return min(self.features * 2**stage, self.max_features)

    @linen.compact
    def __call__(self, images: Array, *, train: bool) -> Array:
        """Maps f[N, H, W, C], sides multiples of 2 ** depth, to f[N, H, W, channels] in [-1, 1]."""
        x, maps = images, []
        for stage in range(self.depth):
            normed = 0 < stage < self.depth - 1
            x = x if stage == 0 else ops.leaky_relu(x, slope=SLOPE)
            x = Conv2D(self.width(stage), 4, 2, use_bias=not normed, kernel_init=KERNEL_INIT)(x)
            x = InstanceNorm()(x) if normed else x
            maps.append(x)
        x = maps.pop()
        for stage in reversed(range(self.depth - 1)):
            layer = ConvTranspose2D(self.width(stage), 4, 2, use_bias=False, kernel_init=KERNEL_INIT)
            x = InstanceNorm()(layer(ops.relu(x)))
            if self.depth - 2 - stage < self.dropout_stages:
                x = Dropout(self.dropout)(x, train=train)
            x = jnp.concatenate([x, maps.pop()], axis=-1)
        return ops.tanh(ConvTranspose2D(self.channels, 4, 2, kernel_init=KERNEL_INIT)(ops.relu(x)))
