"""What a step works out only now and then."""

from collections.abc import Callable

import jax
import jax.numpy as jnp

from jaxgan import batch_axis
from jaxgan.typing import Array, PyTree
from jaxgan.validation import require


def lazily(step: Array, every: int, penalty: Callable[[], PyTree]) -> PyTree:
    r"""Works out a penalty at every k-th step, times k, so that its sum over many steps stays what it was.

    .. math:: k \, P \text{ where } t \equiv 0 \pmod k, \qquad 0 \text{ elsewhere}

    One compiled program holds both cases and runs one, except where `jax.vmap` maps over ``step``, which runs
    both. Differentiated from outside, it keeps what the backward pass needs at the other steps too (zeros); a
    ``penalty`` that gives its own value and gradient keeps nothing: both are scaled alike.

    Args:
        step: int[], t, the number of steps taken; the same on all devices.
        every: k >= 1.
        penalty: () -> arrays f[...], in any pytree.

    Returns:
        The same pytree, scaled.

    Raises:
        InputError: ``every`` < 1.

    >>> [lazily(jnp.array(step), 2, lambda: jnp.array([1.5])).tolist() for step in range(3)]
    [[3.0], [0.0], [3.0]]

    Source: Karras et al., arXiv:1912.04958, section 3.1; it adapts Adam's settings too.
    """
    require(every >= 1, "interval", every, ">= 1")
    if every == 1:
        return penalty()

    def due() -> PyTree:
        return jax.tree.map(lambda leaf: every * leaf, penalty())

    def idle() -> PyTree:
        shapes = jax.eval_shape(penalty)
        return jax.tree.map(lambda leaf: batch_axis.align(jnp.zeros(leaf.shape, leaf.dtype), leaf)[0], shapes)

    return jax.lax.cond(step % every == 0, due, idle)
