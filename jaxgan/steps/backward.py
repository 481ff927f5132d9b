"""From the logits of a simultaneous update back to what each player needs."""

from collections.abc import Callable

import jax.numpy as jnp

from jaxgan.typing import Array, PyTree

Logits = tuple[Array, Array]
Pull = Callable[[Logits], tuple[PyTree, Array]]

SMALLEST = 1e-20
"""A derivative by a logit that counts as zero: far below what moves a float32, far above the smallest one."""


def pull_twice(pull: Pull, discriminator_bars: Logits, generator_bars: Logits) -> tuple[PyTree, Array]:
    """Pulls the derivatives of both losses by the logits back through the discriminator, one after the other.

    Args:
        pull: derivatives by the (real, fake) logits, f32[N] each -> those by the discriminator's params and
            by the fakes f[N, H, W, C]; linear.
        discriminator_bars: the derivatives of the discriminator's loss.
        generator_bars: the derivatives of the generator's loss.

    Returns:
        The derivative of the discriminator's loss by its params, and of the generator's loss by the fakes.
    """
    gradients, _ = pull(discriminator_bars)
    _, fakes_bar = pull(generator_bars)
    return gradients, fakes_bar


def pull_once(pull: Pull, discriminator_bars: Logits, generator_bars: Logits) -> tuple[PyTree, Array]:
    r"""Does what `pull_twice` does in one pass, where each logit depends on its own image alone.

    What comes back to a fake is then one number times what does not depend on the loss,

    .. math:: \bar{x}_n = \frac{\partial L}{\partial l_n} \, \frac{\partial l_n}{\partial x_n}

    so that of one loss is that of the other times the ratio of their numbers. A number that is all but zero
    is kept from zero, so that it can be divided by. It takes the range of float32, which bfloat16 has too and
    float16 has not.
    """
    real_bars, fake_bars = discriminator_bars
    fake_bars = jnp.where(jnp.abs(fake_bars) < SMALLEST, SMALLEST, fake_bars)
    gradients, fakes_bar = pull((real_bars, fake_bars))
    ratios = (generator_bars[1] / fake_bars).reshape(-1, *(1,) * (fakes_bar.ndim - 1))
    return gradients, fakes_bar * ratios.astype(fakes_bar.dtype)
