"""PatchGAN: a discriminator that judges each patch of an image by itself."""

import flax.linen as linen

from jaxgan import ops
from jaxgan.nn.layers import Conv2D, InstanceNorm
from jaxgan.typing import Array
from jaxgan.validation import require

KERNEL_INIT = linen.initializers.normal(0.02)
SLOPE = 0.2
WINDOW = 4
PADDING = ((1, 1), (1, 1))


def patch_side(halvings: int) -> int:
    """The side of the patch that one logit of a `PatchDiscriminator` sees.

    >>> [patch_side(halvings) for halvings in (1, 2, 3)]  # the last is that of the papers
    [16, 34, 70]
    """
    side = 2 * WINDOW - 1
    for _ in range(halvings):
        side = 2 * (side - 1) + WINDOW
    return side


def require_patches(image_size: tuple[int, int], halvings: int) -> None:
    """Refuses images that are smaller than a patch.

    Raises:
        InputError: they are.
    """
    side = patch_side(halvings)
    allowed = f"at least {side} on each side, the side of a patch after {halvings} patch_halvings"
    require(min(image_size) >= side, "image_size", image_size, allowed)


def require_sides(image_size: tuple[int, int], factor: int, name: str) -> None:
    """Refuses images that cannot be halved so often.

    Args:
        image_size: (height, width).
        factor: what both must be multiples of.
        name: what that is.

    Raises:
        InputError: they are not.
    """
    fits = all(side >= factor and side % factor == 0 for side in image_size)
    require(fits, "image_size", image_size, f"two multiples of {name}")


class PatchDiscriminator(linen.Module):
    """Maps images to a logit for each of their patches, which overlap and are `patch_side` wide.

    Convolutions of 4x4: some that halve the map and double its channels, one more that doubles them, one that
    gives the logits. All but the first and the last are followed by instance normalisation.

    Attributes:
        features: the channels after the first convolution, >= 1.
        halvings: how often the map is halved, >= 1.
        max_features: the limit of the channels, >= 1.

    >>> import jax, jax.numpy as jnp
    >>> network = PatchDiscriminator(features=4, halvings=1)
    >>> network.init_with_output(jax.random.key(0), jnp.ones((2, 32, 32, 3)), train=True)[0].shape
    (2, 14, 14)

    Source: Isola et al., arXiv:1611.07004, section 6.1.2; Zhu et al., arXiv:1703.10593, section 7.2.
    """

    features: int = 64
    halvings: int = 3
    max_features: int = 512

    @linen.compact
    def __call__(self, images: Array, *, train: bool) -> Array:
        """Maps f[N, H, W, C] to f[N, h, w]; a positive logit means a real patch."""
        del train

        def convolve(x: Array, features: int, stride: int, *, bias: bool) -> Array:
            layer = Conv2D(features, WINDOW, stride, PADDING, use_bias=bias, kernel_init=KERNEL_INIT)
            return layer(x)

        x = ops.leaky_relu(convolve(images, self.features, 2, bias=True), slope=SLOPE)
        for stage in range(1, self.halvings + 1):
            features = min(self.features * 2**stage, self.max_features)
            x = convolve(x, features, 2 if stage < self.halvings else 1, bias=False)
            x = ops.leaky_relu(InstanceNorm()(x), slope=SLOPE)
        return convolve(x, 1, 1, bias=True)[..., 0]
