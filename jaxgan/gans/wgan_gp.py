"""WGAN-GP: residual networks, and a critic whose slope a penalty holds at one.

Gulrajani et al., arXiv:1704.00028, with the residual networks that the paper uses for CIFAR-10. Departures:
the last of the critic's updates and the generator's start from the same weights and images; the learning rate
stays where it is, where the paper lowers it as a line (``--model.game.generator.schedule linear`` and so on).
"""

import dataclasses
import functools
import math

import flax.linen as linen

from jaxgan import nn, ops
from jaxgan.steps import GAN, Adam, Adversarial, Recipe, adversarial_of
from jaxgan.typing import Array

ADAM = Adam(learning_rate=1e-4, b1=0.0, b2=0.9)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config(nn.Pyramid):
    """The two networks and their game; all maps have the same number of channels, ``features``.

    Attributes:
        game: the loss, the penalty, the critic's updates and the optimisers.
    """

    features: int = 128
    game: Adversarial = Adversarial(
        loss="wasserstein",
        penalties=("gradient_penalty:10",),
        discriminator_steps=5,
        generator=ADAM,
        discriminator=ADAM,
    )


CIFAR10 = Config(image_size=(32, 32), channels=3)
DIGITS = Config(
    features=24,
    game=dataclasses.replace(
        CIFAR10.game,
        ema_decay=0.99,
        generator=dataclasses.replace(ADAM, learning_rate=5e-4),
        discriminator=dataclasses.replace(ADAM, learning_rate=5e-4),
    ),
)
LARGEST_SIDE = 32
"""The images that it was made for have sides up to this, as of CIFAR-10 in the paper."""
RECIPE = Recipe(DIGITS, batch_size=80, steps=1000, score=16.9)
"""5 minutes on one core of an Intel Xeon; then FID 16.9 by the CNN trained on digits (10,000 samples)."""


class Generator(linen.Module):
    """Maps latents f32[N, L], and labels int32[N] if there are classes, to images f32[N, H, W, C]."""

    config: Config

    @linen.compact
    def __call__(self, latents: Array, *labels: Array, train: bool) -> Array:
        """Maps f32[N, L] to f32[N, H, W, C] in [-1, 1]."""
        config, on = self.config, self.config.normalizes("generator")
        spectral = functools.partial(nn.spectral, train=train, when=on)
        block = functools.partial(
            nn.ResidualBlock, batch_norm=True, num_classes=config.num_classes, spectral_norm=on
        )
        x = spectral(nn.Dense(math.prod(config.smallest_size) * config.features))(latents)
        x = nn.spread(x, config.smallest_size)
        for _ in range(config.stages):
            x = block(config.features, "up")(x, *labels, train=train)
        x = ops.relu(nn.normalize(x, *labels, num_classes=config.num_classes, train=train))
        return ops.tanh(spectral(nn.Conv2D(config.channels, window=3))(x))


class Discriminator(linen.Module):
    """The critic: maps images f32[N, H, W, C], and labels int32[N] if there are classes, to logits f32[N]."""

    config: Config

    @linen.compact
    def __call__(self, images: Array, *labels: Array, train: bool) -> Array:
        """Maps f32[N, H, W, C] to f32[N], of which only differences count."""
        config, on = self.config, self.config.normalizes("discriminator")
        x = nn.ResidualBlock(config.features, "down", spectral_norm=on, image=True)(images, train=train)
        x = nn.ResidualBlock(config.features, "down", spectral_norm=on)(x, train=train)
        for _ in range(2):
            x = nn.ResidualBlock(config.features, spectral_norm=on)(x, train=train)
        x = ops.relu(x).mean((1, 2))
        return nn.judge(x, *labels, num_classes=config.num_classes, train=train, spectral_norm=on)


def build(config: Config = CIFAR10) -> GAN:
    """Makes the GAN.

    >>> import jax
    >>> gan = build(Config(features=4))
    >>> state = jax.eval_shape(gan.init, jax.random.key(0))
    >>> jax.eval_shape(lambda state, key: gan.sample(state, key, 2), state, jax.random.key(1)).shape
    (2, 28, 28, 1)
    """
    return adversarial_of(networks(config), config.game, num_classes=config.num_classes)


def networks(config: Config = CIFAR10) -> dict[str, tuple[linen.Module, tuple[int, ...]]]:
    """Names the networks, each with the shape of one input, labels aside.

    >>> [shape for _, shape in networks().values()]
    [(128,), (32, 32, 3)]
    """
    return config.players(Generator(config), Discriminator(config))
