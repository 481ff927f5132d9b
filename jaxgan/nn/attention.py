"""Self-attention: every place of a map looks at every other."""

import flax.linen as linen
import jax
import jax.numpy as jnp

from jaxgan import ops
from jaxgan.nn.layers import Conv2D
from jaxgan.nn.spectral import spectral
from jaxgan.ops.geometry import require_images
from jaxgan.typing import Array
from jaxgan.validation import require


class SelfAttention(linen.Module):
    r"""Adds to each place of a map what it asks of all others, which at the beginning is nothing.

    .. math:: y_i = x_i + \gamma \, W_o \sum_j \beta_{ij} \, W_v x_j, \qquad
              \beta_{ij} = \text{softmax}_j \left( (W_q x_i)^\top (W_k x_j) \right)

    over the places i and j, with queries and keys of C // 8 numbers, values of C // 2 (at least one each), no
    biases, and gamma f32[] that begins at 0. Queries, weights and sums are float32, whatever x is.

    Attributes:
        pool: keys and values are the largest of windows of so many places a side, >= 1; 2 as in the authors'
            code, 1 as in the paper's text.
        spectral_norm: whether the four kernels are spectrally normalised.

    Raises:
        ValueError: another pool, or maps smaller than its windows.

    >>> layer = SelfAttention(pool=1)
    >>> y, variables = layer.init_with_output(jax.random.key(0), jnp.ones((2, 4, 4, 8)), train=False)
    >>> y.shape, sum(leaf.size for leaf in jax.tree.leaves(variables))
    ((2, 4, 4, 8), 81)

    Source: Zhang et al., arXiv:1805.08318, equations 1 to 3.
    """

    pool: int = 2
    spectral_norm: bool = False

    @linen.compact
    def __call__(self, x: Array, *, train: bool) -> Array:
        """Maps f[N, H, W, C] to f[N, H, W, C]."""
        require_images(x.shape, "x")
        count, height, width, channels = x.shape
        require(1 <= self.pool <= min(height, width), "pool", self.pool, f"1 ... {min(height, width)}")

        def project(x: Array, features: int, name: str) -> Array:
            layer = Conv2D(max(1, features), window=1, use_bias=False, name=name)
            return spectral(layer, train=train, when=self.spectral_norm)(x)

        def places(x: Array) -> Array:
            return x.astype(jnp.float32).reshape(count, -1, x.shape[-1])

        def seen(x: Array) -> Array:
            return places(x if self.pool == 1 else ops.max_pool2d(x, window=self.pool))

        queries = places(project(x, channels // 8, "queries"))
        keys = seen(project(x, channels // 8, "keys"))
        values = seen(project(x, channels // 2, "values"))
        weights = jax.nn.softmax(jnp.einsum("nqc,nkc->nqk", queries, keys), axis=-1)
        found = jnp.einsum("nqk,nkc->nqc", weights, values)
        found = project(found.reshape(count, height, width, -1).astype(x.dtype), channels, "output")
        gamma = self.param("gamma", linen.initializers.zeros_init(), (), jnp.float32)
        return x + gamma.astype(x.dtype) * found
