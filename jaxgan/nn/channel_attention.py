"""Attention to channels and to places: gates in (0, 1) by which feature maps are multiplied."""

import flax.linen as nn
import jax.numpy as jnp

from jaxgan import ops
from jaxgan.nn.layers import Conv2D, Dense
from jaxgan.ops.geometry import require_images
from jaxgan.typing import Array
from jaxgan.validation import require


class _Excitation(nn.Module):
    """Maps f[N, C] to f[N, C] by way of C // reduction numbers, at least one."""

    reduction: int

    @nn.compact
    def __call__(self, x: Array) -> Array:
        require(self.reduction >= 1, "reduction", self.reduction, ">= 1")
        hidden = ops.relu(Dense(max(1, x.shape[-1] // self.reduction), use_bias=False, name="reduce")(x))
        return Dense(x.shape[-1], use_bias=False, name="expand")(hidden)


class SqueezeExcite(nn.Module):
    r"""Squeeze and excitation: weighs each channel by what the channels' means say together.

    .. math:: y_{n,i,j,c} = \sigma(W_2 \max(0, W_1 z_n))_c \; x_{n,i,j,c}, \qquad
              z_{n,c} = \frac{1}{H W} \sum_{i,j} x_{n,i,j,c}

    with kernels ``reduce`` f32[C, C // r] and ``expand`` f32[C // r, C], and, as in the paper, no biases.

    Attributes:
        reduction: r, >= 1; 16 in the paper. At least one number stays.

    Raises:
        ValueError: another reduction, or no batch of images.

    >>> import jax
    >>> y, variables = SqueezeExcite(reduction=4).init_with_output(jax.random.key(0), jnp.ones((2, 5, 5, 8)))
    >>> y.shape, sum(leaf.size for leaf in jax.tree.leaves(variables))
    ((2, 5, 5, 8), 32)

    Source: Hu et al., arXiv:1709.01507.
    """

    reduction: int = 16

    @nn.compact
    def __call__(self, x: Array) -> Array:
        """Maps f[N, H, W, C] to f[N, H, W, C]."""
        require_images(x.shape, "x")
        gates = ops.sigmoid(_Excitation(self.reduction, name="excitation")(x.mean((1, 2))))
        return x * gates[:, None, None, :]


class CBAM(nn.Module):
    r"""The convolutional block attention module: weighs channels first, then places.

    .. math:: x' = \sigma(M(\text{mean}_{i,j}\, x) + M(\max_{i,j} x)) \, x, \qquad
              y = \sigma(k * [\text{mean}_c\, x',\; \max_c x']) \, x'

    where M is the map of `SqueezeExcite`, the same for both, and k a kernel f32[window, window, 2, 1]. As in
    the paper's equations nothing has a bias; its authors' code adds them, and a batch normalisation of the
    map of places.

    Attributes:
        reduction: of the channels in M, >= 1; 16 in the paper.
        window: the side of the kernel over places, >= 1; 7 in the paper.

    Raises:
        ValueError: another reduction, or no batch of images.

    >>> import jax
    >>> y, variables = CBAM(reduction=4).init_with_output(jax.random.key(0), jnp.ones((2, 5, 5, 8)))
    >>> y.shape, sum(leaf.size for leaf in jax.tree.leaves(variables))
    ((2, 5, 5, 8), 130)

    Source: Woo et al., arXiv:1807.06521.
    """

    reduction: int = 16
    window: int = 7

    @nn.compact
    def __call__(self, x: Array) -> Array:
        """Maps f[N, H, W, C] to f[N, H, W, C]."""
        require_images(x.shape, "x")
        excite = _Excitation(self.reduction, name="excitation")
        channels = ops.sigmoid(excite(x.mean((1, 2))) + excite(x.max((1, 2))))
        x = x * channels[:, None, None, :]
        seen = jnp.concatenate([x.mean(3, keepdims=True), x.max(3, keepdims=True)], 3)
        return x * ops.sigmoid(Conv2D(1, window=self.window, use_bias=False, name="places")(seen))
