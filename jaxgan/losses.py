r"""What each player of the adversarial game minimises, one value for each example.

A loss is a pair of functions of the discriminator's logits on real and on generated images. The
discriminator's opinion is :math:`D(x) = \sigma(\text{logit})`; everything is computed from logits, where
:math:`\log \sigma(a) = -\text{softplus}(-a)` neither overflows nor loses digits.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax

from jaxgan.typing import Array
from jaxgan.validation import require

PlayerLoss = Callable[[Array, Array], Array]


class Loss(NamedTuple):
    """The losses of the two players: ``(real_logits, fake_logits) -> f32[N]`` each."""

    generator: PlayerLoss
    discriminator: PlayerLoss


def value_function(real_logits: Array, fake_logits: Array) -> Array:
    r"""The value that the discriminator maximises and the generator minimises.

    .. math:: V = \log D(x) + \log(1 - D(G(z)))

    Args:
        real_logits: f32[N], the discriminator's logits on real images.
        fake_logits: f32[N], its logits on generated images.

    Returns:
        f32[N], each <= 0; -2 log 2 where the discriminator is undecided.

    >>> import jax.numpy as jnp
    >>> round(value_function(jnp.zeros(1), jnp.zeros(1)).item(), 4)
    -1.3863

    Source: Goodfellow et al., arXiv:1406.2661, equation 1.
    """
    return jax.nn.log_sigmoid(real_logits) + jax.nn.log_sigmoid(-fake_logits)


def value_function_negated(real_logits: Array, fake_logits: Array) -> Array:
    """The discriminator's loss, -V: binary cross-entropy on real images plus that on generated ones.

    Args and returns as in `value_function`; each value >= 0.

    >>> import jax.numpy as jnp
    >>> round(value_function_negated(jnp.zeros(1), jnp.zeros(1)).item(), 4)
    1.3863
    """
    return -value_function(real_logits, fake_logits)


def non_saturating_generator(real_logits: Array, fake_logits: Array) -> Array:
    r"""The generator's loss with a gradient that stays strong where the discriminator wins.

    .. math:: -\log D(G(z))

    Args and returns as in `value_function`; each value >= 0.

    >>> import jax.numpy as jnp
    >>> round(non_saturating_generator(jnp.zeros(1), jnp.zeros(1)).item(), 4)
    0.6931

    Source: Goodfellow et al., arXiv:1406.2661, section 3.
    """
    del real_logits
    return -jax.nn.log_sigmoid(fake_logits)


LOSSES = {
    "minimax": Loss(value_function, value_function_negated),
    "non_saturating": Loss(non_saturating_generator, value_function_negated),
}
"""Every loss by its name."""


def get(name: str) -> Loss:
    """Finds a loss by its name.

    Raises:
        ValueError: an unknown name; the message lists the known ones.

    >>> get("minimax").generator is value_function
    True
    """
    require(name in LOSSES, "loss", name, "one of " + ", ".join(sorted(LOSSES)))
    return LOSSES[name]
