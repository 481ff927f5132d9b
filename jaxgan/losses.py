r"""What each player of the adversarial game minimises, one value for each example.

A loss is a pair of functions of the discriminator's logits on real and on generated images. Where the
discriminator's opinion is a probability, it is :math:`D(x) = \sigma(C(x))` of the logit :math:`C(x)`;
everything is computed from logits, where :math:`\log \sigma(a) = -\text{softplus}(-a)` neither overflows nor
loses digits.
A loss that looks at both kinds of logits takes as many of one as of the other.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax

from jaxgan import batch_axis
from jaxgan.typing import Array
from jaxgan.validation import require

PlayerLoss = Callable[[Array, Array], Array]


class Loss(NamedTuple):
    """The losses of the two players: ``(real_logits, fake_logits) -> f32[N]`` each.

    Attributes:
        generator: what the generator minimises.
        discriminator: what the discriminator minimises.
        boundary: the logit between generated (below) and real images, where the discriminator is undecided;
            None where only differences of logits count.
    """

    generator: PlayerLoss
    discriminator: PlayerLoss
    boundary: float | None = 0.0


def _check(real_logits: Array, fake_logits: Array) -> None:
    if real_logits.shape != fake_logits.shape:
        raise ValueError(
            f"real_logits have shape {real_logits.shape}, fake_logits {fake_logits.shape}; they must be equal"
        )


def value_function(real_logits: Array, fake_logits: Array) -> Array:
    r"""The value that the discriminator maximises and the generator minimises.

    .. math:: V = \log D(x) + \log(1 - D(G(z)))

    Args:
        real_logits: f32[N], the discriminator's logits on real images.
        fake_logits: f32[N], its logits on generated images.

    Returns:
        f32[N], each <= 0; -2 log 2 where the discriminator is undecided.

    Raises:
        ValueError: the numbers of real and of generated logits differ.

    >>> import jax.numpy as jnp
    >>> round(value_function(jnp.zeros(1), jnp.zeros(1)).item(), 4)
    -1.3863

    Source: Goodfellow et al., arXiv:1406.2661, equation 1.
    """
    _check(real_logits, fake_logits)
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


def least_squares_generator(real_logits: Array, fake_logits: Array) -> Array:
    r"""The generator's loss where the discriminator fits labels, 1 for real images and 0 for generated ones.

    .. math:: \tfrac{1}{2} (C(G(z)) - 1)^2

    Args and returns as in `value_function`; each value >= 0.

    >>> import jax.numpy as jnp
    >>> least_squares_generator(jnp.zeros(1), jnp.zeros(1)).item()
    0.5

    Source: Mao et al., arXiv:1611.04076, equation 9.
    """
    del real_logits
    return 0.5 * (fake_logits - 1) ** 2


def least_squares_discriminator(real_logits: Array, fake_logits: Array) -> Array:
    r"""The discriminator's loss to that of `least_squares_generator`.

    .. math:: \tfrac{1}{2} (C(x) - 1)^2 + \tfrac{1}{2} C(G(z))^2

    Args, returns and errors as in `value_function`; each value >= 0.

    >>> import jax.numpy as jnp
    >>> least_squares_discriminator(jnp.zeros(1), jnp.zeros(1)).item()
    0.5
    """
    _check(real_logits, fake_logits)
    return 0.5 * (real_logits - 1) ** 2 + 0.5 * fake_logits**2


def critic_generator(real_logits: Array, fake_logits: Array) -> Array:
    r"""The generator's loss where the discriminator is a critic, whose logit is a score.

    .. math:: -C(G(z))

    Args as in `value_function`. Returns f32[N] of either sign.

    >>> import jax.numpy as jnp
    >>> critic_generator(jnp.zeros(1), jnp.ones(1)).item()
    -1.0

    Source: Arjovsky et al., arXiv:1701.07875, algorithm 1; Miyato et al., arXiv:1802.05957, equation 17.
    """
    del real_logits
    return -fake_logits


def wasserstein_critic(real_logits: Array, fake_logits: Array) -> Array:
    r"""The critic's loss: less the estimated distance of the two distributions.

    .. math:: C(G(z)) - C(x)

    It is an estimate of -W, the earth mover's distance, for critics with slopes of at most 1: see
    `jaxgan.penalties.gradient_penalty`.

    Args and errors as in `value_function`. Returns f32[N] of either sign.

    >>> import jax.numpy as jnp
    >>> wasserstein_critic(jnp.array([3.0]), jnp.array([1.0])).item()
    -2.0

    Source: Arjovsky et al., arXiv:1701.07875, equation 2 and algorithm 1.
    """
    _check(real_logits, fake_logits)
    return fake_logits - real_logits


def hinge_discriminator(real_logits: Array, fake_logits: Array) -> Array:
    r"""The discriminator's loss with a margin: what it tells clearly enough pulls at it no more.

    .. math:: \max(0, 1 - C(x)) + \max(0, 1 + C(G(z)))

    Args, returns and errors as in `value_function`; each value >= 0.

    >>> import jax.numpy as jnp
    >>> hinge_discriminator(jnp.array([1.5, 0.0]), jnp.array([-1.0, 0.0])).tolist()
    [0.0, 2.0]

    Source: Lim and Ye, arXiv:1705.02894; Miyato et al., arXiv:1802.05957, equation 16.
    """
    _check(real_logits, fake_logits)
    return jax.nn.relu(1 - real_logits) + jax.nn.relu(1 + fake_logits)


def relativistic_discriminator(real_logits: Array, fake_logits: Array) -> Array:
    r"""The discriminator's loss on pairs: a real image should look more real than a generated one.

    .. math:: -\log \sigma(C(x) - C(G(z))) = \text{softplus}(C(G(z)) - C(x))

    Args, returns and errors as in `value_function`; each value >= 0.

    >>> import jax.numpy as jnp
    >>> round(relativistic_discriminator(jnp.zeros(1), jnp.zeros(1)).item(), 4)
    0.6931

    Source: Jolicoeur-Martineau, arXiv:1807.00734 (RSGAN); Huang et al., arXiv:2501.05441 (R3GAN).
    """
    _check(real_logits, fake_logits)
    return jax.nn.softplus(fake_logits - real_logits)


def relativistic_generator(real_logits: Array, fake_logits: Array) -> Array:
    """The generator's loss on pairs: `relativistic_discriminator` with the roles exchanged.

    >>> import jax.numpy as jnp
    >>> round(relativistic_generator(jnp.array([20.0]), jnp.zeros(1)).item(), 4)
    20.0
    """
    return relativistic_discriminator(fake_logits, real_logits)


def relativistic_average_discriminator(real_logits: Array, fake_logits: Array) -> Array:
    r"""The discriminator's loss on images against the average of the others.

    .. math:: -\log \sigma\Big(C(x_n) - \frac{1}{N} \sum_m C(G(z_m))\Big)
        - \log \Big(1 - \sigma\Big(C(G(z_n)) - \frac{1}{N} \sum_m C(x_m)\Big)\Big)

    The averages are those of the whole batch, also where it is divided over devices (`jaxgan.batch_axis`);
    each value depends on all examples.

    Args, returns and errors as in `value_function`; each value >= 0.

    >>> import jax.numpy as jnp
    >>> round(relativistic_average_discriminator(jnp.zeros(1), jnp.zeros(1)).item(), 4)
    1.3863

    Source: Jolicoeur-Martineau, arXiv:1807.00734 (RaSGAN).
    """
    _check(real_logits, fake_logits)
    real_mean, fake_mean = batch_axis.pmean((real_logits.mean(), fake_logits.mean()))
    return jax.nn.softplus(fake_mean - real_logits) + jax.nn.softplus(fake_logits - real_mean)


def relativistic_average_generator(real_logits: Array, fake_logits: Array) -> Array:
    """The generator's loss: `relativistic_average_discriminator` with the roles exchanged.

    >>> import jax.numpy as jnp
    >>> round(relativistic_average_generator(jnp.array([20.0]), jnp.zeros(1)).item(), 4)
    40.0
    """
    return relativistic_average_discriminator(fake_logits, real_logits)


LOSSES = {
    "minimax": Loss(value_function, value_function_negated),
    "non_saturating": Loss(non_saturating_generator, value_function_negated),
    "least_squares": Loss(least_squares_generator, least_squares_discriminator, boundary=0.5),
    "wasserstein": Loss(critic_generator, wasserstein_critic, boundary=None),
    "hinge": Loss(critic_generator, hinge_discriminator),
    "relativistic": Loss(relativistic_generator, relativistic_discriminator, boundary=None),
    "relativistic_average": Loss(
        relativistic_average_generator, relativistic_average_discriminator, boundary=None
    ),
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
