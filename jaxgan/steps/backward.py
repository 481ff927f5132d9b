"""From the logits of a simultaneous update back to what each player needs."""

from collections.abc import Callable
from typing import NamedTuple

import jax.numpy as jnp

from jaxgan.typing import Array, PyTree


class Opinion(NamedTuple):
    """What a discriminator says of images.

    Attributes:
        logits: f32[N], how real each is.
        class_logits: f32[N, K], of which class, where it is an auxiliary classifier too; None else.
    """

    logits: Array
    class_logits: Array | None = None


Opinions = tuple[Opinion, Opinion]
"""Those on real and on generated images."""

Pull = Callable[[Opinions], tuple[PyTree, Array]]

SMALLEST = 1e-20
"""A derivative by a logit that counts as zero: far below what moves a float32, far above the smallest one."""


def pull_twice(pull: Pull, discriminator_bars: Opinions, generator_bars: Opinions) -> tuple[PyTree, Array]:
    """Pulls the derivatives of both losses by the opinions back through the discriminator, one by one.

    Args:
        pull: derivatives by the (real, fake) opinions -> those by the discriminator's params and by the
            fakes f[N, H, W, C]; linear.
        discriminator_bars: the derivatives of the discriminator's loss.
        generator_bars: the derivatives of the generator's loss.

    Returns:
        The derivative of the discriminator's loss by its params, and of the generator's loss by the fakes.
    """
    gradients, _ = pull(discriminator_bars)
    _, fakes_bar = pull(generator_bars)
    return gradients, fakes_bar


def pull_once(pull: Pull, discriminator_bars: Opinions, generator_bars: Opinions) -> tuple[PyTree, Array]:
    r"""Does what `pull_twice` does in one pass, where each logit depends on its own image alone.

    What comes back to a fake is then one number times what does not depend on the loss,

    .. math:: \bar{x}_n = \frac{\partial L}{\partial l_n} \, \frac{\partial l_n}{\partial x_n}

    so that of one loss is that of the other times the ratio of their numbers. A number that is all but zero
    is kept from zero, so that it can be divided by. It takes the range of float32, which bfloat16 has too and
    float16 has not. An auxiliary classifier gives several numbers for each image, and so wants `pull_twice`.
    """
    real_bars, (fake_bars, _) = discriminator_bars
    fake_bars = jnp.where(jnp.abs(fake_bars) < SMALLEST, SMALLEST, fake_bars)
    gradients, fakes_bar = pull((real_bars, Opinion(fake_bars)))
    ratios = (generator_bars[1].logits / fake_bars).reshape(-1, *(1,) * (fakes_bar.ndim - 1))
    return gradients, fakes_bar * ratios.astype(fakes_bar.dtype)
