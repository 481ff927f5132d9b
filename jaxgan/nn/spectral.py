"""Spectral normalisation of a layer, by way of Flax."""

import functools
from collections.abc import Callable

import flax.linen as linen

from jaxgan.typing import Array


def spectral(layer: linen.Module, *, train: bool, when: bool = True) -> Callable[..., Array]:
    r"""Divides the kernel of a layer by its largest singular value, so that the layer enlarges no slope.

    .. math:: \bar{W} = W / \sigma(W), \qquad \sigma(W) \approx v^\top W u

    for the kernel as a matrix W of inputs by outputs. The vectors u, kept in the collection ``batch_stats``,
    come closer to the singular vectors by one step of the power iteration at each call in training; the
    gradient takes u and v for constants. Outside training a call uses them and changes nothing.

    Args:
        layer: a dense layer or a convolution, made inside a compact method.
        train: whether the vectors move.
        when: whether anything is divided; the layer itself if not, with the same parameters.

    Returns:
        A function of what the layer takes.

    >>> import jax, jax.numpy as jnp
    >>> from jaxgan.nn import Dense
    >>> class Network(linen.Module):
    ...     @linen.compact
    ...     def __call__(self, x, *, train):
    ...         return spectral(Dense(1), train=train)(x)
    >>> y, _ = Network().init_with_output(jax.random.key(0), jnp.eye(2), train=False)
    >>> round(float(jnp.linalg.norm(y)), 4)  # of one column: exact at once
    1.0

    Source: Miyato et al., arXiv:1802.05957, algorithm 1.
    """
    if not when:
        return layer
    return functools.partial(linen.SpectralNorm(layer), update_stats=train)
