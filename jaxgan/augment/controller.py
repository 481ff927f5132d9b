"""The controller of ADA: a strength that rises while the discriminator overfits (arXiv:2006.06676)."""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from jaxgan import batch_axis
from jaxgan.typing import Array
from jaxgan.validation import require


class Ada(NamedTuple):
    """The strength, and what has been seen since it last changed; arrays only, a part of a state.

    Attributes:
        p: f32[], in [0, 1]: the strength.
        sum_of_signs: f32[], over the real images seen since p changed.
        seen: f32[], their number.
    """

    p: Array
    sum_of_signs: Array
    seen: Array


def init(p: float = 0.0) -> Ada:
    """Starts with a strength, in [0, 1]; 0 as the paper does.

    Raises:
        InputError: it is outside.

    >>> init().p.item()
    0.0
    """
    require(0 <= p <= 1, "p", p, "in [0, 1]")
    zero = jnp.zeros((), jnp.float32)
    return Ada(p=jnp.asarray(p, jnp.float32), sum_of_signs=zero, seen=jnp.copy(zero))


def update(
    state: Ada,
    real_logits: Array,
    *,
    batch_size: int,
    target: float = 0.6,
    every: int = 4,
    images_to_one: float = 500_000,
) -> Ada:
    r"""Notes one batch, and every few batches moves the strength one small way.

    .. math:: r_t = E[\text{sign}(D(x))], \qquad p \leftarrow p + \text{sign}(r_t - r^*) \, B k / T

    with the mean over the real images since the last change, over all devices, of batches of B, every k
    steps, and T the images that take p from 0 to 1. Departures: p stays at most 1, as it is a
    probability; a logit that is not a number counts as 0, so that one bad step does not end the control.

    Args:
        state: the strength so far.
        real_logits: f[...], the discriminator's logits on real images as it saw them, augmented: this
            device's part of them.
        batch_size: the real images in the whole batch, >= 1.
        target: r*, in [-1, 1].
        every: steps between changes, >= 1.
        images_to_one: after how many images p can come from 0 to 1, > 0.

    Returns:
        The state after this batch.

    Raises:
        InputError: a number out of its range.

    >>> state = update(init(), jnp.ones(2), batch_size=2, every=1, images_to_one=8)
    >>> state.p.item()
    0.25

    Source: Karras et al., arXiv:2006.06676, section 3.1.
    """
    require(batch_size >= 1, "batch_size", batch_size, ">= 1")
    require(-1 <= target <= 1, "target", target, "in [-1, 1]")
    require(every >= 1, "every", every, ">= 1")
    require(images_to_one > 0, "images_to_one", images_to_one, "> 0")
    signs = jnp.nan_to_num(jnp.sign(real_logits.astype(jnp.float32)))
    mean = batch_axis.pmean(jax.lax.stop_gradient(signs).mean())
    sum_of_signs = state.sum_of_signs + mean * batch_size
    seen = state.seen + batch_size
    due = seen >= batch_size * every
    change = jnp.sign(sum_of_signs / seen - target) * seen / images_to_one
    return Ada(
        p=jnp.where(due, jnp.clip(state.p + change, 0, 1), state.p),
        sum_of_signs=jnp.where(due, 0, sum_of_signs),
        seen=jnp.where(due, 0, seen),
    )
